"""The rules of asks: how one begins, is recalled, superseded, and heard of."""

from datetime import datetime
from typing import assert_never

from events.approval import (
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalRequested,
    ApprovalWithdrawn,
    DecisionSubmitted,
    Edited,
    Outcome,
    Person,
    Subject,
)
from events.commands import (
    AcknowledgeApproval,
    CommentOnApproval,
    RequestApproval,
    SupersedeApproval,
    WithdrawApproval,
)
from events.decider.refusal import Refused, not_found, refuse_unless_pending
from events.state import Decided, Deciding, Expired, Final, Pending, State, Unknown, Withdrawn

POLICY = Person(email="policy@placet.invalid", name="The policy")
"""Who decided what a policy decides by itself."""


def requested(command: RequestApproval) -> list[ApprovalEvent]:
    """Return the first facts of an approval."""
    asked = ApprovalRequested(
        about=command.about,
        payload=command.payload,
        approvers=command.approvers,
        reason=command.reason,
        urgency=command.urgency,
        metadata=command.metadata,
        editable=command.editable,
        supersede_on_comment=command.supersede_on_comment,
        on_timeout=command.on_timeout,
        policy=command.policy,
        expires_at=command.expires_at,
        at=command.now,
    )
    return [asked, *decided_by_policy(command, asked.about)]


def decided_by_policy(command: RequestApproval, about: Subject) -> list[ApprovalEvent]:
    """Return what the policy of an ask decides by itself: nothing, unless a condition held."""
    if command.automatic is None:
        return []
    return decided_by(
        POLICY,
        command.automatic.outcome,
        about,
        reason=command.automatic.reason,
        channel="policy",
        now=command.now,
    )


def decided_by(
    nobody: Person, outcome: Outcome, about: Subject, *, reason: str, channel: str, now: datetime
) -> list[ApprovalEvent]:
    """Return the facts of a decision that no person took; a source still has to accept it."""
    submitted = DecisionSubmitted(
        outcome=outcome,
        by=nobody,
        reason=reason,
        channel=channel,
        via=None,
        revision=about.revision,
        at=now,
    )
    if about.source is not None:
        return [submitted]
    final = ApprovalDecided(
        about=about,
        outcome=outcome,
        by=nobody,
        reason=reason,
        channel=channel,
        via=None,
        decided_at=now,
        at=now,
    )
    return [submitted, final]


def withdraw(command: WithdrawApproval, state: State) -> list[ApprovalEvent]:
    """Recall an ask, for its requester or an administrator."""
    if isinstance(state, Withdrawn) and state.cause == "recalled":
        return []
    about = refuse_unless_pending(state).asked.about
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


def supersede(command: SupersedeApproval, state: State) -> list[ApprovalEvent]:
    """Withdraw what a newer ask of the same subject takes the place of."""
    match state:
        case Pending():
            return [_superseded(command, state.asked.about)]
        case Deciding() if state.asked.about.source is None:
            # Held, and nothing has come of it: taken back, it would wait beside the newer one.
            return [_superseded(command, state.asked.about)]
        case Unknown() | Deciding() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def _superseded(command: SupersedeApproval, about: Subject) -> ApprovalWithdrawn:
    return ApprovalWithdrawn(
        about=about,
        cause="superseded",
        by=command.by.email,
        reason=f"Superseded by revision {command.revision}.",
        outcome=None,
        superseded_by=command.successor,
        at=command.now,
    )


def acknowledge(command: AcknowledgeApproval, state: State) -> list[ApprovalEvent]:
    """Note that whoever waited has heard the outcome: once, whoever says it first.

    What took effect may be told then, or later, by its requester.
    """
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
            if command.effective is None or _told_before(command, command.effective, state):
                if state.acknowledged:
                    return []
                return [ApprovalAcknowledged(by=command.by, at=command.now)]
            return [
                ApprovalAcknowledged(by=command.by, effective=command.effective, at=command.now)
            ]
        case _:
            assert_never(state)


def _told_before(command: AcknowledgeApproval, effective: Edited, state: Final) -> bool:
    """Tell whether it is known what took effect; raises `Refused` for what cannot have."""
    if not isinstance(state, Decided) or state.outcome != "approved":
        raise Refused(
            "not_editable",
            "This was not approved, so nothing of it takes effect: leave out effective_payload.",
        )
    if not command.as_admin and command.by.email != state.about.requester.email:
        raise Refused(
            "not_the_requester",
            f"Only {state.about.requester.email}, who asked, can say what took effect.",
        )
    if state.effective is None:
        return False
    if state.effective.payload_digest != effective.payload_digest:
        raise Refused(
            "already_resolved",
            "What took effect was told before, and was something else: that stands. "
            "Ask anew for what is to be done now.",
        )
    return True


def is_final(state: State) -> bool:
    """Tell whether nothing more can be decided."""
    return isinstance(state, Final)
