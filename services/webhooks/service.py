"""The webhooks of one process: everything that takes part in telling, put together."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NoReturn

from asyncpg import TransactionRollbackError

from events.kafka.consumer import Delivered, Rejected
from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements
from services.webhooks.deliveries import Deliveries
from services.webhooks.engine import Engine, Reconciler
from services.webhooks.lanes import Lanes
from services.webhooks.listening import Listeners
from services.webhooks.notices import Notices
from services.webhooks.planning import Planner
from services.webhooks.results import Results
from services.webhooks.schedule import Draw
from services.webhooks.sending import Deliver, Sender
from services.webhooks.sweep import Sweeper

LEASE_S = 45.0
"""How long after a kill -9 what was in hand is told by somebody else."""
TIMEOUT_S = 15.0
GRACE_S = 2.0
LAST_WRITE_S = 3.0
LOOK_EVERY_S = 15.0
RECONCILED_EVERY_S = 15.0

logger = logging.getLogger(__name__)

Gauge = Callable[[], Iterator[tuple[Mapping[str, str], float]]]


class Webhooks:
    """Handles the log, sends, retries, and heals; any number of these may run.

    `deliver` opens what posts. `timeout_s` is the longest that it takes for one request.
    """

    def __init__(
        self,
        *,
        database: Database,
        deliver: Callable[[], AbstractAsyncContextManager[Deliver]],
        clock: Callable[[], datetime],
        public_url: str,
        draw: Draw = random.random,
        lease_s: float = LEASE_S,
        timeout_s: float = TIMEOUT_S,
        reconcile_every_s: float = RECONCILED_EVERY_S,
    ) -> None:
        self._database = database
        self._deliver = deliver
        self._sql = statements("services.webhooks")
        wanted = asyncio.Event()
        deliveries = Deliveries(database)
        planner = Planner(database, Listeners(database), clock)
        self.results = Results(deliveries, clock)
        self.lanes = Lanes(shed=self.results.give_back, wake=wanted.set, clock=clock)
        self.sender = Sender(
            lanes=self.lanes, results=self.results, clock=clock, draw=draw, timeout_s=timeout_s
        )
        self.notices = Notices(database, self.lanes.drop)
        self.results.then(self.sender.let_go, self.notices.judge)
        self.engine = Engine(
            planner=planner,
            deliveries=deliveries,
            lanes=self.lanes,
            sender=self.sender,
            clock=clock,
            public_url=public_url,
            lease_s=lease_s,
        )
        self.sweeper = Sweeper(
            deliveries=deliveries,
            lanes=self.lanes,
            sender=self.sender,
            results=self.results,
            clock=clock,
            public_url=public_url,
            lease_s=lease_s,
            wanted=wanted,
        )
        self.reconciler = Reconciler(
            database=database,
            planner=planner,
            deliveries=deliveries,
            clock=clock,
            wake=wanted.set,
            every_s=reconcile_every_s,
        )
        self._wanted = wanted
        self._figures: dict[str, float] = {"waiting": 0.0, "oldest_s": 0.0, "disabled": 0.0}

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        """See `Engine.handle`."""
        return await self.engine.handle(batch)

    def wake(self) -> None:
        """Look at once for what is due: something was replayed."""
        self._wanted.set()

    async def run_sending(self) -> None:
        """Send, until cancelled; then what is under way has a moment to end."""
        async with self._deliver() as deliver:
            self.sender.open(deliver)
            try:
                await asyncio.Event().wait()
            finally:
                await self.sender.close(GRACE_S)

    async def run_looking(self) -> NoReturn:
        """Keep the figures for `gauges`, until cancelled."""
        while True:
            try:
                async with self._database.connection() as connection:
                    row = await connection.fetchrow(self._sql["figures"])
                if row is not None:
                    self._figures = {name: float(figure) for name, figure in row.items()}
            except Unavailable as error:
                logger.warning("the figures of webhooks wait: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Write down what is not written yet; what cannot be, is due again when its lease ends."""
        try:
            async with asyncio.timeout(LAST_WRITE_S):
                await self.results.flush()
        except (Unavailable, TransactionRollbackError, TimeoutError) as error:
            logger.warning("the last outcomes of webhooks are not written: %s", error)

    def gauges(self) -> Mapping[str, tuple[str, Gauge]]:
        """Return name → meaning and figure, for Prometheus."""
        figures: Mapping[str, tuple[str, Callable[[], float]]] = {
            "placet_webhooks_waiting": (
                "Webhooks that wait to be delivered",
                lambda: self._figures["waiting"],
            ),
            "placet_webhooks_oldest_waiting_seconds": (
                "How long the oldest of them waits",
                lambda: self._figures["oldest_s"],
            ),
            "placet_webhooks_disabled_endpoints": (
                "Endpoints that get nothing any more",
                lambda: self._figures["disabled"],
            ),
            "placet_webhooks_delivered": (
                "Webhooks delivered since the start",
                lambda: float(self.results.delivered),
            ),
            "placet_webhooks_failed_attempts": (
                "Attempts that failed since the start",
                lambda: float(self.results.failed),
            ),
            "placet_webhooks_under_way": (
                "Requests under way to endpoints",
                lambda: float(self.lanes.under_way),
            ),
            "placet_webhooks_healed": (
                "Webhooks that Kafka did not bring",
                lambda: float(self.reconciler.healed),
            ),
        }
        return {name: (says, _single(figure)) for name, (says, figure) in figures.items()}


def _single(figure: Callable[[], float]) -> Gauge:
    return lambda: iter([({}, figure())])
