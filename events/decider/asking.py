"""The rules of asks: how one begins, is recalled, superseded, runs out, and is heard of."""

from typing import assert_never

from events.approval import (
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalWithdrawn,
    DecisionSubmitted,
    Outcome,
    Person,
)
from events.commands import (
    AcknowledgeApproval,
    CommentOnApproval,
    ExpireApproval,
    RequestApproval,
    SupersedeApproval,
    WithdrawApproval,
)
from events.decider.refusal import Refused, already_withdrawn, not_found, when
from events.state import Decided, Deciding, Expired, Final, Pending, State, Unknown, Withdrawn

NOBODY = Person(email="timeout@placet.invalid", name="Nobody in time")
"""Who decided when the time was over and the ask said what should happen then."""


def requested(command: RequestApproval) -> ApprovalRequested:
    """Return the first fact of an approval."""
    return ApprovalRequested(
        about=command.about,
        payload=command.payload,
        approvers=command.approvers,
        reason=command.reason,
        urgency=command.urgency,
        metadata=command.metadata,
        editable=command.editable,
        supersede_on_comment=command.supersede_on_comment,
        on_timeout=command.on_timeout,
        expires_at=command.expires_at,
        at=command.now,
    )


def withdraw(command: WithdrawApproval, state: State) -> list[ApprovalEvent]:
    """Recall an ask, for its requester or an administrator."""
    match state:
        case Unknown():
            raise not_found()
        case Pending():
            about = state.asked.about
            if about.source is not None:
                raise Refused(
                    "not_the_requester",
                    f"This mirrors a record of {about.source.name}: cancel it there, and it "
                    "leaves the queue here.",
                )
            if not command.as_admin and command.by.email != about.requester.email:
                raise Refused(
                    "not_the_requester",
                    f"Only {about.requester.email}, who asked, can withdraw this.",
                )
            return [
                ApprovalWithdrawn(
                    about=about,
                    cause="recalled",
                    by=command.by.email,
                    reason=command.reason or f"Recalled by {command.by.email}.",
                    outcome=None,
                    at=command.now,
                )
            ]
        case Deciding():
            raise Refused(
                "already_resolved",
                f"{state.answer.by.email} has already {state.answer.outcome} this.",
            )
        case Withdrawn():
            if state.cause == "recalled":
                return []
            raise Refused("already_resolved", already_withdrawn(state))
        case Decided():
            raise Refused(
                "already_resolved",
                f"Already {state.outcome} by {state.by.email} at {when(state.at)}.",
            )
        case Expired():
            raise Refused("already_resolved", f"Already expired at {when(state.at)}.")
        case _:
            assert_never(state)


def comment(command: CommentOnApproval, state: State) -> list[ApprovalEvent]:
    """Keep a comment, once for each id; some asks are withdrawn by a person's."""
    if isinstance(state, Unknown):
        raise not_found()
    if command.comment_id in state.comments:
        return []
    commented = ApprovalCommented(
        comment_id=command.comment_id, by=command.by, text=command.text, at=command.now
    )
    if (
        isinstance(state, Pending)
        and state.asked.supersede_on_comment
        and command.by_person
        and command.by.email != state.asked.about.requester.email
    ):
        superseded = ApprovalWithdrawn(
            about=state.asked.about,
            cause="superseded",
            by=command.by.email,
            reason=f"{command.by.email} commented on it: read the comment, and ask again.",
            outcome=None,
            at=command.now,
        )
        return [commented, superseded]
    return [commented]


def expire(command: ExpireApproval, state: State) -> list[ApprovalEvent]:
    """End what nobody decided in time, in the way that its ask said."""
    match state:
        case Pending() if command.now >= state.asked.expires_at:
            return _ran_out(command, state)
        case Unknown() | Pending() | Deciding() | Decided() | Withdrawn() | Expired():
            return []  # an answer that was given in time is carried out, however long that takes
        case _:
            assert_never(state)


def _ran_out(command: ExpireApproval, state: Pending) -> list[ApprovalEvent]:
    about = state.asked.about
    if about.source is not None:
        # What the source holds is not ours to decide by a clock.
        return [ApprovalExpired(about=about, at=command.now)]
    match state.asked.on_timeout:
        case "expire":
            return [ApprovalExpired(about=about, at=command.now)]
        case "approve":
            return _decided_by_nobody("approved", command, state)
        case "reject":
            return _decided_by_nobody("rejected", command, state)
        case _:
            assert_never(state.asked.on_timeout)


def _decided_by_nobody(
    outcome: Outcome, command: ExpireApproval, state: Pending
) -> list[ApprovalEvent]:
    about = state.asked.about
    reason = f"Nobody decided in time; the request said that it is then {outcome}."
    return [
        DecisionSubmitted(
            outcome=outcome,
            by=NOBODY,
            reason=reason,
            channel="timeout",
            via=None,
            revision=about.revision,
            at=command.now,
        ),
        ApprovalDecided(
            about=about,
            outcome=outcome,
            by=NOBODY,
            reason=reason,
            channel="timeout",
            via=None,
            decided_at=command.now,
            at=command.now,
        ),
    ]


def supersede(command: SupersedeApproval, state: State) -> list[ApprovalEvent]:
    """Withdraw what a newer ask of the same subject takes the place of."""
    match state:
        case Pending():
            return [
                ApprovalWithdrawn(
                    about=state.asked.about,
                    cause="superseded",
                    by=command.by.email,
                    reason=f"Superseded by revision {command.revision}.",
                    outcome=None,
                    superseded_by=command.successor,
                    at=command.now,
                )
            ]
        case Unknown() | Deciding() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def acknowledge(command: AcknowledgeApproval, state: State) -> list[ApprovalEvent]:
    """Note that whoever waited has heard the outcome: once, whoever says it first."""
    match state:
        case Unknown():
            raise not_found()
        case Pending() | Deciding():
            raise Refused(
                "not_final",
                "This is not final yet: there is no outcome that could be acknowledged. "
                "Wait for it first.",
            )
        case Decided() | Withdrawn() | Expired():
            if state.acknowledged:
                return []
            return [ApprovalAcknowledged(by=command.by, at=command.now)]
        case _:
            assert_never(state)


def is_final(state: State) -> bool:
    """Tell whether nothing more can be decided."""
    return isinstance(state, Final)
