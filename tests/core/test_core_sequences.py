"""Whatever is asked in whatever order, the promises of the core hold."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from events.approval import (
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
from events.state import Deciding, ImpossibleHistory, Pending, State, evolve, fold
from tests.core.examples import (
    NOW,
    OTHER_PAYLOAD,
    OWN,
    answer,
    ask,
    confirm,
    decided,
    pending,
    submitted,
)
from tests.core.making import any_fact, asks, commands, life, lives


def assert_promises(facts: Sequence[ApprovalEvent]) -> None:
    """Hold a history to what the core promises of every history."""
    ends = [place for place, fact in enumerate(facts) if isinstance(fact, FinalEvent)]
    assert len(ends) <= 1
    for end in ends:
        assert all(isinstance(fact, ApprovalCommented) for fact in facts[end + 1 :])
    shown: dict[str, ApprovalRequested | ApprovalRevised] = {}
    last: ApprovalRequested | ApprovalRevised | None = None
    for fact in facts:
        if isinstance(fact, ApprovalRequested | ApprovalRevised):
            assert fact.about.revision not in shown, "a revision stands for two contents"
            shown[fact.about.revision] = last = fact
        if isinstance(fact, DecisionSubmitted):
            assert last is not None
            assert fact.revision == last.about.revision
            assert fact.by.email in {person.email for person in last.approvers}
    notes = [fact.comment_id for fact in facts if isinstance(fact, ApprovalCommented)]
    assert len(notes) == len(set(notes))


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


@given(asks(), st.lists(commands(), max_size=25))
def test_an_ask_that_is_answered_in_the_end_tells_what_was_approved(
    first: Command, orders: list[Command]
) -> None:
    facts = life([first, *orders])
    ends = [fact for fact in facts if isinstance(fact, ApprovalDecided)]
    assume(ends)
    shown = [fact for fact in facts if isinstance(fact, ApprovalRequested | ApprovalRevised)]
    said = [fact for fact in facts if isinstance(fact, DecisionSubmitted)]
    assert ends[0].about == shown[-1].about
    assert (ends[0].by, ends[0].outcome, ends[0].decided_at) == (
        said[-1].by,
        said[-1].outcome,
        said[-1].at,
    )


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


@given(lives())
def test_a_second_end_is_impossible(facts: list[ApprovalEvent]) -> None:
    ends = [fact for fact in facts if isinstance(fact, FinalEvent)]
    assume(ends)
    state = fold(facts)
    try:
        evolve(state, ends[0])
    except ImpossibleHistory:
        return
    raise AssertionError("an approval ended twice")


@given(lives())
def test_a_history_that_begins_in_the_middle_is_impossible(facts: list[ApprovalEvent]) -> None:
    assume(len(facts) > 1)
    try:
        fold(facts[1:])
    except ImpossibleHistory:
        return
    raise AssertionError("a stream without its beginning was folded")


@given(lives())
def test_the_fold_knows_who_was_told_and_what_was_shown(facts: list[ApprovalEvent]) -> None:
    state = fold(facts)
    assume(isinstance(state, Pending | Deciding))
    assert isinstance(state, Pending | Deciding)
    shown = [fact for fact in facts if isinstance(fact, ApprovalRequested | ApprovalRevised)]
    assert state.asked.revisions == {fact.about.revision for fact in shown}
    assert len(state.asked.not_notified) == sum(
        isinstance(fact, NotificationFailed) for fact in facts
    )


def test_the_checker_of_promises_sees_two_ends_and_a_decision_on_what_was_not_shown() -> None:
    end = decided(answer(), OWN)
    good = [OWN, submitted(answer()), end]
    assert_promises(good)
    broken: list[list[ApprovalEvent]] = [
        [*good, end],
        [*good, submitted(answer())],
        [OWN, submitted(answer(), revision="7")],
        [OWN, replace(OWN, at=NOW)],
    ]
    for facts in broken:
        try:
            assert_promises(facts)
        except AssertionError:
            continue
        raise RuntimeError(f"the checker let pass: {facts}")
