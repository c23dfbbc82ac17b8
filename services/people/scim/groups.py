"""Groups as an identity provider creates, changes, finds and removes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.directory import label
from services.directory.changing import Change, changing
from services.directory.fields import LABEL
from services.directory.postgres import MOST_PEOPLE
from services.people.rows import new_id
from services.people.scim.documents import read_operations, text
from services.people.scim.filters import read_filter, read_path
from services.people.scim.messages import (
    GROUP,
    Resource,
    ScimError,
    bad_value,
    not_there,
    taken,
)
from services.people.scim.users import meta

if TYPE_CHECKING:
    from asyncpg import Record

MOST_LISTED = 50_000
"""Members that a list of groups shows in all."""


@dataclass(slots=True)
class _Group:
    """A group as it is to be; `known_as` is its label so far, `touched` are who came or went."""

    group_id: str
    known_as: str
    name: str
    external_id: str | None
    touched: set[str] = field(default_factory=set)


class Groups:
    """The groups of each workspace; `at` is the address of `/scim/v2`.

    Every call raises `ScimError` for what the provider did wrong, and `Unavailable`.
    """

    def __init__(self, database: Database, at: str) -> None:
        self._database = database
        self._users = f"{at}/Users"
        self._groups = f"{at}/Groups"
        self._sql = statements("services.people")

    async def find(self, workspace: str, group_id: str, *, members: bool = True) -> Resource:
        """Return one group, with its members or without them."""
        async with self._database.workspace(workspace) as connection:
            record = await self._record(connection, workspace, group_id)
            most = MOST_PEOPLE if members else 0
            return (await self._resources(connection, workspace, [record], most))[0]

    async def list(
        self, workspace: str, filter_: str | None, start: int, count: int, *, members: bool
    ) -> tuple[Sequence[Resource], int]:
        """Return a page from a place on, counted from 1, and how many there are in all."""
        chosen = _chosen(filter_)
        async with self._database.workspace(workspace) as connection:
            total = await connection.fetchval(self._sql["group_count"], workspace, *chosen)
            if not count:
                return [], total
            records = await connection.fetch(
                self._sql["group_page"], workspace, *chosen, start - 1, count
            )
            most = MOST_LISTED if members else 0
            return await self._resources(connection, workspace, records, most), total

    async def create(self, workspace: str, given: Mapping[str, Any]) -> Resource:
        """Add a group; one that an import made becomes the provider's, with its members only."""
        keys = _keys(given)
        name = _name(keys.get("displayname"))
        async with changing(self._database, workspace) as change:
            record = await change.connection.fetchrow(
                self._sql["group_at_label"], workspace, label(name)
            )
            if record is not None and record["origin"] == "scim":
                raise taken(f"There is a group named {name}.")
            group = _Group(
                record["group_id"] if record is not None else new_id(),
                label(name),
                name,
                _external_id(keys.get("externalid")),
            )
            await self._save(change, group)
            await self._keep(change, group, _ids(keys.get("members")))
            return await self._finish(change, group)

    async def replace(self, workspace: str, group_id: str, given: Mapping[str, Any]) -> Resource:
        """Let a group be as given: without members, if none are."""
        keys = _keys(given)
        async with changing(self._database, workspace) as change:
            record = await self._record(change.connection, workspace, group_id)
            group = _Group(
                record["group_id"],
                record["label"],
                _name(keys.get("displayname", record["name"])),
                _external_id(keys.get("externalid", record["external_id"])),
            )
            await self._save(change, group)
            await self._keep(change, group, _ids(keys.get("members")))
            return await self._finish(change, group)

    async def patch(self, workspace: str, group_id: str, operations: object) -> None:
        """Change a group by operations, all of them or none."""
        async with changing(self._database, workspace) as change:
            record = await self._record(change.connection, workspace, group_id)
            group = _Group(
                record["group_id"], record["label"], record["name"], record["external_id"]
            )
            for op, path, value in read_operations(operations):
                if path:
                    await self._apply(change, group, op, path, value)
                elif isinstance(value, Mapping):
                    for name, said in value.items():
                        if name.lower() in ("displayname", "externalid", "members"):
                            await self._apply(change, group, op, name, said)
                else:
                    raise bad_value(f"{op}: without a path, the value must be an object.")
            await self._save(change, group)
            await self._touch(change, group)

    async def remove(self, workspace: str, group_id: str) -> None:
        """Remove a group; its members stay."""
        async with changing(self._database, workspace) as change:
            await self._record(change.connection, workspace, group_id)
            await change.connection.execute(
                self._sql["touch_members"], workspace, group_id, change.number
            )
            await change.connection.execute(self._sql["remove_group"], workspace, group_id)

    async def _apply(
        self, change: Change, group: _Group, op: str, path_text: str, value: Any
    ) -> None:
        path = read_path(path_text)
        if path.name == "displayname":
            group.name = _name(None if op == "remove" else value)
        elif path.name == "externalid":
            group.external_id = _external_id(None if op == "remove" else value)
        elif path.name == "members":
            named = [str(one.value) for one in path.clauses or () if one.name == "value"]
            if path.clauses and not named:
                raise ScimError(400, 'members: choose them by `value eq "ID"`.', "invalidFilter")
            if op == "remove" and value is None and not named:
                await self._keep(change, group, [])
            elif op == "remove":
                await self._members(change, group, "remove_members", named or _ids(value))
            elif op == "replace" and not named:
                await self._keep(change, group, _ids(value))
            else:
                await self._add(change, group, named or _ids(value))

    async def _save(self, change: Change, group: _Group) -> None:
        try:
            await change.connection.execute(
                self._sql["put_group"],
                change.workspace,
                group.group_id,
                label(group.name),
                group.name,
                group.external_id,
            )
        except asyncpg.UniqueViolationError as error:
            raise taken(f"There is a group named {group.name}.") from error
        if label(group.name) != group.known_as:
            # Everybody in it is in a group of another name now.
            await change.connection.execute(
                self._sql["touch_members"], change.workspace, group.group_id, change.number
            )

    async def _keep(self, change: Change, group: _Group, members: Sequence[str]) -> None:
        """Let a group have these members and no others."""
        await self._members(change, group, "keep_members", members)
        await self._add(change, group, members)

    async def _add(self, change: Change, group: _Group, members: Sequence[str]) -> None:
        rows = await change.connection.fetch(
            self._sql["known_people"], change.workspace, list(members)
        )
        unknown = sorted(set(members) - {row["person_id"] for row in rows})
        if unknown:
            raise bad_value(f"members: {unknown[0][:100]!r} is the id of no user.")
        await self._members(change, group, "add_members", sorted(set(members)))

    async def _members(
        self, change: Change, group: _Group, statement: str, members: Sequence[str]
    ) -> None:
        rows = await change.connection.fetch(
            self._sql[statement], change.workspace, group.group_id, list(members)
        )
        group.touched |= {row["person_id"] for row in rows}

    async def _touch(self, change: Change, group: _Group) -> None:
        await change.connection.execute(
            self._sql["touch"], change.workspace, change.number, sorted(group.touched)
        )

    async def _finish(self, change: Change, group: _Group) -> Resource:
        await self._touch(change, group)
        record = await self._record(change.connection, change.workspace, group.group_id)
        found = await self._resources(change.connection, change.workspace, [record], MOST_PEOPLE)
        return found[0]

    async def _record(self, connection: Connection, workspace: str, group_id: str) -> "Record":
        record = await connection.fetchrow(self._sql["group"], workspace, text(group_id, "id"))
        if record is None:
            raise not_there("group")
        return record

    async def _resources(
        self, connection: Connection, workspace: str, records: "Sequence[Record]", most: int
    ) -> Sequence[Resource]:
        """Return groups with at most so many members in all; with 0, without any."""
        members: dict[str, list[Resource]] = {record["group_id"]: [] for record in records}
        if most:
            rows = await connection.fetch(
                self._sql["group_members"], workspace, list(members), most + 1
            )
            if len(rows) > most:
                raise ScimError(
                    400,
                    f"These groups have over {most} members. Ask for fewer by `count`, or with "
                    "`excludedAttributes=members`.",
                    "tooMany",
                )
            for row in rows:
                at = f"{self._users}/{row['person_id']}"
                members[row["group_id"]].append(
                    {"value": row["person_id"], "display": row["email"], "$ref": at, "type": "User"}
                )
        return [self._resource(one, members[one["group_id"]] if most else None) for one in records]

    def _resource(self, record: "Record", members: Sequence[Resource] | None) -> Resource:
        resource: Resource = {
            "schemas": [GROUP],
            "id": record["group_id"],
            "displayName": record["name"],
        }
        if record["external_id"] is not None:
            resource["externalId"] = record["external_id"]
        if members is not None:
            resource["members"] = list(members)
        at = f"{self._groups}/{record['group_id']}"
        resource["meta"] = meta("Group", record["created_at"], record["updated_at"], at)
        return resource


def _chosen(filter_: str | None) -> list[str | None]:
    """Return label, external id, id and member to look for; raises `ScimError`."""
    wanted: dict[str, str | None] = dict.fromkeys(("displayname", "externalid", "id", "members"))
    for one in read_filter(filter_) if filter_ else ():
        name = "members" if one.name == "members.value" else one.name
        if name not in wanted:
            raise ScimError(
                400,
                f"{name}: groups are found by displayName, externalId, id and members.",
                "invalidFilter",
            )
        wanted[name] = text(str(one.value), name)
    if wanted["displayname"] is not None:
        wanted["displayname"] = label(wanted["displayname"])
    return list(wanted.values())


def _keys(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in given.items()}


def _name(value: object) -> str:
    name = text(value, "displayName").strip()
    if not LABEL.fullmatch(label(name)):
        raise bad_value("displayName: must be a text of 1 to 100 characters.")
    return name


def _external_id(value: object) -> str | None:
    return text(value, "externalId") if value is not None else None


def _ids(value: object) -> list[str]:
    """Return the ids of members, which come as objects, as one object, or as plain texts."""
    found: list[str] = []
    for one in value if isinstance(value, list) else [] if value is None else [value]:
        named = one.get("value") if isinstance(one, Mapping) else one
        found.append(text(named, "members.value"))
    return found
