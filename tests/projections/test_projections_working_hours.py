"""Working time: what is added comes out again, and a counter of minutes says the same."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from events.approval import WorkingHours
from projections.working_hours import LONGEST, add, between, is_open, next_open

HOUR = 3600.0
OFFICE = WorkingHours(time_zone="Europe/Berlin", days=(0, 1, 2, 3, 4), opens=9 * 60, closes=17 * 60)
ALL_DAY = replace(OFFICE, days=tuple(range(7)), opens=0, closes=24 * 60)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  # its clocks change at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "UTC",
)
NEVER = replace(OFFICE, days=())


def berlin(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    """A time in March 2026, whose last Sunday, the 29th, is an hour shorter."""
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin"))


moments = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 # the strategy wants naive bounds


@st.composite
def calendars(draw: st.DrawFn, earliest: int = 0) -> WorkingHours:
    opens = draw(st.integers(earliest, 23 * 60))
    return WorkingHours(
        time_zone=draw(st.sampled_from(ZONES)),
        days=tuple(draw(st.lists(st.integers(0, 6), min_size=1, unique=True))),
        opens=opens,
        closes=draw(st.integers(opens + 1, 24 * 60)),
        holidays=tuple(draw(st.lists(st.dates(date(2025, 1, 1), date(2028, 1, 1)), max_size=3))),
    )


whole_or_waking = st.one_of(
    calendars(earliest=4 * 60),
    calendars().map(lambda hours: replace(hours, opens=0, closes=24 * 60)),
)
"""No zone puts its clocks forward between these times: so no minute of them is left out."""


@pytest.mark.parametrize(
    ("start", "seconds", "end"),
    [
        (berlin(2, 9), HOUR, berlin(2, 10)),
        (berlin(2, 7), HOUR, berlin(2, 10)),
        (berlin(2, 16, 30), HOUR, berlin(3, 9, 30)),
        (berlin(6, 16), 2 * HOUR, berlin(9, 10)),
        (berlin(7, 12), HOUR, berlin(9, 10)),
        (berlin(2, 9), 8 * HOUR, berlin(2, 17)),
        (berlin(2, 9), 40 * HOUR, berlin(6, 17)),
        (berlin(27, 16), 2 * HOUR, berlin(30, 10)),
        (berlin(2, 9), 0, berlin(2, 9)),
        (berlin(1, 9), 0, berlin(1, 9)),
        (berlin(2, 9), -5, berlin(2, 9)),
    ],
)
def test_time_passes_only_while_it_is_open(start: datetime, seconds: float, end: datetime) -> None:
    assert add(start, seconds, OFFICE) == end


def test_all_time_counts_without_hours() -> None:
    assert add(berlin(7, 12), HOUR, None) == berlin(7, 13)
    assert between(berlin(7, 12), berlin(8, 12), None) == 24 * HOUR
    assert between(berlin(8, 12), berlin(7, 12), None) == 0
    assert is_open(berlin(7, 3), None)
    assert next_open(berlin(7, 3), None) == berlin(7, 3)


def test_a_holiday_is_left_out() -> None:
    hours = replace(OFFICE, holidays=(date(2026, 3, 3), date(2026, 3, 4)))
    assert add(berlin(2, 16), 2 * HOUR, hours) == berlin(5, 10)
    assert between(berlin(2, 0), berlin(7, 0), hours) == 24 * HOUR


def test_whether_it_is_open_and_when_it_is_next() -> None:
    assert is_open(berlin(2, 9), OFFICE)
    assert is_open(berlin(2, 16, 59), OFFICE)
    assert not is_open(berlin(2, 17), OFFICE), "the moment of closing is not open"
    assert not is_open(berlin(7, 12), OFFICE)
    assert next_open(berlin(2, 12), OFFICE) == berlin(2, 12)
    assert next_open(berlin(2, 17), OFFICE) == berlin(3, 9)
    assert next_open(berlin(6, 17), OFFICE) == berlin(9, 9)


def test_days_are_as_long_as_the_clocks_make_them() -> None:
    assert between(berlin(29, 0), berlin(30, 0), ALL_DAY) == 23 * HOUR
    assert between(berlin(25, 0, month=10), berlin(26, 0, month=10), ALL_DAY) == 25 * HOUR
    assert add(berlin(29, 1), 2 * HOUR, ALL_DAY) == berlin(29, 4)


def test_open_to_midnight_goes_on_without_a_hole() -> None:
    assert add(berlin(2, 23), 2 * HOUR, ALL_DAY) == berlin(3, 1)
    assert is_open(berlin(3, 0), ALL_DAY)


@pytest.mark.parametrize("zone", ["No/Such_Zone", "", "../etc/passwd", "a\0b", "x" * 5000])
def test_a_zone_that_is_not_known_here_counts_as_utc(zone: str) -> None:
    assert add(berlin(2, 0), HOUR, replace(OFFICE, time_zone=zone)) == add(
        berlin(2, 0), HOUR, replace(OFFICE, time_zone="UTC")
    )


def test_hours_that_never_come_end_somewhere() -> None:
    start = berlin(2, 9)
    assert add(start, HOUR, NEVER) == start + LONGEST
    assert next_open(start, NEVER) == start + LONGEST
    assert not is_open(start, NEVER)
    assert between(start, start + 2 * LONGEST, NEVER) == 0
    assert add(start, 1e18, None) == start + LONGEST
    assert add(start, 1e18, OFFICE) == start + LONGEST


@settings(deadline=None)
@given(moments, st.floats(0, 300 * HOUR), calendars())
def test_what_is_added_comes_out_again(
    start: datetime, seconds: float, hours: WorkingHours
) -> None:
    end = add(start, seconds, hours)
    assume(end < start + LONGEST)
    assert between(start, end, hours) == pytest.approx(seconds, abs=1e-5)


@settings(deadline=None)
@given(moments, st.floats(0, 100 * HOUR), st.floats(0, 100 * HOUR), calendars())
def test_more_time_ends_no_sooner(
    start: datetime, less: float, more: float, hours: WorkingHours
) -> None:
    less, more = sorted((less, more))
    assert start <= add(start, less, hours) <= add(start, more, hours)
    assert add(start, more, hours) <= add(start + timedelta(hours=5), more, hours)


@settings(deadline=None)
@given(moments, calendars())
def test_the_next_moment_that_is_open_is_open(start: datetime, hours: WorkingHours) -> None:
    found = next_open(start, hours)
    assume(found < start + LONGEST)
    assert found >= start
    assert is_open(found, hours)
    assert between(start, found, hours) == 0


PUT_BACK = datetime(2025, 4, 5, 20, tzinfo=UTC)
"""A Saturday in Santiago on which 23:00 to 24:00 is shown twice."""


def until(closes: int) -> WorkingHours:
    return WorkingHours(time_zone="America/Santiago", days=(5,), opens=4 * 60, closes=closes)


def shown_open(at: datetime, hours: WorkingHours) -> bool:
    """Look at the clock on the wall."""
    wall = at.astimezone(ZoneInfo(hours.time_zone))
    # What begins or ends within an hour that is shown twice did so when it was shown first, and so
    # the second time all of that hour is over.
    minute = wall.hour * 60 + (59 if wall.fold else wall.minute)
    return (
        wall.weekday() in hours.days
        and wall.date() not in hours.holidays
        and hours.opens <= minute < hours.closes
    )


@settings(deadline=None, max_examples=60)
@given(moments, st.integers(0, 4 * 24 * 60), whole_or_waking)
@example(PUT_BACK, 421, until(23 * 60 + 1))
@example(PUT_BACK, 421, until(24 * 60))
def test_a_counter_of_minutes_says_the_same(
    start: datetime, minutes: int, hours: WorkingHours
) -> None:
    start = start.replace(second=0, microsecond=0)
    every = [start + timedelta(minutes=one) for one in range(minutes)]
    counted = [at for at in every if shown_open(at, hours)]
    assert between(start, start + timedelta(minutes=minutes), hours) == 60 * len(counted)
    assert all(is_open(at, hours) == shown_open(at, hours) for at in every[::97])
    if counted:
        end = counted[-1] + timedelta(minutes=1)
        assert add(start, 60 * len(counted), hours) == end
