"""Warns of endpoints that only fail, disables them in the end, and tells the others."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.webhooks.deliveries import Failing
from services.webhooks.endpoints import Key, origin_of
from services.webhooks.schedule import DISABLED_AFTER, WARNED_AT, ends_at, failed_for

GONE = "It answered 410 Gone."
FAILED = f"It failed for {DISABLED_AFTER.days} days without a single success."
WHOLE = 100

logger = logging.getLogger(__name__)


class Notices:
    """Judges endpoints; `disabled` is told of each that gets no more."""

    def __init__(self, database: Database, disabled: Callable[[Key], None]) -> None:
        self._database = database
        self._sql = statements("services.webhooks")
        self._disabled = disabled

    async def judge(
        self, failing: Sequence[Failing], gone: Mapping[Key, datetime], now: datetime
    ) -> None:
        """Warn or disable, each once, whoever else comes to the same end.

        Raises `Unavailable`; the next failure is judged again.
        """
        for one in failing:
            percent = failed_for(one.failing_since, now)
            if (one.workspace, one.endpoint_id) in gone:
                await self._disable(one, GONE, now)
            elif percent >= WHOLE:
                await self._disable(one, FAILED, now)
            else:
                level = max((level for level in WARNED_AT if level <= percent), default=0)
                if level > one.warned:
                    await self._warn(one, level, now)

    async def _warn(self, one: Failing, level: int, now: datetime) -> None:
        data = {
            "percent": level,
            "failing_since": one.failing_since,
            "disabled_at": ends_at(one.failing_since),
        }
        async with self._database.connection() as connection, connection.transaction():
            if await self._changed(connection, "warn", one, level):
                since = int(one.failing_since.timestamp())
                message_id = f"msg_{one.endpoint_id}_{since}_{level}"
                await self._tell(connection, one, "endpoint.failing", message_id, data, now)

    async def _disable(self, one: Failing, reason: str, now: datetime) -> None:
        data = {"failing_since": one.failing_since, "disabled_at": now, "reason": reason}
        async with self._database.connection() as connection, connection.transaction():
            if not await self._changed(connection, "disable", one, now, reason):
                return
            await connection.execute(self._sql["hold"], one.workspace, one.endpoint_id)
            message_id = f"msg_{one.endpoint_id}_{int(now.timestamp())}_disabled"
            await self._tell(connection, one, "endpoint.disabled", message_id, data, now)
        logger.warning("webhook %s is disabled: %s", one.endpoint_id, reason)
        self._disabled((one.workspace, one.endpoint_id))

    async def _changed(
        self, connection: Connection, statement: str, one: Failing, *to: object
    ) -> bool:
        changed = await connection.fetchval(
            self._sql[statement], one.workspace, one.endpoint_id, *to
        )
        return changed is not None

    async def _tell(
        self,
        connection: Connection,
        one: Failing,
        type_: str,
        message_id: str,
        data: Mapping[str, Any],
        now: datetime,
    ) -> None:
        body = {
            "type": type_,
            "timestamp": now,
            "data": {
                "event_id": message_id,
                "ordering_key": one.endpoint_id,
                "webhook_id": one.endpoint_id,
                "workspace": one.workspace,
                "kind": one.kind,
                "origin": origin_of(one.url),  # a whole URL may hold a token
                **data,
            },
        }
        await connection.execute(
            self._sql["tell"],
            one.workspace,
            one.endpoint_id,
            message_id,
            type_,
            msgspec.json.encode(body).decode(),
            now,
        )
