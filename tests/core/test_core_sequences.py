"""Whatever is asked in whatever order, the promises of the core hold."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from events.approval import (
    AppliedPolicy,
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalReassigned,
    ApprovalRequested,
    ApprovalRevised,
    DecisionSubmitted,
    FinalEvent,
    NotificationFailed,
    Seat,
)
from events.commands import Command, RemindApprovers, ReviseApproval, SubmitDecision
from events.decider import Refused, decide
from events.decider.asking import POLICY
from events.decider.lapsing import NOBODY
from events.state import Final, ImpossibleHistory, State, Unknown, evolve, fold
from tests.core.examples import (
    EVE,
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


def addresses(seats: Iterable[Seat]) -> set[str]:
    return {one.email for seat in seats for one in (seat.person, seat.held_by) if one}


def asked_in(policy: AppliedPolicy | None) -> set[str]:
    steps = policy.steps if policy else ()
    return addresses(seat for step in steps for seat in step.seats)


def newly_asked(fact: ApprovalEvent) -> set[str]:
    """The addresses of those whom a fact lets answer from then on."""
    match fact:
        case ApprovalRequested() | ApprovalRevised():
            return asked_in(fact.policy) | {person.email for person in fact.approvers}
        case ApprovalEscalated():
            return asked_in(fact.policy) | addresses(fact.seats)
        case ApprovalReassigned():
            return {fact.to.email}
        case _:
            return set()


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
    asked: set[str] = set()
    for fact in facts:
        asked |= newly_asked(fact)
        if isinstance(fact, ApprovalRequested | ApprovalRevised):
            assert fact.about.revision not in shown, "a revision stands for two contents"
            shown[fact.about.revision] = last = fact
        if isinstance(fact, DecisionSubmitted):
            assert last is not None
            assert fact.revision == last.about.revision
            assert fact.by in (NOBODY, POLICY) or (fact.on_behalf_of or fact.by.email) in asked
            said = fact
        if isinstance(fact, ApprovalDecided):
            assert last is not None
            assert said is not None
            assert fact.about == last.about, "something else was decided than was shown"
            assert said.complete, "it was decided while others had to answer"
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
        try:
            again = decide(command, state)
        except Refused:
            # Reminded within the hour; decided meanwhile by the policy of what was changed.
            assert isinstance(command, RemindApprovers | ReviseApproval)
        else:
            # Who stands in for several people answers for one of them at each step.
            step_by_step = isinstance(command, SubmitDecision) and command.stands_in_for
            assert again == [] or step_by_step, f"{command} twice added {again}"
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
        [OWN, submitted(answer(), complete=False), decided(answer(), OWN)],
        [OWN, submitted(answer(by=EVE)), decided(answer(by=EVE), OWN)],
        [OWN, replace(OWN, at=NOW)],
    ]
    for facts in broken:
        with pytest.raises(AssertionError):
            assert_promises(facts)
