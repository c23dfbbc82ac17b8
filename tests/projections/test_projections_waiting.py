"""Those who wait read many approvals at once, and are told what became final, once each."""

import asyncio

import asyncpg
import pytest

from projections.queries import Changes, Current
from tests.core.examples import MIRRORED, OWN, answer, decided, submitted, withdrawn
from tests.projections.conftest import World

DECIDED = (OWN, submitted(answer()), decided(answer(), OWN))


async def test_many_are_read_as_each_alone_whatever_the_projector_has_done(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "shown", OWN)
    await world.show(workspace, "final", *DECIDED)
    await world.show(workspace, "behind", OWN)
    await world.keep(workspace, "behind", *DECIDED[1:], after=1)
    half = await world.keep(workspace, "half", *DECIDED)
    await world.read_models.apply(half[:2])
    await world.keep(workspace, "unseen", *DECIDED)
    await world.keep(workspace, "new", OWN)
    await world.show(workspace, "mirrored", MIRRORED)
    names = ["shown", "final", "behind", "half", "unseen", "new", "mirrored"]
    found = await world.queries.approvals(workspace, [*names, "unknown"])
    assert found == {
        name: Current(
            await world.queries.approval(workspace, name) or "",
            final=name in {"final", "behind", "half", "unseen"},
        )
        for name in names
    }
    assert await world.queries.approvals(workspace, ["unknown"]) == {}
    assert await world.queries.approvals(workspace, []) == {}


async def test_another_workspace_s_are_unknown(world: World, workspace: str) -> None:
    await world.show(workspace, "a", OWN)
    assert await world.queries.approvals(f"not-{workspace}", ["a"]) == {}


async def test_what_became_final_is_told_once(world: World, workspace: str) -> None:
    changes = Changes(world.worker_db)
    await world.keep(workspace, "before", *DECIDED)
    since = await changes.snapshot()
    await world.keep(workspace, "open", OWN)
    await world.keep(workspace, "a", *DECIDED)
    await world.keep(workspace, "b", OWN, withdrawn(OWN, "recalled", "No."))
    told = await changes.ended(since, 100)
    assert told.approvals == ((workspace, "a"), (workspace, "b"))
    again = await changes.ended(told.until, 100)
    assert again.approvals == ()
    await world.keep(workspace, "open", *DECIDED[1:], after=1)
    assert (await changes.ended(again.until, 100)).approvals == ((workspace, "open"),)


async def test_no_more_is_told_than_was_asked_for(world: World, workspace: str) -> None:
    changes = Changes(world.worker_db)
    since = await changes.snapshot()
    for name in ("a", "b", "c"):
        await world.keep(workspace, name, *DECIDED)
    assert len((await changes.ended(since, 2)).approvals) == 2


async def test_what_commits_late_is_told_all_the_same_and_nothing_twice(
    world: World, workspace: str
) -> None:
    changes = Changes(world.worker_db)
    late = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    try:
        since = await changes.snapshot()
        transaction = late.transaction()
        await transaction.start()
        await late.execute(
            "INSERT INTO events (workspace, approval_id, version, type, schema_version, data,"
            " command_id) VALUES ($1, 'late', 1, 'approval.decided', 1, '{}', 'k')",
            workspace,
        )
        await world.keep(workspace, "early", *DECIDED)
        first = await changes.ended(since, 100)
        assert first.approvals == ((workspace, "early"),)
        still = await changes.ended(first.until, 100)
        assert still.approvals == (), "although the one before it has not ended yet"
        await transaction.commit()
        assert (await changes.ended(still.until, 100)).approvals == ((workspace, "late"),)
    finally:
        await late.close()


@pytest.mark.parametrize("writers", [8])
async def test_nothing_is_missed_or_doubled_while_many_write(
    world: World, workspace: str, writers: int
) -> None:
    changes = Changes(world.worker_db)
    since = await changes.snapshot()
    told: list[str] = []

    async def write(writer: int) -> None:
        for number in range(20):
            await world.keep(workspace, f"w{writer}-{number}", *DECIDED)

    async def follow() -> None:
        nonlocal since
        found = await changes.ended(since, 1000)
        since = found.until
        told.extend(one for where, one in found.approvals if where == workspace)

    writing = asyncio.gather(*(write(writer) for writer in range(writers)))
    while not writing.done():
        await follow()
    await writing
    await follow()
    assert sorted(told) == sorted(f"w{w}-{n}" for w in range(writers) for n in range(20))
