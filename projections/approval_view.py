"""An approval as every surface shows it, and how each fact changes it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, assert_never

import msgspec

from events.approval import (
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    DecisionSubmitted,
    Json,
    Link,
    NotificationFailed,
    Outcome,
    Person,
    SourceRecord,
    Subject,
    Urgency,
    WithdrawalCause,
    WriteBackFailed,
)
from events.envelope import Recorded

Status = Literal["pending", "deciding", "approved", "rejected", "withdrawn", "expired"]
OPEN: frozenset[Status] = frozenset(("pending", "deciding"))


class Approver(msgspec.Struct):
    """Somebody who is asked, and what they answered."""

    email: str
    name: str | None = None
    answer: Outcome | None = None


class ApprovalView(msgspec.Struct, kw_only=True):
    """The public shape, field by field.

    `verified_at` stands first: a query puts a later sweep in its place without parsing the rest.
    """

    verified_at: datetime | None
    id: str
    workspace: str
    type: str
    title: str
    status: Status
    version: int
    round: int
    revision: str
    payload: Json
    payload_digest: str
    requester: Person
    approvers: list[Approver]
    reason: str | None
    urgency: Urgency
    source: SourceRecord | None
    subject: str | None
    checkpoint_name: str | None
    execution_id: str | None
    agent_id: str | None
    links: tuple[Link, ...]
    metadata: Mapping[str, Json]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    outcome: Outcome | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
    decision_channel: str | None = None
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None
    type_version: int | None = None
    editable: bool = False
    supersede_on_comment: bool = False
    edited_payload: Json = None
    edited_payload_digest: str | None = None
    withdrawn_cause: WithdrawalCause | None = None
    superseded_by: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ApprovalView)


def encode_view(view: ApprovalView) -> str:
    """Return the view's JSON."""
    return _encoder.encode(view).decode()


def decode_view(doc: str) -> ApprovalView:
    """Return the view in its JSON."""
    return _decoder.decode(doc)


class Gap(Exception):
    """The event does not follow what the view holds: read the missing ones from the store."""


def evolve_view(view: ApprovalView | None, recorded: Recorded) -> ApprovalView:
    """Return the view after one more event, in place; raises `Gap` when one is missing between."""
    if recorded.version != (view.version if view else 0) + 1:
        raise Gap(f"{recorded.approval_id}: version {recorded.version}")
    return _next(view, recorded.workspace, recorded.approval_id, recorded.event)


def view_of(workspace: str, approval_id: str, facts: Iterable[ApprovalEvent]) -> ApprovalView:
    """Return the view that all facts of an approval, from the first on, add up to."""
    view: ApprovalView | None = None
    for event in facts:
        view = _next(view, workspace, approval_id, event)
    if view is None:
        raise Gap(f"{approval_id}: no events")
    return view


def _next(
    view: ApprovalView | None, workspace: str, approval_id: str, event: ApprovalEvent
) -> ApprovalView:
    if view is None:
        if not isinstance(event, ApprovalRequested):
            raise Gap(f"{approval_id}: the first event is {type(event).__name__}")
        return _asked(workspace, approval_id, event)
    match event:
        case ApprovalRequested():
            raise Gap(f"{approval_id}: requested twice")
        case ApproverNotified() | NotificationFailed() | ApprovalCommented():
            pass
        case ApprovalRevised():
            _show(view, event.about)
            view.payload = event.payload
            view.approvers = _approvers(event.approvers)
            view.verified_at = event.at if event.about.source else None
        case DecisionSubmitted():
            view.status = "deciding"
            for approver in view.approvers:
                if approver.email == event.by.email:
                    approver.answer = event.outcome
        case WriteBackFailed():
            view.status = "pending"
            for approver in view.approvers:
                approver.answer = None
        case ApprovalDecided():
            view.status = event.outcome
            view.outcome = event.outcome
            view.decided_by = event.by.email
            view.decided_at = event.decided_at
            view.decision_reason = event.reason
            view.decision_channel = event.channel
            if event.edited is not None:
                view.edited_payload = event.edited.payload
                view.edited_payload_digest = event.edited.payload_digest
            view.verified_at = event.at if event.about.source else None
        case ApprovalWithdrawn():
            view.status = "withdrawn"
            view.outcome = event.outcome
            view.withdrawn_by = event.by
            view.withdrawn_reason = event.reason
            view.withdrawn_cause = event.cause
            view.superseded_by = event.superseded_by
            view.verified_at = event.at if event.about.source else None
        case ApprovalExpired():
            view.status = "expired"
        case ApprovalAcknowledged():
            view.acknowledged_by = event.by.email
            view.acknowledged_at = event.at
        case _:
            assert_never(event)
    view.version += 1
    view.updated_at = event.at
    return view


def _asked(workspace: str, approval_id: str, event: ApprovalRequested) -> ApprovalView:
    about = event.about
    return ApprovalView(
        id=approval_id,
        workspace=workspace,
        type=about.type,
        title=about.title,
        status="pending",
        version=1,
        round=about.round,
        revision=about.revision,
        payload=event.payload,
        payload_digest=about.payload_digest,
        requester=about.requester,
        approvers=_approvers(event.approvers),
        reason=event.reason,
        urgency=event.urgency,
        source=about.source,
        subject=about.subject,
        checkpoint_name=about.checkpoint_name,
        execution_id=about.execution_id,
        agent_id=about.agent_id,
        links=about.links,
        metadata=event.metadata,
        created_at=event.at,
        updated_at=event.at,
        expires_at=event.expires_at,
        verified_at=event.at if about.source else None,
        type_version=about.type_version,
        editable=event.editable,
        supersede_on_comment=event.supersede_on_comment,
    )


def _show(view: ApprovalView, about: Subject) -> None:
    view.title = about.title
    view.revision = about.revision
    view.payload_digest = about.payload_digest
    view.source = about.source


def _approvers(people: tuple[Person, ...]) -> list[Approver]:
    return [Approver(email=person.email, name=person.name) for person in people]
