"""The tables of deliveries and attempts, written and read many rows at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from events.store.database import Connection, Database, storable
from events.store.named_sql import statements
from services.webhooks.endpoints import Endpoint, Key, Kind, signing_of

State = Literal["waiting", "delivered", "failed", "held"]
"""Failed: given up after the last attempt. Held: the endpoint was disabled."""

DeliveryKey = tuple[str, str, str]
"""Workspace, endpoint and message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Something that an endpoint is to be told; `url` where it is not the endpoint's own."""

    endpoint: Endpoint
    message_id: str
    type: str
    approval_id: str
    version: int
    url: str | None = None

    @property
    def key(self) -> DeliveryKey:
        """What tells it from every other one: planned again, it is the same."""
        return (*self.endpoint.key, self.message_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A delivery in the hands of this process, until its lease ends.

    `tries` counts the attempts that were made since it was last asked for.
    """

    number: int
    endpoint: Endpoint
    message_id: str
    url: str
    body: bytes = field(repr=False)
    tries: int
    leased_until: datetime

    @property
    def key(self) -> DeliveryKey:
        """What tells it from every other one."""
        return (*self.endpoint.key, self.message_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended, and what is to become of the delivery."""

    number: int
    key: DeliveryKey
    state: State
    due_at: datetime
    at: datetime
    status: int | None
    error: str | None
    duration_s: float
    answer: bytes
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An endpoint whose latest attempts all failed, since when, and what was warned of."""

    workspace: str
    endpoint_id: str
    kind: Kind
    url: str
    failing_since: datetime
    warned: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is due, with all that its body is made of."""

    endpoint: Endpoint
    row: Mapping[str, Any] = field(repr=False)


class Deliveries:
    """Every workspace's rows, as the workers' role; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.webhooks")

    async def keep(
        self,
        planned: Sequence[Planned],
        due_at: Mapping[DeliveryKey, datetime],
        connection: Connection | None = None,
    ) -> dict[DeliveryKey, int]:
        """Write down what is to be told, in one statement; return new rows that may be sent.

        What was planned before, is not planned again. What goes to a disabled endpoint is held.
        """
        rows = sorted({one.key: one for one in planned}.values(), key=lambda one: one.key)
        origins = {
            one.endpoint.key: one.endpoint for one in rows if one.endpoint.kind == "callback"
        }
        arguments = (
            [key[0] for key in origins],
            [key[1] for key in origins],
            [storable(endpoint.url) for endpoint in origins.values()],
            [one.endpoint.workspace for one in rows],
            [one.endpoint.endpoint_id for one in rows],
            [one.message_id for one in rows],
            [one.type for one in rows],
            [None if one.url is None else storable(one.url) for one in rows],
            [one.approval_id for one in rows],
            [one.version for one in rows],
            [due_at[one.key] for one in rows],
        )
        if connection is not None:
            kept = await connection.fetch(self._sql["keep"], *arguments)
        else:
            async with self._database.connection() as own:
                kept = await own.fetch(self._sql["keep"], *arguments)
        return {_key(row): row["number"] for row in kept if row["state"] == "waiting"}

    async def waiting(self, after: Key, limit: int) -> Sequence[tuple[Key, datetime]]:
        """Return endpoints for which something waits, and when the first of it is due."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["waiting"], *after, limit)
        return [((row["workspace"], row["endpoint_id"]), row["due_at"]) for row in rows]

    async def take(
        self, rooms: Mapping[Key, int], now: datetime, leased_until: datetime
    ) -> Sequence[Taken]:
        """Lease what is due, for each endpoint as much as there is room for.

        What somebody else is taking at this moment is left to them.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["take"],
                [key[0] for key in rooms],
                [key[1] for key in rooms],
                list(rooms.values()),
                now,
                leased_until,
            )
        return [Taken(_endpoint(row), dict(row)) for row in rows]

    async def record(self, outcomes: Sequence[Outcome]) -> Sequence[Failing]:
        """Keep attempts and what became of their deliveries; return who fails now."""
        succeeded = {one.key[:2] for one in outcomes if one.state == "delivered"}
        failed: dict[Key, datetime] = {}
        for one in outcomes:
            endpoint = one.key[:2]
            if one.state != "delivered" and endpoint not in succeeded:
                failed[endpoint] = min(failed.get(endpoint, one.at), one.at)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["record"],
                [one.number for one in outcomes],
                [one.state for one in outcomes],
                [one.due_at for one in outcomes],
                [one.at for one in outcomes],
                [one.status for one in outcomes],
                [None if one.error is None else storable(one.error) for one in outcomes],
                [round(one.duration_s * 1000) for one in outcomes],
                [storable(one.answer.decode(errors="replace")) for one in outcomes],
                [key[0] for key in succeeded],
                [key[1] for key in succeeded],
                [key[0] for key in failed],
                [key[1] for key in failed],
                list(failed.values()),
            )
        return [
            Failing(
                workspace=row["workspace"],
                endpoint_id=row["endpoint_id"],
                kind=row["kind"],
                url=row["url"],
                failing_since=row["failing_since"],
                warned=row["warned"],
            )
            for row in rows
        ]

    async def give_back(self, numbers: Sequence[int], due_at: datetime) -> None:
        """Let go of deliveries that were leased and not tried."""
        async with self._database.connection() as connection:
            await connection.execute(self._sql["give_back"], numbers, due_at)

    async def forget(self, limit: int, before: datetime) -> int:
        """Remove some of what was done with before a time; return how much that was."""
        async with self._database.connection() as connection:
            removed: int = await connection.fetchval(self._sql["forget"], limit, before)
        return removed

    async def prune(self, limit: int) -> int:
        """Remove some of what belongs to endpoints that were removed; return how much that was."""
        async with self._database.connection() as connection:
            removed: int = await connection.fetchval(self._sql["prune"], limit)
        return removed


def _key(row: Any) -> DeliveryKey:
    return row["workspace"], row["endpoint_id"], row["message_id"]


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        workspace=row["workspace"],
        endpoint_id=row["endpoint_id"],
        kind=row["kind"],
        url=row["endpoint_url"],
        signing=signing_of(row),
    )
