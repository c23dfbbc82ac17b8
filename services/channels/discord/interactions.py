"""Reads what Discord sends when somebody presses a button, and writes what it is answered."""

from dataclasses import dataclass
from typing import Any

import msgspec

from services.channels.discord.buttons import Action, Button, read_button
from services.channels.discord.markup import fitted
from services.channels.discord.rendering import NO_MENTIONS

MOST_NOTE = 1900
MOST_TEXT = 2000
"""How much may be written into the form that a button opens."""

_PING, _COMPONENT, _SUBMITTED = 1, 3, 5
_PONG, _SAYS, _EDITS, _MODAL = 1, 4, 7, 9
_ONLY_FOR_YOU = 64
_ROW, _TEXT_INPUT, _PARAGRAPH = 1, 4, 2
_FIELD = "text"
_FORMS: dict[Action, tuple[str, str]] = {
    "deny": ("Deny", "Why is it denied?"),
    "ask": ("Ask back", "What do you want to know?"),
}


class NotAnInteraction(ValueError):
    """Discord sends nothing like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Somebody pressed a button, or with `text` sent the form that it opened.

    `button` is None for one that is none of ours.
    """

    interaction_id: str
    application_id: str
    user_id: str
    button: Button | None
    text: str | None


class _User(msgspec.Struct):
    id: str


class _Member(msgspec.Struct):
    user: _User


class _Input(msgspec.Struct):
    custom_id: str = ""
    value: str = ""


class _Row(msgspec.Struct):
    components: list[_Input] = []
    component: _Input | None = None


class _Data(msgspec.Struct):
    custom_id: str = ""
    components: list[_Row] = []


class _Interaction(msgspec.Struct):
    type: int
    id: str = ""
    application_id: str = ""
    user: _User | None = None
    member: _Member | None = None
    data: _Data | None = None


_decoder = msgspec.json.Decoder(_Interaction)


def read_interaction(body: bytes) -> Press | None:
    """Return what was pressed, None where Discord only asks whether somebody is there.

    Raises `NotAnInteraction`.
    """
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnInteraction(str(error)) from error
    if found.type == _PING:
        return None
    # In a direct message the person stands here, in a server there.
    user = found.user or (found.member.user if found.member else None)
    if found.type not in (_COMPONENT, _SUBMITTED) or user is None or found.data is None:
        raise NotAnInteraction("neither a button nor a form of somebody")
    return Press(
        interaction_id=found.id,
        application_id=found.application_id,
        user_id=user.id,
        button=read_button(found.data.custom_id),
        text=_text(found.data) if found.type == _SUBMITTED else None,
    )


def _text(data: _Data) -> str:
    for row in data.components:
        for one in (*row.components, *([row.component] if row.component else [])):
            if one.custom_id == _FIELD:
                return one.value
    return ""


def pong() -> dict[str, Any]:
    """Answer that somebody is there."""
    return {"type": _PONG}


def form(button: Button) -> dict[str, Any]:
    """Open the form of a button that needs words."""
    title, label = _FORMS[button.action]
    field = {
        "type": _TEXT_INPUT,
        "custom_id": _FIELD,
        "label": label,
        "style": _PARAGRAPH,
        "min_length": 1,
        "max_length": MOST_TEXT,
        "required": True,
    }
    row = {"type": _ROW, "components": [field]}
    return {
        "type": _MODAL,
        "data": {"custom_id": str(button), "title": title, "components": [row]},
    }


def done() -> dict[str, Any]:
    """Take the buttons away at once; what became of it is written there as on every channel."""
    return {"type": _EDITS, "data": {"components": []}}


def note(text: str) -> dict[str, Any]:
    """Say something to whoever pressed, and to nobody else."""
    return {
        "type": _SAYS,
        "data": {
            "content": fitted(text, MOST_NOTE),
            "flags": _ONLY_FOR_YOU,
            "allowed_mentions": NO_MENTIONS,
        },
    }
