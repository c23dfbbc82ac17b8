"""A rebuild ends at the same rows, while writers write and readers read."""

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any

import asyncpg
import pytest

from events.approval import DecisionSubmitted, Person, Reminders, Rung
from events.store import Unavailable
from projections.rebuild import TABLES, RebuildRunning, rebuild
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EVE,
    MIRRORED,
    OTHER_PAYLOAD,
    OWN,
    answer,
    ask,
    comment,
    commented,
    decided,
    minutes,
    requested,
    revised,
    submitted,
    withdrawn,
)
from tests.core.steps import (
    CARL,
    DORA,
    answer_back,
    answered_back,
    ask_back,
    asked_back,
    escalate,
    escalated,
    is_away,
    policy,
    reassigned,
    reminded,
    step,
    taken_over,
)
from tests.projections.conftest import World
from tests.projections.expected import actual, expected

CLOCKS: dict[str, Any] = {
    "reminders": Reminders(after_s=3600, every_s=3600, most=3),
    "ladder": (Rung(after_s=7200, to=("role:cfo",)),),
}
LADDERED = requested(ask(policy=policy(step(ANN), step(BOB, rule="all"), **CLOCKS)))


def vote(by: Person) -> DecisionSubmitted:
    """One answer of several."""
    return replace(submitted(answer(by=by)), complete=False)


LIVES = (
    (OWN,),
    (OWN, submitted(answer()), decided(answer(), OWN)),
    (MIRRORED, submitted(answer())),
    (
        MIRRORED,
        revised(ask(mirrored=True, approvers=(EVE,), revision="2", payload=OTHER_PAYLOAD)),
    ),
    (OWN, commented(comment()), withdrawn(OWN, "recalled", "No longer needed.")),
    (LADDERED, vote(ANN), reassigned(is_away(BOB, DORA, now=minutes(1)))),
    (LADDERED, escalated(escalate(CARL), CARL), reminded(ANN, by=None, now=minutes(90))),
    (LADDERED, asked_back(ask_back())),
    (LADDERED, asked_back(ask_back()), answered_back(answer_back(left=9 * DAY))),
    (LADDERED, taken_over(policy(step(CARL), name="board"))),
)


async def spoil(world: World) -> None:
    """Make every read model wrong, as a bug of the projector would."""
    connection = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    await connection.execute("DELETE FROM approval_approvers")
    await connection.execute("DELETE FROM timers")
    await connection.execute("UPDATE approval_list SET status = 'approved', doc = '{}'")
    await connection.execute("DELETE FROM approval_history WHERE version = 1")
    await connection.execute("UPDATE pending_queue SET approver = 'not-' || approver")
    await connection.close()


async def test_whatever_was_wrong_is_right_after_a_rebuild(world: World, workspace: str) -> None:
    streams = {
        f"a{number}": await world.keep(workspace, f"a{number}", *life)
        for number, life in enumerate(LIVES)
    }
    for stream in streams.values():
        await world.read_models.apply(stream)
    await spoil(world)
    assert await actual(world.app_db, workspace) != expected(streams)
    await rebuild(world.dsn)
    assert await actual(world.app_db, workspace) == expected(streams)


async def test_what_is_written_meanwhile_is_in_the_new_tables(world: World, workspace: str) -> None:
    numbers = count()
    keeping = True

    async def write() -> None:
        while keeping:
            name = f"w{next(numbers):05d}"
            stream = await world.keep(workspace, name, *LIVES[len(name) % len(LIVES)])
            await world.read_models.apply(stream)

    writers = [asyncio.create_task(write()) for _ in range(3)]
    try:
        for _ in range(3):
            await asyncio.sleep(0.1)
            await rebuild(world.dsn)
    finally:
        keeping = False
        await asyncio.gather(*writers)
    names = [f"w{number:05d}" for number in range(next(numbers))]
    read = await world.store.read(workspace, names)
    assert len(names) > 10
    assert await actual(world.app_db, workspace) == expected(read)


async def test_what_is_appended_but_not_yet_projected_is_in_the_new_tables_too(
    world: World, workspace: str
) -> None:
    stream = await world.keep(workspace, "a", OWN, commented(comment()))
    await rebuild(world.dsn)
    assert await actual(world.app_db, workspace) == expected({"a": stream})
    assert await world.read_models.apply(stream) == 0, "and the projector has nothing left to do"


async def test_whoever_is_at_a_timer_is_left_at_it_by_a_rebuild(
    world: World, workspace: str
) -> None:
    for name in ("taken", "free"):
        await world.show(workspace, name, LADDERED)
    async with world.worker_db.connection() as connection:
        await connection.execute(
            "UPDATE timers SET leased_until = now() + interval '1 hour'"
            " WHERE workspace = $1 AND approval_id = 'taken' AND kind = 'expire'",
            workspace,
        )
        leased = "SELECT approval_id, kind, leased_until, due_at FROM timers WHERE workspace = $1"
        before = set(await connection.fetch(leased, workspace))
    await rebuild(world.dsn)
    async with world.worker_db.connection() as connection:
        assert set(await connection.fetch(leased, workspace)) == before


async def test_a_workspace_is_as_closed_after_a_rebuild_as_before(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a", OWN)
    await rebuild(world.dsn)
    async with world.app_db.workspace(f"{workspace}-other") as connection:
        for table in TABLES:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 # our names
    async with world.app_db.workspace(workspace) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM approval_list")


async def test_the_new_tables_have_the_indexes_and_their_names_of_the_old(world: World) -> None:
    connection = await asyncpg.connect(world.dsn)
    ask_indexes = (
        "SELECT tablename, indexname, replace(indexdef, '_next', '') FROM pg_indexes"
        " WHERE schemaname = 'placet' AND tablename = ANY($1) ORDER BY 1, 2"
    )
    before = await connection.fetch(ask_indexes, TABLES)
    await rebuild(world.dsn)
    await rebuild(world.dsn)
    assert len(before) > len(TABLES)
    assert await connection.fetch(ask_indexes, TABLES) == before
    await connection.close()


async def test_progress_goes_forward_to_the_end(world: World, workspace: str) -> None:
    for number in range(5):
        await world.keep(workspace, f"a{number}", OWN, commented(comment()))
    told: list[tuple[int, int]] = []
    read = await rebuild(world.dsn, told=lambda done, of: told.append((done, of)))
    assert told == sorted(told)
    assert told[-1] == (read, read)
    assert read >= 10


async def test_one_rebuild_runs_at_a_time(world: World) -> None:
    holder = await asyncpg.connect(world.dsn)
    try:
        await holder.execute("SELECT pg_advisory_lock($1::bigint)", 0x5245_4255_494C)
        with pytest.raises(RebuildRunning):
            await rebuild(world.dsn)
    finally:
        await holder.close()


async def test_a_rebuild_that_is_killed_leaves_the_old_tables(world: World, workspace: str) -> None:
    stream = await world.keep(workspace, "a", OWN)
    await world.read_models.apply(stream)

    def die(_done: int, _all: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuild(world.dsn, told=die)
    assert await actual(world.app_db, workspace) == expected({"a": stream})
    await rebuild(world.dsn)
    assert await actual(world.app_db, workspace) == expected({"a": stream})


async def test_a_rebuild_without_postgres_says_so() -> None:
    with pytest.raises(Unavailable, match="Postgres cannot be reached"):
        await rebuild("postgresql://nobody@127.0.0.1:1/none")
