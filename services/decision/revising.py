"""What a requester's changes make of an ask: all that stands, with the changes, asked anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from events.approval import AppliedPolicy, ApprovalEvent, ApprovalRequested, Json
from events.commands import RequestApproval, ReviseApproval
from events.decider import decide
from events.state import Pending
from projections.working_hours import add, between
from services.decision.request_body import ApprovalBody, LinkBody, PersonBody
from services.web.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a requester changes of an ask; None leaves it as it is."""

    payload: Json | None = None
    title: str | None = None
    reason: str | None = None
    revision: str | None = None


def as_asked(pending: Pending, facts: Sequence[ApprovalEvent]) -> RequestApproval:
    """Return the ask as it stands now."""
    first, asked = _first(facts), pending.asked
    return RequestApproval(
        about=asked.about,
        payload=asked.payload,
        approvers=asked.approvers,
        reason=asked.reason,
        urgency=asked.urgency,
        metadata=asked.metadata,
        expires_at=asked.expires_at,
        now=first.at,
        supersede_on_comment=asked.supersede_on_comment,
    )


def changed_body(ask: RequestApproval, changes: Changes) -> ApprovalBody:
    """Return the body that asks for all of an ask, with the changes."""
    about = ask.about
    return ApprovalBody(
        type=about.type,
        title=about.title if changes.title is None else changes.title,
        approvers=[PersonBody(email=one.email, name=one.name) for one in ask.approvers],
        payload=ask.payload if changes.payload is None else changes.payload,
        requester=PersonBody(email=about.requester.email, name=about.requester.name),
        reason=ask.reason if changes.reason is None else changes.reason,
        urgency=ask.urgency,
        callback_url=about.callback_url,
        links=[LinkBody(kind=one.kind, id=one.id, url=one.url) for one in about.links],
        subject=about.subject,
        revision=changes.revision or _next(about.revision),
        checkpoint_name=about.checkpoint_name,
        execution_id=about.execution_id,
        agent_id=about.agent_id,
        metadata=ask.metadata,
        supersede_on_comment=ask.supersede_on_comment,
        # Whether its approvers may edit it was settled when it was asked.
        editable=False,
    )


def _next(revision: str) -> str:
    """Return the number after a revision that is one; what else follows it, the core says."""
    return str(int(revision) + 1) if revision.isascii() and revision.isdigit() else revision


def in_its_place(anew: RequestApproval, facts: Sequence[ApprovalEvent]) -> RequestApproval:
    """Return an ask as it takes the place of the one that `facts` began with.

    It waits for a full time again: under the same policy for as long as it did at first.
    """
    first = _first(facts)
    about = replace(anew.about, round=first.about.round)
    if _version(first.policy) != _version(anew.policy):
        return replace(anew, about=about)
    hours = anew.policy.hours if anew.policy else None
    full_time = between(first.at, first.expires_at, hours)
    return replace(anew, about=about, expires_at=add(anew.now, full_time, hours))


def refuse_reuse(revision: str | None, command: ReviseApproval, pending: Pending) -> None:
    """Raise 409 for a revision that was shown already, with something else."""
    if revision in pending.asked.revisions and decide(command, pending):
        raise Problem(
            409,
            "revision_reused",
            f"Revision {revision} was shown with something else. Send this as a new revision, or "
            "leave the revision out.",
        )


def _version(policy: AppliedPolicy | None) -> tuple[str, int] | None:
    return (policy.name, policy.version) if policy and policy.name else None


def _first(facts: Sequence[ApprovalEvent]) -> ApprovalRequested:
    first = facts[0]
    if not isinstance(first, ApprovalRequested):
        raise TypeError(f"An approval begins with {type(first).__name__}")
    return first
