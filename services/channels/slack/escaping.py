"""Makes users' text safe for Slack, and no longer than Slack takes it."""

from collections.abc import Mapping

from services.channels.plain import ELLIPSIS

NOTHING = "\N{EN DASH}"
"""Stands where there is no text: Slack refuses an empty one."""
BREAK = "\N{ZERO WIDTH SPACE}"
"""Slack knows no escape for its marks; with this beside it a mark is a character like another."""

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKS = "*_~`:>"
_ESCAPED = {
    **_ENTITIES,
    **{mark: f"{BREAK}{_ENTITIES.get(mark, mark)}{BREAK}" for mark in _MARKS},
}


def length(text: str) -> int:
    """Return how long a text is for Slack: a character beyond the first plane counts twice."""
    return len(text) + sum(character > "\uffff" for character in text)


def plain(text: str, most: int) -> str:
    """Return the text for a `plain_text` object, in which nothing is markup."""
    return _cut(text.strip(), most, {}) or NOTHING


def mrkdwn(text: str, most: int) -> str:
    """Return the text for markup that shows it as it is: no mention, no link, no formatting."""
    return _cut(text.strip(), most, _ESCAPED) or NOTHING


def unescaped(text: str) -> str:
    """Return the text that `mrkdwn` was given, as far as it was not cut."""
    text = text.replace(BREAK, "")
    for character, entity in reversed(_ENTITIES.items()):
        text = text.replace(entity, character)
    return text


def _cut(text: str, most: int, escaped: Mapping[str, str]) -> str:
    """Cut between characters: half of an entity would be something else."""
    parts: list[str] = []
    size = with_room = 0
    for character in text:
        part = escaped.get(character, character)
        size += length(part)
        if size > most:
            return "".join(parts[:with_room]).rstrip() + ELLIPSIS
        parts.append(part)
        if size < most:
            with_room = len(parts)
    return "".join(parts)
