"""Runs a projector without a guard: `ack-first` commits offsets before it applies a batch.

The reconciler, which would heal what the queue lost, never runs. With `as-it-is` nothing else is
taken away.
"""

import asyncio
import sys
from typing import Any

from events.kafka import consumer
from services.cli import main
from services.projector.project import Reconciler


async def _rest(_: Reconciler) -> None:
    await asyncio.Event().wait()


async def _acknowledge_first(
    self: consumer.BatchConsumer, client: Any, fetched: dict[Any, list[Any]]
) -> None:
    offsets = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
    self._uncommitted.update(offsets)
    await self._commit(client)
    await self._work([consumer._delivered(one) for records in fetched.values() for one in records])


if __name__ == "__main__":
    _, guard, *arguments = sys.argv
    Reconciler.run = _rest  # type: ignore[method-assign]  # that is the point
    if guard == "ack-first":
        consumer.BatchConsumer._process = _acknowledge_first  # type: ignore[method-assign]  # same
    sys.argv[1:] = arguments
    main()
