"""What Postgres itself refuses: changing what happened, and seeing another workspace's rows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from events.store.database import Database
from events.store.postgres import PostgresStore
from tests.contract.test_contract_store import append
from tests.core.examples import OWN

EVERYBODYS = {
    "migrations",
    "log_head",
    "publisher_cursor",
    "reconciled",
    "webhook_reconciled",
    "figures_counted",
}
"""Tables of the installation itself, which hold nothing of any workspace."""
IN_A_CHECK: dict[str, Any] = {
    "shown": "open",
    "kind": "hire",
    "origin": "csv",
    "delegate": "y",
    "assurance": "session",
    "wanted": "approved",
    "signed_in_by": "dev",
    "ends": datetime.max.replace(tzinfo=UTC),
}
"""Values for columns whose check takes only a few."""
BY_TYPE: dict[str, Any] = {
    "text": "x",
    "integer": 1,
    "bigint": 1,
    "smallint": 1,
    "double precision": 1.0,
    "boolean": False,
    "bytea": b"x",
    "date": date(2026, 3, 1),
    "ARRAY": [],
}


Owner = Any  # asyncpg's connection is generic to a type checker only


@dataclass(frozen=True)
class Table:
    """A table that belongs to workspaces, and an INSERT of one row for one of them."""

    name: str
    insert: str
    values: tuple[Any, ...]


async def tables_of_workspaces(owner: Owner) -> list[Table]:
    columns = await owner.fetch(
        "SELECT c.table_name, c.column_name, c.data_type, now() AS now"
        " FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'placet' AND t.table_type = 'BASE TABLE'"
        " AND (c.column_name = 'workspace' OR (c.is_nullable = 'NO'"
        " AND c.column_default IS NULL AND c.is_identity = 'NO')"
        # A check demands one of its nullable columns.
        " OR (c.table_name, c.column_name) = ('gated_actions', 'doc'))"
        " ORDER BY c.table_name, c.column_name = 'workspace' DESC, c.ordinal_position"
    )
    found: dict[str, list[asyncpg.Record]] = {}
    for column in columns:
        found.setdefault(column["table_name"], []).append(column)
    return [
        Table(
            name,
            f"INSERT INTO placet.{name} ({', '.join(row['column_name'] for row in rows)})"  # noqa: S608 # names from the catalogue
            f" VALUES ({', '.join(f'${n + 1}' for n in range(len(rows)))})",
            tuple(value_for(row) for row in rows[1:]),
        )
        for name, rows in found.items()
        if rows[0]["column_name"] == "workspace"
    ]


def value_for(column: asyncpg.Record) -> Any:
    if column["column_name"] in IN_A_CHECK:
        return IN_A_CHECK[column["column_name"]]
    if column["data_type"] == "timestamp with time zone":
        return column["now"]
    return BY_TYPE[column["data_type"]]


@pytest_asyncio.fixture(loop_scope="session")
async def owner(shared_dsn: str) -> AsyncIterator[Owner]:
    """The owner of the module's database, for looking."""
    connection = await asyncpg.connect(shared_dsn, server_settings={"search_path": "pg_catalog"})
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def filling(dsn: str) -> AsyncIterator[Owner]:
    """The owner of the test's own database, for filling its tables, each without the others."""
    connection = await asyncpg.connect(dsn, server_settings={"session_replication_role": "replica"})
    yield connection
    await connection.close()


@pytest.mark.parametrize("role", ["placet_app", "placet_worker"])
@pytest.mark.parametrize("table", ["events", "claims", "log"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET workspace = 'b'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE {} ADD COLUMN forged text",
        "CREATE INDEX ON {} (workspace)",
    ],
)
async def test_no_service_may_change_what_happened(
    owner: Owner, role: str, table: str, statement: str
) -> None:
    await owner.execute(f"SET ROLE {role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute(statement.format(f"placet.{table}"))


async def test_nobody_else_was_given_a_right_to_change_what_happened(owner: Owner) -> None:
    rows = await owner.fetch(
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = 'placet' AND table_name IN ('events', 'claims', 'log')"
        " AND privilege_type NOT IN ('SELECT', 'INSERT') AND grantee <> current_user"
    )
    assert rows == []


async def test_an_application_role_may_not_move_the_log(app_db: Database) -> None:
    async with app_db.workspace("a") as connection:
        for statement in (
            "SELECT sequence_log(1)",
            "UPDATE log_head SET seq = 7",
            "UPDATE publisher_cursor SET published = 7",
            "INSERT INTO log (seq, position, workspace, hash) VALUES (1, 1, 'a', '')",
        ):
            await PostgresStore(app_db).append("a", [append(f"for {statement[:12]}", OWN)])
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_every_table_belongs_to_workspaces_or_is_known_not_to(owner: Owner) -> None:
    tables = {table.name for table in await tables_of_workspaces(owner)}
    names = {
        row["table_name"]
        for row in await owner.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'placet'"
        )
    }
    assert names - tables == EVERYBODYS
    assert {"events", "claims", "log", "approval_list", "parked", "api_keys"} <= tables


async def test_every_table_of_workspaces_is_guarded_by_row_level_security(owner: Owner) -> None:
    for table in await tables_of_workspaces(owner):
        guard = await owner.fetchrow(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::regclass",
            f"placet.{table.name}",
        )
        assert tuple(guard) == (True, True), table.name
        policies = await owner.fetch(
            "SELECT policyname, permissive, roles::text[], cmd, qual, with_check"
            " FROM pg_policies WHERE schemaname = 'placet' AND tablename = $1"
            " ORDER BY policyname",
            table.name,
        )
        assert [(row["policyname"], row["roles"]) for row in policies] == [
            ("every_workspace", ["placet_worker"]),
            ("own_workspace", ["placet_app"]),
        ], table.name
        own = policies[1]
        assert own["qual"] == "(workspace = placet.current_workspace())", table.name
        assert own["with_check"] in (None, own["qual"]), table.name
        assert (own["cmd"], own["permissive"]) == ("ALL", "PERMISSIVE"), table.name


async def visible(connection: Any, table: str) -> int | None:
    """How many rows of b are seen; None where the role may not look at all."""
    try:
        count: int = await connection.fetchval(
            f"SELECT count(*) FROM placet.{table} WHERE workspace = 'b'"  # noqa: S608 # from the catalogue
        )
    except asyncpg.InsufficientPrivilegeError:
        return None
    return count


async def test_no_workspace_sees_a_row_of_another_in_any_table(
    filling: Owner, app_db: Database, worker_db: Database
) -> None:
    tables = await tables_of_workspaces(filling)
    for table in tables:
        await filling.execute(table.insert, "b", *table.values)
    seen = 0
    for table in tables:
        async with app_db.connection() as connection:
            assert not await visible(connection, table.name), f"nobody's connection: {table.name}"
        async with worker_db.connection() as connection:
            assert await visible(connection, table.name) in (1, None), table.name
    for table in tables:
        async with app_db.workspace("a") as connection:
            assert not await visible(connection, table.name), f"workspace a: {table.name}"
            for workspace in ("", "b ", "B", "%"):
                await connection.execute(
                    "SELECT set_config('placet.workspace', $1, false)", workspace
                )
                assert not await visible(connection, table.name), f"{workspace!r}: {table.name}"
            await connection.execute("SELECT set_config('placet.workspace', 'a', false)")
        async with app_db.workspace("b") as connection:
            seen += await visible(connection, table.name) or 0
    assert seen == len(tables), "each workspace's own rows are there for it to see"


async def test_no_workspace_writes_a_row_of_another_into_any_table(
    filling: Owner, app_db: Database
) -> None:
    for table in await tables_of_workspaces(filling):
        await filling.execute(table.insert, "a", *table.values)
        async with app_db.workspace("a") as connection:
            with pytest.raises(
                asyncpg.InsufficientPrivilegeError, match=r"row-level security|permission denied"
            ):
                await connection.execute(table.insert, "b", *table.values)
            with pytest.raises(
                asyncpg.InsufficientPrivilegeError, match=r"row-level security|permission denied"
            ):
                await connection.execute(
                    f"UPDATE placet.{table.name} SET workspace = 'b'"  # noqa: S608 # from the catalogue
                )
        count = await filling.fetchval(
            f"SELECT count(*) FROM placet.{table.name} WHERE workspace = 'b'"  # noqa: S608 # same
        )
        assert count == 0, table.name


async def test_the_store_finds_nothing_of_another_workspace_even_without_its_where(
    app_db: Database,
) -> None:
    await PostgresStore(app_db).append("b", [append("x", OWN)])
    async with app_db.workspace("a") as connection:
        assert await connection.fetchval("SELECT count(*) FROM events") == 0
    async with app_db.workspace("b") as connection:
        assert await connection.fetchval("SELECT count(*) FROM events") == 1


async def test_a_lent_connection_speaks_for_who_borrows_it(dsn: str) -> None:
    """One connection, borrowed in turn: what one workspace set must not stay for the next."""
    database = await Database.open(dsn, "placet_app", size=1)
    try:
        for name in ("a", "b", "a", "a", "b"):
            async with database.workspace(name) as connection:
                assert await connection.fetchval("SELECT current_workspace()") == name
                assert await connection.fetchval("SELECT current_user") == "placet_app"
    finally:
        await database.close()


async def test_only_the_look_ups_of_secrets_step_over_the_guard(owner: Owner) -> None:
    rows = await owner.fetch(
        "SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'placet' AND p.prosecdef"
    )
    found = {row["proname"] for row in rows}
    assert found == {
        "find_api_key",
        "find_key",
        "find_link",
        "find_session",
        "find_stop_token",
    }


async def test_the_services_roles_cannot_log_in_nor_step_over_the_guard(owner: Owner) -> None:
    rows = await owner.fetch(
        "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
        " WHERE rolname IN ('placet_app', 'placet_worker')"
    )
    assert [tuple(row) for row in rows] == [(False, False, False, False, False)] * 2
