"""Takes in readings of one source: publishes what the queue needs to hear, parks the rest."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from events.observation import Observation
from services.poller.known import Known, KnownRecords, Parking, Publish, identity
from services.poller.recent import Recent
from services.poller.triage import Verdict, is_newer, judge
from services.sources import Malformed, Page, Source, SourceRefused

Clock = Callable[[], datetime]

BATCH = 500
READS_AT_ONCE = 4

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Where findings go and what is asked of the queue: given by who starts the poller."""

    publish: Publish
    parking: Parking
    known: KnownRecords
    clock: Clock


@dataclass(slots=True)
class Tally:
    """What one pass over a source came across.

    `set_aside` are the identities of what was parked; `unreadable` holds sentences.
    """

    pages: int = 0
    listed: int = 0
    published: int = 0
    malformed: int = 0
    read: int = 0
    set_aside: set[bytes] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)


class Intake:
    """Takes in what one source says, and remembers what was published lately."""

    def __init__(self, source: Source, outlets: Outlets) -> None:
        self.source = source
        self.outlets = outlets
        self._recent = Recent()

    async def page(self, page: Page, tally: Tally, *, sweeping: bool) -> None:
        """Take in a page; all of it is durable when this returns.

        Raises `Unavailable` when the source, the queue or the broker is: the page comes again.
        """
        workspace, source = self.source.workspace, self.source.name
        tally.pages += 1
        tally.listed += len(page.observations) + len(page.malformed)
        tally.malformed += len(page.malformed)
        await self._park(page.malformed, tally)
        for observations in batches(page.observations):
            ids = [observation.record_id for observation in observations]
            mapped = [one.record_id for one in observations if one.state == "pending"]
            if mapped:
                # First: a record that then cannot be read by itself is parked for that.
                await self.outlets.parking.unpark(workspace, source, mapped)
            known = await self.outlets.known.of(workspace, source, ids)
            await self._take(observations, known, tally, sweeping=sweeping)

    async def read(self, records: Mapping[str, Known], tally: Tally) -> Mapping[str, Observation]:
        """Read records by themselves, take in what they say, and return it.

        A record that cannot be read is parked and named in the tally. Raises `Unavailable`.
        """
        readings = await self._readings(list(records), tally)
        await self._take(list(readings.values()), records, tally, sweeping=True)
        return readings

    async def pushed(self, observation: Observation) -> bool:
        """Take in a record that the source pushed; tell whether the queue hears of it.

        The push may be older than an answer of ours: whether the record is pending again, only
        the record itself tells. Raises `Unavailable`, and `SourceRefused` if it cannot be read.
        """
        workspace, source, name = self.source.workspace, self.source.name, observation.record_id
        known = (await self.outlets.known.of(workspace, source, [name])).get(name)
        if known is not None and known.final:
            if observation.state != "pending" or not is_newer(observation, known):
                return False
            observation = (await self.source.read(name)).observation
            if observation.state != "pending":
                return False
        await self.outlets.publish([observation])
        if observation.state == "pending":
            await self.outlets.parking.unpark(workspace, source, [name])
        return True

    async def _take(
        self,
        observations: Sequence[Observation],
        known: Mapping[str, Known],
        tally: Tally,
        *,
        sweeping: bool,
    ) -> None:
        now = self.outlets.clock()
        verdicts: dict[str, tuple[Verdict, Observation]] = {}
        for one in observations:
            # Of a record that stands in the listing twice, the later row counts.
            verdict = judge(one, known.get(one.record_id), self._recent, now, sweeping=sweeping)
            verdicts[one.record_id] = (verdict, one)
        doubtful = [name for name, (verdict, _) in verdicts.items() if verdict == "read"]
        fresh = await self._readings(doubtful, tally)
        wanted = [one for verdict, one in verdicts.values() if verdict == "publish"]
        wanted += [
            one
            for one in fresh.values()
            if one.state == "pending" and is_newer(one, known[one.record_id])
        ]
        if wanted:
            await self.outlets.publish(wanted)
            tally.published += len(wanted)
            for one in wanted:
                self._recent.note(one, now)

    async def _readings(self, record_ids: Sequence[str], tally: Tally) -> dict[str, Observation]:
        found: dict[str, Observation] = {}
        for some in batches(record_ids, READS_AT_ONCE):
            results = await asyncio.gather(
                *(self._reading(one, tally) for one in some), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
                if result is not None:
                    found[result.record_id] = result
        return found

    async def _reading(self, record_id: str, tally: Tally) -> Observation | None:
        tally.read += 1
        try:
            reading = await self.source.read(record_id)
        except SourceRefused as error:
            tally.unreadable.append(str(error))
            row = Malformed(record_id=record_id, reason=str(error), row=b"")
            await self._park([row], tally)
            return None
        return reading.observation

    async def _park(self, rows: Sequence[Malformed], tally: Tally) -> None:
        for some in batches(rows):
            await self.outlets.parking.park(self.source.workspace, self.source.name, some)
            tally.set_aside.update(identity(row) for row in some)


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """Yield the items in slices of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
