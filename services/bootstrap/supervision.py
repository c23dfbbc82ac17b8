"""Keeps the loops of a process running: one that fails is started again, after a while."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from events.store import Unavailable

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STOPS = 3
STOP_S = 12.0
"""Longer than a consumer takes to leave its group."""
CALM_S = 60.0
"""How long a loop must have run for its next failure to count as the first."""

logger = logging.getLogger(__name__)

Loop = Callable[[], Awaitable[None]]


class Supervisor:
    """The loops of one process; `failing` names those that are down, and why."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failing: dict[str, str] = {}

    def start(self, name: str, loop: Loop) -> None:
        """Run a loop until the process stops."""
        self._tasks[name] = asyncio.create_task(self._keep(name, loop), name=name)

    async def stop(self) -> None:
        """End every loop; one that goes on nevertheless is told again, and at last left."""
        left = set(self._tasks.values())
        for _ in range(STOPS):
            for task in left:
                task.cancel()
            if left:
                _, left = await asyncio.wait(left, timeout=STOP_S)
        for task in left:
            logger.error("%s did not stop", task.get_name())
        self._tasks.clear()

    async def _keep(self, name: str, loop: Loop) -> None:
        failures = 0
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            # A loop that comes back up says so by running, not by returning.
            calm = asyncio.get_running_loop().call_later(2, self.failing.pop, name, None)
            try:
                await loop()
                self.failing[name] = "stopped"
            except Unavailable as error:
                self.failing[name] = str(error)
                logger.warning("%s: %s", name, error)
            except Exception as error:
                self.failing[name] = f"{type(error).__name__}: {error}"
                logger.exception("%s failed", name)
            finally:
                calm.cancel()
            failures = 1 if clock() - started > CALM_S else failures + 1
            await asyncio.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1])
