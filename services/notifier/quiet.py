"""When it is quiet for somebody, and when their digests are: by the clock of where they are."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from services.directory.preferences import A_DAY, Quiet

DAY = timedelta(days=1)
_MOST_STRETCHES = 64
"""Of quiet hours that follow one another without a gap: more than any week holds."""


def after_quiet(at: datetime, quiet: Sequence[Quiet], zone: tzinfo) -> datetime:
    """Return the first time from `at` on that is in no quiet hours.

    Where the clock is put forward or back, what could be read as quiet is.
    """
    for _ in range(_MOST_STRETCHES):
        ends = [end for begin, end in _around(at, quiet, zone) if begin <= at < end]
        if not ends:
            return at
        at = max(ends)
    return at


def last_digest(
    now: datetime, times: Sequence[int], quiet: Sequence[Quiet], zone: tzinfo
) -> tuple[datetime, datetime] | None:
    """Return the latest digest that is due by now: its time, and when it goes out.

    One that falls into quiet hours goes out when they end; of several, only the last one.
    None: none was due within the last two days.
    """
    today = now.astimezone(zone).date()
    slots = [
        datetime.combine(today - DAY * back, time(minute // 60, minute % 60), zone).astimezone(UTC)
        for back in range(-1, 4)
        for minute in times
    ]
    for slot in sorted(slots, reverse=True):
        if slot <= now and (goes_out := after_quiet(slot, quiet, zone)) <= now:
            return slot, goes_out
    return None


def _around(
    at: datetime, quiet: Sequence[Quiet], zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches that may hold a time: those of its day and of the ones beside it."""
    today = at.astimezone(zone).date()
    for one in quiet:
        for day in (today - DAY, today, today + DAY):
            if day.weekday() in one.days:
                last = day + DAY if one.overnight else day
                yield (
                    _at(day, one.begins, zone, later=False),
                    _at(last, one.ends, zone, later=True),
                )


def _at(day: date, minute: int, zone: tzinfo, *, later: bool) -> datetime:
    """Return when a clock shows a minute of a day: of two times, the earlier or the later one."""
    day, minute = day + DAY * (minute // A_DAY), minute % A_DAY
    shown = datetime.combine(day, time(minute // 60, minute % 60), zone)
    both = [shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    return max(both) if later else min(both)
