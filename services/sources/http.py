"""A system of record spoken to over HTTP, as its source file says."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime

import httpx2

from events.approval import Json
from events.observation import Observation
from services.outgoing.waiting import date_of
from services.sources import (
    Answer,
    Malformed,
    Page,
    Reading,
    SourceRefused,
    SourceUnavailable,
    paging,
    times,
)
from services.sources.budget import Budget
from services.sources.definition import SourceDefinition
from services.sources.exchange import Clock, Exchange
from services.sources.expressions import Expression, Inapplicable
from services.sources.listing import OpaqueCursor, TimeCursor
from services.sources.mapping import RecordMapper, Unmappable
from services.sources.messages import Received, Request
from services.sources.writing import Writer, filled, path_of

MAX_RECORDS = 200_000
ROWS_AT_A_TIME = 20


def now_utc() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


class HttpSource:
    """One source file at work; see `Source` for what each call promises."""

    def __init__(
        self,
        definition: SourceDefinition,
        http_client: httpx2.AsyncClient,
        budget: Budget,
        *,
        clock: Clock = now_utc,
    ) -> None:
        self.name = definition.name
        self.workspace = definition.workspace
        self._file = definition.file
        self._clock = clock
        self._mapper = RecordMapper(definition)
        self._exchange = Exchange(definition, http_client, budget, clock)
        self._writer = Writer(definition, self._exchange, self._mapper)

    async def changed(self, cursor: str | None) -> AsyncGenerator[Page, None]:
        """See `Source.changed`; a source whose file names no cursor lists all that is pending."""
        kind = self._file.listing.cursor
        if kind is None:
            async for page in self.pending():
                yield page
            return
        newest = cursor
        context = {"cursor": {"from": self._begin_from(cursor)}}
        query = {**filled(kind.query, context)}
        if kind.param is not None and context["cursor"]["from"] is not None:
            query[kind.param] = context["cursor"]["from"]
        started: datetime | None = None
        async for received, body, rows in self.pages(query):
            started = started or date_of(received.headers) or received.began
            newest = self._newest(newest, body, rows, started)
            yield await self._page(received, rows, newest)

    async def pending(self) -> AsyncGenerator[Page, None]:
        """See `Source.pending`; the cursor is the time at which the listing began."""
        kind = self._file.listing.cursor
        cursor: str | None = None
        query = filled(self._file.listing.sweep.query, {})
        async for received, body, rows in self.pages(query):
            if isinstance(kind, TimeCursor):
                cursor = cursor or times.kept(date_of(received.headers) or received.began)
            elif isinstance(kind, OpaqueCursor):
                cursor = self._mark(kind, body) or cursor
            yield await self._page(received, rows, cursor)

    async def read(self, record_id: str) -> Reading:
        """See `Source.read`."""
        get = self._file.get
        context = {"item": {"record_id": record_id}}
        received = await self._exchange.send(
            Request(
                method="GET",
                path=path_of(get.path, context),
                query=filled(get.query, context),
                headers={},
            )
        )
        if received.status in get.gone:
            return Reading(observation=self._gone(record_id, received), precondition=None)
        if not received.accepted:
            raise SourceRefused(self._exchange.words(received), status=received.status)
        record = self._picked("get.record", get.record, self._body(received))
        try:
            observation = self._mapper.alone(record, record_id, received.began)
        except Unmappable as error:
            raise SourceRefused(f"{self.name}, record {record_id}: {error}") from error
        return Reading(
            observation=observation,
            precondition=self._precondition(record, received),
            notes=self._mapper.notes(record),
        )

    async def decide(self, answer: Answer) -> None:
        """See `Source.decide`."""
        await self._writer.decide(answer)

    async def note(self, record_id: str, text: str, *, idempotency_key: str) -> None:
        """See `Source.note`."""
        await self._writer.note(record_id, text, idempotency_key)

    async def pages(
        self, query: Mapping[str, str]
    ) -> AsyncGenerator[tuple[Received, Json, list[Json]], None]:
        """Yield each page of the listing as it comes: answer, body, rows.

        `query` goes beside that of the file. Raises `SourceUnavailable`, `SourceRefused`.
        """
        listing = self._file.listing
        fixed = {**filled(listing.query, {}), **query}
        asked: paging.PageRequest | None = paging.first(listing.paginate)
        count = 0
        while asked is not None:
            received = await self._exchange.send(
                Request(
                    method="GET",
                    path=listing.path.render({}),
                    query={**fixed, **asked.params},
                    headers={},
                    link=asked.link,
                ),
                for_listing=True,
            )
            if not received.accepted:
                raise SourceRefused(self._exchange.words(received), status=received.status)
            body = self._body(received)
            rows = self._picked("list.records", listing.records, body)
            if not isinstance(rows, list):
                raise SourceRefused(
                    f"{self.name} answered {received.asked} without a list at "
                    f"`{listing.records.text}` (list.records)"
                )
            yield received, body, rows
            count += len(rows)
            asked = self._following(asked, received, body, len(rows))
            if asked is not None and (asked.number >= listing.max_pages or count > MAX_RECORDS):
                raise SourceRefused(
                    f"{self.name} lists more than {asked.number} pages ({count} records): narrow "
                    "the query, ask for larger pages or raise list.max_pages"
                )

    def _following(
        self, asked: paging.PageRequest, received: Received, body: Json, rows: int
    ) -> paging.PageRequest | None:
        arrived = paging.Arrived(body=body, headers=received.headers, rows=rows)
        try:
            return paging.following(self._file.listing.paginate, asked, arrived)
        except paging.BadPage as error:
            raise SourceRefused(f"{self.name} answered {received.asked}: {error}") from error

    async def _page(self, received: Received, rows: list[Json], cursor: str | None) -> Page:
        observations: list[Observation] = []
        malformed: list[Malformed] = []
        for at, row in enumerate(rows):
            if at % ROWS_AT_A_TIME == 0:
                await asyncio.sleep(0)  # mapping takes its time: let others have a turn
            match self._mapper.listed(row, received.began):
                case Observation() as observation:
                    observations.append(observation)
                case Malformed() as bad:
                    malformed.append(bad)
                case None:
                    pass
        return Page(observations=tuple(observations), malformed=tuple(malformed), cursor=cursor)

    def _begin_from(self, cursor: str | None) -> str | None:
        kind = self._file.listing.cursor
        if cursor is None or not isinstance(kind, TimeCursor):
            return cursor
        begin = times.begin_from(cursor, kind.lookback)
        return None if begin is None else times.written(begin, kind.format)

    def _newest(
        self, cursor: str | None, body: Json, rows: list[Json], started: datetime
    ) -> str | None:
        """Return how far the listing got.

        Never beyond its start: what changed while it ran may stand on a page that was read before.
        """
        match self._file.listing.cursor:
            case OpaqueCursor() as kind:
                return self._mark(kind, body) or cursor
            case TimeCursor() as kind:
                found = [moment for row in rows if (moment := _time(kind, row)) is not None]
                if not found:
                    return cursor
                newest = min(max(found), started)
                before = None if cursor is None else times.begin_from(cursor, 0)
                return times.kept(newest if before is None else max(newest, before))
            case None:
                return cursor

    def _mark(self, kind: OpaqueCursor, body: Json) -> str | None:
        mark = self._picked("list.cursor.field", kind.field, body)
        return str(mark) if isinstance(mark, str | int) and mark != "" else None

    def _body(self, received: Received) -> Json:
        try:
            return received.json()
        except ValueError as error:
            # Most often the page of a proxy while the source is away, not what the source says.
            raise SourceUnavailable(f"{self.name} {error}") from error

    def _picked(self, key: str, expression: Expression, body: Json) -> Json:
        try:
            return expression.of(body)
        except Inapplicable as error:
            raise SourceRefused(f"{self.name}, {key}: {error}") from error

    def _precondition(self, record: Json, received: Received) -> str | None:
        etag = self._file.get.etag
        if etag is None:
            return None
        if etag.header is not None:
            value = received.headers.get(etag.header.lower())
            # If-Match never matches a weak one: every write would be refused.
            return None if value is None or value.startswith("W/") else value
        picked = None if etag.field is None else self._picked("get.etag.field", etag.field, record)
        return str(picked) if isinstance(picked, str | int) else None

    def _gone(self, record_id: str, received: Received) -> Observation:
        return Observation(
            workspace=self.workspace,
            source=self.name,
            record_id=record_id,
            revision="",
            state="gone",
            read_at=received.began,
        )


def _time(kind: TimeCursor, row: Json) -> datetime | None:
    try:
        return times.parsed(kind.field.of(row), kind.format)
    except Inapplicable:
        return None
