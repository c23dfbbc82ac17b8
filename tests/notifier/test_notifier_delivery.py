"""When somebody is told, and where: from preferences, policies, clocks and time zones alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.directory.preferences import NOTHING_SAID, Preferences, Quiet, Turn, said
from services.directory.preferring import NotPreferences, preferences_of
from services.notifier.delivery import Plan, Wishes, plan
from services.notifier.quiet import after_quiet, last_digest

BERLIN, TOKYO, NEW_YORK = (
    ZoneInfo(name) for name in ("Europe/Berlin", "Asia/Tokyo", "America/New_York")
)
NIGHT = Quiet(begins=22 * 60, ends=7 * 60)
WEEKEND = Quiet(begins=0, ends=24 * 60, days=(5, 6))
WORKDAY_NIGHTS = Quiet(begins=22 * 60, ends=7 * 60, days=(0, 1, 2, 3, 4))


def at(text: str, zone: tzinfo = UTC) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


NOON = at("2026-11-23 12:00")


def planned(
    *,
    channels: Sequence[str] = ("slack", "email"),
    policy: Preferences = NOTHING_SAID,
    digesting: Sequence[str] = ("email",),
    urgent: bool = False,
    told: bool = False,
    now: datetime = NOON,
    asked_at: datetime = NOON,
    zone: tzinfo = UTC,
    **preferences: object,
) -> Plan:
    wishes = Wishes(preferences=Preferences(**preferences), zone=zone)  # type: ignore[arg-type]
    return plan(
        channels,
        wishes,
        policy,
        digesting=digesting,
        urgent=urgent,
        asked_at=asked_at,
        told=told,
        now=now,
    )


SLACK_THEN_EMAIL = (Turn("slack"), Turn("email", 900.0))
LATER = NOON + timedelta(minutes=15)


def test_who_says_nothing_is_told_at_once_on_every_channel_that_reaches_them() -> None:
    assert planned() == Plan({"slack": NOON, "email": NOON})
    assert planned(channels=("email",)) == Plan({"email": NOON})
    assert planned(channels=()) == Plan()


def test_an_order_staggers_and_leaves_out_what_it_does_not_name() -> None:
    assert planned(order=SLACK_THEN_EMAIL) == Plan({"slack": NOON, "email": LATER})
    assert planned(order=(Turn("email"),)) == Plan({"email": NOON})
    assert planned(order=SLACK_THEN_EMAIL, channels=("email",)) == Plan({"email": LATER})
    passed = planned(order=SLACK_THEN_EMAIL, now=NOON + timedelta(hours=1))
    assert set(passed.cards.values()) == {NOON + timedelta(hours=1)}


def test_a_clock_that_is_ahead_of_ours_delays_nothing() -> None:
    ahead = NOON + timedelta(seconds=3)
    assert planned(asked_at=ahead) == Plan({"slack": NOON, "email": NOON})


def test_the_order_of_a_policy_stands_before_that_of_a_person() -> None:
    only_email = Preferences(order=(Turn("email"),))
    assert planned(order=SLACK_THEN_EMAIL, policy=only_email) == Plan({"email": NOON})


@pytest.mark.parametrize("urgent", [True, False])
def test_who_is_silent_is_told_nothing_and_so_is_everybody_of_a_silent_policy(
    urgent: bool,  # noqa: FBT001 # a parameter of the test
) -> None:
    assert planned(silent=True, urgent=urgent) == Plan()
    assert planned(policy=Preferences(silent=True), urgent=urgent) == Plan()
    assert planned(silent=True, digest=(540,), urgent=urgent) == Plan()


def test_a_digest_takes_the_place_of_cards_but_not_of_urgent_ones() -> None:
    assert planned(digest=(540,)) == Plan(digest="email")
    assert planned(digest=(540,), urgent=True) == Plan({"slack": NOON, "email": NOON})
    assert planned(digest=()) == Plan({"slack": NOON, "email": NOON}), "none is wanted"


def test_where_no_channel_can_list_cards_come_singly_all_the_same() -> None:
    assert planned(digest=(540,), digesting=()) == Plan({"slack": NOON, "email": NOON})
    assert planned(digest=(540,), order=(Turn("slack"),)) == Plan({"slack": NOON})


def test_a_change_tells_nobody_again_but_moves_what_waits() -> None:
    changed = NOON + timedelta(minutes=5)
    order = (Turn("email"), Turn("slack", 3600.0))
    untold = planned(order=order, changed_at=changed, now=changed)
    assert untold == Plan({"email": changed, "slack": NOON + timedelta(hours=1)})
    told = planned(order=order, changed_at=changed, now=changed, told=True)
    assert told == Plan({"slack": NOON + timedelta(hours=1)})


QUIET = [
    # zone, the time there, when it goes out there
    pytest.param(UTC, "2026-11-23 12:00", "2026-11-23 12:00", id="by-day"),
    pytest.param(UTC, "2026-11-23 22:00", "2026-11-24 07:00", id="as-it-begins"),
    pytest.param(UTC, "2026-11-24 06:59:59", "2026-11-24 07:00", id="as-it-ends"),
    pytest.param(UTC, "2026-11-24 07:00", "2026-11-24 07:00", id="when-it-is-over"),
    pytest.param(TOKYO, "2026-11-24 01:00", "2026-11-24 07:00", id="by-the-clock-of-tokyo"),
    pytest.param(TOKYO, "2026-11-23 21:00", "2026-11-23 21:00", id="not-by-that-of-another"),
    pytest.param(BERLIN, "2026-03-29 01:30", "2026-03-29 07:00", id="the-short-night"),
    pytest.param(BERLIN, "2026-10-25 01:30", "2026-10-25 07:00", id="the-long-night"),
    pytest.param(NEW_YORK, "2026-11-01 00:30", "2026-11-01 07:00", id="the-long-night-there"),
]


@pytest.mark.parametrize(("zone", "there", "out"), QUIET)
def test_a_night_is_quiet_by_the_clock_of_where_somebody_is(
    zone: tzinfo, there: str, out: str
) -> None:
    asked, goes_out = at(there, zone), at(out, zone)
    found = planned(quiet_hours=(NIGHT,), zone=zone, asked_at=asked, now=asked)
    assert set(found.cards.values()) == {goes_out}
    urgent = planned(quiet_hours=(NIGHT,), zone=zone, asked_at=asked, now=asked, urgent=True)
    assert set(urgent.cards.values()) == {asked}


def test_where_the_clock_shows_a_time_twice_it_is_quiet_until_the_later_one() -> None:
    until_half_past_two = (Quiet(begins=22 * 60, ends=150),)
    again = at("2026-10-25 01:15")  # a quarter past two in Berlin, for the second time
    assert after_quiet(again, until_half_past_two, BERLIN) == at("2026-10-25 01:30")
    skipped = at("2026-03-29 00:45")  # a quarter to two, before half past two is left out
    assert after_quiet(skipped, until_half_past_two, BERLIN) == at("2026-03-29 01:30")


def test_nights_and_weekends_follow_one_another() -> None:
    quiet = (WORKDAY_NIGHTS, WEEKEND)
    friday = at("2026-11-27 23:00", BERLIN)
    assert after_quiet(friday, quiet, BERLIN) == at("2026-11-30 00:00", BERLIN)
    assert after_quiet(friday, (NIGHT, WEEKEND), BERLIN) == at("2026-11-30 07:00", BERLIN)


def test_a_delay_that_ends_at_night_waits_for_the_morning() -> None:
    evening = at("2026-11-23 21:50")
    found = planned(order=SLACK_THEN_EMAIL, quiet_hours=(NIGHT,), asked_at=evening, now=evening)
    assert found.cards == {"slack": evening, "email": at("2026-11-24 07:00")}


@pytest.mark.parametrize(
    ("now", "zone", "slot", "out"),
    [
        ("2026-11-23 08:59", UTC, "2026-11-22 16:00", "2026-11-22 16:00"),
        ("2026-11-23 09:00", UTC, "2026-11-23 09:00", "2026-11-23 09:00"),
        ("2026-11-23 08:00", BERLIN, "2026-11-23 09:00", "2026-11-23 09:00"),
        ("2026-11-23 20:00", TOKYO, "2026-11-23 16:00", "2026-11-23 16:00"),
        ("2026-03-29 08:00", BERLIN, "2026-03-29 09:00", "2026-03-29 09:00"),
        ("2026-10-25 08:00", BERLIN, "2026-10-25 09:00", "2026-10-25 09:00"),
    ],
)
def test_a_digest_is_due_by_the_clock_of_its_reader(
    now: str, zone: tzinfo, slot: str, out: str
) -> None:
    found = last_digest(at(now), (540, 960), (), zone)
    assert found == (at(slot, zone), at(out, zone))


def test_of_digests_in_quiet_hours_the_last_goes_out_when_they_end() -> None:
    times = (2 * 60, 5 * 60, 9 * 60)
    found = last_digest(at("2026-11-23 07:00"), times, (NIGHT,), UTC)
    assert found == (at("2026-11-23 05:00"), at("2026-11-23 07:00"))
    before = last_digest(at("2026-11-23 06:00"), times, (NIGHT,), UTC)
    assert before == (at("2026-11-22 09:00"), at("2026-11-22 09:00"))


ZONES = st.sampled_from(
    [
        UTC,
        BERLIN,
        TOKYO,
        NEW_YORK,
        *(ZoneInfo(name) for name in ("Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana")),
    ]
)
STRETCHES = st.builds(
    lambda begins, length, days: Quiet(
        begins=begins, ends=(begins + length) % 1440, days=tuple(sorted(days))
    ),
    st.integers(0, 1439),
    st.integers(1, 1380),
    st.sets(st.integers(0, 6), min_size=1, max_size=6),
)
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 # the strategy adds the zone
TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["slack", "email"]), st.sampled_from([0.0, 60.0, 3600.0 * 9])),
    max_size=2,
    unique_by=lambda turn: turn.channel,
)


def shows_quiet(moment: datetime, quiet: Sequence[Quiet], zone: tzinfo) -> bool:
    """Tell whether a clock on the wall shows a time that was asked to be quiet."""
    there = moment.astimezone(zone)
    minute, day = there.hour * 60 + there.minute, there.weekday()
    return any(
        (day in one.days and one.begins <= minute < one.ends)
        if not one.overnight
        else (day in one.days and minute >= one.begins)
        or ((day - 1) % 7 in one.days and minute < one.ends)
        for one in quiet
    )


@settings(max_examples=300, deadline=None)
@given(
    zone=ZONES,
    quiet=st.lists(STRETCHES, min_size=1, max_size=2),
    asked=TIMES,
    late=st.integers(0, 40 * 3600),
    turns=TURNS,
)
def test_nobody_is_told_in_quiet_hours_unless_it_is_urgent(
    zone: tzinfo, quiet: list[Quiet], asked: datetime, late: int, turns: list[Turn]
) -> None:
    now = asked + timedelta(seconds=late)
    order = tuple(turns) or None
    given_to = {"zone": zone, "asked_at": asked, "now": now, "order": order}
    calm = planned(quiet_hours=tuple(quiet), **given_to)  # type: ignore[arg-type]
    for goes_out in calm.cards.values():
        assert goes_out >= now
        assert not shows_quiet(goes_out, quiet, zone)
    urgent = planned(quiet_hours=tuple(quiet), urgent=True, **given_to)  # type: ignore[arg-type]
    assert set(urgent.cards) == set(calm.cards), "quiet hours put off, and leave out nothing"
    free = planned(**given_to)  # type: ignore[arg-type]
    assert urgent == free


@settings(max_examples=100, deadline=None)
@given(zone=ZONES, quiet=st.lists(STRETCHES, max_size=2), now=TIMES, minute=st.integers(0, 1439))
def test_no_digest_goes_out_in_quiet_hours_or_before_its_time(
    zone: tzinfo, quiet: list[Quiet], now: datetime, minute: int
) -> None:
    found = last_digest(now, (minute,), quiet, zone)
    if found is not None:
        slot, goes_out = found
        assert slot <= goes_out <= now
        assert not shows_quiet(goes_out, quiet, zone)


SAID = {
    "order": ["slack", "email after 15m"],
    "quiet_hours": [{"from": "22:00", "until": "07:00", "days": ["mon", "tue"]}],
    "digest": ["09:00", "16:30"],
    "silent": False,
    "outcomes": True,
    "time_zone": "Europe/Berlin",
}


def test_what_is_said_comes_back_as_it_was_written() -> None:
    assert said(preferences_of(SAID)) == SAID
    assert said(preferences_of({})) == dict.fromkeys(SAID)
    assert preferences_of({"quiet_hours": []}).quiet_hours == ()


@pytest.mark.parametrize(
    ("given_to", "path", "sentence"),
    [
        ({"order": []}, ("order",), "say silent: true"),
        ({"order": "slack"}, ("order",), "must be a list"),
        ({"order": ["inbox"]}, ("order", 0), "the inbox always shows it"),
        ({"order": ["pager"]}, ("order", 0), "there is no channel pager; there is slack, email"),
        ({"order": ["slack", "slack after 5m"]}, ("order", 1), "stands here twice"),
        ({"order": ["slack in 5m"]}, ("order", 0), "email after 15m"),
        ({"order": ["slack after 8d"]}, ("order", 0), "from 1s to 7d"),
        ({"quiet_hours": [{"from": "22:00"}]}, ("quiet_hours", 0, "until"), "is missing"),
        ({"quiet_hours": [{"from": "9", "until": "10:00"}]}, ("quiet_hours", 0, "from"), "08:00"),
        (
            {"quiet_hours": [{"from": "07:00", "until": "07:00"}]},
            ("quiet_hours", 0, "until"),
            "00:00 until 24:00",
        ),
        (
            {"quiet_hours": [{"from": "07:00", "until": "08:00", "days": "monday"}]},
            ("quiet_hours", 0, "days"),
            "mon-fri",
        ),
        (
            {"quiet_hours": [{"from": "00:00", "until": "24:00"}]},
            ("quiet_hours",),
            "say silent: true",
        ),
        ({"digest": ["24:00"]}, ("digest", 0), "08:00"),
        ({"digest": [f"0{hour}:00" for hour in range(7)]}, ("digest",), "at most 6"),
        ({"silent": "yes"}, ("silent",), "true or false"),
        ({"time_zone": "Mars/Olympus"}, ("time_zone",), "Europe/Berlin"),
        ({"loud": True}, ("loud",), "is not known here"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(
    given_to: dict[str, object], path: tuple[object, ...], sentence: str
) -> None:
    with pytest.raises(NotPreferences) as refused:
        preferences_of(given_to, ["inbox", "slack", "email"])
    assert [place for place, _ in refused.value.faults] == [path]
    assert sentence in refused.value.faults[0][1]
