"""All services of Placet in this process, on real servers, as their callers reach them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from aiokafka import AIOKafkaConsumer

from events.store.log import PostgresLog
from services.bootstrap import running
from services.bootstrap.parts import Parts
from services.config import read_config
from services.embedded.ports import HOST, free_port
from services.settings import SERVICES, read_settings
from tests.demo.acme_process import DEMO
from tests.servers.brokers import Broker

KEY = "plk_journey_00000000000000000000000000000"
"""The bootstrap key: any text will do."""
WITHIN_S = 30.0
LOOK_EVERY_S = 0.05

T = TypeVar("T")


class Placet:
    """A running Placet, as its callers reach it."""

    def __init__(self, parts: Parts, http: httpx2.AsyncClient, kafka: str) -> None:
        self.parts = parts
        self.http = http
        self.kafka = kafka

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a call that reads."""
        answer = await self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(self, **body: Any) -> dict[str, Any]:
        """A new approval."""
        answer = await self.http.post("/v1/approvals", json=body)
        assert answer.status_code == 201, answer.text
        asked: dict[str, Any] = answer.json()
        return asked

    async def answer(self, approval_id: str, **body: Any) -> httpx2.Response:
        """The answer to a decision; `admin` may name any approver."""
        return await self.http.post(f"/v1/approvals/{approval_id}/decision", json=body)

    async def queue(self, approver: str) -> list[dict[str, Any]]:
        """What waits for somebody, over all pages."""
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = await self.get("/v1/queue", approver=approver, **more)
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            more = {"cursor": page["next_cursor"]}

    async def waiting_for(self, approver: str, record_id: str) -> dict[str, Any]:
        """The approval of a record, once it waits for its approver."""

        async def look() -> dict[str, Any] | None:
            for one in await self.queue(approver):
                if one["source"] and one["source"]["record_id"] == record_id:
                    return one
            return None

        return await eventually(look, f"{record_id} waits for {approver}")

    async def leaves_the_queue(self, approver: str, approval_id: str) -> None:
        """Wait until an approval does not wait for somebody any more."""

        async def look() -> bool:
            return approval_id not in [one["id"] for one in await self.queue(approver)]

        await eventually(look, f"{approval_id} leaves the queue of {approver}")

    async def until_status(self, approval_id: str, status: str) -> dict[str, Any]:
        """The approval, once it is in a status."""

        async def look() -> dict[str, Any] | None:
            approval: dict[str, Any] = await self.get(f"/v1/approvals/{approval_id}")
            return approval if approval["status"] == status else None

        return await eventually(look, f"{approval_id} is {status}")

    async def cards(self, approval_id: str, approver: str) -> list[dict[str, Any]]:
        """The messages of the outbox about an approval."""
        async with self.parts.worker_db.connection() as connection:
            rows = await connection.fetch(
                "SELECT subject, body_text, shown FROM outbox_messages"
                " WHERE approval_id = $1 AND approver = $2 ORDER BY sent_at",
                approval_id,
                approver,
            )
        return [dict(row) for row in rows]

    async def published(self) -> None:
        """Wait until everything that is stored is in Kafka."""
        log = PostgresLog(self.parts.worker_db)

        async def look() -> bool:
            async with self.parts.worker_db.connection() as connection:
                stored = await connection.fetchval("SELECT count(*) FROM events")
            return await log.progress() == (stored, stored)

        await eventually(look, "everything is published")

    async def messages(self, topic: str, approval_id: str) -> list[dict[str, Any]]:
        """What stands in a topic about an approval, oldest first: the values."""
        await self.published()
        return [
            json.loads(message.value)
            for message in await everything(self.kafka, topic)
            if message.key == approval_id.encode()
        ]


async def everything(bootstrap: str, topic: str) -> list[Any]:
    """Every message that stands in a topic now, in order for each key."""
    # Without a group every partition is its own.
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        async with asyncio.timeout(WITHIN_S):
            while any([await consumer.position(one) < ends[one] for one in partitions]):
                for messages in (await consumer.getmany(timeout_ms=100)).values():
                    found += messages
        return found
    finally:
        await consumer.stop()


async def eventually(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """What a look finds, as soon as it finds something; fails with `what` after a while."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await look()
                if found:
                    return found
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S:g} s: {what}") from None


def quick_source(folder: Path) -> Path:
    """A `placet.yaml` in a folder that mirrors the demo, and looks every second.

    Polls are put off, so that only the sweep can see what happens after the first one.
    """
    source = (DEMO / "acme-expenses.yaml").read_text("utf-8")
    for slow, quick in (("interval: 60s", "interval: 1s"), ("interval: 10s", "interval: 1h")):
        assert source.count(slow) == 1, f"the demo's file has no {slow} any more"
        source = source.replace(slow, quick)
    (folder / "acme-expenses.yaml").write_text(source, "utf-8")
    file = folder / "placet.yaml"
    file.write_text("sources: [acme-expenses.yaml]\nundo: 1s\n", "utf-8")
    return file


@asynccontextmanager
async def placet_running(
    dsn: str, broker: Broker, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Placet]:
    """Every service on this database and broker; `environ` adds to the settings."""
    environment = {
        "PLACET_POSTGRES_DSN": dsn,
        "PLACET_KAFKA": broker.bootstrap,
        "PLACET_PORT": str(free_port()),
        "PLACET_BOOTSTRAP_KEY": KEY,
        "PLACET_DEV_LOGIN": "1",
        "PLACET_RECONCILE_S": "1",
        "PLACET_WEBHOOK_ALLOW": "127.0.0.0/8",
        "PLACET_EMBEDDED_BROKER": "0" if broker.is_real else "1",
        **(environ or {}),
    }
    settings = read_settings(environment)
    config = read_config(settings.config, environment)
    async with (
        running(settings, config, SERVICES) as parts,
        httpx2.AsyncClient(
            base_url=f"http://{HOST}:{settings.port}",
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=30,
        ) as http,
    ):

        async def ready() -> bool:
            return not await parts.health.problems()

        await eventually(ready, "Placet is ready")
        yield Placet(parts, http, broker.bootstrap)
