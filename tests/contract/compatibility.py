"""Tells what a new schema breaks for those who rely on the old one: only additions are safe.

A subscriber keeps working when whatever was promised still is; whoever sends in keeps working
when whatever was accepted still is. Both hold here, so a message is safe in either direction.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
NOTES = frozenset(
    ("$schema", "$id", "$ref", "$defs", "$comment", "title", "description", "default", "examples")
)
"""Keywords that promise nothing by themselves."""
AT_MOST = frozenset(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"))
AT_LEAST = frozenset(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"))
SEEN_THROUGH = frozenset(("type", "enum", "const", "properties", "required", "anyOf", "items"))


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return what a new version of a schema file would break, a line each."""
    return sorted(set(_breaks(_Place(old, old, new, new, "$", frozenset()))))


class _Place:
    """Two schemas at the same place of a message, with the documents that they stand in."""

    def __init__(
        self,
        old: Schema,
        old_root: Schema,
        new: Schema,
        new_root: Schema,
        path: str,
        seen: frozenset[tuple[str, str]],
    ) -> None:
        self.old_root, self.new_root = old_root, new_root
        self.path = path
        step = (str(old.get("$ref")), str(new.get("$ref")))
        self.again = step in seen and step != ("None", "None")
        self.seen = seen | {step}
        self.old, self.new = _resolved(old, old_root), _resolved(new, new_root)

    def at(self, old: Schema, new: Schema, step: str) -> "_Place":
        return _Place(old, self.old_root, new, self.new_root, self.path + step, self.seen)


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Schema = root["$defs"][reference.rpartition("/")[2]]
    beside = {name: value for name, value in schema.items() if name not in ("$ref", "$defs")}
    return {**target, **_together(target, beside)}


def _together(target: Schema, beside: Schema) -> Schema:
    """What stands beside a reference holds as well: fields and demands add up."""
    return {
        **beside,
        "required": [*target.get("required", []), *beside.get("required", [])],
        "properties": {**beside.get("properties", {}), **target.get("properties", {})},
    }


def _breaks(place: _Place) -> Iterator[str]:
    if place.again:
        return
    yield from _fields(place)
    yield from _values(place)
    yield from _alternatives(place)
    yield from _constraints(place)
    old_items, new_items = place.old.get("items"), place.new.get("items")
    if isinstance(old_items, Mapping) and isinstance(new_items, Mapping):
        yield from _breaks(place.at(old_items, new_items, "[]"))


def _fields(place: _Place) -> Iterator[str]:
    old, new = place.old.get("properties", {}), place.new.get("properties", {})
    for name, schema in old.items():
        if name in new:
            yield from _breaks(place.at(schema, new[name], f".{name}"))
        else:
            yield f"{place.path}.{name}: removed"
    before, after = set(place.old.get("required", [])), set(place.new.get("required", []))
    for name in after - before:
        yield f"{place.path}.{name}: is required now"
    for name in (before - after) & new.keys():
        yield f"{place.path}.{name}: is not promised any more"


def _values(place: _Place) -> Iterator[str]:
    old, new = _accepted(place.old), _accepted(place.new)
    if new is None:
        if old is not None:
            yield f"{place.path}: may be anything now"
        return
    if old is None:
        yield f"{place.path}: was not limited to {sorted(new)}"
        return
    for value in sorted(old - new):
        yield f"{place.path}: {value} is not possible any more"
    if not any(value.startswith("the value ") for value in old):
        for value in sorted(new - old):
            yield f"{place.path}: may be {value} now"


def _accepted(schema: Schema) -> set[str] | None:
    """Types or values that a schema names; None where it names none."""
    if "enum" in schema:
        return {f"the value {value!r}" for value in schema["enum"]}
    if "const" in schema:
        return {f"the value {schema['const']!r}"}
    if "type" in schema:
        types = schema["type"]
        return {types} if isinstance(types, str) else set(types)
    return set() if "anyOf" in schema else None


def _alternatives(place: _Place) -> Iterator[str]:
    old, new = place.old.get("anyOf"), place.new.get("anyOf")
    if old is None and new is None:
        return
    if old is None or new is None or len(old) != len(new):
        yield f"{place.path}: has other alternatives"
        return
    for number, (before, after) in enumerate(zip(old, new, strict=True)):
        yield from _breaks(place.at(before, after, f"<{number}>"))


def _constraints(place: _Place) -> Iterator[str]:
    for name in sorted((place.old.keys() | place.new.keys()) - NOTES - SEEN_THROUGH):
        old, new = place.old.get(name), place.new.get(name)
        if old == new or (name == "additionalProperties" and new in (None, True)):
            continue
        looser = old is not None and (
            (name in AT_MOST and (new is None or new > old))
            or (name in AT_LEAST and (new is None or new < old))
        )
        if not looser:
            yield f"{place.path}: {name} is {new!r} and was {old!r}"
