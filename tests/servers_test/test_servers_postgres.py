"""Each test can have a database of its own on one server."""

import asyncpg
import pytest

from tests.servers.postgres import TestingPostgres, database_of, start_postgres
from tests.servers.tcp_proxy import TcpProxy, Way


async def databases(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return {row[0] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


async def test_databases_are_apart_and_are_removed(own_postgres: TestingPostgres) -> None:
    async with own_postgres.database() as one, own_postgres.database() as two:
        connection = await asyncpg.connect(one, timeout=10)
        await connection.execute("CREATE TABLE mine (number int)")
        await connection.close()
        other = await asyncpg.connect(two, timeout=10)
        assert await other.fetchval("SELECT to_regclass('mine')") is None
        await other.close()
        names = {database_of(one), database_of(two)}
        assert names <= await databases(own_postgres.dsn)
    assert not names & await databases(own_postgres.dsn)


async def test_a_database_with_a_connected_client_is_removed_too(
    own_postgres: TestingPostgres,
) -> None:
    dsn = await own_postgres.create_database()
    connection = await asyncpg.connect(dsn, timeout=10)
    await own_postgres.drop_database(dsn)
    await own_postgres.drop_database(dsn)
    assert database_of(dsn) not in await databases(own_postgres.dsn)
    connection.terminate()


async def test_a_database_can_be_copied(own_postgres: TestingPostgres) -> None:
    async with own_postgres.database() as original:
        connection = await asyncpg.connect(original, timeout=10)
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        await connection.close()
        async with own_postgres.database(template=database_of(original)) as copy:
            connection = await asyncpg.connect(copy, timeout=10)
            assert await connection.fetchval("SELECT number FROM kept") == 7
            await connection.close()


async def test_a_given_server_is_used_and_left_running(
    own_postgres: TestingPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLACET_TEST_POSTGRES_DSN", own_postgres.dsn)
    given = await start_postgres()
    assert given.server is None
    async with given.database() as dsn:
        assert database_of(dsn) in await databases(own_postgres.dsn)
    await given.stop()
    assert await databases(own_postgres.dsn)


async def test_a_lost_answer_to_a_commit_can_be_staged(own_postgres: TestingPostgres) -> None:
    assert own_postgres.server is not None
    async with (
        TcpProxy(own_postgres.server.port) as proxy,
        own_postgres.database() as direct,
    ):
        through = direct.replace(f":{own_postgres.server.port}/", f":{proxy.port}/")
        writer = await asyncpg.connect(through, timeout=10)
        await writer.execute("CREATE TABLE kept (number int)")
        proxy.swallow(Way.TO_CLIENT)
        with pytest.raises(TimeoutError):
            await writer.execute("INSERT INTO kept VALUES (7)", timeout=0.3)
        proxy.cut()
        writer.terminate()
        reader = await asyncpg.connect(direct, timeout=10)
        assert await reader.fetchval("SELECT number FROM kept") == 7
        await reader.close()
