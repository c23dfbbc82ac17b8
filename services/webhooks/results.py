"""Writes down how attempts ended, many at a time, and goes on until Postgres has them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from asyncpg import TransactionRollbackError

from events.store import Unavailable
from services.webhooks.deliveries import Deliveries, DeliveryKey, Failing, Job, Outcome
from services.webhooks.endpoints import Key

TOGETHER_S = 0.03
"""How long outcomes gather before they are written."""
TOGETHER = 1000
PAUSE_S = 0.5

Written = Callable[[Iterable[DeliveryKey]], None]
Judge = Callable[[Sequence[Failing], Mapping[Key, datetime], datetime], Awaitable[None]]

logger = logging.getLogger(__name__)


class Results:
    """What is not written down yet: bounded by what can be in the hands of the process.

    Whatever is lost with the process is due again when its lease ends.
    """

    def __init__(self, deliveries: Deliveries, clock: Callable[[], datetime]) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._outcomes: list[Outcome] = []
        self._unsent: list[Job] = []
        self._some = asyncio.Event()
        self._written: Written = _tell_nobody
        self._judge: Judge | None = None
        self.delivered = 0
        self.failed = 0

    def then(self, written: Written, judge: Judge) -> None:
        """Say who is told of what has been written, and who judges endpoints that fail."""
        self._written = written
        self._judge = judge

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome until it is written."""
        self._outcomes.append(outcome)
        if outcome.state == "delivered":
            self.delivered += 1
        else:
            self.failed += 1
        self._some.set()

    def give_back(self, jobs: Sequence[Job]) -> None:
        """Keep that jobs were not tried, until it is written."""
        self._unsent += jobs
        self._some.set()

    async def run(self) -> NoReturn:
        """Write, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(TOGETHER_S)
            try:
                await self.flush()
            except Unavailable as error:
                logger.warning("outcomes of webhooks wait to be written: %s", error)
                await asyncio.sleep(PAUSE_S)
            except TransactionRollbackError:
                logger.info("outcomes of webhooks are written once more")

    async def flush(self) -> None:
        """Write everything that there is now; raises `Unavailable`, and nothing is lost by it."""
        self._some.clear()
        try:
            while self._outcomes:
                await self._record(self._outcomes[:TOGETHER])
            while self._unsent:
                jobs = self._unsent[:TOGETHER]
                await self._deliveries.give_back(
                    sorted({job.number for job in jobs}), self._clock()
                )
                del self._unsent[: len(jobs)]
                self._written([job.key for job in jobs])
        finally:
            if self._outcomes or self._unsent:
                self._some.set()

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        keys = [one.key for one in outcomes]
        try:
            failing = await self._deliveries.record(outcomes)
        except (Unavailable, TransactionRollbackError):
            raise
        except Exception:
            # They are due again when their leases end: what cannot be written must not hold up
            # what comes after it.
            logger.exception("%d outcomes of webhooks could not be written", len(outcomes))
            del self._outcomes[: len(outcomes)]
            self._written(keys)
            return
        del self._outcomes[: len(outcomes)]
        self._written(keys)
        gone = {one.key[:2]: one.at for one in outcomes if one.is_gone}
        if failing and self._judge is not None:
            await self._judge(failing, gone, self._clock())


def _tell_nobody(_: Iterable[DeliveryKey]) -> None:
    """Stand in until `then` has named somebody."""
