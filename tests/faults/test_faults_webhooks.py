"""A kill -9 of `webhooks` in mid-delivery: every outcome arrives, and none is forgotten."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx2
import pytest
from standardwebhooks import Webhook

from services.embedded.ports import HOST
from tests.faults.ground import Ground
from tests.faults.processes import KEY, Deployment, Service

pytestmark = pytest.mark.faults

PROGRAM = str(Path(__file__).with_name("quick_webhooks.py"))
ANN = "ann@example.com"
APPROVALS = 40
TOGETHER = 10
ANSWERS_AFTER_S = 0.15
WITHIN_S = 90.0


class Receiver:
    """Two endpoints of somebody else: a subscription's, and a callback's, told apart by path.

    What a killed service was in the middle of sending counts only if it was answered.
    """

    def __init__(self) -> None:
        self.got: dict[str, dict[str, bytes]] = {"/hook": {}, "/callback": {}}
        self.headers: dict[str, dict[str, dict[str, str]]] = {"/hook": {}, "/callback": {}}
        self.under_way = 0
        self.more_than_once = 0
        self.changed: list[str] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it went away, or was killed
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        original = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.under_way += 1
        try:
            await asyncio.sleep(ANSWERS_AFTER_S)
            if reader.at_eof():
                return
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()
        finally:
            self.under_way -= 1
        message_id = next(v for k, v in original.items() if k.lower() == "webhook-id")
        path = head[0].split()[1]
        seen = self.got[path]
        if message_id in seen:
            self.more_than_once += 1
            if seen[message_id] != body:
                self.changed.append(message_id)
        seen[message_id] = body
        self.headers[path][message_id] = original


class Outcomes:
    """Asks and answers over the API, a few at a time."""

    def __init__(self, url: str, callback: str) -> None:
        self._callback = callback
        self._http = httpx2.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20
        )

    async def some(self, count: int) -> list[str]:
        """Decide so many approvals; their ids."""
        return list(await asyncio.gather(*(self._one() for _ in range(count))))

    async def _one(self) -> str:
        body = {"type": "t", "title": "T", "approvers": [ANN], "callback_url": self._callback}
        asked = await self._http.post("/v1/approvals", json=body)
        assert asked.status_code == 201, asked.text
        approval_id: str = asked.json()["id"]
        answer = {"decision": "approve", "approver": ANN}
        decided = await self._http.post(f"/v1/approvals/{approval_id}/decision", json=answer)
        assert decided.status_code == 200, decided.text
        return approval_id

    async def close(self) -> None:
        await self._http.aclose()


@asynccontextmanager
async def deployed(ground: Ground, guard: str) -> AsyncIterator[Deployment]:
    program = (PROGRAM, guard, "run", "webhooks")
    async with ground.deployment(
        "decision",
        "publisher",
        "webhooks",
        programs={"webhooks": program},
        PLACET_WEBHOOK_ALLOW="127.0.0.0/8",
        PYTHONPATH=":".join(path for path in sys.path if path),
    ) as services:
        yield services


async def subscribed(service: Service, url: str) -> dict[str, Any]:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as http:
        body = {"url": url, "event_types": ["approval.decided"]}
        made = await http.post(f"{service.url}/v1/webhooks", json=body, timeout=20)
    assert made.status_code == 201, made.text
    webhook: dict[str, Any] = made.json()
    return webhook


async def killed_in_mid_delivery(
    services: Deployment, receiver: Receiver, callback: str, kills: int
) -> list[str]:
    """Decide approvals while the service is killed with requests under way."""
    outcomes = Outcomes(services["decision"].url, callback)
    ids: list[str] = []
    try:
        for kill in range(APPROVALS // TOGETHER):
            ids += await outcomes.some(TOGETHER)
            if kill < kills:
                await until(lambda: receiver.under_way, "something is being delivered")
                await services["webhooks"].kill()
                await services["webhooks"].start()
                await services["webhooks"].ready()
    finally:
        await outcomes.close()
    return ids


async def until(look: Any, what: str) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            while not look():  # noqa: ASYNC110 # other programs set no event here
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S:g} s: {what}") from None


async def states(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT state, count(*) AS n FROM placet.webhook_deliveries GROUP BY state"
        )
    finally:
        await connection.close()
    return {row["state"]: row["n"] for row in rows}


async def all_delivered(dsn: str, count: int) -> None:
    """Wait until the table says that everything is delivered."""
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(WITHIN_S):
            while found != {"delivered": count}:
                found = await states(dsn)
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S:g} s all of {count}: {found}") from None


def message_ids(approval_ids: Sequence[str], receiver: Receiver, path: str) -> set[str]:
    """What arrived about these approvals, by approval."""
    told = {json.loads(body)["data"]["approval_id"] for body in receiver.got[path].values()}
    return told & set(approval_ids)


async def test_every_outcome_arrives_though_the_service_is_killed_in_mid_delivery(
    ground: Ground,
) -> None:
    async with Receiver() as receiver, deployed(ground, "as-it-is") as services:
        webhook = await subscribed(services["webhooks"], f"{receiver.url}/hook")
        ids = await killed_in_mid_delivery(services, receiver, f"{receiver.url}/callback", 2)
        await all_delivered(ground.dsn, 2 * APPROVALS)
        for path in ("/hook", "/callback"):
            assert message_ids(ids, receiver, path) == set(ids), path
        assert receiver.changed == [], "a message that comes again is the same"
        for message_id, body in receiver.got["/hook"].items():
            assert Webhook(webhook["secret"]).verify(body, receiver.headers["/hook"][message_id])


async def test_this_would_notice_what_a_service_forgets(ground: Ground) -> None:
    async with Receiver() as receiver, deployed(ground, "tell-first") as services:
        await subscribed(services["webhooks"], f"{receiver.url}/hook")
        ids = await killed_in_mid_delivery(services, receiver, f"{receiver.url}/callback", 1)
        await all_delivered(ground.dsn, 2 * APPROVALS)
        await asyncio.sleep(1)
        assert any(message_ids(ids, receiver, path) != set(ids) for path in ("/hook", "/callback"))
