"""Times, states and texts of others in the words that a person reads; pure."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from events.approval import Urgency
from projections.approval_view import Status

MINUTE, HOUR, DAY = 60, 3600, 86_400
SHORT = 24
"""Up to this many of a unit, the smaller unit tells more: 47 h is said as 1 d, 23 h as 23 h."""
MAX_URL = 2_000

STATUS_WORDS: Mapping[Status, str] = {
    "pending": "Waiting for an answer",
    "deciding": "Being written back",
    "approved": "Approved",
    "rejected": "Rejected",
    "withdrawn": "Withdrawn",
    "expired": "Expired",
}
URGENCY_WORDS: Mapping[Urgency, str | None] = {
    "high": "High urgency",
    "medium": None,
    "low": "Low urgency",
}
"""Medium is said by saying nothing."""

_CHANNELS: Mapping[str, str] = {
    "inbox": "in the inbox",
    "api": "through the API",
    "link": "by a link",
    "email": "by e-mail",
    "slack": "in Slack",
    "discord": "in Discord",
    "cli": "on the command line",
    "mcp": "through an assistant",
    "timeout": "by the clock",
    "policy": "by its policy",
}
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")
# Control characters, halves of pairs, and the marks that reverse text that is not theirs: with
# them a title could read as another amount than the one that is approved.
_ILLEGIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def legible(text: str) -> str:
    """Return a text of others with what cannot be seen, or reorders the rest, made visible."""
    return _ILLEGIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit: `12 s`, `5 min`, `2 h`, `3 d`."""
    whole = max(0, math.floor(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < SHORT * HOUR:
        return f"{whole // HOUR} h"
    return f"{whole // DAY} d"


def time_left(expires_at: datetime, now: datetime) -> str:
    """Return how long there is to answer."""
    seconds = (expires_at - now).total_seconds()
    if seconds <= 0:
        return "out of time"
    return f"{span(seconds)} left" if seconds >= MINUTE else "under a minute left"


def seconds_since(then: datetime, now: datetime) -> int:
    """Return whole seconds from then to now, at least 0: clocks differ."""
    return max(0, math.floor((now - then).total_seconds()))


def moment(at: datetime) -> str:
    """Return a time for people, in UTC: `21 Nov 2026, 14:05 UTC`."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def time_of_day(at: datetime) -> str:
    """Return a time within a minute or two for people, in UTC: `14:05:12 UTC`."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def day(on: date) -> str:
    """Return a day for people: `3 Dec 2026`."""
    return f"{on.day} {on:%b %Y}"


def machine_time(at: datetime) -> str:
    """Return a time for the attribute `datetime`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def source_label(name: str) -> str:
    """Return how a source is called: `acme-expenses` is Acme Expenses."""
    if not _SLUG.fullmatch(name):
        return name
    return " ".join(part[:1].upper() + part[1:] for part in re.split("[-_]+", name) if part)


def through(channel: str) -> str:
    """Return how an answer came."""
    return _CHANNELS.get(channel, f"by {channel}")


def safe_url(url: str | None) -> str | None:
    """Return a web address that a page may link to, or None for anything else."""
    if url is None or len(url) > MAX_URL or legible(url) != url or any(map(str.isspace, url)):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and host else None


def host_of(url: str) -> str:
    """Return where a web address leads, so that a person sees it before going there."""
    return urlsplit(url).netloc.rpartition("@")[2]
