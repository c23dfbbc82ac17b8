"""Turns a record of a source into an observation, or says which of its fields cannot be mapped."""

import json
from contextlib import suppress
from datetime import datetime

from events.approval import Json, Outcome
from events.digest import payload_digest
from events.observation import Observation, RecordState
from services.sources import Malformed, values
from services.sources.content import ContentMapper, FieldFault, checked, line_of, picked
from services.sources.definition import SourceDefinition
from services.sources.expressions import Inapplicable

MAX_ROW_BYTES = 64 * 1024
MAX_NOTES = 1000
MAX_REASON_CHARS = 500


class Unmappable(Exception):
    """A record has a field that cannot be mapped: park `row`, and go on with the others."""

    def __init__(self, row: Malformed) -> None:
        super().__init__(row.reason)
        self.row = row


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
        self._content = ContentMapper(definition.name, definition.file.mapping)
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
        """Return the texts of a record's work notes, in the order in which they come."""
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
        except FieldFault as error:
            raise Unmappable(self._malformed(row, record_id, error.key, str(error))) from error

    def _record_id(self, row: Json, expected_id: str | None) -> str:
        if not isinstance(row, dict):
            raise FieldFault("map", f"the record must be an object, not {values.shown(row)}")
        found_id = picked("map.record_id", self._file.mapping.record_id, row)
        record_id = checked("map.record_id", values.record_id, found_id)
        if expected_id is not None and record_id != expected_id:
            raise FieldFault("get.record", f"is the record {record_id}, not {expected_id}")
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
                value = picked("map.state", self._file.mapping.state, row)
                if value is None:
                    raise FieldFault("map.state", "is missing")
                raise FieldFault(
                    "map.state", f"is {values.shown(value)}, which `states` says nothing about"
                )

    def _state(self, row: Json) -> str:
        expression = self._file.mapping.state
        if expression is None:
            return "pending"
        value = picked("map.state", expression, row)
        if isinstance(value, dict | list):
            return "unknown"
        return self._states.get((type(value), value), "unknown")

    def _check_requirements(self, row: Json) -> None:
        for at, requirement in enumerate(self._file.require):
            try:
                met = requirement.holds(row)
            except Inapplicable as error:
                raise FieldFault(f"require[{at}]", str(error)) from error
            if not met:
                raise FieldFault(f"require[{at}]", f"`{requirement.text}` does not hold")

    def _kept(self, row: Json) -> bool:
        if self._file.keep is None:
            return True
        try:
            return self._file.keep.holds(row)
        except Inapplicable as error:
            raise FieldFault("keep", str(error)) from error

    def _pending(self, row: Json, record_id: str, read_at: datetime) -> Observation:
        content, digest = self._content.of(row)
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
        with suppress(FieldFault):
            revision = self._revision(row)
        with suppress(FieldFault):
            by = line_of(
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
        return checked(
            "map.revision",
            lambda value: values.word(value, values.MAX_REVISION_CHARS),
            picked("map.revision", expression, row),
        )

    def _malformed(self, row: Json, record_id: str | None, key: str, sentence: str) -> Malformed:
        reason = f"{key}: {sentence}" if key else sentence
        return Malformed(
            record_id=record_id,
            reason=reason.replace("\x00", "?")[:MAX_REASON_CHARS],
            row=row_bytes(row),
            field=key,
        )
