"""A payload as the fields of a form, and what was sent of them as a payload again; pure.

Texts, numbers and yes-or-no stand in fields of their own; all else stands in one text of JSON.
What nobody touched comes back as it was, of the same type.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from events.approval import Json
from services.web.bodies import read_json
from services.web.problems import Invalid

PREFIX = "payload."
"""Stands before the key in the name of a field."""
REST = "payload-rest"
"""The name of the field that holds all else as JSON."""
MOST_FIELDS = 40
MOST_KEY = 100
ONE_LINE = 60
"""Texts over so many characters get more than one line."""

Kind = Literal["text", "lines", "number", "choice"]

_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,40}")
_BREAK = re.compile(r"\r\n?")
_objects = msgspec.json.Decoder(dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value: `value` is its text, and for a choice "yes" or nothing."""

    name: str
    key: str
    kind: Kind
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadForm:
    """The fields of a payload; `rest` is None where they hold all of it."""

    fields: tuple[Field, ...]
    rest: str | None


class Faulty(Exception):
    """What was sent is no payload: `faults` has a sentence for each field that is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(*faults.values())
        self.faults = faults


def form_of(payload: Mapping[str, Json]) -> PayloadForm:
    """Return the fields for a payload."""
    fields: list[Field] = []
    rest: dict[str, Json] = {}
    for key, value in payload.items():
        kind = _kind(key, value)
        if kind is None or len(fields) >= MOST_FIELDS:
            rest[key] = value
        else:
            text = _text(value)
            fields.append(Field(name=f"{PREFIX}{key}", key=key, kind=kind, value=text))
    return PayloadForm(fields=tuple(fields), rest=_pretty(rest) if rest or not fields else None)


def is_field(name: str) -> bool:
    """Tell whether a field of a form belongs to a payload."""
    return name == REST or name.startswith(PREFIX)


def payload_in(payload: Mapping[str, Json], sent: Mapping[str, str]) -> dict[str, Json]:
    """Return what was made of a payload; raises `Faulty`."""
    form = form_of(payload)
    known = {field.name: field for field in form.fields}
    faults: dict[str, str] = {}
    found: dict[str, Json] = {}
    for name, field in known.items():
        try:
            found[field.key] = _value(payload[field.key], field, sent.get(name))
        except ValueError as error:
            faults[name] = str(error)
    rest: dict[str, Json] = {}
    if form.rest is not None:
        try:
            rest = _rest(sent.get(REST), found)
        except ValueError as error:
            faults[REST] = str(error)
    if any(is_field(name) and name != REST and name not in known for name in sent):
        raise Invalid("This has other fields now: load the page again.")
    if faults:
        raise Faulty(faults)
    everything = {**found, **rest}
    order = [*(key for key in payload if key in everything), *everything]
    return {key: everything[key] for key in order}


def field_at(pointer: str, payload: Mapping[str, Json]) -> str | None:
    """Return the field for a JSON pointer below `/payload`; None for a place outside of it."""
    top, _, below = pointer.lstrip("/").partition("/")
    if top != "payload":
        return None
    key = below.partition("/")[0].replace("~1", "/").replace("~0", "~")
    form = form_of(payload)
    for field in form.fields:
        if field.key == key:
            return field.name
    return REST if form.rest is not None else None


def _kind(key: str, value: Json) -> Kind | None:
    if len(key) > MOST_KEY or not key.isprintable():
        return None
    match value:
        case bool():
            return "choice"
        case int() | float():
            return "number"
        case str() if all(one.isprintable() or one in "\n\t" for one in value):
            return "lines" if "\n" in value or len(value) > ONE_LINE else "text"
        case _:
            # Nothing, lists, objects, and texts of which a browser would send back another one.
            return None


def _text(value: Json) -> str:
    match value:
        case bool():
            return "yes" if value else ""
        case str():
            return value
        case _:
            return msgspec.json.encode(value).decode()


def _value(old: Json, field: Field, sent: str | None) -> Json:
    if field.kind == "choice":
        return sent is not None
    if sent is None:
        raise ValueError("This is missing: load the page again.")
    text = _BREAK.sub("\n", sent)
    if field.kind != "number":
        return text
    return _number(text.strip(), whole=isinstance(old, int))


def _number(text: str, *, whole: bool) -> int | float:
    if _NUMBER.fullmatch(text):
        number = int(text) if whole and _WHOLE.fullmatch(text) else float(text)
        if math.isfinite(number):
            return number
    raise ValueError("Write a number, with a point before decimals, such as 750.50.")


def _rest(sent: str | None, found: Mapping[str, Json]) -> dict[str, Json]:
    if sent is None:
        raise ValueError("This is missing: load the page again.")
    try:
        rest = read_json(sent.encode(), _objects)
    except (Invalid, UnicodeEncodeError) as error:
        raise ValueError(f"Write a JSON object. {error}") from error
    twice = next((key for key in rest if key in found), None)
    if twice is not None:
        raise ValueError(f"{twice[:MOST_KEY]}: has a field of its own above; leave it out here.")
    return rest


def _pretty(value: Json) -> str:
    """Return JSON in which everything can be seen, and comes back from a browser as it was."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(
        one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text
    )
