"""Tells an endpoint again what it was told before, or what happened before it asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.envelope import Recorded
from events.store.database import Connection, Database
from events.store.named_sql import statements
from events.store.postgres import recorded
from services.webhooks.endpoints import Endpoint, Subscription
from services.webhooks.messages import Message, event_of, messages_of, wire_types
from services.webhooks.planning import asked_events
from services.webhooks.shapes import WebhookView

PAGE = 500
PAGES = 10
"""What one call looks at; it says where to go on."""
OUT_OF_ORDER = timedelta(minutes=2)
"""More than the times of neighbours in the log may be out of order."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many are told again, and where to go on if there are more."""

    count: int
    cursor: int | None


class Replays:
    """Makes deliveries due anew, with the ids that they have; raises `Unavailable`.

    `app_db` reads within one workspace, `worker_db` only finds places in the log.
    """

    def __init__(
        self, app_db: Database, worker_db: Database, clock: Callable[[], datetime]
    ) -> None:
        self._app_db = app_db
        self._worker_db = worker_db
        self._clock = clock
        self._sql = statements("services.webhooks")

    async def by_ids(self, workspace: str, webhook: WebhookView, ids: Sequence[str]) -> Replayed:
        """Tell some messages again, by the ids of messages or of events.

        What the endpoint was never to be told is told now, if it asks for the like.
        """
        pairs = [pair for one in ids if "." in one and (pair := event_of(one)) is not None]
        async with self._app_db.workspace(workspace) as connection, connection.transaction():
            rows = await connection.fetch(
                self._sql["replay_kept"],
                workspace,
                webhook.id,
                list(ids),
                [approval_id for approval_id, _ in pairs],
                self._clock(),
                [version for _, version in pairs],
            )
            told = {row["message_id"] for row in rows}
            if webhook.kind == "callback":
                return Replayed(len(told), None)
            events = await self._named(connection, workspace, webhook, ids)
            named = [
                message
                for message in await self._wanted(connection, workspace, webhook, events)
                if message.id not in told
                and (message.id in ids or message.recorded.event_id in ids)
            ]
            return Replayed(
                len(told) + await self._plan(connection, workspace, webhook, named), None
            )

    async def between(
        self,
        workspace: str,
        webhook: WebhookView,
        since: datetime,
        until: datetime,
        cursor: int | None,
    ) -> Replayed:
        """Tell what happened from a time on and before another, a bounded part at a time."""
        if webhook.kind == "callback":
            return await self._kept_between(workspace, webhook, since, until, cursor or 0)
        start = cursor or await self._place(since - OUT_OF_ORDER)
        end = await self._place(until + OUT_OF_ORDER)
        types = wire_types(tuple(webhook.event_types))
        count = 0
        async with self._app_db.workspace(workspace) as connection:
            for _ in range(PAGES):
                rows = await connection.fetch(
                    self._sql["between"], workspace, start, end, types, since, until, PAGE
                )
                events = [recorded(row) for row in rows]
                wanted = await self._wanted(connection, workspace, webhook, events)
                count += await self._plan(connection, workspace, webhook, wanted)
                if len(rows) < PAGE:
                    return Replayed(count, None)
                start = rows[-1]["seq"] + 1
        return Replayed(count, start)

    async def _kept_between(
        self, workspace: str, webhook: WebhookView, since: datetime, until: datetime, after: int
    ) -> Replayed:
        most = PAGE * PAGES
        async with self._app_db.workspace(workspace) as connection:
            row = await connection.fetchrow(
                self._sql["replay_kept_between"],
                workspace,
                webhook.id,
                after,
                since,
                until,
                most,
                self._clock(),
            )
        if row is None:
            return Replayed(0, None)
        return Replayed(row["replayed"], row["last"] if row["replayed"] == most else None)

    async def _place(self, time: datetime) -> int:
        async with self._worker_db.connection() as connection:
            place: int = await connection.fetchval(self._sql["place_of"], time)
        return place

    async def _named(
        self, connection: Connection, workspace: str, webhook: WebhookView, ids: Sequence[str]
    ) -> Sequence[Recorded]:
        named = [pair for pair in map(event_of, ids) if pair is not None]
        rows = await connection.fetch(
            self._sql["of_approvals"],
            workspace,
            [approval_id for approval_id, _ in named],
            [version for _, version in named],
            wire_types(tuple(webhook.event_types)),
        )
        return [recorded(row) for row in rows]

    async def _wanted(
        self,
        connection: Connection,
        workspace: str,
        webhook: WebhookView,
        events: Sequence[Recorded],
    ) -> list[Message]:
        asked = await asked_events(connection, events)
        subscription = _subscription(workspace, webhook)
        return [
            message
            for one in events
            for message in messages_of(one, asked.get((workspace, one.event_id)))
            if subscription.wants(message)
        ]

    async def _plan(
        self,
        connection: Connection,
        workspace: str,
        webhook: WebhookView,
        messages: Sequence[Message],
    ) -> int:
        distinct = list({one.id: one for one in messages}.values())
        if not distinct:
            return 0
        rows = await connection.fetch(
            self._sql["replay_planned"],
            workspace,
            webhook.id,
            [one.id for one in distinct],
            [one.type for one in distinct],
            [one.recorded.approval_id for one in distinct],
            [one.recorded.version for one in distinct],
            self._clock(),
        )
        return len(rows)


def _subscription(workspace: str, webhook: WebhookView) -> Subscription:
    return Subscription(
        endpoint=Endpoint(
            workspace=workspace, endpoint_id=webhook.id, kind=webhook.kind, url=webhook.url
        ),
        event_types=frozenset(webhook.event_types),
        types=frozenset(webhook.types),
        requester=webhook.requester,
        since=webhook.created_at,
    )
