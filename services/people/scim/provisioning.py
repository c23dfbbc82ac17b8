"""Users as an identity provider creates, changes, finds and removes them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.directory.changing import Change, changing
from services.people.rows import PersonRow, TooManyPeople, new_id, person_row, put_people
from services.people.scim.documents import Document, patched, read_document, text
from services.people.scim.filters import Clause, read_filter, word
from services.people.scim.messages import (
    ENTERPRISE,
    Resource,
    ScimError,
    bad_value,
    not_there,
    taken,
)
from services.people.scim.users import applied, document_of, email_of, user_resource
from services.web.emails import NotAnAddress, email

_STATEMENTS = {
    "id": "scim_by_id",
    "username": "scim_by_username",
    "externalid": "scim_by_externalid",
    "emails": "scim_by_email",
    "emails.value": "scim_by_email",
    "displayname": "scim_by_displayname",
}


class Users:
    """The people of each workspace as SCIM users; `at` is the address of `/scim/v2`.

    Every call raises `ScimError` for what the provider did wrong, and `Unavailable`.
    """

    def __init__(self, database: Database, at: str) -> None:
        self._database = database
        self._users = f"{at}/Users"
        self._groups = f"{at}/Groups"
        self._sql = statements("services.people")

    async def find(self, workspace: str, user_id: str) -> Resource:
        """Return one user."""
        async with self._database.workspace(workspace) as connection:
            row = await self._row(connection, workspace, user_id)
            return (await self._resources(connection, workspace, [row]))[0]

    async def list(
        self, workspace: str, filter_: str | None, start: int, count: int
    ) -> tuple[Sequence[Resource], int]:
        """Return a page from a place on, counted from 1, and how many there are in all."""
        clauses = read_filter(filter_) if filter_ else []
        async with self._database.workspace(workspace) as connection:
            rows, total = await self._found(connection, workspace, clauses, start, count)
            return await self._resources(connection, workspace, rows), total

    async def create(self, workspace: str, given: Mapping[str, Any]) -> Resource:
        """Add a user; somebody who was imported, or was there before, becomes one."""
        document = {"active": True, **read_document(given)}
        async with changing(self._database, workspace) as change:
            address = email_of(document)
            record = await change.connection.fetchrow(
                self._sql["scim_at_email"], workspace, address
            )
            row = person_row(record) if record is not None else None
            if row is not None and not row.removed and row.document is not None:
                raise taken(f"There is a user with the address {address}.")
            before = row or PersonRow(person_id=new_id(), email=address)
            return await self._put(change, before, document, is_new=row is None)

    async def replace(self, workspace: str, user_id: str, given: Mapping[str, Any]) -> Resource:
        """Let a user be as given; whether they are active stays, if that is left out."""
        document = read_document(given)
        async with changing(self._database, workspace) as change:
            row = await self._row(change.connection, workspace, user_id)
            return await self._put(change, row, {"active": row.active, **document})

    async def patch(self, workspace: str, user_id: str, operations: object) -> Resource:
        """Change a user by operations, all of them or none."""
        async with changing(self._database, workspace) as change:
            row = await self._row(change.connection, workspace, user_id)
            known = {"active": row.active, **document_of(row)}
            return await self._put(change, row, patched(known, operations))

    async def remove(self, workspace: str, user_id: str) -> None:
        """Remove a user; the address stays, deactivated, so that it is routed around."""
        async with changing(self._database, workspace) as change:
            row = await self._row(change.connection, workspace, user_id)
            gone = replace(
                row,
                active=False,
                roles=(),
                channels={},
                origin="scim",
                user_name=None,
                external_id=None,
                document=None,
                removed=True,
            )
            await put_people(change, [gone], new=0)
            await change.connection.execute(self._sql["leave_groups"], workspace, user_id)

    async def _put(
        self, change: Change, before: PersonRow, document: Document, *, is_new: bool = False
    ) -> Resource:
        manager = await self._manager(change, document)
        row = applied(before, document, manager)
        if manager == row.email:
            raise bad_value("manager: nobody is their own manager.")
        try:
            await put_people(change, [row], new=int(is_new))
        except TooManyPeople as error:
            raise ScimError(409, str(error)) from error
        except asyncpg.UniqueViolationError as error:
            is_email = error.constraint_name == "people_email_idx"
            raise taken(
                f"There is somebody else with the address {row.email}."
                if is_email
                else f"There is another user with the userName {row.user_name}."
            ) from error
        if row.email != before.email:
            await self._rename(change, before.email, row.email)
        stored = await self._row(change.connection, change.workspace, row.person_id)
        return (await self._resources(change.connection, change.workspace, [stored]))[0]

    async def _rename(self, change: Change, old: str, new: str) -> None:
        """Let managers and absences follow an address that has changed."""
        connection, workspace = change.connection, change.workspace
        await connection.execute(self._sql["rename_manager"], workspace, old, new, change.number)
        # Between the two it would become one of somebody to themselves.
        await connection.execute(self._sql["end_between"], workspace, [old, new])
        await connection.execute(self._sql["rename_person"], workspace, old, new)
        await connection.execute(self._sql["rename_delegate"], workspace, old, new)

    async def _manager(self, change: Change, document: Document) -> str | None:
        """Return the address of the manager: named by the id of a user, or by an address."""
        named = document.get(ENTERPRISE, {}).get("manager", {}).get("value")
        if named is None:
            return None
        found: str | None = await change.connection.fetchval(
            self._sql["reference"], change.workspace, named
        )
        if found is not None:
            return found
        try:
            return email(named)
        except NotAnAddress as error:
            raise bad_value(
                f"manager.value: {named[:100]!r} is the id of no user, and no address. Provision "
                "the manager first."
            ) from error

    async def _row(self, connection: Connection, workspace: str, user_id: str) -> PersonRow:
        record = await connection.fetchrow(self._sql["scim_by_id"], workspace, text(user_id, "id"))
        if record is None:
            raise not_there("user")
        return person_row(record)

    async def _found(
        self,
        connection: Connection,
        workspace: str,
        clauses: Sequence[Clause],
        start: int,
        count: int,
    ) -> tuple[Sequence[PersonRow], int]:
        for one in clauses:
            if one.name not in _STATEMENTS and one.name != "active":
                known = ", ".join(["active", *_STATEMENTS])
                raise ScimError(400, f"{one.name}: users are found by {known}.", "invalidFilter")
        keyed = next((one for one in clauses if one.name in _STATEMENTS), None)
        if keyed is None:
            actives = {word(one.value) == "true" for one in clauses}
            if len(actives) > 1:
                return [], 0
            active = next(iter(actives), None)
            total = await connection.fetchval(self._sql["scim_count"], workspace, active)
            page = (
                await connection.fetch(self._sql["scim_page"], workspace, active, start - 1, count)
                if count
                else []
            )
            return [person_row(record) for record in page], total
        statement = self._sql[_STATEMENTS[keyed.name]]
        records = await connection.fetch(statement, workspace, text(str(keyed.value), keyed.name))
        rows = [row for row in map(person_row, records) if all(_has(row, one) for one in clauses)]
        return rows[start - 1 : start - 1 + count], len(rows)

    async def _resources(
        self, connection: Connection, workspace: str, rows: Sequence[PersonRow]
    ) -> Sequence[Resource]:
        if not rows:
            return []
        ids = [row.person_id for row in rows]
        groups: dict[str, list[dict[str, str]]] = {}
        for record in await connection.fetch(self._sql["groups_of"], workspace, ids):
            group_id = record["group_id"]
            named = {"value": group_id, "display": record["name"]}
            groups.setdefault(record["person_id"], []).append(
                {**named, "$ref": f"{self._groups}/{group_id}"}
            )
        managers = sorted({row.manager for row in rows if row.manager is not None})
        records = await connection.fetch(self._sql["names_at"], workspace, managers)
        named_managers = {one["email"]: (one["person_id"], one["name"]) for one in records}
        return [
            user_resource(
                row,
                groups.get(row.person_id, []),
                *named_managers.get(row.manager or "", (None, None)),
                self._users,
            )
            for row in rows
        ]


def _has(row: PersonRow, clause: Clause) -> bool:
    of_each: Mapping[str, object] = {
        "id": row.person_id,
        "username": row.user_name or row.email,
        "externalid": row.external_id,
        "emails": row.email,
        "emails.value": row.email,
        "displayname": row.name,
        "active": row.active,
    }
    return word(of_each[clause.name]) == word(clause.value)
