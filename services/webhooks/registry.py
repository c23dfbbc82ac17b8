"""The endpoints of a workspace as its people see and change them."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from events.store.database import Database
from events.store.named_sql import statements
from projections.cursors import cursor_of_time, time_of
from services.webhooks.deliveries import State
from services.webhooks.endpoints import SECRETS_OVERLAP, Kind
from services.webhooks.shapes import AttemptView, DeliveryView, NewWebhookView, WebhookView

MOST = 100
"""Subscriptions of one workspace."""
ATTEMPTS = 25
"""The latest attempts of one delivery that are shown."""
FROM_THE_END = 2**63 - 1
COUNTED = 1_000
"""The most that is counted of what an endpoint was not told."""


class Registry:
    """Endpoints and what they were told, each call within one workspace; raises `Unavailable`."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._sql = statements("services.webhooks")

    async def add(
        self,
        workspace: str,
        *,
        url: str,
        event_types: Sequence[str],
        types: Sequence[str],
        requester: str | None,
        description: str,
        secret: str,
    ) -> NewWebhookView | None:
        """Add a subscription; None where the workspace has `MOST` of them."""
        row = await self._row(
            "add",
            workspace,
            f"wh_{secrets.token_hex(12)}",
            url,
            list(dict.fromkeys(event_types)),
            list(dict.fromkeys(types)),
            requester,
            description,
            secret,
            MOST,
        )
        return row and _new(row, secret)

    async def list(
        self, workspace: str, kind: Kind, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[WebhookView], str | None]:
        """Return endpoints of one kind, newest first, and where to go on; raises `BadCursor`."""
        before = time_of(cursor) if cursor is not None else (None, "")
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["list"], workspace, kind, *before, limit + 1)
        views = [_view(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return views, None
        return views, cursor_of_time(views[-1].created_at, views[-1].id)

    async def show(self, workspace: str, endpoint_id: str) -> WebhookView | None:
        """Return one endpoint; None if there is no such one."""
        row = await self._row("show", workspace, endpoint_id)
        return row and _view(row)

    async def change(self, workspace: str, view: WebhookView) -> WebhookView | None:
        """Let a subscription be as the view has it; None if there is no such one."""
        row = await self._row(
            "change",
            workspace,
            view.id,
            view.url,
            list(dict.fromkeys(view.event_types)),
            list(dict.fromkeys(view.types)),
            view.requester,
            view.description,
        )
        return row and _view(row)

    async def remove(self, workspace: str, endpoint_id: str) -> bool:
        """Remove a subscription; False if there is no such one."""
        return await self._row("remove", workspace, endpoint_id) is not None

    async def enable(self, workspace: str, endpoint_id: str) -> WebhookView | None:
        """Let an endpoint be told again; None if there is no such one."""
        row = await self._row("enable", workspace, endpoint_id)
        return row and _view(row)

    async def rotate(self, workspace: str, endpoint_id: str, secret: str) -> NewWebhookView | None:
        """Give a subscription a secret; the old one signs beside it for `SECRETS_OVERLAP`."""
        until = self._clock() + SECRETS_OVERLAP
        row = await self._row("rotate", workspace, endpoint_id, secret, until)
        return row and _new(row, secret)

    async def rotate_callback_secret(self, workspace: str, secret: str) -> None:
        """Give a workspace's callbacks a secret; an old one signs beside it for a while."""
        until = self._clock() + SECRETS_OVERLAP
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["rotate_callback_secret"], workspace, secret, until)

    async def deliveries(
        self,
        workspace: str,
        endpoint_id: str,
        *,
        state: State | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[DeliveryView], str | None]:
        """Return what an endpoint was to be told, newest first, and where to go on."""
        before = int(cursor) if cursor is not None else FROM_THE_END
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(
                self._sql["deliveries"], workspace, endpoint_id, state, before, limit + 1
            )
            shown = rows[:limit]
            attempts = await connection.fetch(
                self._sql["attempts"],
                workspace,
                [row["number"] for row in shown],
                ATTEMPTS,
            )
        of_each: dict[int, list[AttemptView]] = {}
        for row in attempts:
            of_each.setdefault(row["delivery"], []).append(_attempt(row))
        views = [_delivery(row, of_each.get(row["number"], [])) for row in shown]
        return views, str(shown[-1]["number"]) if len(rows) > limit else None

    async def unfinished(
        self, workspace: str, endpoint_ids: Sequence[str]
    ) -> Mapping[str, Mapping[State, int]]:
        """Return how much waits for each endpoint, failed or is held, each up to `COUNTED`."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(
                self._sql["unfinished"], workspace, list(endpoint_ids), COUNTED
            )
        return {
            row["endpoint_id"]: {
                "waiting": row["waiting"],
                "failed": row["failed"],
                "held": row["held"],
            }
            for row in rows
        }

    async def _row(self, statement: str, workspace: str, *arguments: object) -> Any:
        async with self._database.workspace(workspace) as connection:
            return await connection.fetchrow(self._sql[statement], workspace, *arguments)


def _view(row: Any) -> WebhookView:
    return WebhookView(**_columns(row))


def _new(row: Any, secret: str) -> NewWebhookView:
    return NewWebhookView(**_columns(row), secret=secret)


def _columns(row: Any) -> dict[str, Any]:
    return {"id" if name == "endpoint_id" else name: value for name, value in row.items()}


def _delivery(row: Any, attempts: Sequence[AttemptView]) -> DeliveryView:
    approval_id, version = row["approval_id"], row["version"]
    return DeliveryView(
        id=row["message_id"],
        type=row["type"],
        event_id=None if approval_id is None else f"{approval_id}.{version}",
        approval_id=approval_id,
        url=row["url"],
        state=row["state"],
        created_at=row["created_at"],
        next_attempt_at=row["due_at"] if row["state"] == "waiting" else None,
        delivered_at=row["done_at"],
        attempts_made=row["attempts"],
        attempts=attempts,
    )


def _attempt(row: Any) -> AttemptView:
    return AttemptView(**{name: value for name, value in row.items() if name != "delivery"})
