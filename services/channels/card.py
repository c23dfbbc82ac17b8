"""What an approver is shown of an approval, on whichever channel: drawn from its facts alone."""

import hashlib
import re
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal, assert_never
from urllib.parse import quote

import msgspec

from events.approval import Person, SourceRecord, WriteBackFailed
from projections.approval_view import OPEN, ApprovalView, Approver
from services.channels.facts import Details, details
from services.channels.mustache import MOST_TITLE, CardTemplate, drawn
from services.channels.plain import block, line

Shown = Literal["open", "superseded", "settled"]
"""Waits for an answer; replaced by a newer card; nothing left to answer."""

MOST_REASON = 2000
_MOST_NAME = 120
_MOST_URL = 2000
_URL = re.compile(r"https?://[^\s\x00-\x1f\x7f\"'<>\\`]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is shown, in plain text: a channel escapes it for its own markup.

    `body` stands in place of `details` when the source has a template. `template_error` says why
    that template could not be used; it is for the log and is not shown.
    """

    title: str
    status: str
    shown: Shown
    requester: str
    approvers: tuple[str, ...]
    urgency: str
    reason: str | None
    deadline: str | None
    time_left: str | None
    body: str | None
    details: Details
    link: str
    record: str | None
    record_link: str | None
    template_error: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown, in hexadecimal."""
        shown = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "template_error"
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
    changed: bool = False,
) -> Card:
    """Return the card of one approver.

    `superseded_by` is the approval as it is now, for a card that shows an older revision of it;
    `failure` is why an answer was not taken; `changed` tells that an older card is replaced.
    """
    link = f"{public_url.rstrip('/')}/approvals/{quote(view.id, safe='')}"
    title, body, template_error = line(view.title, MOST_TITLE), None, None
    if template is not None:
        try:
            title, body = drawn(template, view, link)
        except Exception as error:  # noqa: BLE001 # a template of a user may fail in any way, and the approver is asked all the same
            template_error = f"{type(error).__name__}: {error}"
    shown: Shown = "open" if view.status in OPEN else "settled"
    if superseded_by is not None and shown == "open":
        shown = "superseded"
        status = _superseded(superseded_by, approver_email)
    elif view.status == "pending":
        status = _waiting(view, approver_email, failure, changed=changed)
    else:
        status = _answered(view)
    return Card(
        title=title,
        status=status,
        shown=shown,
        requester=_person(view.requester),
        approvers=tuple(_person(one) for one in view.approvers),
        urgency=view.urgency,
        reason=block(view.reason, MOST_REASON) or None if view.reason else None,
        deadline=_time(view.expires_at) if shown == "open" else None,
        time_left=_span(view.expires_at - now) if shown == "open" else None,
        body=body,
        details=details(view.payload),
        link=link,
        record=_record(view.source) if view.source else None,
        record_link=_safe_url(view.source.url) if view.source else None,
        template_error=template_error,
    )


def _waiting(
    view: ApprovalView, approver_email: str, failure: WriteBackFailed | None, *, changed: bool
) -> str:
    parts = []
    if failure is not None:
        where = line(view.source.name, _MOST_NAME) if view.source else "the source"
        parts.append(
            f"{failure.outcome.capitalize()} by {line(failure.by.email, _MOST_NAME)}, but {where} "
            f"did not take the answer: {block(failure.reason, MOST_REASON)}"
        )
    if changed:
        parts.append(
            f"The content changed: revision {line(view.revision, _MOST_NAME)}. "
            "An answer to what you saw before does not count."
        )
    others = [line(one.email, _MOST_NAME) for one in view.approvers if one.email != approver_email]
    whom = f"you or {', '.join(others)}: one answer settles it" if others else "you"
    parts.append(f"Waiting for {whom}. Approve or reject it in Placet.")
    return " ".join(parts)


def _superseded(now_is: ApprovalView, approver_email: str) -> str:
    changed = f"The content changed: revision {line(now_is.revision, _MOST_NAME)}."
    if approver_email in {one.email for one in now_is.approvers}:
        return f"{changed} Answer the newer card."
    return f"{changed} You are not asked any more."


def _answered(view: ApprovalView) -> str:
    match view.status:
        case "approved" | "rejected":
            by = line(view.decided_by or "somebody", _MOST_NAME)
            at = f" at {_time(view.decided_at)}" if view.decided_at else ""
            why = f": {block(view.decision_reason, MOST_REASON)}" if view.decision_reason else "."
            return f"{view.status.capitalize()} by {by}{at}{why}"
        case "withdrawn":
            why = block(view.withdrawn_reason or "", MOST_REASON) or "Withdrawn."
            return f"This request is already resolved/canceled: {why}"
        case "expired":
            return f"Expired at {_time(view.expires_at)}: nobody decided in time."
        case "deciding" | "pending":
            answered = [one for one in view.approvers if one.answer]
            who = f"{answered[0].answer or ''} by {answered[0].email}" if answered else "given"
            return f"The answer ({line(who, _MOST_NAME)}) is on its way to the source."
        case _:
            assert_never(view.status)


def _person(person: Person | Approver) -> str:
    email = line(person.email, _MOST_NAME)
    name = line(person.name or "", _MOST_NAME)
    return f"{name} ({email})" if name else email


def _record(source: SourceRecord) -> str:
    return line(f"{source.name} {source.record_id}", _MOST_NAME)


def _safe_url(url: str | None) -> str | None:
    """Return an address that a browser may open; a source may hold a script in its place."""
    if url is None or len(url) > _MOST_URL or not _URL.fullmatch(url):
        return None
    return url


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _span(left: timedelta) -> str:
    minutes = int(left.total_seconds() // 60)
    for unit, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        count = minutes // length
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
