"""Draws a card as Discord takes it: one embed and one row of buttons, within Discord's limits."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.channels.card import Card
from services.channels.digest import Digest, digest_subject, facts_of
from services.channels.discord.buttons import button
from services.channels.discord.markup import fitted, length
from services.channels.facts import Fact
from services.channels.labelled import labelled
from services.channels.text import subject

MOST_CONTENT = 300
"""One line: it is what a phone shows of a message that came in."""
MOST_TITLE = 256
MOST_STATUS = 1800
MOST_FIELDS = 25
MOST_NAME = 256
MOST_VALUE = 1024
MOST_IN_ALL = 6000
MOST_EMBED_URL = 2048
MOST_BUTTON_URL = 512
MORE = ("More", "The rest is in Placet.")

_WAITS = 0x5865F2
_QUIET = 0x99AAB5

_ROW, _BUTTON = 1, 2
_SECONDARY, _SUCCESS, _DANGER, _LINK = 2, 3, 4, 5
_OPEN = {
    "decision": "Open in Placet",
    "answer": "Answer in Placet",
    "changes": "Change it in Placet",
    None: "Open in Placet",
}

NO_MENTIONS: dict[str, Any] = {"parse": []}


def message(card: Card, mark: str | None = None) -> dict[str, Any]:
    """Return what a message shows of a card; the whole of it, so that an edit replaces all.

    `mark` is what `is_marked` finds it by again: it stands in the link, where nobody sees it.
    """
    return {
        "content": fitted(subject(card), MOST_CONTENT),
        "embeds": [_embed(card)],
        "components": [_row(card, mark)],
        "allowed_mentions": NO_MENTIONS,
    }


def reminder(card: Card, mark: str | None = None) -> dict[str, Any]:
    """Return a short message that a card still waits for its reader."""
    until = f" Answer by {card.deadline}." if card.deadline else ""
    return {
        "content": fitted(f"Reminder: {card.title}. This still waits for you.{until}", 600),
        "components": [{"type": _ROW, "components": _links(card, mark)}],
        "allowed_mentions": {**NO_MENTIONS, "replied_user": False},
    }


def listing(digest: Digest, mark: str | None = None) -> dict[str, Any]:
    """Return a message that lists what waits."""
    title = fitted(digest_subject(digest), MOST_TITLE)
    facts = (Fact(label=one.title, value=facts_of(one)) for one in digest.cards)
    links = [
        ("Open the inbox", _marked(digest.link, mark)),
        ("How you are told", digest.settings_link),
    ]
    return {
        "content": title,
        "embeds": [
            {
                "title": title,
                "description": fitted(
                    f"And {digest.more} more." if digest.more else "The most urgent first.", 200
                ),
                "color": _WAITS,
                "fields": _fields(facts, MOST_IN_ALL - MOST_TITLE - 200),
            }
        ],
        "components": [{"type": _ROW, "components": _buttons(links)}],
        "allowed_mentions": NO_MENTIONS,
    }


def is_marked(found: Any, mark: str) -> bool:
    """Tell whether a message, as Discord gives it back, was drawn with a mark."""
    rows = found.get("components", ()) if isinstance(found, dict) else ()
    return any(
        str(one.get("url", "")).endswith(f"#{mark}")
        for row in rows
        for one in row.get("components", ())
    )


def _embed(card: Card) -> dict[str, Any]:
    title, status = fitted(card.title, MOST_TITLE), fitted(card.status, MOST_STATUS)
    embed: dict[str, Any] = {
        "title": title,
        "description": status,
        "color": _WAITS if card.asks else _QUIET,
        "fields": _fields(labelled(card), MOST_IN_ALL - length(title) - length(status)),
    }
    if len(card.link) <= MOST_EMBED_URL:
        embed["url"] = card.link
    return embed


def _fields(facts: Iterable[Fact], room: int) -> list[dict[str, Any]]:
    """Return as many fields as there is room for, and one that says so where some are left out."""
    more = {"name": MORE[0], "value": MORE[1], "inline": False}
    kept = sum(map(length, MORE))
    fields: list[dict[str, Any]] = []
    for fact in facts:
        name, value = fitted(fact.label, MOST_NAME), fitted(fact.value, MOST_VALUE)
        room -= length(name) + length(value)
        if room < kept or len(fields) == MOST_FIELDS - 1:
            return [*fields, more]
        fields.append({"name": name, "value": value, "inline": False})
    return fields


def _row(card: Card, mark: str | None) -> dict[str, Any]:
    pressed: list[dict[str, Any]] = []
    if card.asks == "decision":
        pressed = [
            _pressed(_SUCCESS, "Approve", button("approve", card.approval_id, card.revision)),
            _pressed(_DANGER, "Deny", button("deny", card.approval_id, card.revision)),
            _pressed(_SECONDARY, "Ask back", button("ask", card.approval_id, card.revision)),
        ]
    return {"type": _ROW, "components": [*pressed, *_links(card, mark)]}


def _pressed(style: int, label: str, custom_id: str) -> dict[str, Any]:
    return {"type": _BUTTON, "style": style, "label": label, "custom_id": custom_id}


def _links(card: Card, mark: str | None) -> list[dict[str, Any]]:
    wanted = [(_OPEN[card.asks], _marked(card.link, mark))]
    if card.record_link:
        wanted.append(("Open the record", card.record_link))
    return _buttons(wanted)


def _marked(link: str, mark: str | None) -> str:
    return link if mark is None else f"{link}#{mark}"


def _buttons(wanted: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"type": _BUTTON, "style": _LINK, "label": label, "url": url}
        for label, url in wanted
        if len(url) <= MOST_BUTTON_URL
    ]
