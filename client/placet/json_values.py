"""Plain JSON: copies of values that can be sent and digested, and a clear no for the others."""

import math
from collections.abc import Mapping
from typing import Any

Json = Any
LARGEST_INT = 2**53 - 1
DEEPEST = 200


def plain_json(value: object, where: str) -> Json:
    """Return a deep copy of a value as plain JSON: tuples become lists, subclasses plain.

    Raises `TypeError` naming the place, from `where` on, of what is not JSON or cannot be carried
    exactly: other types, keys that are no text, numbers that are not finite, integers beyond
    2^53, text with half a surrogate pair.
    """
    return _copy(value, where, 0)


def _copy(value: object, where: str, depth: int) -> Json:
    if depth > DEEPEST:
        raise TypeError(f"{where}: nested more than {DEEPEST} deep; is it part of itself?")
    match value:
        case None | True | False:
            return value
        case str():
            return _text(value, where)
        case int():
            if abs(value) > LARGEST_INT:
                raise TypeError(f"{where}: an integer beyond 2^53 is not exact in JSON; send text.")
            return int(value)
        case float():
            if not math.isfinite(value):
                raise TypeError(f"{where}: {value!r} is no number in JSON.")
            return float(value)
        case list() | tuple():
            return [_copy(one, f"{where}[{at}]", depth + 1) for at, one in enumerate(value)]
        case Mapping():
            return _object(value, where, depth)
        case _:
            raise TypeError(
                f"{where}: {type(value).__name__} is not JSON. Use text, numbers, booleans, None, "
                "lists and dicts."
            )


def _object(value: Mapping[Any, Any], where: str, depth: int) -> dict[str, Json]:
    copied: dict[str, Json] = {}
    for key, one in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{where}: the key {key!r} is not text.")
        copied[_text(key, where)] = _copy(one, f"{where}.{key}", depth + 1)
    return copied


def _text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise TypeError(f"{where}: text with half a surrogate pair is not JSON.") from error
    return str.__str__(value)
