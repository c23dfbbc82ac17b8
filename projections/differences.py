"""What was proposed, what was approved and what took effect, place by place where they differ."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from events.approval import Json
from projections.approval_view import ApprovalView

MOST_SHOWN = 500
"""How many places are shown; the others are counted."""

Record = Literal["proposed", "approved", "effective"]


class Difference(msgspec.Struct):
    """One place, as a JSON pointer, and what stands there in each record; null for nothing."""

    pointer: str
    proposed: Json = None
    approved: Json = None
    effective: Json = None


class Differences(msgspec.Struct):
    """Where the records of one approval differ.

    `records` are those that there are: one that is missing is null everywhere. `count` tells all
    places, of which `data` holds up to `MOST_SHOWN`.
    """

    records: list[Record]
    data: list[Difference]
    count: int


class _Nothing:
    """Stands where a record has no value at all, which is not null."""


_NOTHING = _Nothing()


def differences_of(view: ApprovalView) -> Differences:
    """Return where the payloads of an approval differ; nowhere, until it is approved."""
    records: dict[Record, Json] = {"proposed": view.payload}
    if view.outcome == "approved" and view.status == "approved":
        edited = view.edited_payload_digest is not None
        records["approved"] = view.edited_payload if edited else view.payload
    if view.effective_payload_digest is not None:
        records["effective"] = view.effective_payload
    found: list[Difference] = []
    count = 0
    for pointer, values in _walk("", list(records.values())):
        count += 1
        if count <= MOST_SHOWN:
            shown = (None if value is _NOTHING else value for value in values)
            found.append(Difference(pointer, **dict(zip(records, shown, strict=True))))
    return Differences(records=list(records), data=found, count=count)


def _walk(pointer: str, values: Sequence[Json]) -> Iterator[tuple[str, Sequence[Json]]]:
    """Go as deep as all have the same shape; lists are compared place by place."""
    if all(isinstance(value, dict) for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            below = [value.get(key, _NOTHING) for value in values]
            yield from _walk(f"{pointer}/{_escaped(key)}", below)
    elif all(isinstance(value, list) for value in values):
        for place in range(max(len(value) for value in values)):
            below = [value[place] if place < len(value) else _NOTHING for value in values]
            yield from _walk(f"{pointer}/{place}", below)
    elif any(not _same(values[0], value) for value in values[1:]):
        yield pointer, values


def _same(one: Json, other: Json) -> bool:
    # Python takes true for 1.
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
