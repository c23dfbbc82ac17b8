"""What a mail says, as text and as HTML: nothing remote, every user's text escaped; pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.channels.card import Asks, Card
from services.channels.facts import Fact, Table
from services.channels.html import template
from services.channels.text import NOTHING

AGENT = "Agent Approval Required: "
"""How the title of an agent's ask begins."""
OURS = "Approval required: "
MOST_SUBJECT = 180
FOR_AGENT = "Your agent needs approval for the following action:"
FOR_PERSON = "Your approval is needed:"
PROMISE = "Opening a link decides nothing: it shows the request, and you answer there."
_VERBS: Mapping[Asks | None, str] = {
    "decision": "Open it in Placet",
    "answer": "Answer in Placet",
    "changes": "Change it in Placet",
    None: "Open it in Placet",
}
_COUNT = re.compile(r"^(?P<what>.*[^s\s])s? count$")


@dataclass(frozen=True, slots=True)
class Button:
    """A link on which somebody may press."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A mail's two forms; `html` is a document of its own."""

    text: str
    html: str


def subject(title: str) -> str:
    """Return the subject of every mail about an ask, on one line."""
    # Who asks may say so in the title already, as an agent's ask does.
    said = title if "approval required" in title.lower() else f"{OURS}{title}"
    return said if len(said) <= MOST_SUBJECT else said[: MOST_SUBJECT - 1].rstrip() + "…"


def card_body(card: Card, buttons: Sequence[Button], now: datetime) -> Body:
    """Return the mail that asks somebody."""
    from_agent = card.title.startswith(AGENT)
    facts = list(_facts(card))
    first = Fact(
        label="Action" if from_agent else "Request",
        value=card.title.removeprefix(AGENT),
    )
    intro = (FOR_AGENT if from_agent else FOR_PERSON) if card.asks == "decision" else card.status
    expires = f"This request expires in {_span(card.answer_by - now)}." if card.answer_by else None
    verb = _VERBS[card.asks]
    html = template(__package__, "card.html").render(
        card=card,
        intro=intro,
        first=first,
        facts=facts,
        buttons=buttons,
        expires=expires,
        promise=PROMISE if buttons else None,
        verb=verb,
    )
    text = _lines(card, intro, [first, *facts], buttons, expires, verb)
    return Body(text="\n".join(text) + "\n", html=html)


def short_body(card: Card, said: str) -> Body:
    """Return a mail that says one thing about an ask."""
    text = f"{card.title}\n\n{said}\n\nIn Placet: {card.link}\n"
    return Body(text=text, html=template(__package__, "short.html").render(card=card, said=said))


def _facts(card: Card) -> Iterator[Fact]:
    if card.amount:
        yield Fact(label="Amount", value=card.amount)
    if card.body is None:
        for fact in card.details.facts:
            yield Fact(label=_label(fact.label), value=fact.value)
        if card.details.left_out:
            yield Fact(label="Not shown", value=card.details.left_out)
    else:
        yield Fact(label="Content", value=card.body)
    yield Fact(label="Urgency", value=card.urgency.capitalize())
    yield Fact(label="Asked by", value=card.requester)
    if card.reason:
        yield Fact(label="Why", value=card.reason)
    for one in card.differences:
        was = f"{one.before or NOTHING} → {one.after or NOTHING}"
        yield Fact(label=f"Changed: {one.label}", value=was)
    if card.asks == "decision":
        yield Fact(label="Status", value=card.status)
    if card.progress:
        yield Fact(label="Progress", value=card.progress)
    if card.answers:
        yield Fact(label="Answered", value="\n".join(card.answers))
    for warning in card.warnings:
        yield Fact(label="Warning", value=warning)
    yield from card.said
    if card.deadline:
        yield Fact(label="Answer by", value=card.deadline)
    if card.record:
        yield Fact(label="Record", value=card.record)


def _label(label: str) -> str:
    """Say `Recipient count` as people do: `Recipients`."""
    found = _COUNT.match(label)
    return f"{found['what']}s" if found else label


def _lines(
    card: Card,
    intro: str,
    facts: Sequence[Fact],
    buttons: Sequence[Button],
    expires: str | None,
    verb: str,
) -> Iterator[str]:
    yield _indented(intro)
    yield ""
    for fact in facts:
        # Indented, so that no line of a payload passes for one of ours.
        yield f"{fact.label}: {_indented(fact.value)}"
    for table in card.details.tables if card.body is None else ():
        yield from _table(table)
    yield ""
    for button in buttons:
        yield f"[{button.label}]"
        yield button.url
        yield ""
    if expires:
        yield expires
    if buttons:
        yield PROMISE
    yield f"{verb}: {card.link}"
    if card.record_link:
        yield f"The record: {card.record_link}"


def _table(table: Table) -> Iterator[str]:
    yield ""
    yield f"{table.label}:"
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        yield f"  - {'; '.join(f'{name}: {value}' for name, value in cells if value)}"
    if table.left_out:
        yield f"  {table.left_out}"


def _indented(value: str) -> str:
    return value.replace("\n", "\n  ")


def _span(left: timedelta) -> str:
    # A moment passed since it was asked: the whole hour is still an hour.
    minutes = int((left.total_seconds() + 30) // 60)
    for unit, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        count = minutes // length
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
