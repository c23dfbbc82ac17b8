"""Times as the API writes them: RFC 3339 in UTC with six decimals, so that text sorts as time."""

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """An aware time as `2025-09-15T08:30:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The time that an RFC 3339 text names, in UTC; raises ValueError when it is none."""
    if len(text) < len("2025-09-15T08:30Z") or text[10] not in "Tt ":
        raise ValueError("not an RFC 3339 time")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the offset from UTC is missing")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)
