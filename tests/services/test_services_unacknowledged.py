"""Figures of what nobody acknowledged are of now, or not there."""

import asyncio
from collections.abc import Mapping

import pytest

from events.store import Unavailable
from services.queue import unacknowledged as module
from services.queue.unacknowledged import Unacknowledged, Unheard
from tests.services.service_kit import until


class Counting(Unacknowledged):
    """Counts without a database."""

    def __init__(self) -> None:
        super().__init__(database=None)  # type: ignore[arg-type] # it is not asked here
        self.away = False
        self.asked = 0

    async def count(self) -> Mapping[str, Unheard]:
        self.asked += 1
        if self.away:
            raise Unavailable("Postgres is away")
        return {"acme": Unheard(count=self.asked, oldest_s=90.0)}


async def test_it_is_counted_again_and_again_and_an_outage_leaves_no_old_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.002)
    counting = Counting()
    running = asyncio.create_task(counting.run())
    try:
        await until(lambda: [figure for _, figure in counting.counts()] > [2.0])
        assert list(counting.ages()) == [({"workspace": "acme"}, 90.0)]
        counting.away = True
        await until(lambda: not list(counting.counts()))
        assert list(counting.ages()) == []
        counting.away = False
        await until(lambda: bool(list(counting.counts())))
    finally:
        running.cancel()
        await asyncio.wait([running])
