"""Takes in the lines of a CSV file: who is new, who is changed, and what cannot be."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.directory import circles
from services.directory.changing import Change, changing
from services.directory.postgres import PostgresDirectories
from services.people.csv_lines import Line, Problem
from services.people.rows import (
    PersonRow,
    TooManyPeople,
    differs,
    new_id,
    person_row,
    put_people,
)

if TYPE_CHECKING:
    from asyncpg import Record

TOGETHER = 1000
"""Lines that are written in one transaction: others who change people wait no longer."""
AT_ONCE = 2
"""Imports that one process works on; others wait for their turn."""


@dataclass(slots=True)
class Imported:
    """What became of a file, or would become of it."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A line as a row, and the groups of the person that no identity provider provides."""

    row: PersonRow
    groups: Sequence[str]
    is_new: bool


class Imports:
    """Writes lines into the table of people; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database, directories: PostgresDirectories) -> None:
        self._database = database
        self._directories = directories
        self._sql = statements("services.people")
        self._working = asyncio.Semaphore(AT_ONCE)

    async def take(self, workspace: str, lines: Sequence[Line], *, dry_run: bool) -> Imported:
        """Write what can be, line by line, and tell what cannot; a dry run only tells."""
        async with self._working:
            imported = Imported()
            taken = await self._without_circles(workspace, lines, imported)
            for start in range(0, len(taken), TOGETHER):
                part = taken[start : start + TOGETHER]
                if dry_run:
                    async with self._database.workspace(workspace) as connection:
                        await self._planned(connection, workspace, part, imported)
                    continue
                try:
                    done = await self._write(workspace, part)
                except TooManyPeople as error:
                    imported.problems += [Problem(line.line, str(error)) for line in part]
                else:
                    imported.created += done.created
                    imported.changed += done.changed
                    imported.unchanged += done.unchanged
                    imported.problems += done.problems
            imported.problems.sort(key=lambda one: one.line)
            return imported

    async def _without_circles(
        self, workspace: str, lines: Sequence[Line], imported: Imported
    ) -> Sequence[Line]:
        """Return the lines whose managers lead upwards; with the others, nobody's would."""
        if not any(line.manager for line in lines):
            return lines
        directory = await self._directories.fresh(workspace)
        managers = {email: one.manager for email, one in directory.members.items()}
        managers |= {line.email: line.manager for line in lines if "manager" in line.sets}
        bad: dict[str, str] = {}
        for circle in circles(managers):
            way = " → ".join((*circle, circle[0])) if len(circle) <= 10 else "a long way round"  # noqa: PLR2004 # what a person still reads
            bad |= dict.fromkeys(circle, way)
        wrong = [line for line in lines if line.manager is not None and line.email in bad]
        imported.problems += [
            Problem(line.line, f"manager: these manage one another: {bad[line.email]}")
            for line in wrong
        ]
        refused = {line.line for line in wrong}
        return [line for line in lines if line.line not in refused]

    async def _write(self, workspace: str, lines: Sequence[Line]) -> Imported:
        done = Imported()
        async with changing(self._database, workspace) as change:
            planned = await self._planned(change.connection, workspace, lines, done)
            await put_people(change, [one.row for one in planned], new=done.created)
            await self._put_groups(change, planned)
        return done

    async def _planned(
        self, connection: Connection, workspace: str, lines: Sequence[Line], told: Imported
    ) -> Sequence[_Planned]:
        """Return what is to be written of some lines, and count it."""
        emails = [line.email for line in lines]
        records = await connection.fetch(self._sql["by_email"], workspace, emails)
        there = {record["email"]: record for record in records}
        wanted = sorted({group for line in lines for group in line.groups or ()})
        rows = await connection.fetch(self._sql["provided_labels"], workspace, wanted)
        provided = {row["label"] for row in rows}
        planned: list[_Planned] = []
        for line in lines:
            one = _plan(line, there.get(line.email), provided)
            if isinstance(one, Problem):
                told.problems.append(one)
            elif one is None:
                told.unchanged += 1
            else:
                planned.append(one)
                told.created += one.is_new
                told.changed += not one.is_new
        return planned

    async def _put_groups(self, change: Change, planned: Sequence[_Planned]) -> None:
        labels = sorted({group for one in planned for group in one.groups})
        ids = await self._group_ids(change, labels)
        people = [one.row.person_id for one in planned if not one.is_new]
        await change.connection.execute(self._sql["leave_own_groups"], change.workspace, people)
        pairs = [(one.row.person_id, ids[group]) for one in planned for group in one.groups]
        if pairs:
            members, groups = zip(*pairs, strict=True)
            await change.connection.execute(
                self._sql["join_groups"], change.workspace, list(members), list(groups)
            )

    async def _group_ids(self, change: Change, labels: Sequence[str]) -> Mapping[str, str]:
        """Return the ids of groups, and make those that are not there."""
        rows = await change.connection.fetch(self._sql["groups_by_label"], change.workspace, labels)
        ids = {row["label"]: row["group_id"] for row in rows}
        made = {group: new_id() for group in labels if group not in ids}
        await change.connection.executemany(
            self._sql["add_own_group"],
            [(change.workspace, group_id, group, group) for group, group_id in made.items()],
        )
        return ids | made


def _plan(line: Line, record: "Record | None", provided: set[str]) -> _Planned | Problem | None:
    """Return what is to be written of a line, or why nothing is; None if it is so already."""
    before = person_row(record) if record is not None else None
    row = before or PersonRow(person_id=new_id(), email=line.email)
    own = list(record["own_groups"]) if record is not None else []
    given = set(record["provided_groups"]) if record is not None else set()
    foreign = sorted((set(line.groups or ()) & provided) - given)
    if foreign:
        return Problem(line.line, f"groups: {foreign[0]} comes by SCIM: add people to it there")
    if line.active and not row.active and row.origin == "scim":
        return Problem(line.line, "active: deactivated by SCIM: activate them there")
    channels = {**row.channels, **line.channels}
    after = replace(
        row,
        name=line.name if "name" in line.sets else row.name,
        roles=line.roles if line.roles is not None else row.roles,
        manager=line.manager if "manager" in line.sets else row.manager,
        time_zone=line.time_zone if "time_zone" in line.sets else row.time_zone,
        active=line.active if line.active is not None else row.active,
        channels={name: address for name, address in channels.items() if address},
    )
    groups = own if line.groups is None else sorted(set(line.groups) - given)
    if before is not None and groups == own and not differs(before, after):
        return None
    return _Planned(after, groups, is_new=before is None)
