"""A card as Slack's blocks, within every published limit; what users wrote is never markup."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from services.channels.card import Asks, Card
from services.channels.digest import Digest, digest_subject, facts_of
from services.channels.facts import Table
from services.channels.slack.escaping import length, mrkdwn, plain
from services.channels.text import subject

Block = dict[str, Any]

APPROVE: Final = "approve"
DENY: Final = "deny"
ASK: Final = "ask"
ANSWER: Final = "answer"
OPEN: Final = "open"
"""Leads to a page; Slack tells of it all the same."""

MOST_BLOCKS = 50
MOST_HEADER = 150
MOST_TEXT = 3000
MOST_FIELD = 2000
MOST_FIELDS = 10
MOST_BUTTON = 75
MOST_VALUE = 2000
MOST_LISTED = 40
MOST_CARD = 12_000
"""Ours, not Slack's: how much text there is beside title and status."""
MOST_CONFIRM_TITLE = 100
MOST_CONFIRM = 300
MOST_CONFIRM_BUTTON = 30

_SHORT = 120
"""A longer value gets the whole width."""
_MOST_LABEL = 200
_MOST_FALLBACK = 2000

_OPENS: dict[Asks | None, str] = {
    "decision": "Open in Placet",
    "answer": "Open in Placet",
    "changes": "Change it in Placet",
    None: "Open in Placet",
}


def blocks(card: Card) -> list[Block]:
    """Return the whole message; there is something to press only when the card asks for it."""
    head: list[Block] = [
        {"type": "header", "text": plain_text(card.title, MOST_HEADER)},
        _section(card.status),
    ]
    last = {"type": "actions", "elements": _buttons(card)}
    return [*head, *_bounded(list(_rest(card)), MOST_BLOCKS - len(head) - 1), last]


def fallback(card: Card) -> str:
    """Return what stands in a notification, and is read out in place of the blocks."""
    return mrkdwn(f"{subject(card)}\n{card.status}", _MOST_FALLBACK)


def sentence(text: str) -> Block:
    """Return a message that says one thing."""
    return {"text": mrkdwn(text, _MOST_FALLBACK), "blocks": [_section(text)]}


def digest_blocks(digest: Digest) -> list[Block]:
    """Return a list of what waits, each with a link; nothing in it decides."""
    listed = digest.cards[:MOST_LISTED]
    shown = [
        {
            **_section(f"{card.title}\n{facts_of(card)}"),
            "accessory": _button("Open", f"{OPEN}_{place}", url=card.link),
        }
        for place, card in enumerate(listed)
    ]
    left_out = digest.count - len(listed)
    return [
        {"type": "header", "text": plain_text(digest_subject(digest), MOST_HEADER)},
        *shown,
        *([_section(f"And {left_out} more.")] if left_out else []),
        {
            "type": "actions",
            "elements": [
                _button("Open the inbox", OPEN, url=digest.link),
                _button("Choose how you are told", f"{OPEN}_settings", url=digest.settings_link),
            ],
        },
    ]


def value_of(card: Card) -> str | None:
    """Return what a button answers; None if it is too long for one."""
    value = f"{card.approval_id}:{card.revision}"
    return value if length(value) <= MOST_VALUE else None


def plain_text(text: str, most: int) -> Block:
    """Return a text in which nothing is markup."""
    return {"type": "plain_text", "text": plain(text, most), "emoji": False}


def _rest(card: Card) -> Iterator[Block]:
    yield from _facts(_ours(card))
    if card.differences:
        yield _label("Changed since you saw it last")
        yield _section(
            "\n".join(
                f"{one.label}: {one.before or 'nothing'} → {one.after or 'nothing'}"
                for one in card.differences
            )
        )
    yield from _facts([(one.label, one.value) for one in card.said])
    if card.body is not None:
        yield {"type": "divider"}
        yield _section(card.body)
        return
    details = card.details
    if details.facts or details.tables:
        yield {"type": "divider"}
    yield from _facts([(one.label, one.value) for one in details.facts])
    if details.left_out:
        yield _section(details.left_out)
    for table in details.tables:
        yield from _table(table)


def _bounded(rest: Sequence[Block], room: int) -> Sequence[Block]:
    """Return what fits: the whole card comes back with each click, and is read at a glance."""
    size = 0
    for place, block in enumerate(rest):
        texts = [block.get("text"), *block.get("fields", ())]
        size += sum(length(one["text"]) for one in texts if one)
        if size > MOST_CARD or (place == room - 1 and len(rest) > room):
            return [*rest[:place], _section("The rest is in Placet.")]
    return rest


def _ours(card: Card) -> list[tuple[str, str]]:
    rows = [
        ("Amount", card.amount),
        ("Asked by", card.requester),
        ("Why", card.reason),
        ("Approvers", ", ".join(card.approvers)),
        ("Progress", card.progress),
        ("Answered", "\n".join(card.answers)),
        ("Warnings", "\n".join(card.warnings)),
        ("Urgency", card.urgency),
        ("Answer by", _deadline(card)),
        ("Record", card.record),
    ]
    return [(label, value) for label, value in rows if value]


def _deadline(card: Card) -> str | None:
    if card.deadline is None:
        return None
    return f"{card.deadline} ({card.time_left} left when this was written)"


def _facts(rows: Sequence[tuple[str, str]]) -> Iterator[Block]:
    """Yield labels with values side by side, and the long ones below each other."""
    fields: list[Block] = []
    for label, value in rows:
        if length(value) <= _SHORT and "\n" not in value:
            fields += [_bold(label), plain_text(value, MOST_FIELD)]
        if fields and (len(fields) == MOST_FIELDS or length(value) > _SHORT or "\n" in value):
            yield {"type": "section", "fields": fields}
            fields = []
        if length(value) > _SHORT or "\n" in value:
            yield _label(label)
            yield _section(value)
    if fields:
        yield {"type": "section", "fields": fields}


def _table(table: Table) -> Iterator[Block]:
    yield _label(table.label)
    lines = [
        "• "
        + "; ".join(
            f"{name}: {value}" for name, value in zip(table.columns, row, strict=True) if value
        )
        for row in table.rows
    ]
    if table.left_out:
        lines.append(table.left_out)
    yield _section("\n".join(lines))


def _section(text: str) -> Block:
    return {"type": "section", "text": plain_text(text, MOST_TEXT)}


def _label(text: str) -> Block:
    return {"type": "section", "text": _bold(text)}


def _bold(text: str) -> Block:
    return {"type": "mrkdwn", "text": f"*{mrkdwn(text, _MOST_LABEL)}*", "verbatim": True}


def _buttons(card: Card) -> list[Block]:
    value = value_of(card)
    elements: list[Block] = []
    if card.asks == "decision" and value is not None:
        approve = _button("Approve", APPROVE, value=value, style="primary")
        elements = [
            {**approve, "confirm": _confirm(card)},
            _button("Deny", DENY, value=value, style="danger"),
            _button("Ask back", ASK, value=value),
        ]
    elif card.asks == "answer" and value is not None:
        elements = [_button("Answer", ANSWER, value=value, style="primary")]
    elements.append(_button(_OPENS[card.asks], OPEN, url=card.link))
    if card.record_link:
        elements.append(_button("Open the record", f"{OPEN}_record", url=card.record_link))
    return elements


def _button(text: str, action: str, **more: str) -> Block:
    label = plain_text(text, MOST_BUTTON)
    return {"type": "button", "text": label, "action_id": action, **more}


def _confirm(card: Card) -> Block:
    what = f"{card.title}\n{card.amount}" if card.amount else card.title
    return {
        "title": plain_text("Approve this?", MOST_CONFIRM_TITLE),
        "text": plain_text(what, MOST_CONFIRM),
        "confirm": plain_text("Approve", MOST_CONFIRM_BUTTON),
        "deny": plain_text("Not yet", MOST_CONFIRM_BUTTON),
        "style": "primary",
    }
