"""Brings a database to this release: numbered SQL files, forward only, each applied once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from events.store import Unavailable
from events.store.database import UNREACHABLE, Connection
from events.store.named_sql import statements

LOCK = 0x504C_4143_4554
"""The advisory lock ("PLACET") that lets one migration run at a time."""
LOCK_TIMEOUT_MS = 5000
"""How long a step waits for a table: whoever reads it waits behind the step."""
PACKAGES = ("events.store", "projections", "services")
"""Where migrations stand, in the order in which they are applied."""


class Refused(Exception):
    """The database cannot be brought to this release; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    package: str
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file, to notice one that was changed after it was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(packages: Sequence[str] = PACKAGES) -> list[Migration]:
    """Return every migration of this release, in order."""
    return [
        Migration(package, file.name, file.read_text("utf-8"))
        for package in packages
        for file in sorted(files(package).joinpath("migrations").iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sql")
    ]


async def migrate(dsn: str, *, told: Callable[[str], None] = lambda _: None) -> int:
    """Apply what is missing and return how many files that was; each is one transaction.

    Raises `Refused` when an applied file was changed since, the database is of a newer release, or
    a table is in use for too long, and `Unavailable` when Postgres cannot be reached.
    """
    try:
        connection: Connection = await asyncpg.connect(dsn, timeout=10)
    except UNREACHABLE as error:
        raise Unavailable(f"Postgres cannot be reached: {error}") from error
    try:
        sql = statements("events.store", "migrate.sql")
        await connection.execute(sql["lock"], LOCK)
        await connection.execute(sql["schema"])
        await connection.execute(sql["table"])
        missing = await _missing(connection, newer=False)
        for migration in missing:
            told(f"{migration.package}: {migration.name}")
            async with connection.transaction():
                await connection.execute("SET LOCAL search_path = placet")
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                await connection.execute(migration.sql)
                await connection.execute(
                    sql["done"], migration.package, migration.name, migration.digest
                )
        return len(missing)
    except asyncpg.LockNotAvailableError as error:
        raise Refused(
            f"Something, such as a backup, uses a table of Placet for more than "
            f"{LOCK_TIMEOUT_MS // 1000} s ({error}). Nothing of this step was "
            "changed: migrate again once it is over."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise Refused(
            f"The database user may not migrate ({error}). It needs to own the database and to "
            "hold CREATEROLE, or run deploy/roles.sql as an administrator first."
        ) from error
    finally:
        await connection.close(timeout=5)


async def pending(dsn: str) -> list[str]:
    """Return the names of the migrations that the database still lacks.

    One that is ahead lacks nothing: each release's migrations are safe beside the release before,
    whose replicas go on, and start again, while a new one is rolled out.
    Raises `Refused` when an applied file was changed since, `Unavailable` when Postgres is away.
    """
    try:
        connection: Connection = await asyncpg.connect(dsn, timeout=10)
    except UNREACHABLE as error:
        raise Unavailable(f"Postgres cannot be reached: {error}") from error
    try:
        return [migration.name for migration in await _missing(connection, newer=True)]
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return [migration.name for migration in migrations()]
    finally:
        await connection.close(timeout=5)


async def _missing(connection: Connection, *, newer: bool) -> list[Migration]:
    rows = await connection.fetch(statements("events.store", "migrate.sql")["applied"])
    applied = {(row["package"], row["name"]): row["digest"] for row in rows}
    known = migrations()
    foreign = applied.keys() - {(one.package, one.name) for one in known}
    if foreign and not newer:
        names = ", ".join(sorted(name for _, name in foreign))
        raise Refused(f"The database is of a newer release ({names}): install that one.")
    for one in known:
        if applied.get((one.package, one.name), one.digest) != one.digest:
            raise Refused(
                f"{one.name} was changed after it was applied. Restore the file, and write the "
                "change as a new migration."
            )
    return [one for one in known if (one.package, one.name) not in applied]
