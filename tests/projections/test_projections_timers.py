"""What becomes due of a pending approval, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.approval import (
    AppliedPolicy,
    ApprovalEvent,
    Person,
    Reminders,
    Rung,
    Seat,
    WorkingHours,
)
from events.course import LONGEST_PAUSE
from events.decider.lapsing import MOST_REMINDERS
from projections.evolving import view_of
from projections.timers import timer_rows
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    NOW,
    OWN,
    RITA,
    answer,
    ask,
    decided,
    expired,
    requested,
    revised,
    submitted,
)
from tests.core.steps import (
    CARL,
    DORA,
    answer_back,
    answered_back,
    ask_back,
    asked_back,
    escalate,
    escalated,
    is_away,
    policy,
    reassigned,
    reminded,
    step,
    taken_over,
)

HOUR = 3600.0
BERLIN = WorkingHours(time_zone="Europe/Berlin", days=(0, 1, 2, 3, 4), opens=9 * 60, closes=17 * 60)
MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""Nine o'clock in Berlin; three in New York."""
EVERY_HOUR = Reminders(after_s=2 * HOUR, every_s=HOUR, most=3)
LADDER = (
    Rung(after_s=4 * HOUR, to=("role:cfo",)),
    Rung(after_s=6 * HOUR, to=("ada@example.com",)),
)
END = MONDAY + 30 * DAY


def hours(after: float) -> datetime:
    return MONDAY + timedelta(hours=after)


def due(*facts: ApprovalEvent) -> dict[str, datetime]:
    rows = timer_rows(view_of("acme", "A-1", facts))
    assert all(row[:2] == ("acme", "A-1") for row in rows)
    found = {str(kind): at for _, _, kind, at in rows if isinstance(at, datetime)}
    assert len(found) == len(rows)
    return found


def begun(one: AppliedPolicy, *, until: datetime = END) -> ApprovalEvent:
    return requested(replace(ask(policy=one, now=MONDAY), expires_at=until))


def both(**more: Any) -> AppliedPolicy:
    """Ann and Bob must agree."""
    return policy(step(ANN, BOB, rule="all"), **more)


def test_a_plain_ask_only_comes_to_its_end() -> None:
    assert due(OWN) == {"expire": NOW + DAY}


def test_nothing_is_due_of_what_does_not_wait() -> None:
    voted = submitted(answer())
    assert due(OWN, voted) == {}
    assert due(OWN, voted, decided(answer(), OWN)) == {}
    assert due(OWN, expired(OWN)) == {}


def test_everybody_who_has_not_answered_is_reminded() -> None:
    asked = begun(both(reminders=EVERY_HOUR))
    first = {"remind:ann@example.com": hours(2), "remind:bob@example.com": hours(2)}
    assert due(asked) == {"expire": END, **first}
    vote = replace(submitted(answer(by=ANN, now=hours(1))), complete=False)
    assert due(asked, vote) == {"expire": END, "remind:bob@example.com": hours(2)}


def test_the_next_reminder_follows_the_last_and_after_the_most_none_does() -> None:
    asked = begun(policy(step(ANN), reminders=EVERY_HOUR))
    told = [reminded(ANN, number, by=None, now=hours(2.5 + number)) for number in (1, 2, 3)]
    assert due(asked, told[0])["remind:ann@example.com"] == hours(4.5)
    by_hand = reminded(ANN, 2, by=RITA, now=hours(4))
    assert due(asked, told[0], by_hand)["remind:ann@example.com"] == hours(5)
    assert due(asked, *told) == {"expire": END}


def test_more_reminders_than_are_ever_sent_are_not_due() -> None:
    often = Reminders(after_s=60, every_s=60, most=MOST_REMINDERS + 10)
    told = [
        reminded(ANN, number + 1, by=None, now=hours(number)) for number in range(MOST_REMINDERS)
    ]
    asked = begun(policy(step(ANN), reminders=often))
    assert due(asked, *told) == {"expire": END}
    assert "remind:ann@example.com" in due(asked, *told[:-1])


def test_whoever_comes_later_is_reminded_later() -> None:
    asked = begun(both(reminders=EVERY_HOUR, ladder=LADDER))
    more = escalated(escalate(CARL, now=hours(4)), CARL)
    found = due(asked, more)
    assert found["remind:carl@example.com"] == hours(6)
    assert found["remind:ann@example.com"] == hours(2)


def test_a_stand_in_is_reminded_and_not_who_is_away() -> None:
    away = replace(reassigned(is_away(ANN, DORA, now=hours(1))), time_zone=None)
    found = due(begun(policy(step(ANN), reminders=EVERY_HOUR)), away)
    assert found == {"expire": END, "remind:dora@example.com": hours(3)}


def test_the_next_step_reminds_anew() -> None:
    asked = begun(policy(step(ANN), step(BOB, ANN, rule="all"), reminders=EVERY_HOUR))
    told = reminded(ANN, by=None, now=hours(2))
    vote = replace(submitted(answer(by=ANN, now=hours(5))), complete=False)
    assert due(asked, told, vote) == {"expire": END, "remind:bob@example.com": hours(7)}


def test_the_next_rung_comes_after_its_time_and_after_the_last_none() -> None:
    asked = begun(both(ladder=LADDER))
    assert due(asked) == {"expire": END, "escalate": hours(4)}
    first = escalated(escalate(CARL, now=hours(4)), CARL)
    assert due(asked, first) == {"expire": END, "escalate": hours(6)}
    second = escalated(escalate(rung=2, now=hours(6)))
    assert due(asked, first, second) == {"expire": END}


def test_another_step_begins_its_own_ladder() -> None:
    asked = begun(policy(step(ANN), step(BOB), ladder=LADDER))
    first = escalated(escalate(CARL, now=hours(4)), CARL)
    vote = replace(submitted(answer(by=ANN, now=hours(5))), complete=False)
    assert due(asked, first, vote)["escalate"] == hours(9)


def test_what_would_come_after_the_end_is_not_due() -> None:
    asked = begun(both(reminders=EVERY_HOUR, ladder=LADDER), until=hours(4))
    assert due(asked).keys() == {"expire", "remind:ann@example.com", "remind:bob@example.com"}
    assert due(begun(both(reminders=EVERY_HOUR), until=hours(2))) == {"expire": hours(2)}


def test_the_clocks_stand_still_while_the_requester_is_asked() -> None:
    asked = begun(both(reminders=EVERY_HOUR, ladder=LADDER))
    question = asked_back(ask_back(ANN, now=hours(1)))
    assert due(asked, question) == {"expire": END + LONGEST_PAUSE}
    back = answered_back(answer_back(now=hours(11), left=DAY))
    assert due(asked, question, back) == {
        "expire": hours(35),
        "escalate": hours(14),
        "remind:ann@example.com": hours(12),
        "remind:bob@example.com": hours(12),
    }


def test_a_pause_counts_after_the_last_reminder_only() -> None:
    asked = begun(policy(step(ANN), reminders=EVERY_HOUR))
    pause = (
        asked_back(ask_back(ANN, now=hours(0.5))),
        answered_back(answer_back(now=hours(1.5), left=DAY)),
    )
    told = reminded(ANN, by=None, now=hours(3))
    again = (
        asked_back(ask_back(ANN, question_id="q2", now=hours(3.5))),
        answered_back(answer_back(question_id="q2", now=hours(4.5), left=DAY)),
    )
    assert due(asked, *pause)["remind:ann@example.com"] == hours(3)
    assert due(asked, *pause, told)["remind:ann@example.com"] == hours(4)
    assert due(asked, *pause, told, *again)["remind:ann@example.com"] == hours(5)


def test_a_revision_begins_the_clocks_anew() -> None:
    one = both(reminders=EVERY_HOUR, ladder=LADDER)
    told = reminded(ANN, by=None, now=hours(2))
    change = revised(replace(ask(policy=one, now=hours(3), revision="2"), expires_at=END), by=RITA)
    found = due(begun(one), told, change)
    assert found["remind:ann@example.com"] == hours(5)
    assert found["escalate"] == hours(7)


def test_another_policy_that_takes_over_brings_its_own_clocks() -> None:
    board = policy(step(CARL), name="board", reminders=EVERY_HOUR)
    over = taken_over(board, until=hours(60), now=hours(40))
    assert due(begun(both(ladder=LADDER)), over) == {
        "expire": hours(60),
        "remind:carl@example.com": hours(42),
    }


def test_clocks_count_the_hours_of_their_policy() -> None:
    asked = begun(both(reminders=EVERY_HOUR, ladder=LADDER, hours=BERLIN))
    friday = hours(4 * 24 + 7)
    question = asked_back(ask_back(ANN, now=hours(1)))
    back = answered_back(answer_back(now=friday, left=20 * DAY))
    found = due(asked, question, back)
    assert found["remind:ann@example.com"] == hours(7 * 24), "an hour before, and one on Friday"
    assert found["escalate"] == hours(7 * 24 + 2)


def test_a_reminder_that_would_come_as_the_office_closes_comes_the_next_day() -> None:
    whole_day = Reminders(after_s=8 * HOUR, every_s=8 * HOUR, most=3)
    asked = begun(both(reminders=whole_day, hours=BERLIN))
    assert due(asked)["remind:ann@example.com"] == hours(24)


def in_new_york(person: Person) -> Seat:
    return Seat(person=person, time_zone="America/New_York")


def test_everybody_is_reminded_in_their_own_hours() -> None:
    asked = begun(
        policy(step(ANN, in_new_york(BOB), rule="all"), reminders=EVERY_HOUR, hours=BERLIN)
    )
    found = due(asked)
    assert found["remind:ann@example.com"] == hours(2)
    assert found["remind:bob@example.com"] == hours(8), "from nine o'clock in New York on"


@pytest.mark.parametrize(
    ("at", "when"),
    [(hours(0), hours(6)), (hours(6), hours(8)), (hours(13), hours(30)), (hours(110), hours(174))],
)
def test_without_hours_reminders_wait_for_office_hours_where_the_zone_is_known(
    at: datetime, when: datetime
) -> None:
    """All time counts, but nobody is woken: at 9 in New York it is 14 in London."""
    one = policy(step(in_new_york(ANN), BOB, rule="all"), reminders=EVERY_HOUR)
    found = due(requested(replace(ask(policy=one, now=at), expires_at=END)))
    assert found["remind:ann@example.com"] == when
    assert found["remind:bob@example.com"] == at + timedelta(hours=2)


def test_somebody_with_two_seats_is_reminded_once_from_the_first_on() -> None:
    for_ann = Seat(person=ANN, held_by=CARL, since=hours(1))
    asked = begun(policy(step(for_ann, CARL, rule="all"), reminders=EVERY_HOUR))
    assert due(asked) == {"expire": END, "remind:carl@example.com": hours(2)}
