"""Whom a file names: people, groups, roles, managers, and who stands in what is asked."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from events.approval import Json, Person
from services.directory import Directory, label
from services.directory.fields import LABEL
from services.policies.facts import Facts
from services.web.emails import NotAnAddress, email

Kind = Literal["address", "group", "role", "requester", "silent", "payload", "record"]
"""`silent` are the managers of who has not answered; `record` is whom the ask itself named."""

MOST_IN_PAYLOAD = 50
_ROLE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FIELD = re.compile(r"payload((?:\.[A-Za-z_][A-Za-z0-9_-]{0,99}){1,10})")
_WORDS: dict[str, Kind] = {
    "requester.manager": "requester",
    "approver.manager": "silent",
    "record.approvers": "record",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """Somebody, or several, as a file names them: `text` is that, `value` what stands for them."""

    kind: Kind
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """The people that were found, each with the groups they stand for, and what went wrong."""

    people: dict[str, Person]
    groups: dict[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def spec_of(text: str) -> Spec:
    """Return whom a text names; raises `ValueError` with a sentence for nobody."""
    text = text.strip()
    if text in _WORDS:
        return Spec(_WORDS[text], "", text)
    if text.startswith("group:"):
        group = label(text.removeprefix("group:"))
        if not LABEL.fullmatch(group):
            raise ValueError("names no group: write group:NAME")
        return Spec("group", group, text)
    if "@" in text:
        try:
            return Spec("address", email(text), text)
        except NotAnAddress as error:
            raise ValueError(str(error)) from None
    if field := _FIELD.fullmatch(text):
        return Spec("payload", field[1].removeprefix("."), text)
    role = text.removeprefix("role:")
    if _ROLE.fullmatch(role):
        return Spec("role", role, text)
    raise ValueError(
        f"{text[:100]!r} names nobody: write an address, a role, group:NAME, requester.manager, "
        "payload.FIELD or record.approvers"
    )


def found(
    specs: Iterable[Spec], facts: Facts, directory: Directory, silent: Sequence[str] = ()
) -> Found:
    """Return whom specs name now, in their order, each person once; `silent` has not answered."""
    people: dict[str, Person] = {}
    groups: dict[str, tuple[str, ...]] = {}
    warnings: list[str] = []
    for spec in specs:
        named = _named(spec, facts, directory, silent, warnings)
        if not named:
            warnings.append(f"{spec.text}: nobody was found.")
        for person in named:
            people.setdefault(person.email, directory.known(person))
            if spec.kind == "group":
                before = groups.get(person.email, ())
                groups[person.email] = tuple(dict.fromkeys((*before, spec.value)))
    return Found(people, groups, tuple(dict.fromkeys(warnings)))


def addresses(specs: Sequence[Spec], directory: Directory) -> tuple[str, ...]:
    """Return the addresses that specs stand for, or a spec's own text where it depends."""
    shown: dict[str, None] = {}
    for spec in specs:
        match spec.kind:
            case "address":
                shown[spec.value] = None
            case "group":
                shown.update({one.email: None for one in directory.in_group(spec.value)})
            case "role":
                shown.update({one.email: None for one in directory.with_role(spec.value)})
            case "requester" | "silent" | "payload" | "record":
                shown[spec.text] = None
            case _:
                assert_never(spec.kind)
    return tuple(shown)


def _named(
    spec: Spec,
    facts: Facts,
    directory: Directory,
    silent: Sequence[str],
    warnings: list[str],
) -> Sequence[Person]:
    match spec.kind:
        case "address":
            return (Person(email=spec.value),)
        case "group":
            return directory.in_group(spec.value)
        case "role":
            return directory.with_role(spec.value)
        case "requester":
            return _managers((facts.about.requester.email,), directory)
        case "silent":
            return _managers(silent, directory)
        case "payload":
            return _in_payload(spec, facts.payload, warnings)
        case "record":
            return facts.approvers
        case _:
            assert_never(spec.kind)


def _managers(people: Sequence[str], directory: Directory) -> Sequence[Person]:
    managers = (directory.manager_of(one) for one in people)
    return [manager for manager in managers if manager is not None]


def _in_payload(spec: Spec, payload: Json, warnings: list[str]) -> Sequence[Person]:
    value = payload
    for part in spec.value.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    listed = value if isinstance(value, list) else [value] if value is not None else []
    if len(listed) > MOST_IN_PAYLOAD:
        warnings.append(f"{spec.text}: only the first {MOST_IN_PAYLOAD} of {len(listed)} count.")
    people: list[Person] = []
    for one in listed[:MOST_IN_PAYLOAD]:
        try:
            people.append(Person(email=email(one if isinstance(one, str) else str(one)[:100])))
        except NotAnAddress as error:
            warnings.append(f"{spec.text}: {error}.")
    return people
