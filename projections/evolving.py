"""How each fact changes an approval as it is shown."""

from collections.abc import Iterable
from typing import assert_never

from events.approval import (
    AnsweredBack,
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    AskedBack,
    DecisionSubmitted,
    DecisionUndone,
    FinalEvent,
    NotificationFailed,
    Person,
    Subject,
    WriteBackFailed,
)
from events.course import (
    Course,
    Moving,
    begin,
    moved,
    time_over,
    vote_of,
    with_vote,
)
from events.envelope import Recorded
from projections.approval_view import ApprovalView
from projections.progress import Approver, approvers_of, progress_of


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
            view.reason = event.reason or view.reason
            view.verified_at = event.at if event.about.source else None
            _move(view, event)
        case (
            DecisionSubmitted(complete=False)
            | ApprovalReminded()
            | ApprovalReassigned()
            | ApprovalEscalated()
            | AskedBack()
            | AnsweredBack()
        ):
            _move(view, event)
        case DecisionSubmitted():
            _answered(view, event)
        case WriteBackFailed() | DecisionUndone():
            view.status = "pending"
            view.held_until = None
            if view.course is None:
                for approver in view.approvers:
                    approver.answer, approver.asked = None, True
            else:
                _show_course(view, view.course)
        case ApprovalDecided() | ApprovalWithdrawn() | ApprovalExpired():
            _end(view, event)
        case ApprovalAcknowledged():
            _acknowledged(view, event)
        case _:
            assert_never(event)
    view.version += 1
    view.updated_at = event.at
    return view


def _asked(workspace: str, approval_id: str, event: ApprovalRequested) -> ApprovalView:
    about = event.about
    view = ApprovalView(
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
        approvers=_any_one(event.approvers),
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
    if event.policy is not None:
        _show_course(view, begin(event.policy, event.approvers, event.at))
    return view


def _answered(view: ApprovalView, event: DecisionSubmitted) -> None:
    view.status = "deciding"
    view.held_until = event.held_until
    if view.course is not None:
        # Shown as counted; the course stays what it was, in case the source does not take it.
        _show_progress(view, with_vote(view.course, vote_of(view.course, event)))
    place = event.on_behalf_of or event.by.email
    for approver in view.approvers:
        approver.asked = False
        if approver.answer is None and place in (approver.email, approver.on_behalf_of):
            approver.answer = event.outcome
            approver.answered_by = event.by.email if event.by.email != approver.email else None


def _acknowledged(view: ApprovalView, event: ApprovalAcknowledged) -> None:
    if view.acknowledged_at is None:
        view.acknowledged_by = event.by.email
        view.acknowledged_at = event.at
    if event.effective is not None:
        view.effective_payload = event.effective.payload
        view.effective_payload_digest = event.effective.payload_digest


def _end(view: ApprovalView, event: FinalEvent) -> None:
    view.asked_back = None
    view.held_until = None
    for approver in view.approvers:
        approver.asked = False
    match event:
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
        case _:
            assert_never(event)


def _show(view: ApprovalView, about: Subject) -> None:
    view.title = about.title
    view.requester = about.requester
    view.revision = about.revision
    view.payload_digest = about.payload_digest
    view.source = about.source


def _any_one(people: tuple[Person, ...]) -> list[Approver]:
    return [Approver(email=person.email, name=person.name, asked=True) for person in people]


def _move(view: ApprovalView, event: Moving) -> None:
    course = view.course
    if course is None:
        people = [Person(email=one.email, name=one.name) for one in view.approvers]
        course = begin(None, people, view.created_at)
    view.expires_at = time_over(course, view.expires_at, event)
    _show_course(view, moved(course, event))


def _show_course(view: ApprovalView, course: Course) -> None:
    view.course = course
    _show_progress(view, course)
    view.asked_back = course.asked_back


def _show_progress(view: ApprovalView, course: Course) -> None:
    view.approvers = approvers_of(course)
    view.progress = progress_of(course) if course.policy.name else None
