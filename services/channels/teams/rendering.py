"""Draws a card as an Adaptive Card that Teams takes: plain text, links, and not too many bytes."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from services.channels.card import Card
from services.channels.digest import Digest, digest_subject, facts_of
from services.channels.labelled import labelled
from services.channels.plain import ELLIPSIS
from services.channels.text import subject

MOST_BYTES = 27_000
"""Teams takes some 28 kB, all told."""
MOST_LINES = 40
MOST_LINE = 1000
MORE = "More than Teams takes: the rest is in Placet."
AS_SENT = (
    "This message stays as it was sent. How it stands now is in Placet, and only there it can be "
    "answered."
)

_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_KIND = "application/vnd.microsoft.card.adaptive"
_OPEN = {
    "decision": "Approve or deny in Placet",
    "answer": "Answer in Placet",
    "changes": "Change it in Placet",
    None: "Open in Placet",
}


def message(card: Card, name: str) -> bytes:
    """Return what is posted of a card for somebody: JSON, never more than `MOST_BYTES`."""
    return _envelope(subject(card), _content(card, name), _links(card))


def reminder(card: Card, name: str) -> bytes:
    """Return what is posted to say that a card still waits for its reader."""
    until = [f"Answer by {card.deadline}."] if card.deadline else []
    body = [
        _heading(f"Reminder: {card.title}"),
        *(_paragraph(line) for line in [f"{name}, this still waits for you.", *until]),
    ]
    return _envelope(subject(card), iter(body), _links(card))


def listing(digest: Digest) -> bytes:
    """Return what is posted to list what waits."""
    title = digest_subject(digest)
    rows = [_labelled(one.title, facts_of(one)) for one in digest.cards]
    more = [_paragraph(f"And {digest.more} more.")] if digest.more else []
    links = [("Open the inbox", digest.link), ("How you are told", digest.settings_link)]
    return _envelope(title, iter([_heading(title), *rows, *more]), links)


def _envelope(
    subject: str, blocks: Iterator[dict[str, Any]], links: Sequence[tuple[str, str]]
) -> bytes:
    """Put in as many blocks as there is room for, and a line that says so if one is left out."""
    body: list[dict[str, Any]] = []
    content = {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": _harmless(subject),
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": one, "url": url} for one, url in links],
    }
    attachment = {"contentType": _KIND, "contentUrl": None, "content": content}
    envelope = {"type": "message", "attachments": [attachment]}
    more = _paragraph(MORE, subtle=True)
    room = MOST_BYTES - _size(envelope) - _size(more)
    for block in blocks:
        room -= _size(block)
        if room < 0:
            body.append(more)
            break
        body.append(block)
    return msgspec.json.encode(envelope)


def _size(part: dict[str, Any]) -> int:
    return len(msgspec.json.encode(part)) + 1


def _content(card: Card, name: str) -> Iterator[dict[str, Any]]:
    yield _heading(card.title)
    yield _paragraph(f"For {name}", subtle=True)
    yield from map(_paragraph, _lines(card.status))
    yield _paragraph(AS_SENT, subtle=True)
    for fact in labelled(card):
        first, *others = _lines(fact.value) or [""]
        yield _labelled(fact.label, first)
        yield from map(_paragraph, others)


def _heading(text: str) -> dict[str, Any]:
    return _rich(
        [{"type": "TextRun", "text": _harmless(text), "weight": "Bolder", "size": "Large"}]
    )


def _paragraph(text: str, *, subtle: bool = False) -> dict[str, Any]:
    run: dict[str, Any] = {"type": "TextRun", "text": _harmless(text)}
    return _rich([{**run, "isSubtle": True} if subtle else run])


def _labelled(label: str, value: str) -> dict[str, Any]:
    return _rich(
        [
            {"type": "TextRun", "text": _harmless(f"{label}: "), "weight": "Bolder"},
            {"type": "TextRun", "text": _harmless(value)},
        ]
    )


def _rich(inlines: list[dict[str, Any]]) -> dict[str, Any]:
    # In a TextBlock or a FactSet Teams would read Markdown; in these it reads none.
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": inlines}


def _harmless(text: str) -> str:
    """Return the text without the one thing that is acted upon: the functions for dates."""
    return text.replace("{{", "{ {")


def _lines(text: str) -> list[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    shown = [line if len(line) <= MOST_LINE else line[:MOST_LINE] + ELLIPSIS for line in lines]
    return shown if len(shown) <= MOST_LINES else [*shown[:MOST_LINES], ELLIPSIS]


def _links(card: Card) -> list[tuple[str, str]]:
    wanted = [(_OPEN[card.asks], card.link)]
    if card.record_link:
        wanted.append(("Open the record", card.record_link))
    return wanted
