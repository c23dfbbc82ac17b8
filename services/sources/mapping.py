"""Turns a record of a source into an observation, or says which of its fields cannot be mapped."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from events.approval import Json, Outcome, Person, Urgency
from events.digest import payload_digest
from events.observation import Observation, ObservedContent, RecordState
from services.sources import Malformed, values
from services.sources.definition import PersonMap, SourceDefinition
from services.sources.expressions import Expression, Inapplicable
from services.sources.templates import Template
from services.sources.values import Wrong

MAX_ROW_BYTES = 64 * 1024
MAX_APPROVERS = 50
MAX_NOTES = 1000
MAX_REASON_CHARS = 500

Checked = TypeVar("Checked")

_URGENCIES: dict[str, Urgency] = {"low": "low", "medium": "medium", "high": "high"}


class Unmappable(Exception):
    """A record has a field that cannot be mapped: park `row`, and go on with the others."""

    def __init__(self, row: Malformed) -> None:
        super().__init__(row.reason)
        self.row = row


class _Field(Exception):
    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


def row_bytes(row: Json) -> bytes:
    """Return a row's JSON for somebody to look at, cut at 64 KiB."""
    try:
        return json.dumps(row, ensure_ascii=True).encode()[:MAX_ROW_BYTES]
    except (ValueError, RecursionError):
        return b""


class RecordMapper:
    """The `map`, `states` and `keep` of one source file, applied to records."""

    def __init__(self, definition: SourceDefinition) -> None:
        self._workspace = definition.workspace
        self._source = definition.name
        self._file = definition.file
        self._states: dict[tuple[type, Json], str] = {}
        if self._file.states is not None:
            for name in type(self._file.states).model_fields:
                for value in getattr(self._file.states, name):
                    self._states[type(value), value] = name

    def listed(self, row: Json, read_at: datetime) -> Observation | Malformed | None:
        """Return what a row of a listing says; None for a row that is not for us."""
        try:
            return self._observation(row, read_at, None, alone=False)
        except Unmappable as error:
            return error.row

    def alone(self, record: Json, record_id: str | None, read_at: datetime) -> Observation:
        """Return what a record read by itself says; raises `Unmappable`.

        A pending record that `keep` does not want is gone as far as we are concerned, and one in
        an ignored state is cancelled: either way nobody here can answer it any more.
        """
        observation = self._observation(record, read_at, record_id, alone=True)
        if observation is None:  # cannot be: every record read alone says something
            raise Unmappable(self._malformed(record, record_id, "", "says nothing"))
        return observation

    def notes(self, record: Json) -> tuple[str, ...]:
        """Return the texts of a record's work notes, newest or oldest first as they come."""
        if self._file.notes is None:
            return ()
        try:
            found = self._file.notes.of(record)
        except Inapplicable:
            return ()
        texts = found if isinstance(found, list) else [found]
        return tuple(text for text in texts if isinstance(text, str))[-MAX_NOTES:]

    def _observation(
        self, row: Json, read_at: datetime, expected_id: str | None, *, alone: bool
    ) -> Observation | None:
        record_id = expected_id
        try:
            record_id = self._record_id(row, expected_id)
            return self._meaning(row, record_id, read_at, alone=alone)
        except _Field as error:
            raise Unmappable(self._malformed(row, record_id, error.key, str(error))) from error

    def _record_id(self, row: Json, expected_id: str | None) -> str:
        if not isinstance(row, dict):
            raise _Field("map", f"the record must be an object, not {values.shown(row)}")
        found_id = self._pick("map.record_id", self._file.mapping.record_id, row)
        record_id = _check("map.record_id", values.record_id, found_id)
        if expected_id is not None and record_id != expected_id:
            raise _Field("get.record", f"is the record {record_id}, not {expected_id}")
        return record_id

    def _meaning(
        self, row: Json, record_id: str, read_at: datetime, *, alone: bool
    ) -> Observation | None:
        state = self._state(row)
        if state in {"pending", "ignored", "unknown"} and not self._kept(row):
            return self._settled(row, record_id, read_at, "gone", None) if alone else None
        match state:
            case "pending":
                self._check_requirements(row)
                return self._pending(row, record_id, read_at)
            case "approved" | "rejected":
                outcome: Outcome = "approved" if state == "approved" else "rejected"
                return self._settled(row, record_id, read_at, "settled", outcome)
            case "settled":
                return self._settled(row, record_id, read_at, "settled", None)
            case "cancelled":
                return self._settled(row, record_id, read_at, "cancelled", None)
            case "ignored":
                return self._settled(row, record_id, read_at, "cancelled", None) if alone else None
            case _:
                value = self._pick("map.state", self._file.mapping.state, row)
                if value is None:
                    raise _Field("map.state", "is missing")
                raise _Field(
                    "map.state", f"is {values.shown(value)}, which `states` says nothing about"
                )

    def _state(self, row: Json) -> str:
        expression = self._file.mapping.state
        if expression is None:
            return "pending"
        value = self._pick("map.state", expression, row)
        if isinstance(value, dict | list):
            return "unknown"
        return self._states.get((type(value), value), "unknown")

    def _check_requirements(self, row: Json) -> None:
        for at, requirement in enumerate(self._file.require):
            try:
                met = requirement.holds(row)
            except Inapplicable as error:
                raise _Field(f"require[{at}]", str(error)) from error
            if not met:
                raise _Field(f"require[{at}]", f"`{requirement.text}` does not hold")

    def _kept(self, row: Json) -> bool:
        if self._file.keep is None:
            return True
        try:
            return self._file.keep.holds(row)
        except Inapplicable as error:
            raise _Field("keep", str(error)) from error

    def _pending(self, row: Json, record_id: str, read_at: datetime) -> Observation:
        content, digest = self._content(row)
        revision = self._revision(row)
        if revision is None:
            revision = payload_digest(
                {
                    "type": content.type,
                    "title": content.title,
                    "payload": digest,
                    "approvers": sorted(person.email for person in content.approvers),
                }
            )
        return Observation(
            workspace=self._workspace,
            source=self._source,
            record_id=record_id,
            revision=revision,
            state="pending",
            read_at=read_at,
            content=content,
        )

    def _settled(
        self,
        row: Json,
        record_id: str,
        read_at: datetime,
        state: RecordState,
        outcome: Outcome | None,
    ) -> Observation:
        # That it is settled must get through, even when how or by whom makes no sense.
        revision = by = None
        with suppress(_Field):
            revision = self._revision(row)
        with suppress(_Field):
            by = self._line(
                "map.settled_by", self._file.mapping.settled_by, row, values.MAX_EMAIL_CHARS
            )
        return Observation(
            workspace=self._workspace,
            source=self._source,
            record_id=record_id,
            revision=revision or "",
            state=state,
            read_at=read_at,
            outcome=outcome,
            settled_by=by,
        )

    def _revision(self, row: Json) -> str | None:
        expression = self._file.mapping.revision
        if expression is None:
            return None
        picked = self._pick("map.revision", expression, row)
        return _check(
            "map.revision", lambda value: values.word(value, values.MAX_REVISION_CHARS), picked
        )

    def _content(self, row: Json) -> tuple[ObservedContent, str]:
        mapping = self._file.mapping
        title = self._line("map.title", mapping.title, row, values.MAX_TITLE_CHARS)
        if title is None:
            raise _Field("map.title", "is missing")
        payload = self._pick("map.payload", mapping.payload, row)
        digest = _check("map.payload", values.payload, payload)
        reason = self._pick("map.reason", mapping.reason, row)
        content = ObservedContent(
            type=self._line("map.type", mapping.type, row, values.MAX_NAME_CHARS) or self._source,
            title=title,
            payload=payload,
            requester=self._person("map.requester", mapping.requester, row),
            approvers=self._approvers(row),
            reason=_check(
                "map.reason", lambda value: values.prose(value, values.MAX_REASON_CHARS), reason
            ),
            urgency=self._urgency(row),
            url=_check("map.url", values.url, self._pick("map.url", mapping.url, row)),
        )
        return content, digest

    def _approvers(self, row: Json) -> tuple[Person, ...]:
        mapping = self._file.mapping.approvers
        entries = self._pick("map.approvers.each", mapping.each, row)
        if not isinstance(entries, list):
            raise _Field("map.approvers.each", f"must be a list, not {values.shown(entries)}")
        people: dict[str, Person] = {}
        for entry in entries:
            if entry is not None:
                person = self._person("map.approvers", mapping, entry)
                people.setdefault(person.email, person)
        if not people:
            raise _Field("map.approvers.each", "names nobody, so that nobody could answer")
        if len(people) > MAX_APPROVERS:
            raise _Field("map.approvers.each", f"names more than {MAX_APPROVERS} people")
        return tuple(people.values())

    def _person(self, key: str, mapping: PersonMap, value: Json) -> Person:
        address = self._pick(f"{key}.email", mapping.email, value)
        name = self._line(f"{key}.name", mapping.name, value, values.MAX_NAME_CHARS)
        return Person(email=_check(f"{key}.email", values.email, address), name=name)

    def _urgency(self, row: Json) -> Urgency:
        given = self._line("map.urgency", self._file.mapping.urgency, row, values.MAX_NAME_CHARS)
        if given is None:
            return "medium"
        urgency = _URGENCIES.get(given.lower())
        if urgency is None:
            raise _Field("map.urgency", f"must be low, medium or high, not {values.shown(given)}")
        return urgency

    def _line(
        self, key: str, source: Expression | Template | None, row: Json, limit: int
    ) -> str | None:
        picked = self._pick(key, source, row)
        return _check(key, lambda value: values.line(value, limit), picked)

    def _pick(self, key: str, source: Expression | Template | None, row: Json) -> Json:
        if source is None:
            return None
        if isinstance(source, Template):
            return source.render({"row": row})
        try:
            return source.of(row)
        except Inapplicable as error:
            raise _Field(key, str(error)) from error

    def _malformed(self, row: Json, record_id: str | None, key: str, sentence: str) -> Malformed:
        reason = f"{key}: {sentence}" if key else sentence
        return Malformed(
            record_id=record_id,
            reason=reason.replace("\x00", "?")[:MAX_REASON_CHARS],
            row=row_bytes(row),
            field=key,
        )


def _check(key: str, check: Callable[[Json], Checked], value: Json) -> Checked:
    try:
        return check(value)
    except Wrong as error:
        raise _Field(key, str(error)) from error
