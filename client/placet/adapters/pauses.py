"""A paused run between its answers and its acknowledgement: the blocks that adapters build on."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from placet.adapters.tool_calls import (
    Answer,
    Terms,
    ToolCall,
    acknowledge,
    answers,
    refuse_repeats,
)
from placet.asynchronous import AsyncPlacet
from placet.blocking import Placet


@asynccontextmanager
async def answered(
    client: AsyncPlacet, calls: Sequence[ToolCall], terms: Terms
) -> AsyncIterator[list[Answer]]:
    """Give the answers to all calls; acknowledge them when the block ends, unless it raises.

    Raises as `answers` does, and `AlreadyCarriedOut` where that was done with a call before: an
    approval lets it run once.
    """
    given = await client.run(answers(client.settings, calls, terms))
    refuse_repeats(given)
    yield given
    await client.run(acknowledge(client.settings, given))


@contextmanager
def answered_blocking(
    client: Placet, calls: Sequence[ToolCall], terms: Terms
) -> Iterator[list[Answer]]:
    """Do what `answered` does, for programs that wait."""
    given = client.run(answers(client.settings, calls, terms))
    refuse_repeats(given)
    yield given
    client.run(acknowledge(client.settings, given))
