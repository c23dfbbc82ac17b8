"""A person as the table keeps them, and how people are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import msgspec

from events.store.named_sql import statements
from services.directory.changing import Change
from services.directory.postgres import MOST_PEOPLE

if TYPE_CHECKING:
    from asyncpg import Record

Origin = Literal["csv", "scim"]


class TooManyPeople(Exception):
    """The workspace would have more people than fit into memory; nothing was written."""

    def __init__(self) -> None:
        super().__init__(f"A workspace has at most {MOST_PEOPLE} people, also those removed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """One row; `document` holds the attributes that SCIM set, None for somebody it never named."""

    person_id: str
    email: str
    name: str | None = None
    active: bool = True
    roles: Sequence[str] = ()
    manager: str | None = None
    time_zone: str | None = None
    channels: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = "csv"
    user_name: str | None = None
    external_id: str | None = None
    document: Mapping[str, Any] | None = None
    removed: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


def new_id() -> str:
    """Return an id for a person or a group."""
    return str(uuid4())


def person_row(record: "Record") -> PersonRow:
    """Return what the table has."""
    document = record["document"]
    return PersonRow(
        person_id=record["person_id"],
        email=record["email"],
        name=record["name"],
        active=record["active"],
        roles=record["roles"],
        manager=record["manager"],
        time_zone=record["time_zone"],
        channels=msgspec.json.decode(record["channels"]),
        origin=record["origin"],
        user_name=record["user_name"],
        external_id=record["external_id"],
        document=msgspec.json.decode(document) if document is not None else None,
        removed=record["removed"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
    )


async def put_people(change: Change, rows: Sequence[PersonRow], *, new: int) -> None:
    """Write people, `new` of whom were not there; raises `TooManyPeople`."""
    sql = statements("services.people")
    if new:
        count = await change.connection.fetchval(sql["count_people"], change.workspace, new)
        if count > MOST_PEOPLE:
            raise TooManyPeople
    await change.connection.executemany(
        sql["put"],
        [
            (
                change.workspace,
                row.person_id,
                row.email,
                row.name,
                row.active,
                list(row.roles),
                row.manager,
                row.time_zone,
                msgspec.json.encode(row.channels).decode(),
                row.origin,
                row.user_name,
                row.external_id,
                msgspec.json.encode(row.document).decode() if row.document is not None else None,
                row.removed,
                change.number,
            )
            for row in rows
        ],
    )


def differs(before: PersonRow, after: PersonRow) -> bool:
    """Tell whether anything but the times is another."""
    return replace(before, roles=sorted(before.roles)) != replace(after, roles=sorted(after.roles))
