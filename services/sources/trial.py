"""Tries a source file against the live system, only reading, and says what it made of it."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import islice
from urllib.parse import urlsplit

import httpx2

from events.approval import Json
from events.observation import Observation
from services.sources import Answer, Malformed, Reading, SourceRefused, SourceUnavailable, times
from services.sources.budget import Allowance, Budget, MemoryBucket
from services.sources.connection import NoAuth
from services.sources.definition import SourceDefinition
from services.sources.expressions import Inapplicable
from services.sources.http import HttpSource, now_utc
from services.sources.listing import TimeCursor
from services.sources.mapping import RecordMapper
from services.sources.templates import Template
from services.sources.trial_report import BadRow, Finding, Level, TrialReport
from services.sources.values import shown
from services.sources.writing import answer_context, filled, prepared
from services.yaml_files.numbered_yaml import Path

_CREDENTIALS_REFUSED = frozenset({401, 403})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SHOWN_NAMES = 5


async def try_source(
    definition: SourceDefinition, http_client: httpx2.AsyncClient, *, pages: int = 1
) -> TrialReport:
    """Read up to `pages` pages and the first record; raises nothing: all is in the report."""
    trial = _Trial(definition)
    rate = definition.file.http.rate
    budget = Budget(MemoryBucket(), Allowance(limit=rate.limit, per=rate.per), rate.concurrency)
    await trial.run(HttpSource(definition, http_client, budget), pages)
    return trial.report


def try_sample(definition: SourceDefinition, body: Json) -> TrialReport:
    """Map a listing that was saved before, without asking the system anything."""
    trial = _Trial(definition)
    listing = definition.file.listing
    try:
        rows = listing.records.of(body)
    except Inapplicable as error:
        rows, problem = None, str(error)
    else:
        problem = f"`{listing.records.text}` picks no list from the sample"
    if isinstance(rows, list):
        trial.take(rows, now_utc())
        trial.conclude()
    else:
        trial.find("error", problem, ("list", "records"))
    return trial.report


class _Trial:
    def __init__(self, definition: SourceDefinition) -> None:
        self._definition = definition
        self._file = definition.file
        self._mapper = RecordMapper(definition)
        self.report = TrialReport(
            source=definition.name, file=definition.path, base_url=definition.file.http.base_url
        )

    def find(self, level: Level, sentence: str, path: Path = ()) -> None:
        line = self._line(path) if path else None
        self.report.findings.append(Finding(level=level, sentence=sentence, line=line))

    async def run(self, source: HttpSource, pages: int) -> None:
        self._check_transport()
        query = filled(self._file.listing.sweep.query, {})
        if not await self._list(source, query, pages):
            return
        await self._poll(source)
        await self._read(source)
        self.conclude()

    async def _list(self, source: HttpSource, query: Mapping[str, str], pages: int) -> bool:
        count = 0
        try:
            async with aclosing(source.pages(query)) as listed:
                async for received, _, rows in listed:
                    self.take(rows, received.began)
                    count += 1
                    if count >= pages:
                        break
        except SourceUnavailable as error:
            self.find("error", str(error), ("http", "base_url"))
            return False
        except SourceRefused as error:
            self._refused(error, ("list", "path"))
            return False
        return True

    def take(self, rows: list[Json], read_at: datetime) -> None:
        """Map rows of a listing into the report."""
        for row in rows:
            match self._mapper.listed(row, read_at):
                case Observation() as observation:
                    self.report.records.append(observation)
                case Malformed() as bad:
                    line = self._line(self._path(bad.field))
                    self.report.malformed.append(
                        BadRow(record_id=bad.record_id, reason=bad.reason, line=line)
                    )
                case None:
                    self.report.left_out += 1
        self._check_times(rows)

    def _check_times(self, rows: list[Json]) -> None:
        cursor = self._file.listing.cursor
        records = [row for row in rows if isinstance(row, dict)]
        if not isinstance(cursor, TimeCursor) or not records:
            return
        for row in records:
            try:
                value = cursor.field.of(row)
            except Inapplicable:
                value = None
            if times.parsed(value, cursor.format) is not None:
                return
        self.find(
            "error",
            f"list.cursor.field: {shown(value)} is no time of the format {cursor.format}: polls "
            "could not go on from it",
            ("list", "cursor", "field"),
        )

    async def _poll(self, source: HttpSource) -> None:
        cursor = self._file.listing.cursor
        if cursor is None:
            self.find("note", "No list.cursor: changes are seen by sweeps only", ("list",))
            return
        begin = None
        if isinstance(cursor, TimeCursor):
            begin = times.kept(datetime.now(UTC) - timedelta(hours=1))
        try:
            async with aclosing(source.changed(begin)) as changed:
                await anext(changed)
        except SourceUnavailable as error:
            self.find("error", str(error), ("list", "cursor"))
        except SourceRefused as error:
            self._refused(error, ("list", "cursor"))

    async def _read(self, source: HttpSource) -> None:
        first = next((one for one in self.report.records if one.state == "pending"), None)
        if first is None:
            return
        try:
            reading = await source.read(first.record_id)
        except SourceUnavailable as error:
            self.find("error", str(error), ("get",))
        except SourceRefused as error:
            self._refused(error, ("get",))
        else:
            self._compare(first, reading)
            self._check_precondition(reading)
            self._preview(first, reading)

    def _compare(self, listed: Observation, reading: Reading) -> None:
        """A write-back compares what was listed with what is read: they must say the same."""
        alone = reading.observation
        if alone.state != "pending":
            self.find(
                "error",
                f"record {listed.record_id} is listed as pending, but reads as {alone.state}",
                ("get", "path"),
            )
            return
        if alone.revision != listed.revision:
            self.find(
                "error",
                f"record {listed.record_id} has the revision {listed.revision} in the listing, and "
                f"{alone.revision} by itself: every answer would be refused as outdated",
                ("map", "revision"),
            )
        elif alone.content != listed.content:
            self.find(
                "error",
                f"record {listed.record_id} reads differently by itself than in the listing: every "
                "answer would be taken for outdated. Map only what both show",
                ("map", "payload"),
            )

    def _check_precondition(self, reading: Reading) -> None:
        etag = self._file.get.etag
        if self._file.decide is None:
            self.find("note", "No `decide`: answers have to be given in the system itself")
        elif etag is None:
            self.find(
                "note",
                "No get.etag: an answer is written after a comparison, not on a condition",
                ("get",),
            )
        elif reading.precondition is None:
            place = etag.header or (etag.field.text if etag.field else "")
            self.find(
                "error",
                f"get.etag: the record came without {place}, or with a weak one (W/…): answers "
                "could not be made conditional",
                ("get", "etag"),
            )
        if self._file.act_as is not None:
            self.find("note", "act_as: answers are written by each approver's own account")

    def _preview(self, first: Observation, reading: Reading) -> None:
        if self._file.decide is None or first.content is None:
            return
        approver = first.content.approvers[0]
        answer = Answer(
            record_id=first.record_id,
            approval_id="2x4Jw1a9dEXAMPLEofANid00000",
            outcome="approved",
            by_email=approver.email,
            by_name=approver.name,
            reason="Fine.",
            precondition=reading.precondition,
            idempotency_key="EXAMPLE-KEY",
        )
        try:
            self.report.answer = prepared(self._file.decide.approve, answer_context(answer))
        except SourceRefused as error:
            self.find("error", str(error), ("decide", "approve", "path"))

    def conclude(self) -> None:
        """Say what stands out of all that was mapped."""
        report = self.report
        first = next((one for one in report.records if one.content is not None), None)
        if first is not None and first.content is not None and self._file.card is not None:
            payload = first.content.payload
            context = payload if isinstance(payload, dict) else {"payload": payload}
            card = self._file.card
            report.card = (card.title.render(context), card.body.render(context))
            for key, template in (("title", card.title), ("body", card.body)):
                self._check_names(template, context, ("card", key))
        if not report.records and not report.malformed:
            self.find(
                "warning",
                "Nothing is listed as pending: make a record to see more, or look at the query",
                ("list",),
            )
        if self._file.webhook is not None and self._file.webhook.secret is None:
            self.find("note", "The webhook is off: its secret is not set", ("webhook",))

    def _check_names(self, template: Template, context: Mapping[str, Json], path: Path) -> None:
        absent = sorted({name for name in template.names if name.split(".")[0] not in context})
        if absent:
            names = ", ".join(islice(absent, _SHOWN_NAMES))
            self.find("warning", f"{names}: not in the payload, so the card shows nothing", path)

    def _check_transport(self) -> None:
        http = self._file.http
        parts = urlsplit(http.base_url)
        if (
            parts.scheme == "http"
            and parts.hostname not in _LOOPBACK
            and not isinstance(http.auth, NoAuth)
        ):
            self.find("warning", "Credentials travel unencrypted: use https", ("http", "base_url"))

    def _refused(self, error: SourceRefused, path: Path) -> None:
        if error.status in _CREDENTIALS_REFUSED:
            self.find("error", f"{error}. Look at the credentials", ("http", "auth"))
        else:
            self.find("error", str(error), path)

    def _line(self, path: Path) -> int | None:
        """Return the line of the nearest part of the file that is there."""
        while path:
            line = self._definition.line_of(*path)
            if line is not None:
                return line
            path = path[:-1]
        return None

    @staticmethod
    def _path(key: str) -> Path:
        """Return the path of a key such as `map.requester.email` or `require[0]`."""
        parts: list[str | int] = []
        for part in key.split("."):
            name, _, index = part.partition("[")
            parts.append(name)
            if index:
                parts.append(int(index.rstrip("]")))
        return tuple(parts)
