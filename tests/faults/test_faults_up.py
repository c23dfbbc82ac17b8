"""A kill -9 of everything that `placet up` started: the next start goes on where it ended."""

import asyncio
import signal
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import asyncpg
import httpx2
import pytest

from events.approval import ApproverNotified
from services.embedded.ports import free_port
from tests.cli.placet_up import Up
from tests.faults.acme import mirror_settings, mirrored
from tests.faults.load import OUTCOMES, Load
from tests.faults.processes import KEY
from tests.faults.told import Telling

pytestmark = pytest.mark.faults

ANSWERED = 8
QUEUE_S = 30.0


async def test_everything_may_be_killed_at_once_and_the_next_start_goes_on(
    tmp_path: Path, seed: int
) -> None:
    telling = Telling()
    settings = {
        **mirror_settings(tmp_path, ""),
        "PLACET_BOOTSTRAP_KEY": KEY,
        "PLACET_RECONCILE_S": "1",
        "PLACET_PORT": str(free_port()),
        "PLACET_DEMO_PORT": str(free_port()),
    }
    async with (
        Up(tmp_path / "data", **settings) as up,
        Load(up.url, telling, seed=seed, approvals=100) as load,
        httpx2.AsyncClient(base_url=up.demo_url) as acme,
        AsyncExitStack() as started,
    ):
        await up.ready()
        waiting = await _mirrored_queue(up)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await load.reached(0.4)
            # Their answers are on the way to the source when everything ends.
            for number, (approver, approval_id) in enumerate(waiting[:ANSWERED]):
                group.create_task(load.decide(approval_id, approver, OUTCOMES[number % 2]))
            await asyncio.sleep(Random(seed).uniform(0, 0.1))
            await up.kill()
            again = await started.enter_async_context(Up(tmp_path / "data", **settings))
            await again.ready()
        evidence = await mirrored(again.dsn, again.bootstrap, telling, acme)
        assert await again.stop(signal.SIGINT) == 0, again.said
    answered = {one.approval_id for one in telling.commands if one.action == "decide"}
    assert answered >= {approval_id for _, approval_id in waiting[:ANSWERED]}
    for approval_id, stream in evidence.streams.items():
        asked = Counter(
            (one.event.approver, one.event.channel, one.event.revision)
            for one in stream
            if isinstance(one.event, ApproverNotified)
        )
        assert all(times == 1 for times in asked.values()), (approval_id, asked)


async def _mirrored_queue(up: Up) -> list[tuple[str, str]]:
    """Wait until enough of the demo's records wait for somebody, and return who and what."""
    connection = await asyncpg.connect(up.dsn, timeout=10)
    try:
        async with asyncio.timeout(QUEUE_S):
            while True:
                rows = await connection.fetch(
                    "SELECT approver, approval_id FROM placet.pending_queue ORDER BY approval_id"
                )
                if len(rows) >= ANSWERED:
                    return [(row["approver"], row["approval_id"]) for row in rows]
                await asyncio.sleep(0.1)
    finally:
        await connection.close(timeout=5)
