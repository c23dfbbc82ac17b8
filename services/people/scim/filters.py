"""Reads SCIM's filters and paths: as much of their grammar as identity providers send."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.people.scim.messages import ENTERPRISE, GROUP, USER, ScimError

LONGEST = 1000

_NAME = r"[A-Za-z$][A-Za-z0-9_$-]*"
_VALUE = r'"(?:[^"\\]|\\.)*"|true|false|null|-?[0-9]+'
_CLAUSE = re.compile(
    rf"\s*(?P<name>{_NAME})(?:\[(?P<inner>[^\]]*)\])?(?:\.(?P<sub>{_NAME}))?"
    rf"\s+eq\s+(?P<value>{_VALUE})\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"and\s", re.IGNORECASE)
_PATH = re.compile(rf"\s*(?P<name>{_NAME})(?:\[(?P<inner>.*)\])?(?:\.(?P<sub>{_NAME}))?\s*")


@dataclass(frozen=True, slots=True)
class Clause:
    """An attribute equals a value: `name` in lower case, with `.sub` where one is named."""

    name: str
    value: str | bool | None

    def holds(self, item: Mapping[str, Any]) -> bool:
        """Tell whether an item of a list has it; `True` and `"true"` are the same."""
        for name, value in item.items():
            if name.lower() == self.name:
                return word(value) == word(self.value)
        return self.name == "primary" and word(self.value) == "false"


@dataclass(frozen=True, slots=True)
class Path:
    """Where a change goes: an attribute, those items of it that hold, a part of it."""

    name: str
    clauses: Sequence[Clause] | None = None
    sub: str | None = None
    enterprise: bool = False


NOWHERE = Path("")


def word(value: object) -> str:
    """Return a value as values are compared: without regard to case."""
    return str(value).strip().lower()


def read_filter(text: str) -> Sequence[Clause]:
    """Return the clauses of a filter; raises `ScimError` for one that is not understood."""
    if len(text) > LONGEST:
        raise _not_understood(text, "invalidFilter")
    clauses: list[Clause] = []
    place = 0
    while True:
        found = _CLAUSE.match(_plain(text), place)
        if found is None:
            raise _not_understood(text, "invalidFilter")
        if found["inner"]:
            # Such as emails[type eq "work"].value: whichever of them it is.
            read_filter(found["inner"])
        name = found["name"] + (f".{found['sub']}" if found["sub"] else "")
        clauses.append(Clause(name.lower(), _value(found["value"])))
        place = found.end()
        if place == len(_plain(text)):
            return clauses
        joined = _AND.match(_plain(text), place)
        if joined is None:
            raise _not_understood(text, "invalidFilter")
        place = joined.end()


def read_path(text: str) -> Path:
    """Return where a change goes; raises `ScimError` for what is no path.

    A path into a schema that is not ours leads nowhere, and is none the worse for that.
    """
    enterprise = text.strip().lower().startswith(ENTERPRISE.lower())
    found = _PATH.fullmatch(_plain(text)) if len(text) <= LONGEST else None
    if enterprise and word(text) == ENTERPRISE.lower():
        return Path("", enterprise=True)
    if found is None and word(text).startswith("urn:"):
        return NOWHERE
    if found is None:
        raise _not_understood(text, "invalidPath")
    inner = found["inner"]
    return Path(
        name=found["name"].lower(),
        clauses=read_filter(inner) if inner is not None else None,
        sub=found["sub"].lower() if found["sub"] else None,
        enterprise=enterprise,
    )


def _plain(text: str) -> str:
    """Return a path without the schema that it may begin with."""
    for urn in (USER, GROUP, ENTERPRISE):
        if text.lower().startswith(f"{urn.lower()}:"):
            return text[len(urn) + 1 :]
    return text


def _value(text: str) -> str | bool | None:
    try:
        value = msgspec.json.decode(text if text.startswith('"') else text.lower())
    except msgspec.DecodeError as error:
        raise _not_understood(text, "invalidFilter") from error
    return value if isinstance(value, str | bool) or value is None else str(value)


def _not_understood(text: str, scim_type: str) -> ScimError:
    return ScimError(
        400,
        f"{text[:200]!r} is not understood: a filter is `attribute eq value`, joined by `and`.",
        scim_type,
    )
