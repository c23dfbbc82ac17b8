"""The checker finds what naive parts lose, in real processes; beside each, ours under the same."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from events.store.database import Connection
from tests.faults.collecting import collect, quiet
from tests.faults.finding import Finding
from tests.faults.ground import Ground
from tests.faults.history import findings, kinds, report
from tests.faults.late_commits import TAILS, tail_by, write_late
from tests.faults.load import Load
from tests.faults.told import Telling

pytestmark = pytest.mark.faults

SEEN_S = 10.0
PUBLISHER_RESTS_S = 1.0
NEVER_QUIET_S = 2.0
"""How long to wait for quiet where something is lost, so that it never comes."""
UNGUARDED = str(Path(__file__).with_name("unguarded_projector.py"))


async def found_in(ground: Ground, telling: Telling, quiet_s: float) -> list[Finding]:
    await quiet(ground.dsn, telling.commands, timeout=quiet_s)
    return findings(await collect(ground.dsn, ground.broker.bootstrap, telling.commands))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SEEN_S):
        while not await holds():  # noqa: ASYNC110 # no event tells
            await asyncio.sleep(0.05)


async def commits_out_of_order(
    ground: Ground, seed: int, quiet_s: float
) -> tuple[list[Finding], set[str]]:
    """Return what is found when transactions commit in another order than they began."""
    telling = Telling()
    connection = await asyncpg.connect(ground.dsn, timeout=10)

    async def logged() -> bool:
        return bool(await connection.fetchval("SELECT seq > 0 FROM placet.log_head"))

    async def rest() -> None:
        await until(logged)
        await asyncio.sleep(PUBLISHER_RESTS_S)  # the first may have been seen before the last

    try:
        async with ground.deployment("publisher", "projector", PLACET_RECONCILE_S="1"):
            late = await write_late(ground.dsn, telling, seed, rest)
            return await found_in(ground, telling, quiet_s), late
    finally:
        await connection.close(timeout=5)


@pytest.mark.parametrize("tail", TAILS)
async def test_events_that_a_naive_tail_passes_over_are_found(
    ground: Ground, seed: int, tail: str
) -> None:
    await tail_by(ground.dsn, tail)
    found, late = await commits_out_of_order(ground, seed, NEVER_QUIET_S)
    # Also an early one, where they committed out of order between two looks of the publisher.
    assert {one.about for one in found if one.kind == "not_logged"} >= late, report(found)
    assert kinds(found) == {
        "not_logged",
        "not_published",
        "no_public_fact",
        "list_differs",
        "queue_differs",
        "history_differs",
    }, report(found)


async def test_the_safe_tail_passes_over_nothing(ground: Ground, seed: int) -> None:
    found, _ = await commits_out_of_order(ground, seed, SEEN_S)
    assert not found, report(found)


async def killed_in_a_batch(
    ground: Ground, seed: int, guard: str, quiet_s: float
) -> tuple[list[Finding], set[str]]:
    """Return what is found when a projector without a reconciler is killed while it applies."""
    telling = Telling()
    # -P: the modules beside the program are not for it to find.
    programs = {"projector": ("-P", UNGUARDED, guard, "run", "projector")}
    async with ground.deployment(
        "decision", "publisher", "projector", programs=programs
    ) as services:
        blocking = await asyncpg.connect(ground.dsn, timeout=10)
        try:
            async with Load(services["decision"].url, telling, seed=seed) as load:
                await load.ask()
                await quiet(ground.dsn, telling.commands)
                async with blocking.transaction():
                    # A stronger lock would take a transaction's id, and hold the publisher up.
                    await blocking.execute("LOCK TABLE placet.approval_history IN EXCLUSIVE MODE")
                    asked = {await load.ask() for _ in range(5)}
                    await until(partial(_waits, blocking))
                    await services["projector"].kill()
        finally:
            await blocking.close(timeout=5)
        await services["projector"].start()
        await services["projector"].ready()
        return await found_in(ground, telling, quiet_s), asked


async def _waits(connection: Connection) -> bool:
    statement = """
        SELECT count(*) FROM pg_locks
        WHERE relation = 'placet.approval_history'::regclass AND NOT granted
    """
    return bool(await connection.fetchval(statement))


async def test_what_a_consumer_loses_that_acknowledges_first_is_found(
    ground: Ground, seed: int
) -> None:
    found, asked = await killed_in_a_batch(ground, seed, "ack-first", NEVER_QUIET_S)
    lost = {one.about for one in found if one.kind == "list_differs"}
    assert lost, report(found)
    assert lost <= asked
    assert kinds(found) == {"list_differs", "queue_differs", "history_differs"}, report(found)


async def test_a_consumer_that_acknowledges_last_loses_nothing(ground: Ground, seed: int) -> None:
    found, _ = await killed_in_a_batch(ground, seed, "as-it-is", SEEN_S)
    assert not found, report(found)
