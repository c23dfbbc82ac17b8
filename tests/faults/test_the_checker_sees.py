"""The checker finds each kind of wrong in a history that is otherwise right, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest

from events.approval import ApprovalEvent
from events.kafka.topics import DECIDED as DECIDED_TOPIC
from events.kafka.topics import LOG
from tests.faults import good_history as good
from tests.faults.evidence import Evidence, Logged, OutboxMessage, ParkedMessage, Published
from tests.faults.finding import Kind
from tests.faults.good_history import (
    ANN,
    BOB,
    COMMENTED,
    DECIDED,
    GOOD,
    MIRRORED,
    MIRRORED_WAITS,
    RECALLED,
    STREAMS,
    WAITS,
)
from tests.faults.history import findings, kinds, report
from tests.faults.told import Told

SPOILT: list[tuple[str, Kind, Callable[[], Evidence]]] = []


def wrong(sentence: str, kind: Kind) -> Callable[[Callable[[], Evidence]], object]:
    """Adds a history in which one thing is wrong."""

    def add(make: Callable[[], Evidence]) -> None:
        SPOILT.append((sentence, kind, make))

    return add


def with_stream(approval_id: str, *events: ApprovalEvent) -> Evidence:
    """The same history with other facts in one stream, consistently carried everywhere."""
    return good.evidence_of({**STREAMS, approval_id: list(events)})


def with_told(told: Told) -> Evidence:
    return replace(GOOD, told=(*GOOD.told, told))


def without_message(topic: str, approval_id: str, version: int) -> Evidence:
    kept = [
        one
        for one in GOOD.topics
        if (one.topic, one.key, one.version) != (topic, approval_id, version)
    ]
    return replace(GOOD, topics=kept)


def with_message(change: Callable[[Published], Published]) -> Evidence:
    return replace(GOOD, topics=[change(one) for one in GOOD.topics])


def with_record(record_id: str, **changes: object) -> Evidence:
    assert GOOD.source is not None
    row = replace(GOOD.source[record_id], **changes)  # type: ignore[arg-type]  # fields by name
    return replace(GOOD, source={**GOOD.source, record_id: row})


@wrong("an acknowledged ask that is not stored", "lost")
def _() -> Evidence:
    return with_told(Told(action="ask", by=BOB.email, mark="a9", answer="ok"))


@wrong("an ask that was told another approval", "lost")
def _() -> Evidence:
    return with_told(Told(action="ask", by=BOB.email, mark="a1", approval_id=WAITS, answer="ok"))


@wrong("an acknowledged answer that is not stored", "lost")
def _() -> Evidence:
    return with_told(
        Told(
            action="decide",
            by=ANN.email,
            mark="d9",
            approval_id=WAITS,
            outcome="approved",
            answer="ok",
        )
    )


@wrong("an acknowledged comment that is not stored", "lost")
def _() -> Evidence:
    return with_told(
        Told(action="comment", by=BOB.email, mark="c9", approval_id=WAITS, answer="ok")
    )


@wrong("an acknowledged withdrawal that is not stored", "lost")
def _() -> Evidence:
    return with_told(
        Told(action="withdraw", by=BOB.email, mark="w", approval_id=WAITS, answer="ok")
    )


@wrong("one ask that became two approvals", "stored_twice")
def _() -> Evidence:
    return with_stream(WAITS, good.requested("a2"))


@wrong("one comment that stands twice", "stored_twice")
def _() -> Evidence:
    return with_stream(COMMENTED, good.requested("a2"), good.commented("c1"), good.commented("c1"))


@wrong("two final facts", "two_finals")
def _() -> Evidence:
    return with_stream(
        DECIDED, good.requested("a1"), good.submitted("d1"), good.decided("d1"), good.withdrawn()
    )


@wrong("an acknowledged approval that ended as a withdrawal", "overruled")
def _() -> Evidence:
    told = Told(
        action="decide",
        by=ANN.email,
        mark="d1",
        approval_id=DECIDED,
        outcome="approved",
        answer="ok",
        status="withdrawn",
    )
    return with_told(told)


@wrong("a loser who was told of another winner", "overruled")
def _() -> Evidence:
    told = Told(
        action="decide",
        by=BOB.email,
        mark="d8",
        approval_id=DECIDED,
        outcome="rejected",
        answer="failed",
        status="approved",
        decided_by=BOB.email,
        code="already_resolved",
    )
    return with_told(told)


@wrong("a stream with a hole", "gap")
def _() -> Evidence:
    store = [one for one in GOOD.store if (one.approval_id, one.version) != (COMMENTED, 1)]
    kept = {(one.approval_id, one.version) for one in store}
    return replace(
        GOOD,
        store=store,
        log=good.logged(store),
        topics=[one for one in GOOD.topics if (one.key, one.version) in kept],
    )


@wrong("facts that cannot follow each other", "impossible")
def _() -> Evidence:
    return with_stream(RECALLED, good.requested("a4"), good.requested("a4"), good.withdrawn())


@wrong("an event that never came into the log", "not_logged")
def _() -> Evidence:
    return replace(GOOD, log=GOOD.log[:-1])


@wrong("an event that stands twice in the log", "logged_twice")
def _() -> Evidence:
    last = GOOD.log[-1]
    return replace(GOOD, log=[*GOOD.log, replace(last, seq=last.seq + 1)])


@wrong("a number that the log leaves out", "log_gap")
def _() -> Evidence:
    return replace(GOOD, log=[*GOOD.log[:-1], replace(GOOD.log[-1], seq=len(GOOD.log) + 1)])


@wrong("a log that has a later event first", "log_disorder")
def _() -> Evidence:
    first, second, *rest = GOOD.log
    turned = [
        Logged(seq=1, approval_id=second.approval_id, version=second.version),
        Logged(seq=2, approval_id=first.approval_id, version=first.version),
    ]
    return replace(GOOD, log=[*turned, *rest])


@wrong("a log that was altered", "chain_broken")
def _() -> Evidence:
    return replace(GOOD, chain="event 3 was altered after it was logged")


@wrong("an event that is not on approval.log", "not_published")
def _() -> Evidence:
    return without_message(LOG.name, COMMENTED, 2)


@wrong("a later event that was delivered first", "out_of_order")
def _() -> Evidence:
    places = {0: 1, 1: 0}

    def turn(one: Published) -> Published:
        return replace(one, offset=places.get(one.offset, one.offset))

    return with_message(lambda one: turn(one) if one.topic == LOG.name else one)


@wrong("an approval whose events are in two partitions", "out_of_order")
def _() -> Evidence:
    return with_message(
        lambda one: (
            replace(one, partition=1)
            if (one.topic, one.key, one.version) == (LOG.name, DECIDED, 3)
            else one
        )
    )


@wrong("a decision that no other team was told of", "no_public_fact")
def _() -> Evidence:
    return without_message(DECIDED_TOPIC.name, DECIDED, 3)


@wrong("a message about an event that nobody stored", "foreign")
def _() -> Evidence:
    strange = good.published(LOG.name, 99, good.recorded("9" * 27, 1, good.requested("x")))
    return replace(GOOD, topics=[*GOOD.topics, strange])


@wrong("a published event that says something else", "fold_differs")
def _() -> Evidence:
    other = good.recorded(DECIDED, 2, good.submitted("something else")).data
    return with_message(
        lambda one: replace(one, value=other) if (one.key, one.version) == (DECIDED, 2) else one
    )


@wrong("a second delivery that says something else", "fold_differs")
def _() -> Evidence:
    again = good.published(LOG.name, 99, good.recorded(COMMENTED, 2, good.commented("c2")))
    return replace(GOOD, topics=[*GOOD.topics, again])


@wrong("a list that is behind", "list_differs")
def _() -> Evidence:
    rows = [
        replace(row, version=1, status="pending") if row.approval_id == DECIDED else row
        for row in GOOD.listed
    ]
    return replace(GOOD, listed=rows)


@wrong("a list that shows what nobody stored", "list_differs")
def _() -> Evidence:
    return replace(GOOD, listed=[*GOOD.listed, replace(GOOD.listed[0], approval_id="9" * 27)])


@wrong("a queue that lacks what waits", "queue_differs")
def _() -> Evidence:
    return replace(GOOD, waiting=GOOD.waiting - {(ANN.email, WAITS)})


@wrong("a queue that shows what is settled", "queue_differs")
def _() -> Evidence:
    return replace(GOOD, waiting=GOOD.waiting | {(ANN.email, DECIDED)})


@wrong("a history that lacks an event", "history_differs")
def _() -> Evidence:
    return replace(GOOD, history=GOOD.history - {(DECIDED, 2)})


@wrong("an answer that was applied to other content than was shown", "stale_decision")
def _() -> Evidence:
    return with_record("R-1", digest="other")


@wrong("an answer that counts though somebody else had settled the record", "stale_decision")
def _() -> Evidence:
    return with_record("R-1", reason="I was faster", settled_by="carol@example.com")


@wrong("an outcome that is not the source's", "source_differs")
def _() -> Evidence:
    return with_record("R-1", outcome="rejected")


@wrong("a record that is settled and still waits here", "source_differs")
def _() -> Evidence:
    return with_record("R-2", state="settled", outcome="approved", settled_by="carol@example.com")


@wrong("a record that changed and shows its old content here", "source_differs")
def _() -> Evidence:
    return with_record("R-2", digest="other")


@wrong("a record that became two approvals", "asked_twice")
def _() -> Evidence:
    return with_stream(WAITS, good.requested("", "R-2"))


@wrong("a pending record that nobody was asked about", "never_asked")
def _() -> Evidence:
    assert GOOD.source is not None
    return replace(GOOD, source={**GOOD.source, "R-3": GOOD.source["R-2"]})


@wrong("an approver who was told twice", "two_cards")
def _() -> Evidence:
    return with_stream(
        MIRRORED,
        good.requested("", "R-1"),
        good.notified(),
        good.notified(),
        good.submitted("d2"),
        good.decided("d2", "R-1"),
    )


@wrong("an approver with two messages about one revision", "two_cards")
def _() -> Evidence:
    return replace(GOOD, outbox=[*GOOD.outbox, replace(GOOD.outbox[0], message_id="m2")])


@wrong("a message that still asks for what is decided", "card_left_open")
def _() -> Evidence:
    left = OutboxMessage(message_id="m3", approval_id=DECIDED, approver=ANN.email, shown="open")
    return replace(GOOD, outbox=[*GOOD.outbox, left])


@wrong("a record with two notes about one decision", "two_notes")
def _() -> Evidence:
    assert GOOD.source is not None
    *notes, last = GOOD.source["R-1"].notes
    return with_record("R-1", notes=(*notes, last, f"{last} Again."))


@wrong("a message that was set aside for no reason", "parked")
def _() -> Evidence:
    other = ParkedMessage(topic=LOG.name, partition=1, offset=3, reason="?")
    return replace(GOOD, parked=[*GOOD.parked, other])


@wrong("a message that nobody can read and nobody set aside", "dropped")
def _() -> Evidence:
    return replace(GOOD, parked=[])


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert findings(GOOD) == []


def test_a_delivery_that_comes_twice_is_no_finding() -> None:
    again = [replace(one, offset=one.offset + 100) for one in GOOD.topics]
    assert findings(replace(GOOD, topics=[*GOOD.topics, *again])) == []


def test_an_answer_that_nobody_heard_may_have_happened_or_not() -> None:
    unknown = [
        Told(action="ask", by=BOB.email, mark="a3", answer="unknown"),
        Told(
            action="decide",
            by=BOB.email,
            mark="d7",
            approval_id=MIRRORED_WAITS,
            outcome="rejected",
            answer="unknown",
        ),
    ]
    assert findings(replace(GOOD, told=(*GOOD.told, *unknown))) == []


@pytest.mark.parametrize(
    ("kind", "make"), [pytest.param(kind, make, id=name) for name, kind, make in SPOILT]
)
def test_one_wrong_is_found_and_nothing_else(kind: Kind, make: Callable[[], Evidence]) -> None:
    found = findings(make())
    assert kinds(found) == {kind}, report(found)
    assert all(len(finding.sentence.split()) > 3 for finding in found)


def test_every_kind_of_finding_has_a_history_that_shows_it() -> None:
    assert {kind for _, kind, _ in SPOILT} == set(get_args(Kind))
