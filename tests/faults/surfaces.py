"""Checks what people see: the queue, the list, the history, cards, and what was set aside."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from events.approval import ApprovalReminded, ApproverNotified, AskedBack
from events.envelope import Recorded
from events.state import Final, Pending, State
from projections.apply import asked_of
from tests.faults.evidence import Evidence
from tests.faults.finding import Finding
from tests.faults.streams import status_of

States = Mapping[str, State]


def surfaces(evidence: Evidence, states: States) -> Iterator[Finding]:
    """Return where what is shown is not what is stored."""
    yield from _listed(evidence, states)
    yield from _waiting(evidence, states)
    yield from _history(evidence, states)
    yield from _cards(evidence, states)
    yield from _parked(evidence)


def _listed(evidence: Evidence, states: States) -> Iterator[Finding]:
    rows = {row.approval_id: (row.version, row.status) for row in evidence.listed}
    for approval_id in sorted(rows.keys() - evidence.streams.keys()):
        yield Finding("list_differs", approval_id, f"{approval_id} is listed, and not stored.")
    for approval_id, state in states.items():
        row, should = rows.get(approval_id), (state.version, status_of(state))
        if row != should:
            sentence = f"{approval_id} is listed as {row}; the store says {should}."
            yield Finding("list_differs", approval_id, sentence)


def _waiting(evidence: Evidence, states: States) -> Iterator[Finding]:
    should = {
        (person.email, approval_id)
        for approval_id, state in states.items()
        if isinstance(state, Pending)
        for person in state.asked.waits_for
    }
    known = {row for row in evidence.waiting if row[1] in states or row[1] not in evidence.streams}
    for approver, approval_id in sorted(known - should):
        sentence = f"{approval_id} is in the queue of {approver}, and does not wait for them."
        yield Finding("queue_differs", approval_id, sentence)
    for approver, approval_id in sorted(should - known):
        sentence = f"{approval_id} waits for {approver}, and is not in their queue."
        yield Finding("queue_differs", approval_id, sentence)


def _history(evidence: Evidence, states: States) -> Iterator[Finding]:
    shown: dict[str, set[int]] = {}
    for approval_id, version in evidence.history:
        shown.setdefault(approval_id, set()).add(version)
    for approval_id in states:
        stored = {one.version for one in evidence.streams[approval_id]}
        if shown.get(approval_id, set()) != stored:
            sentence = (
                f"The history of {approval_id} shows {sorted(shown.get(approval_id, ()))} of "
                f"{sorted(stored)}."
            )
            yield Finding("history_differs", approval_id, sentence)


def _cards(evidence: Evidence, states: States) -> Iterator[Finding]:
    for approval_id, stream in evidence.streams.items():
        told = Counter(
            (one.event.approver, one.event.channel, one.event.revision)
            for one in stream
            if isinstance(one.event, ApproverNotified)
        )
        for (approver, channel, revision), count in told.items():
            if count > 1:
                sentence = (
                    f"{approver} was told of {approval_id} {count} times by {channel} in revision "
                    f"{revision}."
                )
                yield Finding("two_cards", approval_id, sentence)
    messages = Counter((one.approval_id, one.approver) for one in evidence.outbox)
    for (approval_id, approver), count in messages.items():
        revisions = _revisions(evidence.streams.get(approval_id, ()), approver)
        if count > revisions:
            sentence = (
                f"{approver} has {count} messages about {approval_id}, which had {revisions} "
                "revisions for them."
            )
            yield Finding("two_cards", approval_id, sentence)
    for one in evidence.outbox:
        if one.shown == "open" and isinstance(states.get(one.approval_id), Final):
            sentence = f"A message to {one.approver} still asks for {one.approval_id}."
            yield Finding("card_left_open", one.approval_id, sentence)


def _revisions(stream: Sequence[Recorded], approver: str) -> int:
    """Return how often somebody was to be told: asked, reminded, or asked back."""
    return sum(
        any(email == approver for _, email, _ in asked_of([one]))
        or isinstance(one.event, AskedBack)
        or (isinstance(one.event, ApprovalReminded) and one.event.approver == approver)
        for one in stream
    )


def _parked(evidence: Evidence) -> Iterator[Finding]:
    parked = {(one.topic, one.partition, one.offset): one for one in evidence.parked}
    for place, one in parked.items():
        if place not in evidence.poison:
            yield Finding("parked", str(place), f"{place} was set aside: {one.reason}")
    for place in sorted(evidence.poison - parked.keys()):
        yield Finding("dropped", str(place), f"{place} cannot be read, and was not set aside.")
