"""What was asked back about an approval, and what was answered: as a card repeats it."""

from collections.abc import Sequence
from dataclasses import dataclass

from events.approval import AnsweredBack, AskedBack
from services.channels.facts import MOST_VALUE, Fact
from services.channels.plain import block, line

MOST_SHOWN = 3
"""How many questions a card repeats: the latest."""
_MOST_EMAIL = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, and its answer if it was answered in words."""

    asked: AskedBack
    answered: AnsweredBack | None = None


def said(questions: Sequence[Question], but: AskedBack | None = None) -> tuple[Fact, ...]:
    """Return what was said, oldest first, without the question that still waits."""
    facts: list[Fact] = []
    for one in [one for one in questions if one.asked != but][-MOST_SHOWN:]:
        verb = "asked" if one.asked.wants == "answer" else "asked for changes"
        facts.append(_fact(f"{one.asked.by.email} {verb}", one.asked.text))
        if one.answered is not None:
            facts.append(_fact(f"{one.answered.by.email} answered", one.answered.text))
    return tuple(facts)


def _fact(label: str, text: str) -> Fact:
    return Fact(label=line(label, _MOST_EMAIL), value=block(text, MOST_VALUE))
