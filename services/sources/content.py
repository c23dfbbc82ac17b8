"""Maps the fields of a pending record to the words of an approval, one by one."""

from collections.abc import Callable
from typing import TypeVar

from events.approval import Json, Person, Urgency
from events.observation import ObservedContent
from services.sources import values
from services.sources.definition import PersonMap, RecordMap
from services.sources.expressions import Expression, Inapplicable
from services.sources.templates import Template
from services.sources.values import Wrong

MAX_APPROVERS = 50

Checked = TypeVar("Checked")

_URGENCIES: dict[str, Urgency] = {"low": "low", "medium": "medium", "high": "high"}


class FieldFault(Exception):
    """One field cannot be mapped: `key` is where the source file maps it."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


class ContentMapper:
    """The content part of a source file's `map`."""

    def __init__(self, source: str, mapping: RecordMap) -> None:
        self._source = source
        self._mapping = mapping

    def of(self, row: Json) -> tuple[ObservedContent, str]:
        """Return the content and the digest of its payload; raises `FieldFault`."""
        mapping = self._mapping
        title = line_of("map.title", mapping.title, row, values.MAX_TITLE_CHARS)
        if title is None:
            raise FieldFault("map.title", "is missing")
        payload = picked("map.payload", mapping.payload, row)
        digest = checked("map.payload", values.payload, payload)
        reason = picked("map.reason", mapping.reason, row)
        content = ObservedContent(
            type=line_of("map.type", mapping.type, row, values.MAX_NAME_CHARS) or self._source,
            title=title,
            payload=payload,
            requester=self._person("map.requester", mapping.requester, row),
            approvers=self._approvers(row),
            reason=checked(
                "map.reason", lambda value: values.prose(value, values.MAX_REASON_CHARS), reason
            ),
            urgency=self._urgency(row),
            url=checked("map.url", values.url, picked("map.url", mapping.url, row)),
        )
        return content, digest

    def _approvers(self, row: Json) -> tuple[Person, ...]:
        mapping = self._mapping.approvers
        entries = picked("map.approvers.each", mapping.each, row)
        if not isinstance(entries, list):
            raise FieldFault("map.approvers.each", f"must be a list, not {values.shown(entries)}")
        people: dict[str, Person] = {}
        for entry in entries:
            if entry is not None:
                person = self._person("map.approvers", mapping, entry)
                people.setdefault(person.email, person)
        if not people:
            raise FieldFault("map.approvers.each", "names nobody, so that nobody could answer")
        if len(people) > MAX_APPROVERS:
            raise FieldFault("map.approvers.each", f"names more than {MAX_APPROVERS} people")
        return tuple(people.values())

    def _person(self, key: str, mapping: PersonMap, value: Json) -> Person:
        address = picked(f"{key}.email", mapping.email, value)
        name = line_of(f"{key}.name", mapping.name, value, values.MAX_NAME_CHARS)
        return Person(email=checked(f"{key}.email", values.email, address), name=name)

    def _urgency(self, row: Json) -> Urgency:
        given = line_of("map.urgency", self._mapping.urgency, row, values.MAX_NAME_CHARS)
        if given is None:
            return "medium"
        urgency = _URGENCIES.get(given.lower())
        if urgency is None:
            raise FieldFault(
                "map.urgency", f"must be low, medium or high, not {values.shown(given)}"
            )
        return urgency


def line_of(key: str, source: Expression | Template | None, row: Json, limit: int) -> str | None:
    """Return a text on one line, None for nothing; raises `FieldFault`."""
    return checked(key, lambda value: values.line(value, limit), picked(key, source, row))


def picked(key: str, source: Expression | Template | None, row: Json) -> Json:
    """Return what the file picks from a record for `key`; raises `FieldFault`."""
    if source is None:
        return None
    if isinstance(source, Template):
        return source.render({"row": row})
    try:
        return source.of(row)
    except Inapplicable as error:
        raise FieldFault(key, str(error)) from error


def checked(key: str, check: Callable[[Json], Checked], value: Json) -> Checked:
    """Return what `check` makes of a value; raises `FieldFault` when it finds it wrong."""
    try:
        return check(value)
    except Wrong as error:
        raise FieldFault(key, str(error)) from error
