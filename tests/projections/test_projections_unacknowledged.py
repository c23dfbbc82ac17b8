"""Outcomes that nobody acknowledged are counted, workspace by workspace, and not without end."""

from datetime import timedelta

import asyncpg
import pytest

from projections.queries import Filters
from services.queue import unacknowledged as module
from services.queue.unacknowledged import Unacknowledged
from tests.core.examples import (
    MIRRORED,
    OWN,
    acknowledge,
    acknowledged,
    answer,
    decided,
    submitted,
    withdrawn,
)
from tests.projections.conftest import World

DECIDED = (OWN, submitted(answer()), decided(answer(), OWN))
RECALLED = (OWN, withdrawn(OWN, "recalled", "No."))


async def age(world: World, workspace: str, name: str, by: timedelta) -> None:
    """Let what happened to an approval have happened earlier."""
    connection = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    try:
        # Rows of this table are never changed, but for a test that cannot wait.
        await connection.execute(
            "UPDATE events SET recorded_at = recorded_at - $3::interval"
            " WHERE workspace = $1 AND approval_id = $2",
            workspace,
            name,
            by,
        )
    finally:
        await connection.close()


async def test_what_ended_here_and_nobody_heard_is_counted_after_a_while(
    world: World, workspace: str
) -> None:
    watching = Unacknowledged(world.worker_db)
    await world.show(workspace, "open", OWN)
    await world.show(workspace, "mirrored", MIRRORED, withdrawn(MIRRORED, "gone", "Gone."))
    for name in ("open", "mirrored"):
        await age(world, workspace, name, timedelta(hours=2))
    assert workspace not in await watching.count()
    await world.show(workspace, "decided", *DECIDED)
    await world.show(workspace, "recalled", *RECALLED)
    assert (await watching.count())[workspace].count == 0, "it may still be on its way"
    await age(world, workspace, "decided", timedelta(minutes=5))
    await age(world, workspace, "recalled", timedelta(minutes=2))
    found = (await watching.count())[workspace]
    assert found.count == 2
    assert 300 <= found.oldest_s < 330


async def test_it_counts_from_the_outcome_and_not_from_the_ask(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a", *DECIDED)
    await age(world, workspace, "a", timedelta(minutes=5))
    connection = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    try:
        await connection.execute(
            "UPDATE events SET recorded_at = now() WHERE workspace = $1 AND type = $2",
            workspace,
            "approval.decided",
        )
    finally:
        await connection.close()
    assert (await Unacknowledged(world.worker_db).count())[workspace].count == 0


async def test_what_is_acknowledged_counts_no_more(world: World, workspace: str) -> None:
    watching = Unacknowledged(world.worker_db)
    for name in ("a", "b"):
        await world.show(workspace, name, *DECIDED)
        await age(world, workspace, name, timedelta(minutes=5))
    assert (await watching.count())[workspace].count == 2
    kept = await world.keep(workspace, "a", acknowledged(acknowledge()), after=len(DECIDED))
    await world.read_models.apply(kept)
    assert (await watching.count())[workspace].count == 1
    listed = await world.queries.list(workspace, Filters(acknowledged=False), limit=10, cursor=None)
    assert listed.rows == 1, "the list tells the same"


async def test_every_workspace_is_counted_however_many_one_query_looks_at(
    world: World, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", 2)
    monkeypatch.setattr(module, "MOST", 3)
    names = [f"{workspace}-{number}" for number in range(5)]
    for place, name in enumerate(names):
        for number in range(place):
            await world.show(name, f"a{number}", *DECIDED)
            await age(world, name, f"a{number}", timedelta(minutes=5))
    watching = Unacknowledged(world.worker_db)
    found = await watching.count()
    assert [found[name].count for name in names if name in found] == [1, 2, 3, 3]
    watching.found = {name: found[name] for name in names if name in found}
    assert {told["workspace"]: figure for told, figure in watching.counts()} == {
        names[1]: 1.0, names[2]: 2.0, names[3]: 3.0, names[4]: 3.0,
    }  # fmt: skip
    assert all(figure >= 300 for _, figure in watching.ages())


async def test_the_index_of_what_nobody_heard_is_enough(world: World, workspace: str) -> None:
    connection = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    try:
        await connection.execute("SET enable_seqscan = off")
        sql = Unacknowledged(world.worker_db)._sql["unacknowledged"]
        plan = "\n".join(
            row[0] for row in await connection.fetch("EXPLAIN " + sql, "", 20, 10_001, 60.0)
        )
    finally:
        await connection.close()
    scans = [line for line in plan.splitlines() if "approval_list" in line]
    assert scans
    assert all("approval_list_unheard_idx" in line for line in scans), plan
