"""One approval as its page shows it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from events.approval import Outcome
from projections.approval_view import ApprovalView
from services.channels.facts import words
from services.queue.pages.changes import Changed, changed
from services.queue.pages.payload import Content, read_payload
from services.queue.pages.people import Shown, is_asked, named, shown
from services.queue.pages.reading import Entry
from services.queue.pages.rows import Row, row
from services.queue.pages.words import host_of, safe_url

MAX_HISTORY = 200

Ask = Literal["answer", "not_asked", "out_of_time", "deciding", "final"]
"""Whether the reader can answer, or why not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An approver with the answer given so far."""

    person: Shown
    is_me: bool
    answer: Outcome | None


@dataclass(frozen=True, slots=True)
class Linked:
    """An item elsewhere; `host` is where its address leads."""

    kind: str
    id: str
    url: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote."""

    by: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in a sentence."""

    type: str
    at: datetime
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Everything on the page of an approval."""

    row: Row
    type: str
    reason: str | None
    content: Content
    digest: str
    edited: Content | None
    """What was approved instead, where the approver edited it."""
    successor: str | None
    """The approval that took this one's place."""
    comment_withdraws: bool
    changed: Changed | None
    approvers: tuple[Asked, ...]
    links: tuple[Linked, ...]
    origins: tuple[tuple[str, str], ...]
    ask: Ask
    refused_write: str | None
    """Why the source did not take the last answer, while the approval waits again."""
    comments: tuple[Comment, ...]
    history: tuple[Happened, ...]
    left_out: int
    """How many older events of the history are not shown."""


def detail(
    view: ApprovalView,
    history: Sequence[Entry],
    me: str,
    now: datetime,
    seen: str | None = None,
) -> Detail:
    """Return the page of an approval for `me`; `seen` is the revision that `me` saw before."""
    return Detail(
        row=row(view, me, now),
        type=words(view.type),
        reason=view.reason,
        content=read_payload(view.payload),
        digest=view.payload_digest,
        edited=read_payload(view.edited_payload) if view.edited_payload_digest else None,
        successor=view.superseded_by,
        comment_withdraws=(
            view.supersede_on_comment and view.status == "pending" and me != view.requester.email
        ),
        changed=changed(view, history, seen),
        approvers=tuple(
            Asked(shown(one.email, one.name), one.email == me, one.answer) for one in view.approvers
        ),
        links=tuple(_linked(one.kind, one.id, one.url) for one in view.links),
        origins=_origins(view),
        ask=_ask(view, me, now),
        refused_write=_refused_write(view, history),
        comments=tuple(_comments(view, history)),
        history=tuple(
            Happened(entry.type, entry.at, entry.summary) for entry in history[-MAX_HISTORY:]
        ),
        left_out=max(0, len(history) - MAX_HISTORY),
    )


def _ask(view: ApprovalView, me: str, now: datetime) -> Ask:
    if view.status == "deciding":
        return "deciding"
    if view.status != "pending":
        return "final"
    if not is_asked(view, me):
        return "not_asked"
    return "answer" if now < view.expires_at else "out_of_time"


def _linked(kind: str, item: str, url: str | None) -> Linked:
    found = safe_url(url)
    return Linked(words(kind), item, found, host_of(found) if found else None)


def _origins(view: ApprovalView) -> tuple[tuple[str, str], ...]:
    """Return where an ask comes from, as far as whoever asked said so."""
    found = (
        ("Subject", view.subject),
        ("Checkpoint", view.checkpoint_name),
        ("Execution", view.execution_id),
        ("Agent", view.agent_id),
    )
    return tuple((name, value) for name, value in found if value)


def _refused_write(view: ApprovalView, history: Sequence[Entry]) -> str | None:
    if view.status != "pending":
        return None
    for entry in reversed(history):
        if entry.type == "approval.write_back_failed":
            return str(entry.data["reason"])
    return None


def _comments(view: ApprovalView, history: Sequence[Entry]) -> Sequence[Comment]:
    return [
        Comment(named(view, entry.data["by"]["email"]), entry.at, entry.data["text"])
        for entry in history[-MAX_HISTORY:]
        if entry.type == "approval.commented"
    ]
