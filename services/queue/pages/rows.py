"""The rows of the inbox; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from projections.approval_view import ApprovalView
from services.channels.facts import headline
from services.queue.pages.clocks import Clock, clock, marks, stands_in_for
from services.queue.pages.digests import digest_of
from services.queue.pages.outcome import Standing, progress, standing
from services.queue.pages.payload import Fact, read_payload
from services.queue.pages.people import Shown, shown
from services.queue.pages.talk import Question, question
from services.queue.pages.turns import waits_for
from services.queue.pages.words import (
    URGENCY_WORDS,
    safe_url,
    seconds_since,
    source_label,
    span,
)

FIRST_FACTS = 2
SHORT = 160
LONG = 160
"""So much of a reason stands in a row; the page has it all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The record that an approval mirrors."""

    workspace: str
    source: str
    label: str
    record_id: str
    url: str | None
    verified_seconds: int | None
    verified: str | None
    """How long ago the source was read, such as `12 s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One approval in a list."""

    id: str
    title: str
    version: int
    revision: str
    asks: Shown
    own: bool
    amount: str | None
    reason: str | None
    facts: tuple[Fact, ...]
    created_at: datetime
    age: str
    age_seconds: int
    clock: Clock
    urgency: str | None
    urgent: bool
    origin: Origin | None
    standing: Standing
    progress: str | None
    """How far it has come, where several must answer."""
    away: str | None
    """Whom the reader stands in for."""
    marks: tuple[str, ...]
    question: Question | None
    mine: bool
    """Whether it waits for the reader now: as an approver, or to answer a question."""

    @property
    def selectable(self) -> bool:
        """Tell whether it can be answered together with others."""
        return self.mine and not (self.question and self.question.to_me)

    @property
    def said(self) -> dict[str, Any]:
        """What it says of the request, but for what only the clock moves."""
        record = self.origin and (self.origin.label, self.origin.record_id, self.origin.url)
        return {
            "id": self.id,
            "revision": self.revision,
            "title": self.title,
            "asks": self.asks,
            "amount": self.amount,
            "reason": self.reason,
            "facts": self.facts,
            "created_at": self.created_at,
            "until": self.clock.until,
            "urgency": self.urgency,
            "record": record,
            "progress": self.progress,
            "away": self.away,
            "marks": self.marks,
            "question": self.question,
        }

    @property
    def shown(self) -> str:
        """The digest of what whoever answers in the list has seen."""
        return digest_of(self.said)


def row(view: ApprovalView, me: str, now: datetime) -> Row:
    """Return the row of an approval as `me` sees it."""
    age = seconds_since(view.created_at, now)
    total = headline(view.payload)
    return Row(
        id=view.id,
        title=view.title,
        version=view.version,
        revision=view.revision,
        asks=shown(view.requester.email, view.requester.name),
        own=view.requester.email == me,
        amount=total[1] if total else None,
        reason=_shortened(view.reason),
        facts=_first(view, read_payload(view.payload).facts, total[0] if total else None),
        created_at=view.created_at,
        age=span(age),
        age_seconds=age,
        clock=clock(view, now),
        urgency=URGENCY_WORDS[view.urgency],
        urgent=view.urgency == "high",
        origin=origin(view, now),
        standing=standing(view, me, now),
        progress=progress(view),
        away=stands_in_for(view, me),
        marks=marks(view, me),
        question=question(view, me),
        mine=waits_for(view, me) and now < view.deadline,
    )


def _shortened(text: str | None) -> str | None:
    return f"{text[:LONG].rstrip()}…" if text is not None and len(text) > LONG else text


def rows(views: Sequence[ApprovalView], me: str, now: datetime) -> list[Row]:
    """Return the rows of a page, in its order."""
    return [row(view, me, now) for view in views]


def origin(view: ApprovalView, now: datetime) -> Origin | None:
    """Return where an approval was mirrored from, and when that was last looked at."""
    if view.source is None:
        return None
    seconds = seconds_since(view.verified_at, now) if view.verified_at else None
    return Origin(
        workspace=view.workspace,
        source=view.source.name,
        label=source_label(view.source.name),
        record_id=view.source.record_id,
        url=safe_url(view.source.url),
        verified_seconds=seconds,
        verified=span(seconds) if seconds is not None else None,
    )


def _first(view: ApprovalView, facts: Sequence[Fact], total_key: str | None) -> tuple[Fact, ...]:
    """Return the facts that tell most in a row: short, and nothing that it says already."""
    said = f"{view.title} {view.requester.email} {view.reason or ''}"
    found = (
        fact
        for fact in facts
        if fact.key != total_key
        and len(fact.value) <= SHORT
        and fact.value not in said
        and view.requester.email not in fact.value
    )
    return tuple(found)[:FIRST_FACTS]
