"""An answer that is held: nothing comes of it, and whoever gave it may take it back."""

from dataclasses import replace

import pytest

from events.approval import AppliedPolicy, ApprovalWithdrawn, Assurance, DecisionSubmitted
from events.commands import ConfirmWriteBack
from events.course import any_one_of
from events.decider import Refused, decide
from events.state import Decided, Deciding, Pending, fold
from tests.core.examples import (
    ANN,
    BOB,
    EVE,
    MIRRORED,
    OWN,
    answer,
    ask,
    decided,
    minutes,
    requested,
    submitted,
    supersede,
    undo,
    undone,
    withdrawn,
)

HELD = answer(held_until=minutes(1))


def test_a_held_answer_settles_nothing_yet() -> None:
    facts = decide(HELD, fold((OWN,)))
    assert facts == [submitted(HELD)]
    state = fold((OWN, *facts))
    assert isinstance(state, Deciding)
    assert state.answer.held_until == minutes(1)


def test_what_was_held_is_confirmed_as_any_other_answer() -> None:
    confirm = ConfirmWriteBack(decision_version=2, now=minutes(2))
    (fact,) = decide(confirm, fold((OWN, submitted(HELD))))
    assert fact == replace(decided(HELD, OWN), at=minutes(2))
    assert isinstance(fold((OWN, submitted(HELD), fact)), Decided)


def test_who_answered_takes_it_back_and_it_waits_as_before() -> None:
    before = fold((OWN,))
    facts = decide(undo(now=minutes(0.5)), fold((OWN, submitted(HELD))))
    assert facts == [undone(undo(now=minutes(0.5)))]
    after = fold((OWN, submitted(HELD), *facts))
    assert isinstance(after, Pending)
    assert isinstance(before, Pending)
    assert after.asked == before.asked


def test_after_it_was_taken_back_anybody_who_is_asked_may_answer() -> None:
    facts = (OWN, submitted(HELD), undone(undo()))
    (said, _) = decide(answer("rejected", by=BOB), fold(facts))
    assert isinstance(said, DecisionSubmitted)
    assert said.by == BOB


def test_a_write_back_of_an_answer_that_was_taken_back_ends_nothing() -> None:
    facts = (MIRRORED, submitted(HELD), undone(undo()))
    assert decide(ConfirmWriteBack(decision_version=2, now=minutes(2)), fold(facts)) == []


def test_a_new_answer_is_not_ended_by_the_write_back_of_the_one_taken_back() -> None:
    facts = (MIRRORED, submitted(HELD), undone(undo()), submitted(answer("rejected", by=BOB)))
    assert decide(ConfirmWriteBack(decision_version=2, now=minutes(2)), fold(facts)) == []


@pytest.mark.parametrize("at", [1.0, 1.5])
def test_when_the_time_is_over_nothing_is_taken_back(at: float) -> None:
    with pytest.raises(Refused, match="too late") as refused:
        decide(undo(now=minutes(at)), fold((OWN, submitted(HELD))))
    assert refused.value.code == "too_late_to_undo"


def test_an_answer_that_is_not_held_is_not_taken_back() -> None:
    with pytest.raises(Refused, match="too late"):
        decide(undo(), fold((MIRRORED, submitted(answer()))))


@pytest.mark.parametrize("by", [BOB, EVE])
def test_nobody_takes_back_what_somebody_else_answered(by: object) -> None:
    with pytest.raises(Refused, match="no answer of yours"):
        decide(replace(undo(), by=by), fold((OWN, submitted(HELD))))  # type: ignore[arg-type]


def test_what_was_settled_in_the_source_meanwhile_is_not_taken_back() -> None:
    facts = (MIRRORED, submitted(HELD), withdrawn(MIRRORED, "settled", "Approved in the source."))
    with pytest.raises(Refused) as refused:
        decide(undo(), fold(facts))
    assert refused.value.code == "too_late_to_undo"


def test_a_newer_ask_takes_the_place_of_what_is_held_but_not_of_what_a_source_may_have() -> None:
    facts = (OWN, submitted(HELD))
    (gone,) = decide(supersede(), fold(facts))
    assert isinstance(gone, ApprovalWithdrawn)
    assert (gone.cause, gone.superseded_by) == ("superseded", "A-2")
    confirm = ConfirmWriteBack(decision_version=2, now=minutes(2))
    assert decide(confirm, fold((*facts, gone))) == []
    assert decide(supersede(), fold((MIRRORED, submitted(answer())))) == []


def test_an_answer_that_does_not_settle_it_is_not_held() -> None:
    both = replace(any_one_of((ANN, BOB)), name="two", version=1)
    both = replace(both, steps=(replace(both.steps[0], rule="all", needed=2),))
    (said,) = decide(HELD, fold((requested(ask(policy=both)),)))
    assert isinstance(said, DecisionSubmitted)
    assert not said.complete
    assert said.held_until is None


def demanding(assurance: Assurance | None) -> AppliedPolicy:
    return replace(any_one_of((ANN, BOB)), name="careful", version=1, assurance=assurance)


ENOUGH = {
    None: {None, "link", "key", "channel", "session", "step_up"},
    "link": {"link", "key", "channel", "session", "step_up"},
    "key": {"key", "channel", "session", "step_up"},
    "channel": {"key", "channel", "session", "step_up"},
    "session": {"session", "step_up"},
    "step_up": {"step_up"},
}


@pytest.mark.parametrize("demanded", ENOUGH)
@pytest.mark.parametrize("given", [None, "link", "key", "channel", "session", "step_up"])
def test_it_must_be_known_as_well_as_the_policy_says_who_answers(
    demanded: Assurance | None, given: Assurance | None
) -> None:
    state = fold((requested(ask(policy=demanding(demanded))),))
    if given in ENOUGH[demanded]:
        said = decide(answer(assurance=given, shown="5d"), state)[0]
        assert isinstance(said, DecisionSubmitted)
        assert (said.assurance, said.shown) == (given, "5d")
    else:
        with pytest.raises(Refused, match="Placet itself") as refused:
            decide(answer(assurance=given), state)
        assert refused.value.code == "assurance_too_low"
