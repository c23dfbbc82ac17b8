"""Finds what is due again, takes it fairly by endpoint, and hands it to the lanes."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import NoReturn

from events.codec import Unreadable, decode
from events.envelope import Recorded
from events.store import Unavailable
from services.webhooks.bodies import body_of
from services.webhooks.deliveries import Deliveries, Job, Outcome, Taken
from services.webhooks.endpoints import Key
from services.webhooks.lanes import Lanes
from services.webhooks.messages import Message
from services.webhooks.results import Results
from services.webhooks.sending import Sender

EVERY_S = 1.0
PAUSE_S = 0.05
"""Between two sweeps that are wanted at once."""
STEP = 500
"""Endpoints that one look finds."""
STEPS = 20
EACH = 50
"""The most that one sweep takes for one endpoint."""
TOGETHER = 500
"""The most that one statement takes."""
NOWHERE: Key = ("", "")

logger = logging.getLogger(__name__)


class Sweeper:
    """The retries, and everything that no lane had room for; any number of these may run."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        lanes: Lanes,
        sender: Sender,
        results: Results,
        clock: Callable[[], datetime],
        public_url: str,
        lease_s: float,
        wanted: asyncio.Event,
    ) -> None:
        self._deliveries = deliveries
        self._lanes = lanes
        self._sender = sender
        self._results = results
        self._clock = clock
        self._public_url = public_url
        self._lease = timedelta(seconds=lease_s)
        self._wanted = wanted
        self._after = NOWHERE

    async def run(self) -> NoReturn:
        """Sweep when it is time, or wanted, until cancelled."""
        while True:
            self._wanted.clear()
            try:
                await self.sweep()
            except Unavailable as error:
                logger.warning("retries of webhooks wait: %s", error)
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._wanted.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(PAUSE_S)

    async def sweep(self) -> int:
        """Take what is due and return how much that was; raises `Unavailable`."""
        taken = 0
        for _ in range(STEPS):
            found = await self._deliveries.waiting(self._after, STEP)
            now = self._clock()
            rooms = {key: self._room(key) for key, due_at in found if due_at <= now}
            for part in _parts({key: room for key, room in rooms.items() if room}):
                taken += await self._take(part)
            if len(found) < STEP:
                self._after = NOWHERE
                break
            self._after = found[-1][0]
        return taken

    def _room(self, key: Key) -> int:
        room = min(self._lanes.room(key), EACH)
        if room == 0:
            self._lanes.note_behind(key)
        return room

    async def _take(self, rooms: Mapping[Key, int]) -> int:
        now = self._clock()
        leased_until = now + self._lease
        taken = await self._deliveries.take(rooms, now, leased_until)
        by_endpoint = sorted(taken, key=lambda one: one.endpoint.key)
        for key, group in groupby(by_endpoint, key=lambda one: one.endpoint.key):
            of_it = list(group)
            for one in of_it:
                self._hand_over(one, leased_until)
            if len(of_it) == rooms[key]:
                self._lanes.note_behind(key)
        return len(taken)

    def _hand_over(self, taken: Taken, leased_until: datetime) -> None:
        row = taken.row
        try:
            body = self._body(taken)
        except Unreadable as error:
            self._results.add(self._unreadable(taken, str(error)))
            return
        job = Job(
            number=row["number"],
            endpoint=taken.endpoint,
            message_id=row["message_id"],
            url=row["url"] or taken.endpoint.url,
            body=body,
            tries=row["tries"],
            leased_until=leased_until,
        )
        if self._lanes.reserve(taken.endpoint.key):
            self._sender.hand_over(job)
        else:
            self._results.give_back([job])

    def _body(self, taken: Taken) -> bytes:
        row = taken.row
        if row["body"] is not None:
            kept: str = row["body"]
            return kept.encode()
        if row["data"] is None:
            raise Unreadable("The event of this delivery is not in the store.")
        asked = None
        if row["asked_data"] is not None:
            asked = _recorded(taken, "asked_", "asked_type", row["asked_version"])
        message = Message(row["type"], _recorded(taken, "", "event_type", row["version"]), asked)
        return body_of(message, self._public_url, is_callback=taken.endpoint.kind == "callback")

    def _unreadable(self, taken: Taken, why: str) -> Outcome:
        now = self._clock()
        return Outcome(
            number=taken.row["number"],
            key=(*taken.endpoint.key, taken.row["message_id"]),
            state="failed",
            due_at=now,
            at=now,
            status=None,
            error=why,
            duration_s=0,
            answer=b"",
        )


def _recorded(taken: Taken, prefix: str, type_column: str, version: int) -> Recorded:
    row = taken.row
    type_, schema_version, data = (
        row[type_column],
        row[f"{prefix}schema_version"],
        row[f"{prefix}data"],
    )
    return Recorded(
        workspace=row["workspace"],
        approval_id=row["approval_id"],
        version=version,
        event=decode(type_, schema_version, data),
        type=type_,
        schema_version=schema_version,
        data=data.encode(),
        command_id=row[f"{prefix}command_id"],
        recorded_at=row[f"{prefix}recorded_at"],
    )


def _parts(rooms: Mapping[Key, int]) -> Iterator[Mapping[Key, int]]:
    part: dict[Key, int] = {}
    size = 0
    for key, room in rooms.items():
        if size + room > TOGETHER and part:
            yield part
            part, size = {}, 0
        part[key] = room
        size += room
    if part:
        yield part
