"""Makes text safe to show in Discord: no formatting, no link, no mention, never too long."""

import re

from services.channels.plain import ELLIPSIS

NOTHING = "\N{EN DASH}"
"""Stands where Discord takes no empty text."""

# What formats, links or mentions wherever it stands; colon and slash are those of addresses.
_ANYWHERE = re.compile(r"[\\*_~`|<>@\[\]#:/]")
# What makes a list item of a line that begins with it.
_LIST = re.compile(r"^([^\S\n]*[0-9]*)([-+.)])", re.MULTILINE)
_UNIT = "utf-16-le"
_UNIT_BYTES = 2


def escaped(text: str) -> str:
    """Return Markdown that shows the text as it is."""
    return _LIST.sub(r"\1\\\2", _ANYWHERE.sub(r"\\\g<0>", text))


def fitted(text: str, most: int) -> str:
    """Return `escaped` text of 1 to `most` characters as Discord counts them, cut if need be."""
    shown = escaped(text.strip()) or NOTHING
    if length(shown) <= most:
        return shown
    kept = shown.encode(_UNIT)[: (most - 1) * _UNIT_BYTES].decode(_UNIT, errors="ignore")
    if (len(kept) - len(kept.rstrip("\\"))) % 2:
        kept = kept[:-1]  # it would escape what follows, or stand there alone
    return kept.rstrip() + ELLIPSIS


def length(text: str) -> int:
    """Return how long a text is for Discord: at most that, whichever way it counts."""
    return len(text.encode(_UNIT)) // _UNIT_BYTES
