"""What the checker says when something is wrong."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "lost",  # acknowledged, and not in the store
    "stored_twice",  # one ask, two approvals; one comment, two facts
    "two_finals",
    "overruled",  # somebody was told how it ended, and it ended otherwise
    "gap",  # versions of a stream are not 1, 2, 3, …
    "impossible",  # facts that cannot follow each other
    "not_logged",
    "logged_twice",
    "log_gap",
    "log_disorder",
    "chain_broken",
    "not_published",
    "out_of_order",
    "no_public_fact",
    "foreign",  # published, and not in the store
    "fold_differs",  # what was published does not add up to what is stored
    "list_differs",
    "queue_differs",
    "history_differs",
    "stale_decision",  # applied to a record that had changed, or that somebody else had settled
    "source_differs",
    "asked_twice",
    "never_asked",
    "two_cards",
    "card_left_open",
    "two_notes",
    "parked",  # set aside, though nothing was wrong with it
    "dropped",  # unreadable, and not set aside
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: of which kind, with what, and what happened, in a sentence."""

    kind: Kind
    about: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"
