"""Does many things side by side, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from events.store import Unavailable

PARALLEL = 8


async def side_by_side(jobs: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Do all jobs, a few at a time, and only then raise what one of them raised, if any did."""
    places = asyncio.Semaphore(PARALLEL)

    async def do(job: Callable[[], Awaitable[None]]) -> None:
        async with places:
            await job()

    outcomes = await asyncio.gather(*(do(job) for job in jobs), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # A store that is away explains the others, and is the one that is worth another try.
    failures.sort(key=lambda failure: not isinstance(failure, Unavailable))
    if failures:
        raise failures[0]
