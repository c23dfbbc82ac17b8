"""A card as labels with values, what matters most first: some channels have to leave some out."""

from collections.abc import Iterator

from services.channels.card import Card
from services.channels.facts import Fact, Table


def labelled(card: Card) -> Iterator[Fact]:
    """Return all that a card says beside its title, its status and its links, as plain text."""
    yield from _of_ours(card)
    if card.body is not None:
        yield Fact(label="Content", value=card.body)
        return
    yield from card.details.facts
    if card.details.left_out:
        yield Fact(label="Not shown", value=card.details.left_out)
    for table in card.details.tables:
        yield Fact(label=table.label, value="\n".join(_rows(table)))


def _of_ours(card: Card) -> Iterator[Fact]:
    yield Fact(label="Asked by", value=card.requester)
    if card.amount:
        yield Fact(label="Amount", value=card.amount)
    if card.differences:
        changed = (
            f"{one.label}: {one.before or 'nothing'} \N{RIGHTWARDS ARROW} {one.after or 'nothing'}"
            for one in card.differences
        )
        yield Fact(label="Changed", value="\n".join(changed))
    if card.reason:
        yield Fact(label="Why", value=card.reason)
    if card.deadline:
        yield Fact(label="Answer by", value=card.deadline)
    if card.progress:
        yield Fact(label="Progress", value=card.progress)
    if card.answers:
        yield Fact(label="Answered", value="\n".join(card.answers))
    if card.warnings:
        yield Fact(label="Warning", value="\n".join(card.warnings))
    yield from card.said
    yield Fact(label="Approvers", value=", ".join(card.approvers))
    yield Fact(label="Urgency", value=card.urgency)
    if card.record:
        yield Fact(label="Record", value=card.record)


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        yield "; ".join(f"{name}: {value}" for name, value in cells if value)
    if table.left_out:
        yield table.left_out
