"""What an approver is shown of an approval, on whichever channel: drawn from its facts alone."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

import msgspec

from events.approval import ApprovalReassigned, SourceRecord, WriteBackFailed
from events.course import Course
from projections.approval_view import OPEN, ApprovalView
from services.channels.differences import Difference, differences
from services.channels.facts import Details, Fact, details, headline
from services.channels.mustache import MOST_TITLE, CardTemplate, drawn
from services.channels.plain import block, line
from services.channels.questions import Question, said
from services.channels.sensitive import without
from services.channels.status import (
    MOST_NAME,
    MOST_REASON,
    answered,
    elsewhere,
    for_requester,
    is_asked,
    person,
    superseded,
    time,
    waiting,
)

Shown = Literal["open", "superseded", "settled"]
"""Something may still change; replaced by a newer card; nothing left to answer."""
Asks = Literal["decision", "answer", "changes"]
"""What a card asks its reader for: to approve or reject, to answer, to change the request."""

MOST_PEOPLE = 50
MOST_ANSWERS = 20
MOST_WARNINGS = 5
_MOST_WARNING = 300
_MOST_URL = 2000
_URL = re.compile(r"https?://[^\s\x00-\x1f\x7f\"'<>\\`]+", re.IGNORECASE)
_NOT_SHOWN = ("template_error", "time_left")
"""`time_left` is out of date as soon as it is written, and is no reason to write it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is shown, in plain text: a channel escapes it for its own markup.

    `approval_id` and `revision` are what a button answers. `amount` is the sum that it is about,
    if there is one; `differences` what has changed since the revision that the reader saw before.
    `asks` is what the reader is to do; None: nothing just now, so there is nothing to press.
    `answer_by` is until when, for programs; `settled_by` is whose doing it is that it is over.
    `body` stands in place of `details` when the source has a template. `template_error` says why
    that template could not be used; it is for the log and is not shown.
    """

    approval_id: str
    revision: str
    title: str
    status: str
    shown: Shown
    asks: Asks | None
    requester: str
    approvers: tuple[str, ...]
    progress: str | None
    answers: tuple[str, ...]
    warnings: tuple[str, ...]
    said: tuple[Fact, ...]
    urgency: str
    reason: str | None
    amount: str | None
    differences: tuple[Difference, ...]
    deadline: str | None
    time_left: str | None
    body: str | None
    details: Details
    link: str
    record: str | None
    record_link: str | None
    answer_by: datetime | None = None
    settled_by: str | None = None
    template_error: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown, but for the time that is left, in hexadecimal."""
        shown = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in _NOT_SHOWN
        }
        return hashlib.sha256(msgspec.json.encode(shown)).hexdigest()


def make_card(
    view: ApprovalView,
    approver_email: str,
    *,
    public_url: str,
    template: CardTemplate | None,
    now: datetime,
    superseded_by: ApprovalView | None = None,
    failure: WriteBackFailed | None = None,
    before: ApprovalView | None = None,
    passed_on: ApprovalReassigned | None = None,
    questions: Sequence[Question] = (),
    sensitive: Sequence[str] = (),
) -> Card:
    """Return the card of one approver.

    `superseded_by` is the approval as it is now, for a card that shows an older revision of it;
    `failure` is why an answer was not taken; `before` is the approval as the approver was last
    shown it, where that was another revision; `passed_on` is to whom the approver's place went;
    `questions` are all that were asked back; `sensitive` are JSON pointers to what of the payload
    is left out.
    """
    shown: Shown = "open" if view.status in OPEN else "settled"
    asks: Asks | None = None
    if superseded_by is not None and shown == "open":
        shown = "superseded"
        status = superseded(superseded_by, approver_email)
    elif view.status != "pending":
        status = answered(view)
    elif is_asked(view, approver_email):
        asks = "decision"
        status = waiting(view, approver_email, failure, changed=before is not None)
    else:
        status = elsewhere(view, approver_email, passed_on)
    return _card(
        view,
        status,
        shown,
        asks,
        public_url=public_url,
        template=template,
        now=now,
        questions=said(questions, but=view.asked_back),
        before=before,
        sensitive=sensitive,
    )


def make_question(
    view: ApprovalView,
    question: Question,
    *,
    public_url: str,
    template: CardTemplate | None,
    now: datetime,
    sensitive: Sequence[str] = (),
) -> Card:
    """Return the card on which the requester reads what was asked back: none to approve with."""
    is_open = view.status == "pending" and view.asked_back == question.asked
    return _card(
        view,
        for_requester(view, question),
        "open" if is_open else "settled",
        question.asked.wants if is_open else None,
        public_url=public_url,
        template=template,
        now=now,
        questions=(),
        before=None,
        sensitive=sensitive,
    )


def _card(
    view: ApprovalView,
    status: str,
    shown: Shown,
    asks: Asks | None,
    *,
    public_url: str,
    template: CardTemplate | None,
    now: datetime,
    questions: tuple[Fact, ...],
    before: ApprovalView | None,
    sensitive: Sequence[str],
) -> Card:
    whole, view = view, _outside(view, sensitive)
    link = f"{public_url.rstrip('/')}/approvals/{quote(view.id, safe='')}"
    title, body, template_error = line(view.title, MOST_TITLE), None, None
    if template is not None:
        try:
            title, body = drawn(template, view, link)
        except Exception as error:  # noqa: BLE001 # a template of a user may fail in any way, and the approver is asked all the same
            template_error = f"{type(error).__name__}: {error}"
    return Card(
        approval_id=view.id,
        revision=view.revision,
        title=title,
        status=status,
        shown=shown,
        asks=asks,
        requester=person(view.requester),
        approvers=_approvers(view),
        progress=_progress(view) if shown == "open" else None,
        answers=_answers(view.course) if view.course else (),
        warnings=_warnings(view.course) if view.course else (),
        said=questions,
        urgency=view.urgency,
        reason=block(view.reason, MOST_REASON) or None if view.reason else None,
        amount=_amount(whole, view),
        differences=_differences(before, whole, sensitive) if before and shown == "open" else (),
        deadline=time(view.deadline) if asks else None,
        answer_by=view.deadline if asks else None,
        settled_by=(view.decided_by or view.withdrawn_by) if shown == "settled" else None,
        time_left=_span(view.deadline - now) if asks else None,
        body=body,
        details=details(view.payload),
        link=link,
        record=_record(view.source) if view.source else None,
        record_link=_safe_url(view.source.url) if view.source else None,
        template_error=template_error,
    )


def _outside(view: ApprovalView, sensitive: Sequence[str]) -> ApprovalView:
    """Return the approval as it may leave Placet."""
    if not sensitive:
        return view
    return msgspec.structs.replace(view, payload=without(view.payload, sensitive))


def _amount(whole: ApprovalView, shown: ApprovalView) -> str | None:
    """Return the sum that it is about: that one or none, never another because it is left out."""
    total = headline(whole.payload)
    return total[1] if total is not None and headline(shown.payload) == total else None


def _differences(
    before: ApprovalView, now_is: ApprovalView, sensitive: Sequence[str]
) -> tuple[Difference, ...]:
    return differences((before.title, before.payload), (now_is.title, now_is.payload), sensitive)


def _approvers(view: ApprovalView) -> tuple[str, ...]:
    """Return who is at the step that waits; of those who stand in, also for whom."""
    step = view.course.step + 1 if view.course else 1
    people = list(
        dict.fromkeys(
            f"{person(one)} for {line(one.on_behalf_of, MOST_NAME)}"
            if one.on_behalf_of
            else person(one)
            for one in view.approvers
            if one.step == step
        )
    )
    return _bounded(people, MOST_PEOPLE, "more")


def _progress(view: ApprovalView) -> str | None:
    return line(view.progress.words, _MOST_WARNING) if view.progress else None


def _answers(course: Course) -> tuple[str, ...]:
    """Return who answered what, the latest last, and at which of several steps."""
    steps = course.policy.steps
    told = []
    for vote in course.votes[-MOST_ANSWERS:]:
        instead = f" for {line(vote.seat, MOST_NAME)}" if vote.seat != vote.by.email else ""
        name = line(steps[vote.step].name, MOST_NAME)
        at_step = f", step {vote.step + 1} ({name})" if len(steps) > 1 else ""
        told.append(f"{person(vote.by)} {vote.outcome}{instead}{at_step}")
    left_out = len(course.votes) - len(told)
    return (f"{left_out} earlier", *told) if left_out else tuple(told)


def _warnings(course: Course) -> tuple[str, ...]:
    found = [line(one, _MOST_WARNING) for one in course.policy.warnings]
    return _bounded(found, MOST_WARNINGS, "more in Placet")


def _bounded(texts: Sequence[str], most: int, more: str) -> tuple[str, ...]:
    left_out = len(texts) - most
    return (*texts[:most], f"{left_out} {more}") if left_out > 0 else tuple(texts)


def _record(source: SourceRecord) -> str:
    return line(f"{source.name} {source.record_id}", MOST_NAME)


def _safe_url(url: str | None) -> str | None:
    """Return an address that a browser may open; a source may hold a script in its place."""
    if url is None or len(url) > _MOST_URL or not _URL.fullmatch(url):
        return None
    return url


def _span(left: timedelta) -> str:
    minutes = int(left.total_seconds() // 60)
    for unit, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        count = minutes // length
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
