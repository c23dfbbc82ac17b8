"""How things stand for whoever opens a link: what they may do, or why they may not; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from events.approval import Assurance, DecisionSubmitted, DecisionUndone
from events.envelope import Recorded
from projections.approval_view import ApprovalView
from services.decision.surfaces.link_records import Link
from services.web.session import Session

Kind = Literal[
    "open",
    "sign_in",
    "in_placet",
    "held",
    "used",
    "undone",
    "over",
    "older",
    "expired",
    "not_asked",
    "somebody_else",
]
"""May answer here; signed in first; in Placet with a second factor; answered and may be undone;
answered; undone; settled otherwise; about an older revision; too old; not theirs any more; signed
in as somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand; `by_link` tells that the link alone speaks for its reader here.

    `may_read` tells whether what is asked for may be shown, and `may_undo` whether whoever is
    there may take the answer back.
    """

    kind: Kind
    by_link: bool
    may_read: bool
    may_undo: bool


def standing(
    link: Link,
    stream: Sequence[Recorded],
    view: ApprovalView,
    me: Session | None,
    *,
    now: datetime,
    decide_from_link: bool,
    active: bool,
) -> Standing:
    """Return how an approval stands for whoever opens a link, signed in as `me` or not."""
    demanded = view.course.policy.assurance if view.course is not None else None
    by_link = me is None and decide_from_link and demanded in (None, "link")
    mine = me is not None and (me.workspace, me.email) == (link.workspace, link.approver)
    kind = _kind(
        link,
        stream,
        view,
        me,
        mine=mine,
        by_link=by_link,
        demanded=demanded,
        now=now,
        active=active,
    )
    return Standing(
        kind=kind,
        by_link=by_link,
        may_read=kind not in ("expired", "not_asked", "somebody_else")
        and (mine or now < link.expires_at)
        and any(link.approver in (one.email, one.answered_by) for one in view.approvers),
        may_undo=kind == "held" and (mine or by_link),
    )


def _kind(
    link: Link,
    stream: Sequence[Recorded],
    view: ApprovalView,
    me: Session | None,
    *,
    mine: bool,
    by_link: bool,
    demanded: Assurance | None,
    now: datetime,
    active: bool,
) -> Kind:
    if me is not None and not mine:
        return "somebody_else"
    if not active:
        return "not_asked"
    if _was_used(link, stream):
        return _after(link, stream, view, now)
    if view.status != "pending":
        return "over"
    if now >= link.expires_at:
        return "expired"
    if view.asked_back is not None or link.approver not in view.waits_for:
        return "not_asked"
    if view.revision != link.revision:
        return "older"
    if demanded == "step_up":
        return "in_placet"
    return "open" if mine or by_link else "sign_in"


def _was_used(link: Link, stream: Sequence[Recorded]) -> bool:
    return any(one.command_id == link.command_id for one in stream)


def _after(link: Link, stream: Sequence[Recorded], view: ApprovalView, now: datetime) -> Kind:
    """Return how things stand once the link was used: by the last answer, and the last undo."""
    turns = [one for one in stream if isinstance(one.event, DecisionSubmitted | DecisionUndone)]
    last = turns[-1]
    if isinstance(last.event, DecisionUndone) and turns[-2].command_id == link.command_id:
        return "undone" if view.status == "pending" else "over"
    if (
        last.command_id == link.command_id
        and view.status == "deciding"
        and view.held_until is not None
        and now < view.held_until
    ):
        return "held"
    return "used"
