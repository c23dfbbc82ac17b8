"""Makes users' text safe to show anywhere: no control characters, nothing that reorders lines."""

import re

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

# What a terminal, a database or a log cannot hold or would act upon. Line breaks and tabs stay.
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# An override or embedding that is never closed turns round the text that follows it, and so lets
# a requester change what the lines of ours seem to say. Right-to-left scripts need none of these.
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


def block(text: str, most: int) -> str:
    """Return text that may have several lines, at most `most` characters of it."""
    # Cut first: what follows need not look at a megabyte to show a thousand characters.
    shown = _BREAK.sub("\n", text[: 2 * most])
    shown = _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", _REORDERING.sub("", shown))
    shown = _BLANK_LINES.sub("\n\n", shown).strip()
    cut = len(shown) > most or len(text) > 2 * most
    return shown[: most - 1].rstrip() + ELLIPSIS if cut else shown


def line(text: str, most: int) -> str:
    """Return the text on one line, at most `most` characters of it."""
    shown = " ".join(block(text, 2 * most).split())
    return shown if len(shown) <= most else shown[: most - 1].rstrip() + ELLIPSIS
