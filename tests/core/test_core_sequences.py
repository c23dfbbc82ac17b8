"""Whatever is asked in whatever order, the promises of the core hold."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from events.approval import (
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalRequested,
    ApprovalRevised,
    DecisionSubmitted,
    FinalEvent,
    NotificationFailed,
)
from events.commands import Command
from events.decider import Refused, decide
from events.decider.asking import NOBODY
from events.state import Final, ImpossibleHistory, State, Unknown, evolve, fold
from tests.core.examples import (
    MIRRORED,
    NOW,
    OTHER_PAYLOAD,
    OWN,
    answer,
    ask,
    confirm,
    decided,
    pending,
    submitted,
    withdrawn,
)
from tests.core.making import PATIENT, any_fact, commands, lives


def assert_promises(facts: Sequence[ApprovalEvent]) -> None:
    """Hold a history to what the core promises of every history."""
    ends = [place for place, fact in enumerate(facts) if isinstance(fact, FinalEvent)]
    assert len(ends) <= 1
    for end in ends:
        assert all(
            isinstance(fact, ApprovalCommented | ApprovalAcknowledged) for fact in facts[end + 1 :]
        )
    shown: dict[str, ApprovalRequested | ApprovalRevised] = {}
    last: ApprovalRequested | ApprovalRevised | None = None
    said: DecisionSubmitted | None = None
    for fact in facts:
        if isinstance(fact, ApprovalRequested | ApprovalRevised):
            assert fact.about.revision not in shown, "a revision stands for two contents"
            shown[fact.about.revision] = last = fact
        if isinstance(fact, DecisionSubmitted):
            assert last is not None
            assert fact.revision == last.about.revision
            assert fact.by == NOBODY or fact.by in last.approvers
            said = fact
        if isinstance(fact, ApprovalDecided):
            assert last is not None
            assert said is not None
            assert fact.about == last.about, "something else was decided than was shown"
            assert fact.decided_at == said.at
            assert (fact.by, fact.outcome) == (said.by, said.outcome)
    notes = [fact.comment_id for fact in facts if isinstance(fact, ApprovalCommented)]
    assert len(notes) == len(set(notes))


@settings(PATIENT, max_examples=200)
@given(st.lists(commands(), max_size=25))
@example([pending(), answer(), confirm(), answer("rejected"), answer()])
@example(
    [
        pending(),
        pending(ask(mirrored=True, payload=OTHER_PAYLOAD)),
        pending(ask(mirrored=True, payload={"n": 3})),
    ]
)
def test_every_sequence_of_commands_keeps_the_promises(orders: list[Command]) -> None:
    state: State = fold(())
    facts: list[ApprovalEvent] = []
    for command in orders:
        try:
            added = decide(command, state)
        except Refused:
            continue
        for fact in added:
            state = evolve(state, fact)
        facts.extend(added)
        assert state.version == len(facts)
        again = decide(command, state)
        assert again == [], f"{command} twice added {again}"
    event(type(state).__name__)
    assert fold(facts) == state
    assert_promises(facts)


@PATIENT
@given(lives(), st.lists(any_fact(), max_size=6))
def test_every_history_folds_or_is_called_impossible(
    facts: list[ApprovalEvent], more: list[ApprovalEvent]
) -> None:
    state = fold(facts)
    for fact in more:
        before = state
        try:
            state = evolve(state, fact)
        except ImpossibleHistory:
            event("impossible")
            assert state is before
        else:
            event("possible")
            assert state.version == before.version + 1


@PATIENT
@given(lives(), lives())
def test_a_second_end_is_impossible(facts: list[ApprovalEvent], rest: list[ApprovalEvent]) -> None:
    state = fold(facts)
    if not isinstance(state, Final):
        state = evolve(state, withdrawn(OWN, "gone", "Gone."))
    for fact in rest:
        if isinstance(fact, ApprovalCommented | ApprovalAcknowledged):
            continue
        with pytest.raises(ImpossibleHistory):
            evolve(state, fact)


@PATIENT
@given(lives(), st.integers(1, 9))
def test_a_history_that_begins_in_the_middle_is_impossible(
    facts: list[ApprovalEvent], cut: int
) -> None:
    for fact in facts[cut:]:
        with pytest.raises(ImpossibleHistory):
            fold([fact])


@PATIENT
@given(lives())
def test_the_fold_knows_who_was_told_and_what_was_shown(facts: list[ApprovalEvent]) -> None:
    state = fold(facts)
    if isinstance(state, Unknown | Final):
        return
    shown = [fact for fact in facts if isinstance(fact, ApprovalRequested | ApprovalRevised)]
    assert state.asked.revisions == {fact.about.revision for fact in shown}
    assert len(state.asked.not_notified) == sum(
        isinstance(fact, NotificationFailed) for fact in facts
    )


def test_the_checker_of_promises_sees_two_ends_and_a_decision_on_what_was_not_shown() -> None:
    end = decided(answer(), OWN)
    good: list[ApprovalEvent] = [OWN, submitted(answer()), end]
    assert_promises(good)
    broken: list[list[ApprovalEvent]] = [
        [*good, end],
        [*good, submitted(answer())],
        [OWN, submitted(answer()), decided(answer("rejected"), OWN)],
        [OWN, submitted(answer()), decided(answer(), MIRRORED)],
        [OWN, submitted(answer(), revision="7")],
        [OWN, replace(OWN, at=NOW)],
    ]
    for facts in broken:
        with pytest.raises(AssertionError):
            assert_promises(facts)
