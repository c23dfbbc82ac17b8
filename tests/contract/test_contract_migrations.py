"""Migrations: numbered, forward only, applied once, and by an owner who is no superuser."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

import events.store.migrate as module
from events.store import Unavailable
from events.store.database import Database
from events.store.log import PostgresLog
from events.store.migrate import PACKAGES, Migration, Refused, migrate, migrations, pending
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from projections.rebuild import rebuild
from services.web.keys import Keys
from tests.contract.test_contract_store import append
from tests.core.examples import OWN
from tests.servers.postgres import GIVEN, TestingPostgres, dsn_of_database, start_postgres

ROLES = Path(__file__).parents[2] / "deploy" / "roles.sql"
NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@pytest_asyncio.fixture(loop_scope="session")
async def empty(postgres: TestingPostgres) -> AsyncIterator[str]:
    async with postgres.database() as name:
        yield name


@pytest.mark.parametrize("package", PACKAGES)
def test_migrations_are_numbered_without_gaps(package: str) -> None:
    names = [one.name for one in migrations([package])]
    found = [NAME.fullmatch(name) for name in names]
    assert all(found), names
    assert [int(match[1]) for match in found if match] == list(range(1, len(names) + 1))


def test_every_migration_says_in_its_first_line_what_it_is_for() -> None:
    assert all(re.match(r"-- \S.{10,}", one.sql) for one in migrations())


async def test_a_new_database_lacks_all_and_then_nothing(empty: str) -> None:
    names = [one.name for one in migrations()]
    assert await pending(empty) == names
    told: list[str] = []
    assert await migrate(empty, told=told.append) == len(names)
    assert [line.partition(": ")[2] for line in told] == names
    assert await pending(empty) == []


async def test_a_table_that_is_in_use_for_too_long_is_not_waited_for(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads it would wait behind the step, which waits for a backup, say."""
    every = migrations()
    added = Migration("services", "9999_more.sql", "ALTER TABLE placet.events ADD more text")
    await migrate(empty)
    monkeypatch.setattr(module, "migrations", lambda: [*every, added])
    monkeypatch.setattr(module, "LOCK_TIMEOUT_MS", 100)
    backup = await asyncpg.connect(empty)
    try:
        async with backup.transaction():
            await backup.execute("LOCK TABLE placet.events IN ACCESS SHARE MODE")
            with pytest.raises(Refused, match="Nothing of this step was changed"):
                await migrate(empty)
            assert await pending(empty) == ["9999_more.sql"]
        assert await migrate(empty) == 1
    finally:
        await backup.close()


async def test_migrating_again_applies_nothing(dsn: str) -> None:
    told: list[str] = []
    assert await migrate(dsn, told=told.append) == 0
    assert told == []


async def test_two_who_migrate_at_once_apply_each_file_once(empty: str) -> None:
    applied = await asyncio.gather(migrate(empty), migrate(empty), migrate(empty))
    assert sorted(applied) == [0, 0, len(migrations())]


async def test_a_file_that_was_changed_after_it_was_applied_is_refused(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "UPDATE placet.migrations SET digest = 'other' WHERE name = '0001_events.sql'"
    )
    await connection.close()
    for check in (migrate, pending):
        with pytest.raises(Refused, match=r"0001_events\.sql was changed after it was applied"):
            await check(dsn)


async def test_an_older_release_runs_on_a_newer_database_but_does_not_migrate_it(dsn: str) -> None:
    """While a release is rolled out, a replica of the one before may have to start again."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO placet.migrations (package, name, digest)"
        " VALUES ('events.store', '0099_later.sql', 'd')"
    )
    await connection.close()
    with pytest.raises(Refused, match=r"newer release \(0099_later\.sql\)"):
        await migrate(dsn)
    assert await pending(dsn) == []


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count(90)
    good = Migration("events.store", f"00{next(numbers)}_good.sql", "CREATE TABLE good (n int)")
    bad = Migration(
        "events.store", f"00{next(numbers)}_bad.sql", "CREATE TABLE bad (n int); SELECT 1 / 0"
    )
    all_of_them = [*migrations(), good, bad]
    monkeypatch.setattr(module, "migrations", lambda: all_of_them)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn)
    assert await pending(dsn) == [bad.name]
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT to_regclass('placet.good') IS NOT NULL")
    assert await connection.fetchval("SELECT to_regclass('placet.bad') IS NULL")
    await connection.close()


async def test_a_server_that_is_away_is_told_as_such() -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    for check in (migrate, pending):
        with pytest.raises(Unavailable, match="Postgres cannot be reached"):
            await check(nowhere)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bare_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestingPostgres]:
    """A server whose cluster has never seen Placet's roles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(GIVEN, raising=False)
        server = await start_postgres()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owned(bare_server: TestingPostgres) -> str:
    """A migrated database whose owner is an ordinary role that may make roles."""
    administrator = await asyncpg.connect(bare_server.dsn)
    await administrator.execute("CREATE ROLE placet_owner LOGIN CREATEROLE PASSWORD 'placet_owner'")
    await administrator.execute("CREATE DATABASE owned OWNER placet_owner")
    await administrator.close()
    dsn = as_user(dsn_of_database(bare_server.dsn, "owned"), "placet_owner")
    assert await migrate(dsn) == len(migrations())
    return dsn


def as_user(dsn: str, user: str) -> str:
    """The same connection string for a role whose password is its name."""
    head, _, tail = dsn.partition("://")
    return f"{head}://{user}:{user}@{tail.rpartition('@')[2]}"


async def test_an_owner_who_is_no_superuser_can_migrate(owned: str) -> None:
    connection = await asyncpg.connect(owned)
    rights = await connection.fetchrow(
        "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    )
    await connection.close()
    assert rights is not None
    assert tuple(rights) == (False, False)
    assert await migrate(owned) == 0
    assert await pending(owned) == []


async def test_on_such_a_database_events_are_kept_logged_shown_and_rebuilt(owned: str) -> None:
    app_db = await Database.open(owned, "placet_app", size=2)
    worker_db = await Database.open(owned, "placet_worker", size=2)
    try:
        store = PostgresStore(app_db)
        await store.append("w", [append("a", OWN), append("b", OWN)])
        log = PostgresLog(worker_db)
        assert await log.sequence(100) == 2
        logged = [one.recorded for one in await log.after(0, 100)]
        assert await ReadModels(worker_db).apply(logged) == 2
        assert await rebuild(owned) == 2
        async with app_db.workspace("w") as connection:
            assert await connection.fetchval("SELECT count(*) FROM approval_list") == 2
        async with app_db.workspace("v") as connection:
            assert await connection.fetchval("SELECT count(*) FROM approval_list") == 0
    finally:
        await app_db.close()
        await worker_db.close()


async def test_on_such_a_database_a_key_is_found(owned: str) -> None:
    app_db = await Database.open(owned, "placet_app", size=2)
    try:
        keys = Keys(app_db, None)
        made = await keys.create(
            "w", principal="ann@example.com", name="test", scopes=["admin"], expires_at=None
        )
        found = await keys.find(made.text)
        assert found is not None
        assert (found.workspace, found.email) == ("w", "ann@example.com")
    finally:
        await app_db.close()


async def test_an_owner_who_may_not_make_roles_is_told_what_to_do(
    bare_server: TestingPostgres,
) -> None:
    administrator = await asyncpg.connect(bare_server.dsn)
    await administrator.execute("CREATE ROLE placet_poor LOGIN PASSWORD 'placet_poor'")
    await administrator.execute("CREATE DATABASE poor OWNER placet_poor")
    await administrator.close()
    dsn = as_user(dsn_of_database(bare_server.dsn, "poor"), "placet_poor")
    with pytest.raises(Refused, match=r"CREATEROLE, or run deploy/roles\.sql"):
        await migrate(dsn)
    administrator = await asyncpg.connect(bare_server.dsn)
    script = ROLES.read_text("utf-8").replace(':"owner"', '"placet_poor"')
    for statement in script.strip().removesuffix(";").split(";"):
        with contextlib.suppress(asyncpg.DuplicateObjectError):  # the roles are the cluster's
            await administrator.execute(statement)
    await administrator.close()
    assert await migrate(dsn) == len(migrations())
