"""The log: every committed event once, densely numbered, in a safe order, and chained."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from events.codec import encode
from events.store.database import Database
from events.store.log import Broken, PostgresLog
from events.store.named_sql import statements
from events.store.postgres import PostgresStore
from tests.contract.test_contract_store import append, note
from tests.core.examples import OWN

WRITERS = 8
RACE_S = 2.0
STREAMS = 3
APPEND = statements("events.store")["append_one"]

# What a publisher would do that trusts positions: everything above the last one that it saw.
NAIVE = """
CREATE TABLE naive_log (seq bigint GENERATED ALWAYS AS IDENTITY, position bigint NOT NULL);
CREATE FUNCTION naive_sequence() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    moved integer;
BEGIN
    INSERT INTO naive_log (position)
    SELECT e.position FROM placet.events e
    WHERE e.position > (SELECT coalesce(max(n.position), 0) FROM naive_log n)
    ORDER BY e.position;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END
$$;
"""

Place = tuple[str, int]
"""(stream, version)"""


@dataclass
class Race:
    """Writers who pause and roll back, and what each was told to be kept."""

    dsn: str
    kept: list[Place] = field(default_factory=list)
    rolled_back: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, writer: int) -> None:
        dice = random.Random(writer)
        connection = await asyncpg.connect(self.dsn, server_settings={"search_path": "placet"})
        try:
            versions = dict.fromkeys((f"{writer}-{n}" for n in range(STREAMS)), 0)
            while not self.over.is_set():
                stream = dice.choice(list(versions))
                count = dice.choice((1, 1, 2, 3))
                first = versions[stream] + 1
                transaction = connection.transaction()
                await transaction.start()
                for version in range(first, first + count):
                    await self._append(connection, stream, version)
                    await asyncio.sleep(dice.random() * 0.02)
                if dice.random() < 0.2:
                    await transaction.rollback()
                    self.rolled_back += 1
                else:
                    await transaction.commit()
                    self.kept.extend((stream, version) for version in range(first, first + count))
                    versions[stream] += count
        finally:
            await connection.close()

    async def _append(self, connection: Any, stream: str, version: int) -> None:
        name, schema_version, data = encode(OWN if version == 1 else note(f"c{version}"))
        await connection.execute(
            APPEND,
            "w",
            [stream],
            [version],
            [name],
            [schema_version],
            [data.decode()],
            ["k"],
        )


async def sequence(log: PostgresLog, seed: int, over: asyncio.Event) -> None:
    dice = random.Random(seed)
    while not over.is_set():
        await log.sequence(dice.choice((1, 7, 100)))
        await asyncio.sleep(dice.random() * 0.01)


async def trail(connection: Any, over: asyncio.Event) -> None:
    while not over.is_set():
        await connection.fetchval("SELECT naive_sequence()")
        await asyncio.sleep(0.002)


def faults(logged: Sequence[tuple[int, Place]], kept: Iterable[Place]) -> list[str]:
    """Hold a log to what it promises of the events that were kept; returns what is wrong."""
    found: list[str] = []
    numbers = [seq for seq, _ in logged]
    if numbers != list(range(1, len(logged) + 1)):
        found.append("the numbers are not dense")
    places = [place for _, place in logged]
    if len(set(places)) != len(places):
        found.append("an event is in the log twice")
    found.extend(f"lost: {place}" for place in sorted(set(kept) - set(places)))
    found.extend(f"never kept: {place}" for place in sorted(set(places) - set(kept)))
    last: dict[str, int] = {}
    for stream, version in places:
        if version != last.get(stream, 0) + 1:
            found.append(f"out of order: {stream} has {version} after {last.get(stream, 0)}")
        last[stream] = version
    return found


def test_the_checker_of_logs_sees_each_fault() -> None:
    kept = [("a", 1), ("a", 2), ("b", 1)]
    assert faults([(1, ("a", 1)), (2, ("b", 1)), (3, ("a", 2))], kept) == []
    broken = {
        "not dense": [(1, ("a", 1)), (3, ("b", 1)), (4, ("a", 2))],
        "twice": [(1, ("a", 1)), (2, ("b", 1)), (3, ("a", 2)), (4, ("b", 1))],
        "lost": [(1, ("a", 1)), (2, ("b", 1))],
        "never kept": [(1, ("a", 1)), (2, ("b", 1)), (3, ("a", 2)), (4, ("c", 1))],
        "out of order": [(1, ("a", 2)), (2, ("b", 1)), (3, ("a", 1))],
    }
    for fault, logged in broken.items():
        assert any(fault in one for one in faults(logged, kept)), fault


async def test_racing_writers_end_in_the_log_once_and_in_order_and_a_naive_one_loses_some(
    dsn: str, worker_db: Database
) -> None:
    looking = await asyncpg.connect(dsn)
    tailing = await asyncpg.connect(dsn)
    try:
        await looking.execute(NAIVE)
        log = PostgresLog(worker_db)
        race = Race(dsn)
        async with asyncio.TaskGroup() as tasks:
            for writer in range(WRITERS):
                tasks.create_task(race.write(writer))
            for seed in range(2):  # two at once: the second must wait, not double
                tasks.create_task(sequence(log, seed, race.over))
            tasks.create_task(trail(tailing, race.over))
            await asyncio.sleep(RACE_S)
            race.over.set()
        while await log.sequence(100):
            pass
        await tailing.fetchval("SELECT naive_sequence()")
        assert len(race.kept) > 100
        assert race.rolled_back > 5
        stored = await looking.fetch("SELECT approval_id, version FROM placet.events")
        assert sorted(map(tuple, stored)) == sorted(race.kept)

        logged = [
            (one.seq, (one.recorded.approval_id, one.recorded.version))
            for one in await log.after(0, 100_000)
        ]
        assert faults(logged, race.kept) == []

        naive = [
            (row["seq"], (row["approval_id"], row["version"]))
            for row in await looking.fetch(
                "SELECT n.seq, e.approval_id, e.version FROM naive_log n"
                " JOIN placet.events e USING (position) ORDER BY n.seq"
            )
        ]
        assert any(fault.startswith("lost") for fault in faults(naive, race.kept))
        assert [one async for one in log.verify(50)][-1] == len(race.kept)
    finally:
        await looking.close()
        await tailing.close()


async def test_an_event_waits_for_every_transaction_that_began_before_it(
    dsn: str, app_db: Database, worker_db: Database
) -> None:
    log = PostgresLog(worker_db)
    race = Race(dsn)
    slow = await asyncpg.connect(dsn, server_settings={"search_path": "placet"})
    try:
        transaction = slow.transaction()
        await transaction.start()
        await race._append(slow, "slow", 1)
        await PostgresStore(app_db).append("w", [append("quick", OWN)])
        assert await log.sequence(100) == 0
        await transaction.commit()
        assert await log.sequence(100) == 2
    finally:
        await slow.close()
    order = [one.recorded.approval_id for one in await log.after(0, 10)]
    assert order == ["slow", "quick"]


async def fill(app_db: Database, log: PostgresLog, count: int = 10) -> None:
    store = PostgresStore(app_db)
    await store.append("w", [append("a", OWN)])
    for version in range(1, count):
        await store.append("w", [append("a", note(f"c{version}"), after=version)])
    assert await log.sequence(1000) == count


async def test_the_log_moves_in_batches_and_remembers_how_far_it_is_published(
    app_db: Database, worker_db: Database
) -> None:
    log = PostgresLog(worker_db)
    store = PostgresStore(app_db)
    for name in "abcde":
        await store.append("w", [append(name, OWN)])
    assert [await log.sequence(2) for _ in range(4)] == [2, 2, 1, 0]
    assert await log.progress() == (0, 5)
    assert [one.seq for one in await log.after(1, 3)] == [2, 3, 4]
    assert await log.move_cursor(0, 3)
    assert not await log.move_cursor(0, 5), "another publisher has moved it"
    assert await log.progress() == (3, 5)


async def test_an_untouched_log_verifies(app_db: Database, worker_db: Database) -> None:
    log = PostgresLog(worker_db)
    assert [one async for one in log.verify()] == []
    await fill(app_db, log)
    assert [one async for one in log.verify(4)] == [4, 8, 10]


SWAP = """
UPDATE log SET position = -position WHERE seq IN (3, 4);
UPDATE log SET position = CASE seq WHEN 3 THEN {4} ELSE {3} END WHERE seq IN (3, 4);
"""
ALTERED, GONE, MISSING = "altered", "its event is gone", "missing from the log"


@pytest.mark.parametrize(
    ("tampering", "seq", "reason"),
    [
        (
            "UPDATE events SET data = replace(data, 'Which', 'What') WHERE position = {5}",
            5,
            ALTERED,
        ),
        ("UPDATE events SET type = 'approval.expired' WHERE position = {2}", 2, ALTERED),
        ("UPDATE events SET schema_version = 2 WHERE position = {2}", 2, ALTERED),
        ("UPDATE events SET approval_id = 'b' WHERE position = {10}", 10, ALTERED),
        ("UPDATE events SET version = 99 WHERE position = {10}", 10, ALTERED),
        ("UPDATE events SET workspace = 'v' WHERE position = {7}", 7, ALTERED),
        ("UPDATE log SET workspace = 'v' WHERE seq = 7", 7, ALTERED),
        ("UPDATE log SET hash = sha256('x') WHERE seq = 3", 3, ALTERED),
        ("UPDATE log SET hash = sha256('x') WHERE seq = 10", 10, ALTERED),
        ("DELETE FROM events WHERE position = {6}", 6, GONE),
        ("DELETE FROM events WHERE position = {10}", 10, GONE),
        ("DELETE FROM log WHERE seq = 4", 4, MISSING),
        ("DELETE FROM log WHERE seq = 1", 1, MISSING),
        ("DELETE FROM log WHERE seq = 10", 10, MISSING),
        ("DELETE FROM log WHERE seq > 7; DELETE FROM events WHERE position > {7}", 8, MISSING),
        ("DELETE FROM log", 1, MISSING),
        (SWAP, 3, ALTERED),
    ],
)
async def test_tampering_is_found_at_its_place(
    dsn: str, app_db: Database, worker_db: Database, tampering: str, seq: int, reason: str
) -> None:
    log = PostgresLog(worker_db)
    await fill(app_db, log)
    superuser = await asyncpg.connect(dsn, server_settings={"search_path": "placet"})
    positions = await superuser.fetch("SELECT position FROM log ORDER BY seq")
    await superuser.execute(tampering.format("", *(row["position"] for row in positions)))
    await superuser.close()
    *_, end = [one async for one in log.verify(4)]
    assert isinstance(end, Broken)
    assert (end.seq, reason in end.reason) == (seq, True), end


async def test_a_chain_that_was_forged_to_its_end_does_not_fit_the_head(
    dsn: str, app_db: Database, worker_db: Database
) -> None:
    """Whoever alters an event must alter every hash behind it, and the head as well."""
    log = PostgresLog(worker_db)
    await fill(app_db, log)
    superuser = await asyncpg.connect(dsn, server_settings={"search_path": "placet"})
    await superuser.execute(
        "UPDATE events SET data = replace(data, 'Which', 'What')"
        " WHERE position = (SELECT position FROM log WHERE seq = 10)"
    )
    await superuser.execute(
        "UPDATE log SET hash = sha256((SELECT hash FROM log WHERE seq = 9) || sha256(convert_to("
        "concat_ws(E'\\n', e.workspace, e.approval_id, e.version, e.type, e.schema_version,"
        " e.data), 'UTF8'))) FROM events e WHERE e.position = log.position AND seq = 10"
    )
    await superuser.close()
    *_, end = [one async for one in log.verify()]
    assert end == Broken(10, "was altered after it was logged")
