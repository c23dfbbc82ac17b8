"""One call of the HTTP interface before it is sent: method, path, body, and what comes back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from placet.json_values import plain_json

T = TypeVar("T")
Entry = dict[str, Any]
Entries = list[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A call that has not been sent; it may be sent any number of times and counts once."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: Mapping[str, str]
    body: bytes | None = None
    idempotency_key: str | None = None
    held_s: int = 0
    """How long the server may hold back its answer on purpose."""


def reading(path: str, read: Callable[[Any], T], *, held_s: int = 0, **query: object) -> Call[T]:
    """Return a call that changes nothing; None in its query is left out."""
    given = {name: _in_query(value) for name, value in query.items() if value is not None}
    return Call(method="GET", path=path, read=read, query=given, held_s=held_s)


def sending(
    path: str, read: Callable[[Any], T], body: Mapping[str, Any], *, key: str | None = None
) -> Call[T]:
    """Return a call that changes something; None in its body is left out.

    Raises `TypeError` for what is not JSON.
    """
    said = {name: value for name, value in body.items() if value is not None}
    # Made into bytes once: a repeated call must be the same to the byte.
    content = json.dumps({name: plain_json(value, name) for name, value in said.items()}).encode()
    return Call(method="POST", path=path, read=read, query={}, body=content, idempotency_key=key)


def entry(found: Any) -> Entry:
    """Return an object that came; raises `TypeError` for anything else."""
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def entries(found: Any) -> Entries:
    """Return the objects of a list that came; raises `KeyError` and `TypeError`."""
    return [entry(one) for one in found["data"]]


def time_of(value: datetime | str, name: str) -> str:
    """Return a time as it is sent; raises `ValueError` for one without a zone."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{name}: a time without a zone; add one, such as UTC.")
    return value.isoformat()


def _in_query(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
