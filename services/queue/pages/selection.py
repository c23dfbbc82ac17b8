"""Several approvals that are answered together, before and after; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.approval import Outcome
from projections.approval_view import ApprovalView
from services.queue.pages.digests import digest_of
from services.queue.pages.held import Held, held
from services.queue.pages.rows import Row, row
from services.queue.pages.turns import turn
from services.web.picked import Picked, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One that was selected; `obstacle` says why it cannot be answered as it was shown."""

    picked: Picked
    row: Row | None
    obstacle: str | None

    @property
    def shown(self) -> str | None:
        """The digest of what is said of it before all are answered; None where nothing is."""
        if self.row is None:
            return None
        said = self.row.said
        told = ("id", "revision", "title", "asks", "away", "urgency", "amount")
        return digest_of({name: said[name] for name in told})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one; `held` while it can be taken back."""

    picked: Picked
    row: Row | None
    refusal: str | None
    held: Held | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What became of all, and those that can be taken back until the first of them is final."""

    results: tuple[Told, ...]
    done: int
    held: tuple[Picked, ...]
    until: Held | None


def chosen(
    picked: Sequence[Picked], views: Mapping[str, ApprovalView], me: str, now: datetime
) -> tuple[Chosen, ...]:
    """Return what was selected as it is now, in its order."""
    return tuple(
        Chosen(
            picked=one,
            row=row(view, me, now) if view is not None else None,
            obstacle=_obstacle(one, view, me, now),
        )
        for one in picked
        for view in (views.get(one.approval_id),)
    )


def together(results: Sequence[Result], me: str, now: datetime) -> Together:
    """Return what became of each."""
    told = tuple(
        Told(
            picked=one.picked,
            row=row(one.view, me, now) if one.view is not None else None,
            refusal=one.refusal,
            held=_mine(one.view, me, now) if one.refusal is None else None,
        )
        for one in results
    )
    kept = [one for one in told if one.held is not None]
    return Together(
        results=told,
        done=sum(1 for one in told if one.refusal is None),
        held=tuple(one.picked for one in kept),
        until=min((one.held for one in kept if one.held), key=lambda one: one.until, default=None),
    )


def title_of(outcome: Outcome, count: int) -> str:
    """Return the question before answers are given together."""
    verb = "Approve" if outcome == "approved" else "Deny"
    return f"{verb} {count:,} {'request' if count == 1 else 'requests'}?"


def _obstacle(picked: Picked, view: ApprovalView | None, me: str, now: datetime) -> str | None:
    if view is None:
        return "There is no such approval."
    whose = turn(view, me, now)
    if view.status != "pending":
        return "It is answered or over already."
    if whose not in ("answer", "answered"):
        return "It does not wait for you now."
    if view.revision != picked.revision:
        return "It changed since you selected it: look at it by itself."
    return None


def _mine(view: ApprovalView | None, me: str, now: datetime) -> Held | None:
    kept = held(view, me, now) if view is not None else None
    return kept if kept is not None and kept.mine else None
