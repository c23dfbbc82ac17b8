"""Rows that could not be mapped, as the database keeps them."""

from datetime import UTC, datetime, timedelta

import asyncpg

from events.store.database import Database
from services.poller.known import identity
from services.poller.parking import PostgresParking
from services.sources import Malformed
from tests.poller.poller_kit import malformed

LATER = datetime.now(UTC) + timedelta(hours=1)


async def rows(database: Database, workspace: str = "w1") -> list[asyncpg.Record]:
    async with database.workspace(workspace) as connection:
        return await connection.fetch(
            "SELECT convert_from(key, 'UTF8') AS key, reason, attempts, consumer, topic, "
            "resolved_at IS NULL AS open FROM parked ORDER BY parked_id"
        )


async def test_a_row_is_kept_once_and_with_its_latest_reason(app_db: Database) -> None:
    parking = PostgresParking(app_db)
    await parking.park("w1", "acme", [malformed("r1"), malformed(None, b"null")])
    newer = Malformed(record_id="r1", reason="map.url: is longer", row=b'{"v":2}')
    await parking.park("w1", "acme", [malformed("r1"), newer])
    first, second = await rows(app_db)
    assert (first["key"], first["reason"], first["attempts"]) == ("r1", "map.url: is longer", 2)
    assert (first["consumer"], first["topic"]) == ("poller", "source:acme")
    assert (second["key"], second["attempts"]) == (None, 1)


async def test_a_row_is_resolved_by_its_record_and_opened_again(app_db: Database) -> None:
    parking = PostgresParking(app_db)
    await parking.park("w1", "acme", [malformed("r1"), malformed("r2")])
    await parking.park("w1", "other", [malformed("r1")])
    await parking.unpark("w1", "acme", ["r1", "r9"])
    assert [(row["key"], row["topic"], row["open"]) for row in await rows(app_db)] == [
        ("r1", "source:acme", False),
        ("r2", "source:acme", True),
        ("r1", "source:other", True),
    ]
    await parking.park("w1", "acme", [malformed("r1")])
    assert all(row["open"] for row in await rows(app_db))


async def test_a_sweep_resolves_what_it_did_not_see_unless_it_came_later(app_db: Database) -> None:
    parking = PostgresParking(app_db)
    await parking.park("w1", "acme", [malformed("r1"), malformed("r2"), malformed(None, b"null")])
    seen = [identity(malformed(None, b"null"))]
    await parking.unpark_unseen("w1", "acme", seen, LATER - timedelta(hours=2))
    assert all(row["open"] for row in await rows(app_db))
    await parking.unpark_unseen("w1", "acme", seen, LATER)
    assert [row["open"] for row in await rows(app_db)] == [False, False, True]
    await parking.unpark_unseen("w1", "acme", [], LATER)
    assert not any(row["open"] for row in await rows(app_db))


async def test_one_workspace_does_not_resolve_another_s(app_db: Database) -> None:
    parking = PostgresParking(app_db)
    await parking.park("w1", "acme", [malformed("r1")])
    await parking.unpark("w2", "acme", ["r1"])
    await parking.unpark_unseen("w2", "acme", [], LATER)
    assert [row["open"] for row in await rows(app_db)] == [True]
    assert await rows(app_db, "w2") == []
