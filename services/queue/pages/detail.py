"""One approval as its page shows it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView
from services.channels.facts import words
from services.queue.pages.actions import Actions, actions
from services.queue.pages.changes import Changed, Comparison, changed, side_by_side
from services.queue.pages.digests import digest_of
from services.queue.pages.held import Held, held
from services.queue.pages.payload import Content, read_payload
from services.queue.pages.reading import Entry
from services.queue.pages.rows import Row, row
from services.queue.pages.steps import StepShown, steps
from services.queue.pages.talk import Said, talk
from services.queue.pages.turns import Turn, turn
from services.queue.pages.words import host_of, safe_url

MAX_HISTORY = 200


@dataclass(frozen=True, slots=True)
class Linked:
    """An item elsewhere; `host` is where its address leads."""

    kind: str
    id: str
    url: str | None
    host: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The policy that an approval is held to, why, and what went wrong on the way."""

    name: str
    version: int
    because: str
    warnings: tuple[str, ...]


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
    effective: Content | None
    """What took effect, where the requester told."""
    comparison: Comparison | None
    """What was asked for beside what came of it, where that is not the same."""
    successor: str | None
    """The approval that took this one's place."""
    comment_withdraws: bool
    changed: Changed | None
    policy: Chosen | None
    steps: tuple[StepShown, ...]
    links: tuple[Linked, ...]
    origins: tuple[tuple[str, str], ...]
    turn: Turn
    held: Held | None
    can: Actions
    refused_write: str | None
    """Why the source did not take the last answer, while the approval waits again."""
    talk: tuple[Said, ...]
    history: tuple[Happened, ...]
    left_out: int
    """How many older events of the history are not shown."""

    @property
    def shown(self) -> str:
        """The digest of what whoever answers on the page has seen of the request.

        The history is left out: it tells of cards that went out, too.
        """
        return digest_of(
            {
                **self.row.said,
                "standing": self.row.standing.words,
                "type": self.type,
                "reason": self.reason,
                "content": self.content,
                "digest": self.digest,
                "comparison": self.comparison,
                "changed": self.changed,
                "policy": self.policy,
                "steps": self.steps,
                "links": self.links,
                "origins": self.origins,
                "refused_write": self.refused_write,
                "talk": self.talk,
            }
        )


def detail(
    view: ApprovalView,
    history: Sequence[Entry],
    me: str,
    now: datetime,
    seen: str | None = None,
) -> Detail:
    """Return the page of an approval for `me`; `seen` is the revision that `me` saw before."""
    whose = turn(view, me, now)
    edited = read_payload(view.edited_payload) if view.edited_payload_digest else None
    effective = read_payload(view.effective_payload) if view.effective_payload_digest else None
    return Detail(
        row=row(view, me, now),
        type=words(view.type),
        reason=view.reason,
        content=read_payload(view.payload),
        digest=view.payload_digest,
        edited=edited,
        effective=effective,
        comparison=_comparison(view, edited, effective),
        successor=view.superseded_by,
        comment_withdraws=(
            view.supersede_on_comment and view.status == "pending" and me != view.requester.email
        ),
        changed=changed(view, history, seen),
        policy=_chosen(view),
        steps=steps(view, me),
        links=tuple(_linked(one.kind, one.id, one.url) for one in view.links),
        origins=_origins(view),
        turn=whose,
        held=held(view, me, now),
        can=actions(view, whose),
        refused_write=_refused_write(view, history),
        talk=talk(view, history[-MAX_HISTORY:]),
        history=tuple(
            Happened(entry.type, entry.at, entry.summary) for entry in history[-MAX_HISTORY:]
        ),
        left_out=max(0, len(history) - MAX_HISTORY),
    )


def _chosen(view: ApprovalView) -> Chosen | None:
    policy = view.course.policy if view.course is not None else None
    if policy is None or not policy.name:
        return None
    return Chosen(
        name=policy.name,
        version=policy.version,
        because=policy.because,
        warnings=policy.warnings,
    )


def _comparison(
    view: ApprovalView, edited: Content | None, effective: Content | None
) -> Comparison | None:
    if edited is None and effective is None:
        return None
    contents = {"Proposed": read_payload(view.payload)}
    contents["Approved"] = edited or contents["Proposed"]
    if effective is not None:
        contents["Effective"] = effective
    return side_by_side(contents)


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
