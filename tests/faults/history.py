"""The history checker: what was lost, doubled, altered or out of order, of all that was collected.

Pure functions over plain data. Each rule is independent of the product's projections: it folds the
stored facts by the core alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from events.approval import (
    ApprovalCommented,
    ApprovalRequested,
    ApprovalWithdrawn,
    DecisionSubmitted,
)
from events.envelope import Recorded
from events.state import Decided, State
from tests.faults.carriage import carriage
from tests.faults.evidence import Evidence
from tests.faults.finding import Finding, Kind
from tests.faults.mirror import mirror
from tests.faults.streams import states_of, status_of
from tests.faults.surfaces import surfaces
from tests.faults.told import Told

ASK = "ask"
"""The member of an ask's metadata that holds its mark."""
FINAL_STATUSES = frozenset(("approved", "rejected", "withdrawn", "expired"))
SHOWN = 20


def findings(evidence: Evidence) -> list[Finding]:
    """Return everything that is wrong, the store first."""
    states, impossible = states_of(evidence.streams)
    return [
        *impossible,
        *_promises(evidence, states),
        *carriage(evidence),
        *surfaces(evidence, states),
        *mirror(evidence, states),
    ]


def kinds(found: Iterable[Finding]) -> set[Kind]:
    """Return which kinds of things are wrong."""
    return {finding.kind for finding in found}


def report(found: Sequence[Finding]) -> str:
    """Return the findings for people, the first of them whole."""
    lines = [str(finding) for finding in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"… and {len(found) - SHOWN} more")
    return "\n".join([f"{len(found)} findings", *lines])


def _promises(evidence: Evidence, states: Mapping[str, State]) -> Iterator[Finding]:
    asked: dict[str, list[str]] = {}
    for approval_id, stream in evidence.streams.items():
        first = stream[0].event
        if isinstance(first, ApprovalRequested) and ASK in first.metadata:
            asked.setdefault(first.metadata[ASK], []).append(approval_id)
    for mark, approval_ids in asked.items():
        if len(approval_ids) > 1:
            sentence = f"The ask {mark!r} became {' and '.join(approval_ids)}."
            yield Finding("stored_twice", mark, sentence)
    for told in evidence.told:
        if told.action == "ask":
            yield from _asked(told, asked)
        elif told.approval_id is not None:
            yield from _answered(told, evidence.streams.get(told.approval_id, ()))
            yield from _ended(told, states)


def _asked(told: Told, asked: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    if not told.promised:
        return
    approval_ids = asked.get(told.mark, ())
    if not approval_ids:
        yield Finding("lost", told.mark, f"{told} was acknowledged, and is not in the store.")
    elif told.approval_id is not None and told.approval_id not in approval_ids:
        sentence = f"{told} was told {told.approval_id}; the store has {approval_ids[0]}."
        yield Finding("lost", told.mark, sentence)


def _answered(told: Told, stream: Sequence[Recorded]) -> Iterator[Finding]:
    if told.action == "comment":
        texts = [one.event.text for one in stream if isinstance(one.event, ApprovalCommented)]
        if texts.count(told.mark) > 1:
            yield Finding(
                "stored_twice", told.mark, f"{told} stands {texts.count(told.mark)} times."
            )
        stored = told.mark in texts
    elif told.action == "decide":
        stored = any(
            isinstance(one.event, DecisionSubmitted)
            and (one.event.by.email, one.event.outcome) == (told.by, told.outcome)
            for one in stream
        )
    else:
        stored = any(isinstance(one.event, ApprovalWithdrawn) for one in stream)
    if told.promised and not stored:
        sentence = f"{told} of {told.approval_id} was acknowledged, and is not in the store."
        yield Finding("lost", told.mark, sentence)


def _ended(told: Told, states: Mapping[str, State]) -> Iterator[Finding]:
    """Hold what somebody was told of the end against how it ended."""
    state = states.get(told.approval_id or "")
    if state is None or told.status not in FINAL_STATUSES:
        return
    ended, by = status_of(state), state.by.email if isinstance(state, Decided) else None
    if ended != told.status or (told.decided_by is not None and told.decided_by != by):
        sentence = (
            f"{told} was told that {told.approval_id} was {told.status} by {told.decided_by}; "
            f"it is {ended} by {by}."
        )
        yield Finding("overruled", told.approval_id or "", sentence)
