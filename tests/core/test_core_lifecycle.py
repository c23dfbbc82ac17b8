"""Rules about what befalls an ask on its way: questions, absences, reminders, ladders, clocks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.approval import ApprovalDecided, DecisionSubmitted, Outcome
from events.commands import Automatic, Command, ReassignApproval
from events.course import LONGEST_PAUSE
from events.decider.asking import POLICY
from events.decider.asking_back import MOST_QUESTIONS
from events.decider.lapsing import MOST_REMINDERS, NOBODY, REMIND_AT_MOST_EVERY
from events.state import Asked, Pending, State
from projections.evolving import view_of
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EVE,
    MIRRORED,
    NOW,
    OTHER_PAYLOAD,
    OWN,
    RITA,
    answer,
    ask,
    changed,
    confirm,
    decided,
    expire,
    expired,
    minutes,
    pending,
    recall,
    requested,
    revised,
    submitted,
)
from tests.core.steps import (
    BOTH,
    CARL,
    DORA,
    IVAN,
    LADDER,
    answer_back,
    answered_back,
    ask_back,
    asked,
    asked_back,
    clock_reminds,
    escalate,
    escalated,
    fallback,
    is_away,
    is_gone,
    policy,
    reassign,
    reassigned,
    remind,
    reminded,
    revise,
    sits,
    step,
    taken_over,
)
from tests.specification import Given, given

PLAIN = requested(asked())
VOTED = submitted(answer(), complete=False)


def waiting(state: State) -> Asked:
    assert isinstance(state, Pending)
    return state.asked


def names(story: Given) -> list[str]:
    return [person.email.partition("@")[0] for person in waiting(story.state).waits_for]


# Questions


def test_a_question_stops_the_clock_and_waits_for_the_requester() -> None:
    one = ask_back(now=minutes(10))
    story = given(PLAIN).when(one).then(asked_back(one))
    assert names(story) == ["rita"]
    assert waiting(story.state).deadline == NOW + DAY + LONGEST_PAUSE
    story.when(expire(NOW + DAY)).then_nothing()


def test_the_clock_stands_still_at_most_so_long() -> None:
    story = given(PLAIN, asked_back(ask_back()))
    at = NOW + DAY + LONGEST_PAUSE
    story.when(expire(at - timedelta(microseconds=1))).then_nothing()
    story.when(expire(at)).then(expired(PLAIN, at))


def test_the_answer_returns_it_until_the_time_that_was_left() -> None:
    back = answer_back(left=timedelta(hours=5))
    story = given(PLAIN, asked_back(ask_back())).when(back).then(answered_back(back))
    assert names(story) == ["ann", "bob"]
    assert waiting(story.state).deadline == back.now + timedelta(hours=5)


def test_votes_stand_while_it_is_asked_back() -> None:
    story = given(PLAIN, VOTED, asked_back(ask_back(BOB)), answered_back(answer_back()))
    assert names(story) == ["bob"]


def test_whoever_answers_anyway_goes_on_and_leaves_the_time_that_was_left() -> None:
    """A vote that does not end it must not end it by the clock instead."""
    story = given(PLAIN, asked_back(ask_back(now=minutes(23 * 60))))
    late = answer(now=NOW + 3 * DAY)
    story = story.when(late).then(submitted(late, complete=False))
    assert names(story) == ["bob"]
    assert waiting(story.state).deadline == NOW + 3 * DAY + timedelta(hours=1)
    assert view_of("w", "a", story.facts).deadline == waiting(story.state).deadline
    story.when(expire(NOW + 3 * DAY)).then_nothing()


def test_a_record_that_changes_while_it_is_asked_back_has_the_time_that_was_left() -> None:
    new = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2", now=NOW + 2 * DAY)
    story = given(MIRRORED, asked_back(ask_back(now=minutes(60)))).when(pending(new))
    after = story.then(revised(new))
    assert names(after) == ["ann", "bob"]
    assert waiting(after.state).deadline == NOW + 3 * DAY - timedelta(hours=1)


def test_what_was_returned_for_changes_is_not_answered_before_it_has_changed() -> None:
    story = given(PLAIN, asked_back(ask_back(wants="changes")))
    story.when(answer(by=BOB)).then_refused("returned", saying="rita@example.com has changed it")
    changed_it = revise(asked(payload=OTHER_PAYLOAD, revision="2", now=minutes(60)))
    again = story.when(changed_it).then(revised(changed_it.ask, by=RITA))
    assert names(again) == ["ann", "bob"]


def test_what_was_returned_may_be_explained_instead_of_changed() -> None:
    story = given(PLAIN, asked_back(ask_back(wants="changes")), answered_back(answer_back()))
    story.when(answer()).then(VOTED)


def test_only_who_may_answer_may_ask_and_only_of_what_stands() -> None:
    given(PLAIN).when(ask_back(EVE)).then_refused("not_an_approver")
    given(requested(asked(policy(step(ANN, RITA))))).when(ask_back(RITA)).then_refused(
        "own_request"
    )
    given(PLAIN).when(ask_back(revision="7")).then_refused("stale_revision")
    one = ask_back(DORA, stands_in_for=(ANN,))
    given(PLAIN).when(one).then(asked_back(one))


def test_who_asks_when_the_time_is_over_gets_no_more_of_it() -> None:
    given(PLAIN).when(ask_back(now=NOW + DAY)).then_refused(
        "already_resolved", saying="expired at 2026-11-22 12:00:00 UTC"
    )


def test_one_question_at_a_time_and_each_once() -> None:
    story = given(PLAIN, asked_back(ask_back()))
    story.when(ask_back(now=minutes(5))).then_nothing()
    story.when(ask_back(BOB, question_id="q2")).then_refused("returned", saying="ann@example.com")


def test_what_needs_more_questions_is_a_conversation() -> None:
    story = given(PLAIN)
    for number in range(MOST_QUESTIONS):
        one = ask_back(question_id=f"q{number}")
        back = answer_back(question_id=f"q{number}")
        story = story.when(one).then(asked_back(one)).when(back).then(answered_back(back))
    story.when(ask_back(question_id="one more")).then_refused("too_often", saying="20 times")


def test_only_who_was_asked_answers_and_an_answer_counts_once() -> None:
    story = given(PLAIN, asked_back(ask_back()))
    story.when(answer_back(BOB)).then_refused("not_the_requester")
    story.when(answer_back(question_id="q7")).then_refused("not_asked_back")
    by_admin = answer_back(IVAN, as_admin=True)
    story = story.when(by_admin).then(answered_back(by_admin))
    story.when(answer_back()).then_nothing()


def test_what_a_source_holds_is_changed_there() -> None:
    given(MIRRORED).when(ask_back(wants="changes")).then_refused("not_editable", saying="acme")
    given(MIRRORED).when(ask_back()).then(asked_back(ask_back()))


# Changes


def test_what_the_requester_changes_is_a_new_revision_with_a_time_of_its_own() -> None:
    one = revise(asked(payload=OTHER_PAYLOAD, revision="2", now=minutes(60)))
    story = given(PLAIN, VOTED).when(one).then(revised(one.ask, by=RITA))
    found = waiting(story.state)
    assert (found.course.votes, found.expires_at) == ((), minutes(60) + DAY)
    story.when(one).then_nothing()


def test_a_change_brings_its_own_end_of_the_time() -> None:
    """What would have been approved by the clock when it was small is not, now that it is not."""
    small = requested(ask(on_timeout="approve"))
    one = revise(ask(payload=OTHER_PAYLOAD, revision="2", on_timeout="expire", now=minutes(60)))
    story = given(small).when(one).then(revised(one.ask, by=RITA))
    at = minutes(60) + DAY
    story.when(expire(at)).then(expired(revised(one.ask), at))


def test_only_the_requester_changes_it_or_an_administrator() -> None:
    given(PLAIN).when(revise(by=ANN)).then_refused("not_the_requester", saying=RITA.email)
    one = revise(by=IVAN, as_admin=True)
    given(PLAIN).when(one).then(revised(one.ask, by=IVAN))
    given(MIRRORED).when(revise()).then_refused("not_the_requester", saying="acme")


def test_a_change_of_nothing_is_none() -> None:
    given(OWN).when(revise(ask(revision="2", now=minutes(60)))).then_nothing()


def test_a_change_under_a_revision_that_was_shown_is_told_apart() -> None:
    one = revise(ask(payload=OTHER_PAYLOAD, now=minutes(60)))
    given(OWN).when(one).then(revised(one.ask, revision="1+1", by=RITA))


def test_a_change_that_no_policy_is_for_any_more_waits_for_any_one_of_those_named() -> None:
    one = revise(ask(payload=OTHER_PAYLOAD, revision="2", now=minutes(60)))
    story = given(PLAIN, VOTED).when(one).then(revised(one.ask, by=RITA))
    assert waiting(story.state).course.policy.name == ""
    assert names(story) == ["ann", "bob"]


# Who is asked instead


def test_who_is_asked_may_pass_it_on_for_good() -> None:
    one = reassign(ANN, CARL, by=ANN, now=minutes(5))
    story = given(OWN).when(one).then(reassigned(one))
    assert names(story) == ["carl", "bob"]
    (seat, _) = waiting(story.state).course.now_at.seats
    assert (seat.since, seat.time_zone) == (minutes(5), "Europe/Oslo")
    story.when(answer()).then_refused("not_an_approver")
    story.when(one).then_nothing()


def test_somebody_who_is_away_is_not_asked_but_may_answer() -> None:
    story = given(PLAIN).when(is_away()).then(reassigned(is_away()))
    assert names(story) == ["dora", "bob"]
    story.when(is_away()).then_nothing()
    story.when(answer()).then(VOTED)


def test_somebody_who_is_gone_is_routed_around_and_so_is_a_stand_in() -> None:
    story = given(PLAIN).when(is_gone()).then(reassigned(is_gone()))
    story.when(answer()).then_refused("not_an_approver")
    story = given(PLAIN, reassigned(is_away(ANN, DORA))).when(is_gone(DORA, EVE))
    assert names(story.then(reassigned(is_gone(DORA, EVE)))) == ["eve", "bob"]


def test_who_is_reassigned_at_one_step_is_so_at_the_later_ones() -> None:
    later = policy(step(ANN, name="one"), step(ANN, BOB, rule="all", name="two"))
    story = given(requested(asked(later)), reassigned(reassign(ANN, CARL)))
    first = answer(by=CARL)
    assert names(story.when(first).then(submitted(first, complete=False))) == ["bob"]


def test_what_was_answered_stays_with_who_answered_it() -> None:
    """Ann has answered for herself, and passes on the seat in which she stands in for Bob."""
    held = policy(step(ANN, sits(BOB, held_by=ANN), rule="all"))
    story = given(requested(asked(held)), VOTED, reassigned(reassign(ANN, CARL)))
    course = waiting(story.state).course
    assert [vote.by for vote in course.votes] == [ANN]
    assert course.tally.approved == 1
    assert names(story) == ["carl"]


@pytest.mark.parametrize(
    ("one", "saying"),
    [
        (reassign(EVE, CARL, by=IVAN, as_admin=True), "does not wait for eve@example.com"),
        (reassign(BOB, RITA, by=BOB), "nobody decides their own request"),
        (reassign(BOB, ANN, by=BOB), "ann@example.com's answer to this is there already"),
        (reassign(ANN, CARL, by=ANN), "does not wait for ann@example.com"),
        (reassign(BOB, DORA, by=BOB), "dora@example.com is asked already"),
    ],
)
def test_what_cannot_be_reassigned_says_why(one: ReassignApproval, saying: str) -> None:
    two = policy(step(ANN, BOB, rule="all", name="one"), step(DORA, name="two"))
    facts = (requested(asked(two)), VOTED)
    given(*facts).when(one).then_refused("cannot_reassign", saying=saying)
    given(*facts).when(replace(one, by=None, cause="delegated")).then_nothing()


def test_only_who_is_asked_passes_it_on_or_an_administrator() -> None:
    given(OWN).when(reassign(by=BOB)).then_refused("not_an_approver", saying="administrator")
    one = reassign(by=IVAN, as_admin=True)
    given(OWN).when(one).then(reassigned(one))


# Reminders


def test_the_requester_reminds_those_who_have_not_answered_once_an_hour() -> None:
    story = given(PLAIN, VOTED).when(remind()).then(reminded(BOB))
    soon = NOW + REMIND_AT_MOST_EVERY
    story.when(remind(now=soon - minutes(0).resolution)).then_refused("reminded_already")
    story.when(remind(now=soon)).then(reminded(BOB, 2, now=soon))


def test_only_the_requester_reminds_or_an_administrator() -> None:
    given(OWN).when(remind(ANN)).then_refused("not_the_requester")
    given(OWN).when(remind(IVAN, as_admin=True)).then(
        reminded(ANN, by=IVAN), reminded(BOB, by=IVAN)
    )


def test_the_clock_reminds_each_in_turn_and_never_twice_for_one_turn() -> None:
    story = given(PLAIN).when(clock_reminds(ANN)).then(reminded(ANN, by=None))
    story.when(clock_reminds(ANN)).then_nothing()
    story.when(clock_reminds(ANN, 3)).then_nothing()
    story.when(clock_reminds(ANN, 2)).then(reminded(ANN, 2, by=None))


def test_who_has_answered_or_is_represented_or_waits_for_an_answer_is_not_reminded() -> None:
    given(PLAIN, VOTED).when(clock_reminds(ANN)).then_nothing()
    away = given(PLAIN, reassigned(is_away()))
    away.when(clock_reminds(ANN)).then_nothing()
    away.when(clock_reminds(DORA)).then(reminded(DORA, by=None))
    given(PLAIN, asked_back(ask_back())).when(clock_reminds(BOB)).then_nothing()
    given(PLAIN, asked_back(ask_back())).when(remind()).then_refused(
        "reminded_already", saying="rita@example.com"
    )


def test_nobody_is_reminded_for_ever() -> None:
    often = [reminded(ANN, number + 1, by=None) for number in range(MOST_REMINDERS)]
    given(OWN, *often).when(clock_reminds(ANN, MOST_REMINDERS + 1)).then_nothing()


# The ladder


def test_a_rung_asks_others_as_well_and_needs_no_fewer() -> None:
    one = escalate(CARL, now=NOW + DAY / 2)
    story = given(PLAIN).when(one).then(escalated(one, CARL))
    assert names(story) == ["ann", "bob", "carl"]
    assert waiting(story.state).course.now_at.needed == BOTH.steps[0].needed == 2
    assert waiting(story.state).course.now_at.seats[-1].since == NOW + DAY / 2
    story.when(one).then_nothing()
    two = escalate(EVE, rung=2)
    story.when(two).then(escalated(two, EVE))


def test_a_rung_never_asks_whoever_is_asked_or_has_answered_or_asks() -> None:
    one = escalate(ANN, BOB, RITA, CARL)
    given(PLAIN, VOTED).when(one).then(escalated(one, CARL))
    nobody = escalate(ANN, RITA)
    given(PLAIN).when(nobody).then(escalated(nobody))


def test_a_rung_of_another_step_or_out_of_turn_is_a_leftover() -> None:
    story = given(requested(asked(LADDER)), VOTED)
    story.when(escalate(EVE, at_step=0)).then_nothing()
    story.when(escalate(EVE, at_step=1, rung=2)).then_nothing()
    one = escalate(EVE, at_step=1)
    story.when(one).then(escalated(one, EVE))


def test_whoever_was_answered_for_is_neither_escalated_to_nor_passed_it_on() -> None:
    later = policy(step(ANN, name="one"), step(BOB, name="two"))
    for_ann = answer(by=CARL, stands_in_for=(ANN,))
    said_so = submitted(for_ann, complete=False, on_behalf_of=ANN)
    story = given(requested(asked(later)), said_so)
    one = escalate(ANN, CARL, EVE, at_step=1)
    story.when(one).then(escalated(one, EVE))
    story.when(reassign(BOB, ANN)).then_refused("cannot_reassign")


def test_nobody_is_escalated_to_while_the_requester_is_asked() -> None:
    given(PLAIN, asked_back(ask_back())).when(escalate(CARL)).then_nothing()


def test_who_comes_in_for_a_silent_group_counts_for_it() -> None:
    two_groups = step(
        sits(ANN, "finance"), sits(BOB, "legal"), rule="each", groups=("finance", "legal")
    )
    one = escalate(sits(CARL, "board"))
    story = given(requested(asked(policy(two_groups))), VOTED).when(one)
    after = story.then(escalated(one, sits(CARL, "legal")))
    last = answer(by=CARL)
    first = requested(asked(policy(two_groups)))
    after.when(last).then(submitted(last), decided(last, first))


# The end of the time


def test_another_policy_takes_over_where_the_ask_says_so() -> None:
    board = policy(step(CARL, DORA, rule="all"), name="board")
    first = requested(asked(on_timeout="fallback"))
    ring = replace(expire(), fallback=fallback(board))
    story = given(first, VOTED).when(ring).then(taken_over(board))
    assert names(story) == ["carl", "dora"]
    assert waiting(story.state).deadline == NOW + 3 * DAY
    story.when(ring).then_nothing()
    story.when(answer(by=BOB)).then_refused("not_an_approver")
    story.when(expire(NOW + 3 * DAY)).then(expired(first, NOW + 3 * DAY))


def test_without_another_policy_it_expires() -> None:
    first = requested(asked(on_timeout="fallback"))
    given(first).when(expire()).then(expired(first))
    not_wanted = replace(expire(), fallback=fallback(BOTH))
    given(PLAIN).when(not_wanted).then(expired(PLAIN))


def test_another_policy_takes_over_for_a_record_too() -> None:
    first = requested(asked(mirrored=True, on_timeout="fallback"))
    ring = replace(expire(), fallback=fallback(BOTH, on_timeout="approve"))
    story = given(first).when(ring).then(taken_over(BOTH, on_timeout="approve"))
    story.when(expire(NOW + 3 * DAY)).then(expired(first, NOW + 3 * DAY))


def test_an_end_by_the_clock_that_follows_votes_is_nobodys() -> None:
    first = requested(asked(on_timeout="reject"))
    added = given(first, VOTED).when(expire()).added
    (said, end) = added
    assert isinstance(said, DecisionSubmitted)
    assert isinstance(end, ApprovalDecided)
    assert (said.by, end.by, end.outcome) == (NOBODY, NOBODY, "rejected")


# What a policy decides by itself


@pytest.mark.parametrize("outcome", ["approved", "rejected"])
def test_what_a_policy_decides_by_itself_is_recorded_as_its_own(outcome: Outcome) -> None:
    one = asked(automatic=Automatic(outcome=outcome, reason="payload.amount <= 50"))
    by_policy = replace(
        answer(outcome, POLICY, reason="payload.amount <= 50"),
        channel="policy",
        via=None,
        shown=None,
    )
    first = requested(one)
    given().when(one).then(first, submitted(by_policy), decided(by_policy, first))


def test_what_a_policy_decides_of_a_record_is_written_back_like_any_answer() -> None:
    one = asked(mirrored=True, automatic=Automatic(outcome="approved", reason="Small."))
    by_policy = replace(answer(by=POLICY, reason="Small."), channel="policy", via=None)
    first = requested(one)
    story = given().when(pending(one)).then(first, submitted(by_policy))
    story.when(pending(one)).then_nothing()
    story.when(confirm(2)).then(decided(by_policy, first))


def test_a_change_that_is_small_enough_is_decided_by_its_policy() -> None:
    one = asked(
        payload=OTHER_PAYLOAD,
        revision="2",
        automatic=Automatic(outcome="approved", reason="Small."),
    )
    by_policy = replace(answer(by=POLICY, reason="Small."), channel="policy", via=None)
    new = revised(one, by=RITA)
    given(PLAIN, VOTED).when(revise(one)).then(
        new, submitted(by_policy, revision="2"), decided(by_policy, new)
    )
    found = changed(3, replace(ask(mirrored=True, revision="2"), automatic=one.automatic))
    first = requested(asked(mirrored=True))
    added = given(first, VOTED, submitted(answer(by=BOB))).when(found).added
    assert [type(fact).__name__ for fact in added] == [
        "WriteBackFailed",
        "ApprovalRevised",
        "DecisionSubmitted",
    ]


# Whoever comes after the end

ENDED = {
    "decided": (OWN, submitted(answer()), decided(answer(), OWN)),
    "expired": (OWN, expired(OWN)),
}


@pytest.mark.parametrize("end", ENDED)
@pytest.mark.parametrize(
    "late", [remind(), reassign(), ask_back(), answer_back(), revise(), recall()]
)
def test_who_comes_after_the_end_reads_what_happened(end: str, late: Command) -> None:
    given(*ENDED[end]).when(late).then_refused("already_resolved", saying="Already ")


@pytest.mark.parametrize("end", ENDED)
@pytest.mark.parametrize(
    "late", [escalate(CARL), clock_reminds(ANN), is_away(), is_gone(), expire(NOW + 9 * DAY)]
)
def test_a_clock_that_rings_after_the_end_changes_nothing(end: str, late: Command) -> None:
    given(*ENDED[end]).when(late).then_nothing()
