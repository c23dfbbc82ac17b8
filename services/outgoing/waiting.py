"""Reads how long somebody asks us to stay away."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

LONGEST_S = 3600.0
# A number above this is a time since 1970, not a length: 10^8 seconds are three years.
_EPOCH_FROM = 1e8
_EPOCH_MS_FROM = 1e11


def asked_to_wait(headers: Mapping[str, str], names: Iterable[str], now: datetime) -> float | None:
    """Return the seconds that the first readable of these headers asks for, at most an hour.

    `headers` have names in lower case; `names` may be in any.

    Dates are taken against the answer's own `Date`, so that it does not matter if clocks differ.
    """
    there = date_of(headers) or now
    for name in names:
        text = headers.get(name.lower())
        wait = None if text is None else _wait(text.strip(), there)
        if wait is not None:
            return min(max(wait, 0.0), LONGEST_S)
    return None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the time that the answer was made, by the source's clock."""
    text = headers.get("date")
    return None if text is None else _http_date(text)


def _wait(text: str, there: datetime) -> float | None:
    try:
        number = float(text)
    except ValueError:
        date = _http_date(text)
        return None if date is None else (date - there).total_seconds()
    if not isfinite(number):
        return None
    if number >= _EPOCH_MS_FROM:
        return number / 1000 - there.timestamp()
    return number - there.timestamp() if number >= _EPOCH_FROM else number


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
