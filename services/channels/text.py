"""A card as plain text, for channels without markup and beside the HTML of an e-mail."""

from collections.abc import Iterator, Mapping

from services.channels.card import Asks, Card, Shown
from services.channels.facts import Table

_PREFIX: Mapping[Shown, str] = {"open": "Waits", "superseded": "Changed", "settled": "Settled"}
_WANTED: Mapping[Asks, str] = {
    "decision": "To approve",
    "answer": "To answer",
    "changes": "To change",
}

NOTHING = "nothing"
"""Stands for what was not there, or is not there any more."""


def subject(card: Card) -> str:
    """Return one line for a list of messages."""
    return f"{_WANTED[card.asks] if card.asks else _PREFIX[card.shown]}: {card.title}"


def where(card: Card) -> str:
    """Return what stands before the link: where there is nothing else to press, what it is for."""
    return "Approve or reject in Placet" if card.asks == "decision" else "In Placet"


def reminder(card: Card) -> tuple[str, str]:
    """Return subject and text of a short message that a card still waits for its reader."""
    lines = [card.title, "", "This still waits for you.", "", f"In Placet: {card.link}"]
    if card.deadline:
        lines[3:3] = [f"Answer by: {card.deadline} ({card.time_left} left when this was written)"]
    return f"Reminder: {card.title}", "\n".join(lines) + "\n"


def text(card: Card) -> str:
    """Return the whole card."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Card) -> Iterator[str]:
    yield card.title
    yield ""
    yield _indented(card.status)
    yield ""
    if card.amount:
        yield f"Amount: {card.amount}"
    yield f"Asked by: {card.requester}"
    yield f"Approvers: {', '.join(card.approvers)}"
    if card.progress:
        yield f"Progress: {card.progress}"
    for answer in card.answers:
        yield f"Answered: {answer}"
    for warning in card.warnings:
        yield f"Warning: {warning}"
    yield f"Urgency: {card.urgency}"
    if card.deadline:
        yield f"Answer by: {card.deadline} ({card.time_left} left when this was written)"
    if card.reason:
        yield f"Why: {_indented(card.reason)}"
    if card.differences:
        yield "Changed since you saw it:"
    for changed in card.differences:
        # The label is the payload's: indented, so that it does not pass for one of ours.
        yield f"  - {changed.label}: {changed.before or NOTHING} -> {changed.after or NOTHING}"
    for one in card.said:
        yield f"{one.label}: {_indented(one.value)}"
    yield ""
    if card.body is not None:
        # Indented, so that no line of a payload passes for one of ours.
        yield f"  {_indented(card.body)}"
    else:
        for fact in card.details.facts:
            yield f"{fact.label}: {_indented(fact.value)}"
        if card.details.left_out:
            yield card.details.left_out
        for table in card.details.tables:
            yield from _table(table)
    yield ""
    yield f"{where(card)}: {card.link}"
    if card.record:
        yield f"Record: {card.record}{f' - {card.record_link}' if card.record_link else ''}"


def _table(table: Table) -> Iterator[str]:
    yield ""
    yield f"{table.label}:"
    for row in table.rows:
        cells = [
            f"{name}: {value}" for name, value in zip(table.columns, row, strict=True) if value
        ]
        yield f"  - {'; '.join(cells)}"
    if table.left_out:
        yield f"  {table.left_out}"


def _indented(value: str) -> str:
    return value.replace("\n", "\n  ")
