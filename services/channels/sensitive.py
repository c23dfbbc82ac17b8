"""Leaves out of a payload what must not leave Placet: the pages show it, a card does not."""

import re
from collections.abc import Sequence

from events.approval import Json

LEFT_OUT = "left out here: see it in Placet"
"""Stands in place of a value that is left out."""
EACH = "*"
"""As a part of a pointer: each entry of a list, or each field of an object."""
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")


def parts_of(pointer: str) -> tuple[str, ...]:
    """Return the parts of a JSON pointer (RFC 6901); raises `ValueError` for what is none."""
    if not _POINTER.fullmatch(pointer):
        raise ValueError("must be a JSON pointer, such as /employee/salary or /items/*/price")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def without(payload: Json, pointers: Sequence[str]) -> Json:
    """Return the payload with `LEFT_OUT` in place of each value that a pointer names.

    Where a pointer leads through what is no object and no list, into a list by a name or into an
    object by a place, the whole of that is left out: a source that changes its shape must not show
    what was hidden.
    """
    for pointer in pointers:
        payload = _without(payload, parts_of(pointer))
    return payload


def _without(node: Json, parts: Sequence[str]) -> Json:
    if node is None:
        return None
    if not parts:
        return LEFT_OUT
    part, rest = parts[0], parts[1:]
    if isinstance(node, dict) and part in node:
        return {**node, part: _without(node[part], rest)}
    if isinstance(node, dict) and part == EACH:
        return {name: _without(one, rest) for name, one in node.items()}
    if isinstance(node, dict) and not part.isdecimal():
        return node
    if isinstance(node, list) and (part == EACH or part.isdecimal()):
        return [
            _without(one, rest) if part in (EACH, str(place)) else one
            for place, one in enumerate(node)
        ]
    return LEFT_OUT
