"""Holds the approvals that mirror a system of record against what that system holds itself."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from events.approval import ApprovalRequested, ApprovalRevised, DecisionSubmitted
from events.envelope import Recorded
from events.state import Decided, Deciding, Pending, State, Withdrawn
from tests.faults.evidence import Evidence, SourceRow
from tests.faults.finding import Finding

_ASKED = "Placet asked"
_APPROVAL = re.compile(r"\(approval (\w{27})\b")


def mirror(evidence: Evidence, states: Mapping[str, State]) -> Iterator[Finding]:
    """Return where an answer was not what the source holds, or a record was asked about twice."""
    if evidence.source is None:
        return
    by_record: dict[str, list[str]] = {}
    for approval_id, stream in evidence.streams.items():
        record_id = _record(stream)
        if record_id is not None:
            by_record.setdefault(record_id, []).append(approval_id)
    for record_id, row in evidence.source.items():
        approvals = by_record.get(record_id, [])
        if len(approvals) > 1:
            sentence = f"{record_id} was asked about as {' and '.join(approvals)}."
            yield Finding("asked_twice", record_id, sentence)
        if not approvals and row.state == "pending":
            yield Finding("never_asked", record_id, f"{record_id} waits, and nobody was asked.")
        for approval_id in approvals:
            if approval_id in states:
                yield from _compare(
                    approval_id, states[approval_id], evidence.streams[approval_id], row
                )
        yield from _notes(row)


def _record(stream: Sequence[Recorded]) -> str | None:
    first = stream[0].event
    if not isinstance(first, ApprovalRequested) or first.about.source is None:
        return None
    return first.about.source.record_id


def _compare(
    approval_id: str, state: State, stream: Sequence[Recorded], row: SourceRow
) -> Iterator[Finding]:
    written, shown = _written(stream, row)
    if written is not None and shown != row.digest:
        sentence = (
            f"{written.by.email} answered {row.record_id} as it was in revision "
            f"{written.revision}; the answer was applied to other content."
        )
        yield Finding("stale_decision", row.record_id, sentence)
    match state:
        case Decided() if state.outcome != row.outcome:
            yield _differs(approval_id, state.outcome, row)
        case Decided() if written is None:
            sentence = (
                f"{approval_id} says {state.outcome} by {state.by.email}; {row.record_id} was "
                f"settled by {row.settled_by} for a reason of their own: {row.reason}."
            )
            yield Finding("stale_decision", row.record_id, sentence)
        case Withdrawn() if row.state == "pending" or written is not None:
            yield _differs(approval_id, "withdrawn", row)
        case Pending() if row.state != "pending" or state.asked.about.payload_digest != row.digest:
            yield _differs(approval_id, "pending", row)
        case Deciding():
            yield _differs(approval_id, "still being written back", row)
        case _:
            return


def _written(
    stream: Sequence[Recorded], row: SourceRow
) -> tuple[DecisionSubmitted | None, str | None]:
    """Return the answer of ours that the source holds, and the content that it was given for."""
    shown: str | None = None
    for one in stream:
        if isinstance(one.event, ApprovalRequested | ApprovalRevised):
            shown = one.event.about.payload_digest
        submitted = one.event if isinstance(one.event, DecisionSubmitted) else None
        if submitted is not None and submitted.complete and submitted.reason == row.reason:
            return (submitted, shown) if row.reason is not None else (None, None)
    return None, None


def _differs(approval_id: str, ours: str, row: SourceRow) -> Finding:
    sentence = (
        f"{approval_id} is {ours}; {row.record_id} is {row.outcome or row.state} by "
        f"{row.settled_by} ({row.reason})."
    )
    return Finding("source_differs", row.record_id, sentence)


def _notes(row: SourceRow) -> Iterator[Finding]:
    """A card leaves one note for each approver and revision, a decision one for all."""
    marks: Counter[str] = Counter()
    for note in row.notes:
        approval = _APPROVAL.search(note)
        if approval is not None:
            marks[note if note.startswith(_ASKED) else approval[1]] += 1
    for mark, count in marks.items():
        if count > 1:
            sentence = f"{row.record_id} has {count} notes that say the same: {mark}"
            yield Finding("two_notes", row.record_id, sentence)
