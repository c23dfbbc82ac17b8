"""How each approval stands by its stored facts alone."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from events.approval import FinalEvent
from events.envelope import Recorded
from events.state import (
    Decided,
    Deciding,
    Expired,
    ImpossibleHistory,
    Pending,
    State,
    Unknown,
    Withdrawn,
    fold,
)
from tests.faults.finding import Finding


def states_of(
    streams: Mapping[str, Sequence[Recorded]],
) -> tuple[Mapping[str, State], list[Finding]]:
    """Return each stream's state, without those that cannot be, and what is wrong with these."""
    states: dict[str, State] = {}
    found: list[Finding] = []
    for approval_id, stream in streams.items():
        versions = [one.version for one in stream]
        finals = [one for one in stream if isinstance(one.event, FinalEvent)]
        if versions != list(range(1, len(stream) + 1)):
            sentence = f"{approval_id} has the versions {versions}."
            found.append(Finding("gap", approval_id, sentence))
        elif len(finals) > 1:
            names = " and ".join(one.type for one in finals)
            sentence = f"{approval_id} ended {len(finals)} times: {names}."
            found.append(Finding("two_finals", approval_id, sentence))
        else:
            try:
                states[approval_id] = fold(one.event for one in stream)
            except ImpossibleHistory as error:
                found.append(Finding("impossible", approval_id, f"{approval_id}: {error}."))
    return states, found


def status_of(state: State) -> str:
    """Return the status that a person sees."""
    match state:
        case Decided():
            return state.outcome
        case Withdrawn():
            return "withdrawn"
        case Expired():
            return "expired"
        case Deciding():
            return "deciding"
        case Pending():
            return "pending"
        case Unknown():
            return "unknown"
        case _:
            assert_never(state)
