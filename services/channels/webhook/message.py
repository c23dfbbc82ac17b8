"""Writes a card as JSON for programs, by the schema in `card.v1.json`, bounded in size."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import msgspec

from services.channels import Recipient
from services.channels.card import Card
from services.channels.facts import Details

Event = Literal["card.sent", "card.updated", "card.reminded"]
VERSION = 1
MOST_BYTES = 64 * 1024
LEFT_OUT = "More than fits: see it in Placet."


def message(
    event: Event,
    card: Card,
    *,
    channel: str,
    workspace: str,
    to: Recipient,
    reference: str | None,
    at: datetime,
) -> bytes:
    """Return the body; what is too large loses tables first, then fields."""
    for shorter in _SHORTER:
        data = _data(shorter(card), channel, workspace, to, reference)
        body = msgspec.json.encode({"type": event, "timestamp": at, "data": data})
        if len(body) <= MOST_BYTES:
            break
    return body


def _data(
    card: Card, channel: str, workspace: str, to: Recipient, reference: str | None
) -> dict[str, Any]:
    return {
        "version": VERSION,
        "channel": channel,
        "workspace": workspace,
        "reference": reference,
        "approval_id": card.approval_id,
        "revision": card.revision,
        "recipient": {"email": to.email, "name": to.name, "address": to.address},
        "asks": card.asks,
        "shown": card.shown,
        "link": card.link,
        "card": {
            "title": card.title,
            "status": card.status,
            "requester": card.requester,
            "approvers": card.approvers,
            "progress": card.progress,
            "answers": card.answers,
            "warnings": card.warnings,
            "said": card.said,
            "urgency": card.urgency,
            "reason": card.reason,
            "amount": card.amount,
            "differences": card.differences,
            "deadline": card.deadline,
            "answer_by": card.answer_by,
            "settled_by": card.settled_by,
            "body": card.body,
            "details": card.details,
            "record": card.record,
            "record_link": card.record_link,
        },
    }


def _without_tables(card: Card) -> Card:
    details = Details(facts=card.details.facts, left_out=LEFT_OUT)
    return replace(card, details=details)


def _without_details(card: Card) -> Card:
    return replace(card, details=Details(left_out=LEFT_OUT), body=LEFT_OUT if card.body else None)


def _bare(card: Card) -> Card:
    return replace(_without_details(card), said=(), differences=(), answers=(), warnings=())


_SHORTER: tuple[Callable[[Card], Card], ...] = (
    lambda card: card,
    _without_tables,
    _without_details,
    _bare,
)
