"""A source, a queue and a parking place that tests can look into, and a clock that they set."""

# ruff: noqa: ARG002 - a fake takes what the real one takes

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from events.approval import Person
from events.observation import Observation, ObservedContent, RecordState
from services.poller.intake import Intake, Outlets
from services.poller.known import Known, Status, identity
from services.sources import Answer, Malformed, Page, Reading

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Queue:
    """What the queue knows, and what was published to it.

    `learns`: whether what is published becomes known at once, as with no lag at all.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.records: dict[str, Known] = {}
        self.published: list[Observation] = []
        self.learns = False
        self.error: Exception | None = None

    async def publish(self, observations: Sequence[Observation]) -> None:
        if self.error is not None:
            raise self.error
        self.published.extend(observations)
        if self.learns:
            for one in observations:
                status: Status = "pending" if one.state == "pending" else "withdrawn"
                self.knows(one.record_id, status, revision=one.revision)

    def knows(self, record_id: str, status: Status = "pending", **more: Any) -> None:
        final = status not in {"pending", "deciding"}
        given = {"revision": "1", "settled_at": self.clock.now if final else None, **more}
        self.records[record_id] = Known(approval_id=f"a-{record_id}", status=status, **given)

    async def pending(self, workspace: str, source: str) -> Mapping[str, Known]:
        # Some that are being decided too: a queue need not be exact about it.
        return {name: one for name, one in self.records.items() if not one.final}

    async def of(
        self, workspace: str, source: str, record_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        return {name: self.records[name] for name in record_ids if name in self.records}

    def take(self) -> list[tuple[str, str]]:
        """Return id and state of what was published since, and forget it."""
        taken: list[tuple[str, str]] = [(one.record_id, one.state) for one in self.published]
        self.published.clear()
        return taken


class Parking:
    def __init__(self) -> None:
        self.open: dict[bytes, Malformed] = {}

    async def park(self, workspace: str, source: str, rows: Sequence[Malformed]) -> None:
        self.open.update({identity(row): row for row in rows})

    async def unpark(self, workspace: str, source: str, record_ids: Sequence[str]) -> None:
        for name in record_ids:
            self.open.pop(identity(malformed(name)), None)

    async def unpark_unseen(
        self, workspace: str, source: str, seen: Collection[bytes], before: datetime
    ) -> None:
        self.open = {key: row for key, row in self.open.items() if key in seen}


class FakeSource:
    """Records that tests set; `listing` overrides what a listing shows, `breaks` what fails."""

    def __init__(self, clock: Clock, name: str = "acme") -> None:
        self.name = name
        self.workspace = "w1"
        self.clock = clock
        self.records: dict[str, Observation] = {}
        self.listing: list[Observation] | None = None
        self.bad: list[Malformed] = []
        self.breaks: dict[str, Exception] = {}
        self.reads: list[str] = []
        self.lists: list[tuple[Literal["changed", "pending"], str | None]] = []
        self.cursor: str | None = "c1"
        self.page_size = 2

    def put(self, record_id: str, state: RecordState = "pending", revision: str = "1") -> None:
        self.records[record_id] = self.observation(record_id, state, revision)

    def observation(
        self, record_id: str, state: RecordState = "pending", revision: str = "1"
    ) -> Observation:
        content = ObservedContent(
            type="expense",
            title=f"Item {record_id}",
            payload={"id": record_id},
            requester=Person(email="jane@example.com"),
            approvers=(Person(email="john@example.com"),),
        )
        return Observation(
            workspace=self.workspace,
            source=self.name,
            record_id=record_id,
            revision=revision,
            state=state,
            read_at=self.clock.now,
            content=content if state == "pending" else None,
        )

    async def changed(self, cursor: str | None) -> AsyncIterator[Page]:
        self.lists.append(("changed", cursor))
        async for page in self._pages(list(self.records.values())):
            yield page

    async def pending(self) -> AsyncIterator[Page]:
        self.lists.append(("pending", None))
        async for page in self._pages(
            [one for one in self.records.values() if one.state == "pending"]
        ):
            yield page

    async def _pages(self, records: list[Observation]) -> AsyncIterator[Page]:
        if self.listing is not None:
            records = self.listing
        records = [
            self.observation(one.record_id, one.state, one.revision)
            if self.listing is None
            else one
            for one in records
        ]
        size = self.page_size
        count = max(1, -(-len(records) // size))
        for number in range(count):
            if f"page {number}" in self.breaks:
                raise self.breaks[f"page {number}"]
            yield Page(
                observations=tuple(records[number * size : (number + 1) * size]),
                malformed=tuple(self.bad) if number == 0 else (),
                cursor=self.cursor,
            )

    async def read(self, record_id: str) -> Reading:
        self.reads.append(record_id)
        if record_id in self.breaks:
            raise self.breaks[record_id]
        known = self.records.get(record_id)
        state, revision = (known.state, known.revision) if known else ("gone", "")
        return Reading(observation=self.observation(record_id, state, revision), precondition=None)

    async def decide(self, answer: Answer) -> None:
        raise AssertionError("a poller decides nothing")

    async def note(self, record_id: str, text: str, *, idempotency_key: str) -> None:
        raise AssertionError("a poller writes nothing")


def malformed(record_id: str | None, row: bytes = b"{}") -> Malformed:
    return Malformed(record_id=record_id, reason="map.title: is missing", row=row)


class Desk:
    """All of it together."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.queue = Queue(self.clock)
        self.parking = Parking()
        self.source = FakeSource(self.clock)
        self.outlets = Outlets(
            publish=self.queue.publish,
            parking=self.parking,
            known=self.queue,
            clock=self.clock,
        )
        self.intake = Intake(self.source, self.outlets)
