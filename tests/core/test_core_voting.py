"""Rules about several who must answer: when a step is met, and who counts in it."""

from collections.abc import Sequence

import pytest

from events.approval import (
    ApprovalDecided,
    ApprovalEvent,
    DecisionSubmitted,
    Outcome,
    Person,
    Seat,
    Step,
)
from events.commands import SubmitDecision
from events.course import begin
from events.state import Decided, Deciding, Pending
from events.voting import can_be_met, tally
from projections.evolving import view_of
from tests.core.examples import (
    ANN,
    BOB,
    EVE,
    NOW,
    OTHER_PAYLOAD,
    RITA,
    answer,
    ask,
    confirm,
    decided,
    edit,
    fail,
    failed,
    minutes,
    pending,
    requested,
    revised,
    submitted,
)
from tests.core.steps import (
    BOTH,
    CARL,
    DORA,
    LADDER,
    asked,
    is_away,
    policy,
    reassign,
    reassigned,
    sits,
    step,
)
from tests.specification import Given, given

FIN, LAW = "finance", "legal"
YES, NO = "approved", "rejected"


def each(*who: Seat, groups: tuple[str, ...] = (FIN, LAW), deny: int = 1) -> Step:
    return step(*who, rule="each", groups=groups, deny=deny)


ANN_EITHER, BOB_FIN = sits(ANN, FIN, LAW), sits(BOB, FIN)
CARL_LAW, EVE_LAW = sits(CARL, LAW), sits(EVE, LAW)
THREE = (ANN, BOB, CARL)


@pytest.mark.parametrize(
    ("one", "answers", "end"),
    [
        pytest.param(step(*THREE), [(BOB, YES)], YES, id="any: one is enough"),
        pytest.param(step(*THREE), [(BOB, NO)], NO, id="any: one rejection rejects"),
        pytest.param(step(*THREE, deny=2), [(BOB, NO)], None, id="any: one of two rejections"),
        pytest.param(step(*THREE, deny=2), [(BOB, NO), (ANN, YES)], YES, id="any: outvoted"),
        pytest.param(step(*THREE, deny=2), [(BOB, NO), (ANN, NO)], NO, id="any: two rejections"),
        pytest.param(step(*THREE, rule="all"), [(ANN, YES), (BOB, YES)], None, id="all: one left"),
        pytest.param(
            step(*THREE, rule="all"), [(ANN, YES), (BOB, YES), (CARL, YES)], YES, id="all: all"
        ),
        pytest.param(
            step(*THREE, rule="all", deny=3), [(ANN, NO)], NO, id="all: one cannot be outvoted"
        ),
        pytest.param(
            step(*THREE, rule="count", needed=2), [(ANN, YES)], None, id="two of three: one"
        ),
        pytest.param(
            step(*THREE, rule="count", needed=2),
            [(ANN, YES), (CARL, YES)],
            YES,
            id="two of three: two",
        ),
        pytest.param(
            step(*THREE, rule="count", needed=2), [(ANN, NO)], NO, id="two of three: one rejects"
        ),
        pytest.param(
            step(*THREE, rule="count", needed=2, deny=3),
            [(ANN, NO)],
            None,
            id="two of three: may still be met",
        ),
        pytest.param(
            step(*THREE, rule="count", needed=2, deny=3),
            [(ANN, NO), (BOB, NO)],
            NO,
            id="two of three: cannot be met any more",
        ),
        pytest.param(
            step(*THREE, rule="percent", needed=2),
            [(ANN, YES), (BOB, YES)],
            YES,
            id="60 % of three are two",
        ),
        pytest.param(each(BOB_FIN, CARL_LAW), [(BOB, YES)], None, id="each: one group"),
        pytest.param(
            each(BOB_FIN, CARL_LAW), [(BOB, YES), (CARL, YES)], YES, id="each: both groups"
        ),
        pytest.param(
            each(BOB_FIN, CARL_LAW, EVE_LAW),
            [(CARL, YES), (EVE, YES)],
            None,
            id="each: two of one group are not one of each",
        ),
        pytest.param(
            each(ANN_EITHER, BOB_FIN, CARL_LAW),
            [(ANN, YES)],
            None,
            id="each: who is in both counts for one",
        ),
        pytest.param(
            each(ANN_EITHER, BOB_FIN, CARL_LAW),
            [(ANN, YES), (CARL, YES)],
            YES,
            id="each: who is in both counts for the one that is missing",
        ),
        pytest.param(
            each(ANN_EITHER, BOB_FIN),
            [(ANN, YES), (BOB, YES)],
            YES,
            id="each: whoever came first is counted for the other group",
        ),
        pytest.param(
            each(BOB_FIN, CARL_LAW, deny=2),
            [(CARL, NO)],
            NO,
            id="each: a group of which nobody is left",
        ),
        pytest.param(
            each(BOB_FIN, CARL_LAW, EVE_LAW, deny=2),
            [(CARL, NO)],
            None,
            id="each: somebody of the group is left",
        ),
    ],
)
def test_a_step_ends_as_its_rule_says(
    one: Step, answers: Sequence[tuple[Person, Outcome]], end: Outcome | None
) -> None:
    assert can_be_met(one)
    story = given(requested(asked(policy(one))))
    for number, (who, outcome) in enumerate(answers):
        assert isinstance(story.state, Pending), "it ended before"
        story = said(story, answer(outcome, who, now=minutes(number)))
    match story.state:
        case Decided():
            assert story.state.outcome == end
            assert [vote.by for vote in story.state.votes] == [who for who, _ in answers]
        case _:
            assert end is None


def said(story: Given, command: SubmitDecision) -> Given:
    """Go on after an answer that is taken."""
    answered = story.when(command)
    assert answered.refused is None, answered.refused
    assert answered.added
    return Given((*story.facts, *answered.added))


def vote(by: Person, outcome: Outcome = YES, *, for_: Person | None = None) -> DecisionSubmitted:
    return submitted(answer(outcome, by), complete=False, on_behalf_of=for_)


def end_of(story: Given) -> tuple[type, Outcome | None]:
    state = story.state
    return type(state), state.outcome if isinstance(state, Decided) else None


@pytest.mark.parametrize(
    ("one", "possible"),
    [
        (step(ANN, BOB, rule="count", needed=3), False),
        (each(BOB_FIN, sits(CARL, FIN)), False),
        (each(ANN_EITHER), False),
        (each(ANN_EITHER, BOB_FIN), True),
        (step(sits(ANN, held_by=DORA), sits(BOB, held_by=DORA), rule="all"), True),
        (step(ANN, rule="count", needed=1), True),
    ],
)
def test_a_step_says_whether_its_people_can_meet_it(one: Step, possible: bool) -> None:  # noqa: FBT001 # a table
    assert can_be_met(one) is possible


def test_an_answer_that_does_not_end_it_is_kept_and_says_so() -> None:
    story = given(requested(asked())).when(answer()).then(submitted(answer(), complete=False))
    assert isinstance(story.state, Pending)
    assert story.state.asked.waits_for == (BOB,)


def test_the_last_answer_decides_it_with_the_name_of_who_gave_it() -> None:
    first = requested(asked())
    last = answer(by=BOB, now=minutes(3))
    given(first, vote(ANN)).when(last).then(submitted(last), decided(last, first))


def test_a_tally_names_the_groups_of_which_nobody_has_agreed() -> None:
    one = each(ANN_EITHER, BOB_FIN, CARL_LAW)
    course = begin(policy(one), (), NOW)
    assert course.tally.missing == (FIN, LAW)
    story = given(requested(asked(policy(one))), vote(ANN))
    assert isinstance(story.state, Pending)
    found = story.state.asked.course.tally
    assert (found.approved, found.needed, len(found.missing)) == (1, 2, 1)


def test_saying_the_same_twice_counts_once() -> None:
    given(requested(asked()), vote(ANN)).when(answer(now=minutes(9))).then_nothing()


def test_who_changes_their_mind_while_it_is_pending_is_counted_as_they_said_last() -> None:
    quorum = policy(step(*THREE, rule="count", needed=2, deny=2))
    story = given(requested(asked(quorum)), vote(ANN), vote(ANN, NO))
    assert isinstance(story.state, Pending)
    found = story.state.asked.course.tally
    assert (found.approved, found.rejected) == (0, 1)
    assert end_of(said(story, answer("rejected", BOB))) == (Decided, "rejected")
    back = said(story, answer())
    assert end_of(said(back, answer(by=BOB))) == (Decided, "approved")


@pytest.mark.parametrize("rule", ["all", "count"])
def test_somebody_who_stands_in_for_two_counts_once(rule: str) -> None:
    both = policy(
        step(sits(ANN, held_by=DORA), sits(BOB, held_by=DORA), rule=rule, needed=2)  # type: ignore[arg-type]  # one of both
    )
    story = said(given(requested(asked(both))), answer(by=DORA))
    assert isinstance(story.state, Pending)
    assert story.state.asked.waits_for == (BOB,), "it waits for the person of the other seat"
    story.when(answer(by=DORA, now=minutes(5))).then_nothing()
    story.when(answer(by=DORA, stands_in_for=(ANN, BOB), now=minutes(5))).then_nothing()
    assert end_of(said(story, answer(by=BOB))) == (Decided, "approved")


def test_who_stands_in_for_two_answers_for_the_one_who_has_not() -> None:
    two = policy(step(sits(ANN, held_by=DORA), sits(BOB, held_by=DORA), CARL, rule="all"))
    story = given(requested(asked(two)), vote(ANN))
    story.when(answer(by=DORA)).then(vote(DORA, for_=BOB))


def test_who_stood_in_at_one_step_does_not_count_for_two_at_the_next() -> None:
    """Dora answers for Ann first, and sits beside Ann afterwards: both must agree there."""
    two_steps = policy(step(ANN, name="one"), step(ANN, DORA, rule="all", name="two"))
    for_ann = answer(by=DORA, stands_in_for=(ANN,))
    story = given(requested(asked(two_steps))).when(for_ann).then(vote(DORA, for_=ANN))
    assert isinstance(story.state, Pending)
    assert story.state.asked.waits_for == (ANN,)
    assert end_of(said(story, answer(by=ANN))) == (Decided, "approved")


def test_who_answered_for_themselves_before_may_stand_in_for_somebody_later() -> None:
    story = given(requested(asked(policy(step(DORA, name="one"), step(ANN, name="two")))))
    story = said(story, answer(by=DORA))
    story.when(answer(by=DORA)).then_nothing()
    assert end_of(said(story, answer(by=DORA, stands_in_for=(ANN,)))) == (Decided, "approved")


def test_both_names_stand_in_the_answer_of_a_stand_in() -> None:
    away = reassigned(is_away(ANN, DORA))
    given(requested(asked()), away).when(answer(by=DORA)).then(vote(DORA, for_=ANN))
    said_so = answer(by=EVE, stands_in_for=(ANN,))
    given(requested(asked())).when(said_so).then(vote(EVE, for_=ANN))


def test_who_sits_there_answers_for_themselves_first() -> None:
    both = answer(by=BOB, stands_in_for=(ANN,))
    story = given(requested(asked())).when(both).then(vote(BOB))
    story.when(answer(by=BOB, stands_in_for=(ANN,), now=minutes(1))).then_nothing()


def test_the_person_overrides_the_stand_in_and_not_the_other_way_round() -> None:
    away = reassigned(is_away(ANN, DORA))
    two = policy(step(*THREE, rule="count", needed=2, deny=2))
    story = said(given(requested(asked(two)), away), answer("rejected", DORA))
    story = said(story, answer("approved", ANN))
    assert isinstance(story.state, Pending)
    tallied = story.state.asked.course.tally
    assert (tallied.approved, tallied.rejected) == (1, 0)
    story.when(answer("rejected", DORA, now=minutes(2))).then_refused(
        "already_answered", saying="ann@example.com has approved this already, in person"
    )


def test_a_stand_in_of_somebody_who_is_not_asked_may_not_answer() -> None:
    given(requested(asked())).when(answer(by=EVE, stands_in_for=(CARL,))).then_refused(
        "not_an_approver", saying="It waits for ann@example.com, bob@example.com."
    )


def test_the_next_step_begins_when_the_one_before_is_met() -> None:
    story = given(requested(asked(LADDER)))
    story.when(answer(by=BOB)).then_refused("not_an_approver", saying="a later step: not yet")
    story = said(story, answer(by=ANN, now=minutes(5)))
    assert isinstance(story.state, Pending)
    course = story.state.asked.course
    assert (course.step, course.opened_at) == (1, minutes(5))
    assert story.state.asked.waits_for == (BOB, CARL)
    story.when(answer("rejected", ANN)).then_refused("not_an_approver", saying="the next step now")
    story = said(story, answer(by=CARL))
    assert end_of(said(story, answer(by=BOB))) == (Decided, "approved")


def test_a_rejection_at_a_later_step_rejects_it_all() -> None:
    story = said(given(requested(asked(LADDER))), answer(by=ANN))
    assert end_of(said(story, answer("rejected", CARL))) == (Decided, "rejected")


def test_an_approval_of_an_earlier_step_counts_in_a_later_one() -> None:
    both = policy(step(ANN, BOB, name="one"), step(ANN, CARL, rule="all", name="two"))
    story = said(given(requested(asked(both))), answer(by=ANN))
    assert isinstance(story.state, Pending)
    assert story.state.asked.waits_for == (CARL,)
    whole = policy(step(ANN, BOB, name="one"), step(ANN, CARL, name="two"))
    assert end_of(said(given(requested(asked(whole))), answer(by=ANN))) == (Decided, "approved")


def test_a_rejection_that_did_not_reject_is_asked_for_anew_at_a_later_step() -> None:
    lenient = step(ANN, BOB, name="one", deny=2)
    story = given(requested(asked(policy(lenient, step(ANN, CARL, rule="all", name="two")))))
    story = said(said(story, answer("rejected", ANN)), answer(by=BOB))
    assert isinstance(story.state, Pending)
    assert story.state.asked.waits_for == (ANN, CARL)
    assert story.state.asked.course.tally.rejected == 0


def test_a_step_that_nobody_can_meet_ends_with_the_time_and_is_not_called_approved() -> None:
    """No such policy is taken; one that got in must not approve what its people did not."""
    broken = policy(step(ANN, name="one"), step(BOB, rule="count", needed=2, name="two"))
    story = said(given(requested(asked(broken))), answer(by=ANN))
    assert isinstance(story.state, Pending)
    assert isinstance(said(story, answer(by=BOB)).state, Pending)


def test_nobody_decides_what_they_asked_for_unless_the_policy_says_so() -> None:
    with_rita = (ANN, RITA)
    mine = requested(ask(approvers=with_rita))
    given(mine).when(answer(by=RITA)).then_refused("own_request", saying="withdraw it")
    by_policy = requested(asked(policy(step(*with_rita))))
    given(by_policy).when(answer(by=RITA)).then_refused("own_request")
    given(by_policy).when(answer(by=RITA, stands_in_for=(ANN,))).then_refused("own_request")
    allowed = requested(asked(policy(step(*with_rita), self_approval=True)))
    given(allowed).when(answer(by=RITA)).then(
        submitted(answer(by=RITA)), decided(answer(by=RITA), allowed)
    )


def test_who_asked_does_not_answer_as_a_stand_in_either() -> None:
    given(requested(asked())).when(answer(by=RITA, stands_in_for=(ANN,))).then_refused(
        "not_an_approver"
    )
    held = requested(asked(policy(step(sits(ANN, held_by=RITA), BOB))))
    given(held).when(answer(by=RITA)).then_refused("own_request")


def test_a_source_without_a_policy_of_ours_says_itself_who_may_decide() -> None:
    mirrored = requested(ask(mirrored=True, approvers=(RITA,)))
    given(mirrored).when(answer(by=RITA)).then(submitted(answer(by=RITA)))
    ours = requested(asked(policy(step(RITA, ANN)), mirrored=True))
    given(ours).when(answer(by=RITA)).then_refused("own_request")


def test_several_who_must_approve_approve_the_same_payload() -> None:
    first = requested(asked(editable=True))
    given(first).when(answer(edited=edit())).then_refused("not_editable", saying="Several people")
    given(first, vote(ANN)).when(answer(by=BOB, edited=edit())).then_refused("not_editable")
    given(first, vote(ANN)).when(answer(edited=edit())).then_refused("not_editable")
    steps = requested(asked(LADDER, editable=True))
    given(steps).when(answer(edited=edit())).then_refused("not_editable")


def test_who_alone_decides_may_edit_though_others_are_asked_too() -> None:
    first = requested(asked(policy(step(ANN, BOB)), editable=True))
    edited = answer(edited=edit())
    given(first).when(edited).then(submitted(edited), decided(edited, first))


def test_a_new_revision_lets_the_answers_fall() -> None:
    new = asked(payload=OTHER_PAYLOAD, revision="2")
    story = given(requested(asked()), vote(ANN), revised(new))
    assert isinstance(story.state, Pending)
    assert story.state.asked.waits_for == (ANN, BOB)
    assert story.state.asked.course.votes == ()
    story.when(answer(by=BOB, revision="1")).then_refused("stale_revision")


def test_a_record_is_written_back_once_the_last_has_answered() -> None:
    first = requested(asked(mirrored=True))
    story = given(first).when(answer()).then(vote(ANN))
    assert isinstance(story.state, Pending)
    last = answer(by=BOB)
    story = story.when(last).then(submitted(last))
    assert isinstance(story.state, Deciding)
    story.when(answer(now=minutes(1))).then_nothing()
    story.when(answer("rejected")).then_refused("already_resolved")
    story = story.when(confirm(3)).then(decided(last, first))
    assert isinstance(story.state, Decided)
    assert [one.by for one in story.state.votes] == [ANN, BOB]


def test_what_the_source_did_not_take_waits_for_the_last_answer_again() -> None:
    first = requested(asked(mirrored=True))
    ended = fail(3)
    story = given(first, vote(ANN), submitted(answer(by=BOB))).when(ended)
    again = story.then(failed(answer(by=BOB), ended))
    assert isinstance(again.state, Pending)
    assert again.state.asked.waits_for == (BOB,)


@pytest.mark.parametrize("late", [answer("rejected"), answer(by=CARL), answer("rejected", BOB)])
def test_an_answer_after_the_end_reads_what_happened(late: SubmitDecision) -> None:
    first = requested(asked())
    ended = (first, vote(ANN), submitted(answer(by=BOB)), decided(answer(by=BOB), first))
    given(*ended).when(late).then_refused(
        "already_resolved", saying="approved by bob@example.com at 2026-11-21"
    )
    for one in (answer(), answer(by=BOB)):
        given(*ended).when(one).then_nothing()


def test_a_seat_that_was_passed_on_counts_for_its_groups() -> None:
    one = each(ANN_EITHER, BOB_FIN, CARL_LAW)
    away = reassigned(reassign(CARL, EVE, by=CARL))
    story = said(given(requested(asked(policy(one))), away), answer(by=BOB))
    story.when(answer(by=CARL)).then_refused("not_an_approver")
    assert end_of(said(story, answer(by=EVE))) == (Decided, "approved")


def test_a_tally_never_counts_more_than_it_needs() -> None:
    one = step(*THREE, needed=1)
    facts: list[ApprovalEvent] = [requested(asked(policy(one))), vote(ANN), vote(BOB)]
    state = given(*facts).state
    assert isinstance(state, Pending)
    assert tally(one, 0, state.asked.course.votes).approved == 1


def test_a_policy_with_everything_to_do_at_once_is_pending_until_somebody_answers() -> None:
    story = given().when(pending(asked(BOTH, mirrored=True)))
    assert len(story.added) == 1
    assert not isinstance(story.added[0], ApprovalDecided)


def test_what_is_shown_of_the_end_is_what_was_counted() -> None:
    quorum = policy(step(*THREE, rule="count", needed=2))
    story = said(given(requested(asked(quorum))), answer(by=BOB))
    rejected = view_of("w", "a", said(story, answer("rejected", BOB)).facts)
    assert [(one.email, one.answer) for one in rejected.approvers][1] == (BOB.email, "rejected")
    approved = view_of("w", "a", said(story, answer(by=ANN)).facts)
    assert [one.answer for one in approved.approvers] == ["approved", "approved", None]
    assert approved.progress is not None
    assert approved.progress.words == "2 of 2"
    assert not any(one.asked for one in approved.approvers)
