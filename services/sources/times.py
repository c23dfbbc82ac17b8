"""Times as sources write them, and the cursor that is kept of them between polls."""

from datetime import UTC, datetime, timedelta

from events.approval import Json

RFC3339 = "rfc3339"
EPOCH = "epoch"
EPOCH_MS = "epoch_ms"


def parsed(value: Json, form: str) -> datetime | None:
    """Return the time in a field of a record, or None when it holds none; without zone is UTC."""
    try:
        if form in {EPOCH, EPOCH_MS}:
            number = float(value)
            return datetime.fromtimestamp(number / (1000 if form == EPOCH_MS else 1), UTC)
        if not isinstance(value, str):
            return None
        moment = (
            datetime.fromisoformat(value) if form == RFC3339 else datetime.strptime(value, form)  # noqa: DTZ007 - the zone is set below
        )
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def written(moment: datetime, form: str) -> str:
    """Return a time as the source wants it, rounded down if its form is coarse."""
    moment = moment.astimezone(UTC)
    if form == EPOCH:
        return str(int(moment.timestamp()))
    if form == EPOCH_MS:
        return str(int(moment.timestamp() * 1000))
    if form == RFC3339:
        return moment.isoformat().replace("+00:00", "Z")
    return moment.strftime(form)


def kept(moment: datetime) -> str:
    """Return a time as a cursor keeps it."""
    return moment.astimezone(UTC).isoformat()


def begin_from(cursor: str, lookback: float) -> datetime | None:
    """Return the cursor less `lookback` seconds, to ask from; None for a cursor that is no time."""
    try:
        return datetime.fromisoformat(cursor).astimezone(UTC) - timedelta(seconds=lookback)
    except (ValueError, OverflowError):
        return None
