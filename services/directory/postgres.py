"""Keeps everybody of every workspace in memory, a second behind the tables at most."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

import msgspec

from events.store import Unavailable
from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.directory import Delegation, Directory, Member
from services.directory.preferences import NOTHING_SAID, Preferences
from services.directory.preferring import FIELDS, NotPreferences, preferences_of

if TYPE_CHECKING:
    from asyncpg import Record

EVERY_S = 1.0
"""How often it is looked whether anything has changed."""
MOST_PEOPLE = 200_000
"""Of one workspace, so that they fit into each process; whoever adds people refuses more."""
MOST_DELEGATIONS = 20_000
"""Of one workspace, that hold now or later; whoever makes them refuses more."""
TOGETHER = 5_000

_NOBODY = Directory()
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Snapshot:
    """What was read of one workspace up to a change."""

    change: int = 0
    rows: dict[str, Member] = field(default_factory=dict)
    preferences: dict[str, Preferences] = field(default_factory=dict)
    directory: Directory = _NOBODY


class PostgresDirectories:
    """The people of the tables, with those of `placet.yaml` laid over them in its workspace.

    What the file says of somebody wins, roles and groups are those of both, and whoever the tables
    say is not active is not. Preferences are the person's own: there the tables win.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        workspace: str = "",
        file: Directory = _NOBODY,
    ) -> None:
        self._database = database
        self._clock = clock
        self._workspace = workspace
        self._file = file
        self._sql = statements("services.directory")
        self._snapshots: dict[str, _Snapshot] = {workspace: _Snapshot(directory=file)}
        self._loading = asyncio.Lock()

    def of(self, workspace: str) -> Directory:
        """Return the people of a workspace as they were last seen; never waits."""
        found = self._snapshots.get(workspace)
        return found.directory if found is not None else _NOBODY

    async def load(self) -> None:
        """Read all that has changed; where Postgres is away, go on with what is known."""
        try:
            await self._catch_up()
        except Unavailable as error:
            logger.warning("the people of the tables are not known yet: %s", error)

    async def run(self) -> NoReturn:
        """Follow the changes until cancelled; raises `Unavailable` when Postgres is away."""
        while True:
            await self._catch_up()
            await asyncio.sleep(EVERY_S)

    async def fresh(self, workspace: str) -> Directory:
        """Return the people of a workspace as they are now; raises `Unavailable`."""
        async with self._database.connection() as connection:
            change = await connection.fetchval(self._sql["change"], workspace)
        await self._follow({workspace: change or 0})
        return self.of(workspace)

    async def _catch_up(self) -> None:
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["changes"])
        await self._follow({row["workspace"]: row["change"] for row in rows})

    async def _follow(self, changes: Mapping[str, int]) -> None:
        for workspace, change in changes.items():
            if change > self._seen(workspace):
                async with self._loading:
                    if change > self._seen(workspace):
                        await self._read(workspace)

    def _seen(self, workspace: str) -> int:
        found = self._snapshots.get(workspace)
        return found.change if found is not None else 0

    async def _read(self, workspace: str) -> None:
        known = self._snapshots.get(workspace) or _Snapshot()
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            change = await connection.fetchval(self._sql["change"], workspace)
            rows = await self._people(connection, workspace, known)
            preferences = await self._preferences(connection, workspace, known)
            found = await connection.fetch(
                self._sql["delegations"], workspace, self._clock(), MOST_DELEGATIONS + 1
            )
        if len(found) > MOST_DELEGATIONS:
            logger.error(
                "%s has over %d delegations: the rest is left out", workspace, len(found) - 1
            )
        delegations = [delegation_of(row) for row in found[:MOST_DELEGATIONS]]
        members = {one.email: one for one in rows.values()}
        told: Mapping[str, Preferences] = preferences
        if workspace == self._workspace:
            members = overlaid(self._file.members, members)
            told = _preferences_over(preferences, self._file.preferences)
        self._snapshots[workspace] = _Snapshot(
            change=change,
            rows=rows,
            preferences=preferences,
            directory=Directory(members, delegations, told),
        )

    async def _people(
        self, connection: Connection, workspace: str, known: _Snapshot
    ) -> dict[str, Member]:
        """Return everybody, of whom only those are read who have changed."""
        rows = dict(known.rows)
        after = ""
        labels: dict[tuple[str, ...], frozenset[str]] = {}
        while True:
            page = await connection.fetch(
                self._sql["people"], workspace, known.change, after, TOGETHER
            )
            for row in page:
                if row["person_id"] not in rows and len(rows) >= MOST_PEOPLE:
                    logger.error(
                        "%s has over %d people: the rest are left out", workspace, len(rows)
                    )
                    return rows
                rows[row["person_id"]] = _member(row, labels)
            if len(page) < TOGETHER:
                return rows
            after = page[-1]["person_id"]

    async def _preferences(
        self, connection: Connection, workspace: str, known: _Snapshot
    ) -> dict[str, Preferences]:
        """Return what people said of being told; only what has changed is read."""
        found = dict(known.preferences)
        after = ""
        while True:
            page = await connection.fetch(
                self._sql["preferences"], workspace, known.change, after, TOGETHER
            )
            for row in page:
                if row["email"] not in found and len(found) >= MOST_PEOPLE:
                    logger.error("%s has over %d preferences", workspace, len(found))
                    return found
                found[row["email"]] = stored_preferences(row["said"], row["changed_at"])
            if len(page) < TOGETHER:
                return found
            after = page[-1]["email"]


def stored_preferences(said: str, changed_at: datetime) -> Preferences:
    """Return what a row says; what a later release has written and this one cannot read is left."""
    given = msgspec.json.decode(said)
    try:
        found = preferences_of({name: given[name] for name in FIELDS if name in given})
    except NotPreferences as error:
        logger.warning("somebody's preferences cannot be read: %s", error)
        found = NOTHING_SAID
    return replace(found, changed_at=changed_at)


def _preferences_over(
    table: Mapping[str, Preferences], file: Mapping[str, Preferences]
) -> dict[str, Preferences]:
    return {
        **file,
        **{email: one.over(file.get(email, NOTHING_SAID)) for email, one in table.items()},
    }


def overlaid(file: Mapping[str, Member], table: Mapping[str, Member]) -> dict[str, Member]:
    """Return everybody of a file, as it says, and everybody else of a table."""
    both = {email: _both(one, table.get(email)) for email, one in file.items()}
    return both | {email: one for email, one in table.items() if email not in both}


def _both(file: Member, table: Member | None) -> Member:
    if table is None:
        return file
    return replace(
        table,
        name=file.name or table.name,
        roles=file.roles | table.roles,
        groups=file.groups | table.groups,
        manager=file.manager or table.manager,
        time_zone=file.time_zone or table.time_zone,
        channels={**table.channels, **file.channels},
    )


def _member(row: "Record", labels: dict[tuple[str, ...], frozenset[str]]) -> Member:
    # Most people share their groups and roles with many others: each set is kept once.
    roles, groups = tuple(row["roles"]), tuple(row["groups"])
    return Member(
        email=row["email"],
        name=row["name"],
        active=row["active"],
        roles=labels.setdefault(roles, frozenset(roles)),
        groups=labels.setdefault(groups, frozenset(groups)),
        manager=row["manager"],
        time_zone=row["time_zone"],
        channels=msgspec.json.decode(row["channels"], type=dict[str, str]),
    )


def delegation_of(row: "Record") -> Delegation:
    """Return what a row says."""
    return Delegation(
        id=row["delegation_id"],
        person=row["person"],
        to=row["delegate"],
        begins=row["begins"],
        ends=row["ends"],
        reason=row["reason"],
    )
