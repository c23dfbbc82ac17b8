"""Takes in the log of approvals: writes down who is to be told, then lets them be told."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from events.codec import Unreadable
from events.envelope import Recorded
from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import recorded
from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements
from events.store.postgres import recorded as recorded_row
from services.webhooks.bodies import body_of
from services.webhooks.deliveries import Deliveries, DeliveryKey, Job
from services.webhooks.lanes import Lanes
from services.webhooks.messages import TOLD
from services.webhooks.planning import Plan, Planner
from services.webhooks.schedule import KEPT
from services.webhooks.sending import Sender

if TYPE_CHECKING:
    from asyncpg import Record

GROUP = "placet.webhooks"
STRETCH = 1000
"""The most of the log that is looked at in one go."""
SETTLED_S = 10.0
"""How old an event must be before its absence is an error and not a delay."""
PRUNED = 2000

_TOLD = frozenset(name.encode() for name in TOLD)
logger = logging.getLogger(__name__)


class Engine:
    """The handler for `approval.log`; bears duplicates and any order."""

    def __init__(
        self,
        *,
        planner: Planner,
        deliveries: Deliveries,
        lanes: Lanes,
        sender: Sender,
        clock: Callable[[], datetime],
        public_url: str,
        lease_s: float,
    ) -> None:
        self._planner = planner
        self._deliveries = deliveries
        self._lanes = lanes
        self._sender = sender
        self._clock = clock
        self._public_url = public_url
        self._lease = timedelta(seconds=lease_s)

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        """Write down what is to be told of a batch, and begin to tell it.

        Returns what cannot be read. Raises `Unavailable` when Postgres is away; an endpoint that
        is away holds up nothing.
        """
        events: list[Recorded] = []
        rejected: list[Rejected] = []
        for message in batch:
            if not _may_tell(message):
                continue
            try:
                events.append(recorded(message.headers, message.value))
            except Unreadable as error:
                rejected.append(Rejected(message, str(error)))
        if events:
            await self._tell(await self._planner.plan(events))
        return rejected

    async def _tell(self, plans: Sequence[Plan]) -> None:
        now = self._clock()
        leased_until = now + self._lease
        due_at: dict[DeliveryKey, datetime] = {}
        kept_room: dict[DeliveryKey, Plan] = {}
        for plan in plans:
            key = plan.planned.key
            if key in due_at:
                continue
            if self._lanes.reserve(plan.planned.endpoint.key):
                kept_room[key] = plan
                due_at[key] = leased_until
            else:
                due_at[key] = now
        if not due_at:
            return
        try:
            new = await self._deliveries.keep([plan.planned for plan in plans], due_at)
        except BaseException:
            for plan in kept_room.values():
                self._lanes.unreserve(plan.planned.endpoint.key)
            raise
        bodies: dict[tuple[str, str, bool], bytes] = {}
        for key, plan in kept_room.items():
            if key in new:
                self._sender.hand_over(self._job(plan, new[key], leased_until, bodies))
            else:
                self._lanes.unreserve(plan.planned.endpoint.key)

    def _job(
        self,
        plan: Plan,
        number: int,
        leased_until: datetime,
        bodies: dict[tuple[str, str, bool], bytes],
    ) -> Job:
        planned = plan.planned
        is_callback = planned.endpoint.kind == "callback"
        # The same for each subscription: made once.
        known = (planned.endpoint.workspace, planned.message_id, is_callback)
        body = bodies.get(known)
        if body is None:
            body = bodies[known] = body_of(plan.message, self._public_url, is_callback=is_callback)
        return Job(
            number=number,
            endpoint=planned.endpoint,
            message_id=planned.message_id,
            url=planned.url or planned.endpoint.url,
            body=body,
            tries=0,
            leased_until=leased_until,
        )


class Reconciler:
    """Finds in the log what Kafka did not bring, and removes what nobody needs any more."""

    def __init__(
        self,
        *,
        database: Database,
        planner: Planner,
        deliveries: Deliveries,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
        every_s: float,
    ) -> None:
        self._database = database
        self._planner = planner
        self._deliveries = deliveries
        self._clock = clock
        self._wake = wake
        self._every_s = every_s
        self._sql = statements("services.webhooks")
        self.healed = 0

    async def run(self) -> NoReturn:
        """Reconcile at once and then every so often, until cancelled."""
        while True:
            try:
                while await self.reconcile():
                    pass
                while await self._deliveries.prune(PRUNED) >= PRUNED:
                    pass
                oldest = self._clock() - KEPT
                while await self._deliveries.forget(PRUNED, oldest) >= PRUNED:
                    pass
            except Unavailable as error:
                logger.warning("reconciling webhooks waits: %s", error)
            await asyncio.sleep(self._every_s)

    async def reconcile(self, settled_s: float = SETTLED_S) -> bool:
        """Look at the next stretch of the log and return whether there is more of it."""
        async with self._database.connection() as connection, connection.transaction():
            start: int | None = await connection.fetchval(self._sql["reconciled"])
            if start is None:
                return False
            end: int = await connection.fetchval(self._sql["settled"], start, settled_s, STRETCH)
            if end <= start:
                return False
            rows = await connection.fetch(self._sql["logged"], start, end, sorted(TOLD))
            plans = await self._planner.plan(_readable(rows))
            planned = [plan.planned for plan in plans]
            now = self._clock()
            due_at = {one.key: now for one in planned}
            new = await self._deliveries.keep(planned, due_at, connection) if planned else {}
            await connection.execute(self._sql["set_reconciled"], end)
        if new:
            self.healed += len(new)
            logger.warning("%d webhooks that Kafka did not bring are sent", len(new))
            self._wake()
        return True


def _readable(rows: "Sequence[Record]") -> list[Recorded]:
    found: list[Recorded] = []
    for row in rows:
        try:
            found.append(recorded_row(row))
        except Unreadable as error:
            # Kafka brought it as well, and whoever reads that one parks it.
            logger.warning("an event of the log tells nobody: %s", error)
    return found


def _may_tell(message: Delivered) -> bool:
    """Tell whether a message may be one to tell of, without reading it; most are not."""
    for name, value in message.headers:
        if name == "ce_type":
            return value in _TOLD
    return True
