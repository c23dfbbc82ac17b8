"""A small history in which everything is right, for tests that break one thing of it each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from events.approval import (
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalRequested,
    ApprovalWithdrawn,
    ApproverNotified,
    DecisionSubmitted,
    Person,
    SourceRecord,
    Subject,
)
from events.codec import encode
from events.digest import payload_digest
from events.envelope import Recorded
from events.kafka.topics import LOG, PUBLIC
from tests.faults.evidence import (
    Evidence,
    Listed,
    Logged,
    OutboxMessage,
    ParkedMessage,
    Published,
    SourceRow,
)
from tests.faults.told import Told

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANN, BOB = Person(email="ann@example.com"), Person(email="bob@example.com")
DECIDED, COMMENTED, WAITS, RECALLED, MIRRORED, MIRRORED_WAITS = (f"{n}" * 27 for n in "123456")
DIGEST = payload_digest({"amount": 1})
ASKED_NOTE = (
    f"Placet asked ann@example.com to approve this (approval {MIRRORED}, revision 1, round 1)."
)
DECIDED_NOTE = f"Approved by ann@example.com through Placet (approval {MIRRORED}, revision 1)."
POISON = ("approval.requests", 0, 7)


def about(record_id: str | None = None) -> Subject:
    source = None
    if record_id is not None:
        source = SourceRecord(name="acme", record_id=record_id, revision="1")
    return Subject(
        type="expense",
        title="Paper",
        requester=BOB,
        revision="1",
        round=1,
        payload_digest=DIGEST,
        source=source,
    )


def requested(mark: str, record_id: str | None = None) -> ApprovalRequested:
    return ApprovalRequested(
        about=about(record_id),
        payload={"amount": 1},
        approvers=(ANN, BOB),
        reason=None,
        urgency="medium",
        metadata={} if record_id else {"ask": mark},
        expires_at=NOW + timedelta(days=1),
        at=NOW,
    )


def submitted(mark: str) -> DecisionSubmitted:
    return DecisionSubmitted(
        outcome="approved", by=ANN, reason=mark, channel="api", via=None, revision="1", at=NOW
    )


def decided(mark: str, record_id: str | None = None) -> ApprovalDecided:
    return ApprovalDecided(
        about=about(record_id),
        outcome="approved",
        by=ANN,
        reason=mark,
        channel="api",
        via=None,
        decided_at=NOW,
        at=NOW,
    )


def withdrawn() -> ApprovalWithdrawn:
    return ApprovalWithdrawn(
        about=about(), cause="recalled", by=BOB.email, reason="recall", outcome=None, at=NOW
    )


def commented(mark: str) -> ApprovalCommented:
    return ApprovalCommented(comment_id=mark, by=BOB, text=mark, at=NOW)


def notified() -> ApproverNotified:
    return ApproverNotified(
        approver=ANN.email, channel="outbox", revision="1", reference="m1", card_digest="d", at=NOW
    )


def recorded(approval_id: str, version: int, event: ApprovalEvent) -> Recorded:
    name, schema_version, data = encode(event)
    return Recorded(
        workspace="default",
        approval_id=approval_id,
        version=version,
        event=event,
        type=name,
        schema_version=schema_version,
        data=data,
        command_id=f"{approval_id} {version}",
        recorded_at=NOW,
    )


STREAMS: dict[str, list[ApprovalEvent]] = {
    DECIDED: [requested("a1"), submitted("d1"), decided("d1")],
    COMMENTED: [requested("a2"), commented("c1")],
    WAITS: [requested("a3")],
    RECALLED: [requested("a4"), withdrawn()],
    MIRRORED: [requested("", "R-1"), notified(), submitted("d2"), decided("d2", "R-1")],
    MIRRORED_WAITS: [requested("", "R-2")],
}


def store_of(streams: dict[str, list[ApprovalEvent]]) -> list[Recorded]:
    return [
        recorded(approval_id, version, event)
        for approval_id, events in streams.items()
        for version, event in enumerate(events, start=1)
    ]


def logged(store: Sequence[Recorded]) -> list[Logged]:
    return [
        Logged(seq=seq, approval_id=one.approval_id, version=one.version)
        for seq, one in enumerate(store, start=1)
    ]


def published(topic: str, offset: int, one: Recorded) -> Published:
    return Published(
        topic=topic,
        partition=0,
        offset=offset,
        key=one.approval_id,
        version=one.version,
        type=one.type,
        schema_version=one.schema_version,
        value=one.data,
    )


def topics_of(store: Sequence[Recorded]) -> list[Published]:
    carried = [published(LOG.name, offset, one) for offset, one in enumerate(store)]
    carried += [
        published(PUBLIC[one.type].name, offset, one)
        for offset, one in enumerate(store)
        if one.type in PUBLIC
    ]
    return carried


def evidence_of(streams: dict[str, list[ApprovalEvent]]) -> Evidence:
    """Everything that follows from streams when nothing goes wrong."""
    store = store_of(streams)
    statuses = {
        DECIDED: "approved",
        COMMENTED: "pending",
        WAITS: "pending",
        RECALLED: "withdrawn",
        MIRRORED: "approved",
        MIRRORED_WAITS: "pending",
    }
    pending = [approval_id for approval_id, status in statuses.items() if status == "pending"]
    return Evidence(
        told=(
            Told(action="ask", by=BOB.email, mark="a1", approval_id=DECIDED, answer="ok"),
            Told(action="ask", by=BOB.email, mark="never", answer="unknown"),
            Told(
                action="decide",
                by=ANN.email,
                mark="d1",
                approval_id=DECIDED,
                outcome="approved",
                answer="ok",
                status="approved",
                decided_by=ANN.email,
            ),
            Told(
                action="decide",
                by=BOB.email,
                mark="d0",
                approval_id=DECIDED,
                outcome="rejected",
                answer="failed",
                status="approved",
                decided_by=ANN.email,
                code="already_resolved",
            ),
            Told(action="comment", by=BOB.email, mark="c1", approval_id=COMMENTED, answer="ok"),
            Told(
                action="withdraw",
                by=BOB.email,
                mark="recall",
                approval_id=RECALLED,
                answer="ok",
                status="withdrawn",
            ),
        ),
        store=store,
        log=logged(store),
        topics=topics_of(store),
        listed=[
            Listed(
                approval_id=approval_id,
                version=len(streams[approval_id]),
                status=statuses[approval_id],
            )
            for approval_id in streams
        ],
        waiting=frozenset(
            (person.email, approval_id) for approval_id in pending for person in (ANN, BOB)
        ),
        history=frozenset((one.approval_id, one.version) for one in store),
        source={
            "R-1": SourceRow(
                record_id="R-1",
                state="settled",
                outcome="approved",
                settled_by=ANN.email,
                reason="d2",
                digest=DIGEST,
                notes=(ASKED_NOTE, DECIDED_NOTE),
            ),
            "R-2": SourceRow(
                record_id="R-2",
                state="pending",
                outcome=None,
                settled_by=None,
                reason=None,
                digest=DIGEST,
                notes=(),
            ),
        },
        outbox=[
            OutboxMessage(
                message_id="m1", approval_id=MIRRORED, approver=ANN.email, shown="settled"
            )
        ],
        parked=[ParkedMessage(topic=POISON[0], partition=0, offset=7, reason="no JSON")],
        poison=frozenset([POISON]),
    )


GOOD = evidence_of(STREAMS)
