"""What waits for somebody, in one message in place of a card for each."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.channels.card import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A list of cards, the most urgent first, and how many `more` wait that are not listed.

    `link` is the inbox; on `settings_link` the reader chooses how they are told.
    """

    cards: tuple[Card, ...]
    more: int
    link: str
    settings_link: str

    @property
    def count(self) -> int:
        """How many wait in all."""
        return len(self.cards) + self.more


def digest_subject(digest: Digest) -> str:
    """Return one line for a list of messages."""
    return "1 approval waits for you" if digest.count == 1 else f"{digest.count} wait for you"


def facts_of(card: Card) -> str:
    """Return what a line of a digest says beside the title."""
    parts = [f"asked by {card.requester}"]
    if card.amount:
        parts.insert(0, card.amount)
    if card.urgency == "high":
        parts.insert(0, "urgent")
    if card.deadline:
        parts.append(f"answer by {card.deadline}")
    return ", ".join(parts)


def digest_text(digest: Digest) -> str:
    """Return the digest as plain text."""
    return "\n".join(_lines(digest)) + "\n"


def _lines(digest: Digest) -> Iterator[str]:
    yield f"{digest_subject(digest)}."
    for card in digest.cards:
        yield ""
        yield card.title
        yield f"  {facts_of(card)}"
        yield f"  {card.link}"
    if digest.more:
        yield ""
        yield f"And {digest.more} more."
    yield ""
    yield f"All of it in Placet: {digest.link}"
    yield f"Choose how you are told: {digest.settings_link}"
