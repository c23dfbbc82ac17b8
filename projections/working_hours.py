"""Counts working time: days, holidays and time zones, across the changes of the clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from events.approval import WorkingHours

LONGEST = timedelta(days=3660)
"""How far ahead is looked: hours that never come end there."""
DAY = timedelta(days=1)


def add(start: datetime, seconds: float, hours: WorkingHours | None) -> datetime:
    """Return when so many seconds of working time have passed, in UTC; None: all time counts.

    Never before `start`, and never more than `LONGEST` after it.
    """
    start = start.astimezone(UTC)
    left = timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))
    if hours is None or not left:
        return start + left
    for begins, ends in _open_from(start, hours):
        if ends - begins >= left:
            return min(begins + left, start + LONGEST)
        left -= ends - begins
    return start + LONGEST


def between(begin: datetime, end: datetime, hours: WorkingHours | None) -> float:
    """Return the seconds of working time from `begin` up to `end`, none if that lies before."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    if hours is None:
        return max(0.0, (end - begin).total_seconds())
    total = timedelta()
    for begins, ends in _open_from(begin, hours):
        if begins >= end:
            break
        total += min(ends, end) - begins
    return total.total_seconds()


def is_open(at: datetime, hours: WorkingHours | None) -> bool:
    """Tell whether a moment lies in working time; the moment of closing does not."""
    return next_open(at, hours) == at


def next_open(at: datetime, hours: WorkingHours | None) -> datetime:
    """Return the first moment of working time that is not before `at`, in UTC.

    `LONGEST` after it, if there is none until then.
    """
    at = at.astimezone(UTC)
    if hours is None:
        return at
    return min(next((begins for begins, _ in _open_from(at, hours)), at + LONGEST), at + LONGEST)


def _open_from(start: datetime, hours: WorkingHours) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches of working time after `start`, in order, each as begin and end in UTC."""
    zone = _zone(hours.time_zone)
    first = start.astimezone(zone).date()
    for number in range(LONGEST.days + 1):
        day = first + number * DAY
        if day.weekday() not in hours.days or day in hours.holidays:
            continue
        midnight = datetime.combine(day, time())
        begins = max(start, _moment(midnight, hours.opens, zone))
        ends = _moment(midnight, hours.closes, zone)
        if begins < ends:
            yield begins, ends


def _moment(midnight: datetime, minute: int, zone: tzinfo) -> datetime:
    """Return when the clock of a zone shows a minute of a day, in UTC.

    Of a minute that is shown twice it is the first; one that is skipped is as much later.
    """
    return (midnight + timedelta(minutes=minute)).replace(tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        # What was accepted once must stay readable, also where its zone has gone since.
        return UTC
