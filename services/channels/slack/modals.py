"""The windows in which Slack asks for words: why somebody denies, what they ask or answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.channels.slack.blocks import ANSWER, ASK, DENY, Block, plain_text

TEXT = "text"
"""Names the one field of each window."""
MOST_TYPED = 3000

_MOST_TITLE = 24
_MOST_LABEL = 200
_MOST_HEADING = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    title: str
    label: str
    submit: str


_WORDS: Mapping[str, _Words] = {
    DENY: _Words(title="Deny", label="Why do you deny it?", submit="Deny"),
    ASK: _Words(title="Ask back", label="What do you want to know?", submit="Ask"),
    ANSWER: _Words(title="Answer", label="Your answer", submit="Answer"),
}
OPENS_MODAL = frozenset(_WORDS)


def modal(action: str, *, value: str, about: str | None) -> Block:
    """Return the window that a button opens; `value` is the button's, `about` the card's title."""
    words = _WORDS[action]
    heading = [{"type": "section", "text": plain_text(about, _MOST_HEADING)}] if about else []
    return {
        "type": "modal",
        "callback_id": action,
        "private_metadata": value,
        "title": plain_text(words.title, _MOST_TITLE),
        "submit": plain_text(words.submit, _MOST_TITLE),
        "close": plain_text("Cancel", _MOST_TITLE),
        "blocks": [
            *heading,
            {
                "type": "input",
                "block_id": TEXT,
                "label": plain_text(words.label, _MOST_LABEL),
                "element": {
                    "type": "plain_text_input",
                    "action_id": TEXT,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": MOST_TYPED,
                    "focus_on_load": True,
                },
            },
        ],
    }
