"""A Placet put together as in production, but for Kafka: its HTTP surface on a real port."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import httpx2
from fastapi import FastAPI

from events.approval import Person
from events.commands import ConfirmWriteBack, ObservePending
from events.handling import Order, handle
from events.observation import Observation, ObservedContent
from events.store.log import PostgresLog
from projections.apply import ReadModels
from services.bootstrap.contract import describe
from services.bootstrap.parts import Parts, opened
from services.bootstrap.serving import serving
from services.bootstrap.wiring import WIRES
from services.config import Config
from services.decision.identifiers import new_approval_id, new_command_id
from services.decision.intake import ask_of
from services.embedded.ports import free_port
from services.settings import read_settings
from services.web.app import make_app
from services.web.scopes import Scope

ADMIN_KEY = "an-admin-key-of-the-tests"
HOST = "127.0.0.1"
REQUESTER = "agent@example.com"
ANN = "ann@example.com"
BEN = "ben@example.com"
AT_WORK: tuple[Scope, ...] = ("approvals:read", "approvals:request", "approvals:decide")
PATIENCE_S = 20
PROBLEM = "application/problem+json"
# Nothing here speaks TLS, and reading the system's certificates for each client takes long.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Json = dict[str, Any]


@dataclass(kw_only=True)
class Placet:
    """The application, what it stands on, and people who call it."""

    app: FastAPI
    url: str
    parts: Parts
    _applied: int = field(default=0)

    def client(self, key: str | None) -> httpx2.AsyncClient:
        """A client that sends a key; close it."""
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        return httpx2.AsyncClient(
            base_url=self.url, headers=headers, timeout=PATIENCE_S, verify=NO_CERTIFICATES
        )

    async def key(
        self,
        workspace: str,
        principal: str,
        scopes: Sequence[Scope] = AT_WORK,
        expires_at: datetime | None = None,
        *,
        agent: bool = False,
    ) -> str:
        """A new key."""
        made = await self.parts.keys.create(
            workspace,
            principal=principal,
            name="test",
            scopes=scopes,
            expires_at=expires_at,
            agent=agent,
        )
        return made.text

    async def shown(self) -> None:
        """Do what publisher and projector do: bring what is stored into log and read models."""
        log = PostgresLog(self.parts.worker_db)
        read_models = ReadModels(self.parts.worker_db)
        while await log.sequence(1000):
            pass
        while batch := await log.after(self._applied, 1000):
            await read_models.apply([one.recorded for one in batch])
            self._applied = batch[-1].seq


@dataclass(frozen=True, kw_only=True)
class Office:
    """A workspace of its own, with people in it."""

    placet: Placet
    workspace: str
    clients: AsyncExitStack

    async def person(
        self,
        email: str,
        scopes: Sequence[Scope] = AT_WORK,
        *,
        expires_at: datetime | None = None,
    ) -> httpx2.AsyncClient:
        """A client with a new key of this workspace."""
        key = await self.placet.key(self.workspace, email, scopes, expires_at)
        return await self.clients.enter_async_context(self.placet.client(key))

    async def stranger(self, key: str | None) -> httpx2.AsyncClient:
        """A client with any key, or none."""
        return await self.clients.enter_async_context(self.placet.client(key))

    async def mirrored(self, revision: str = "1") -> str:
        """A pending approval that mirrors a record, which Ann decides; its id."""
        now = datetime.now(UTC)
        observation = Observation(
            workspace=self.workspace,
            source="erp",
            record_id=secrets.token_hex(4),
            revision=revision,
            state="pending",
            read_at=now,
            content=ObservedContent(
                type="expense",
                title="A record",
                payload={"amount": 5},
                requester=Person(email=REQUESTER),
                approvers=(Person(email=ANN),),
            ),
        )
        ask = ask_of(observation, round_=1, now=now, expires_after=timedelta(days=1))
        assert ask is not None
        return await self._send(new_approval_id(now), ObservePending(ask=ask, read_at=now))

    async def accepted(self, approval_id: str, version: int) -> None:
        """Let the source take the answer that stands at a version."""
        command = ConfirmWriteBack(decision_version=version, now=datetime.now(UTC))
        await self._send(approval_id, command)

    async def _send(self, approval_id: str, command: ObservePending | ConfirmWriteBack) -> str:
        order = Order(approval_id=approval_id, command=command, command_id=new_command_id())
        await handle(self.placet.parts.store, self.workspace, order)
        return approval_id


@asynccontextmanager
async def placet_on(dsn: str, config: Config | None = None) -> AsyncIterator[Placet]:
    """Serve every route that there is, without consumers: nothing is asked by Kafka here."""
    port = free_port()
    settings = read_settings(
        {
            "PLACET_POSTGRES_DSN": dsn,
            "PLACET_KAFKA": f"{HOST}:{free_port()}",
            "PLACET_PORT": str(port),
            "PLACET_BOOTSTRAP_KEY": ADMIN_KEY,
        }
    )
    async with opened(settings, config or Config()) as parts:
        with patch.object(Parts, "consume", lambda *_: None):
            for name in ("decision", "queue", "poller", "webhooks", "people"):
                WIRES[name](parts)
        app = make_app(parts.routers)
        describe(app)
        async with serving(app, HOST, port):
            try:
                yield Placet(app=app, url=f"http://{HOST}:{port}", parts=parts)
            finally:
                parts.closing.set()


def asked(**more: Any) -> Json:
    """The body of an ask that Ann decides."""
    return {"type": "expense", "title": "Dinner", "approvers": [ANN], **more}


async def ask(client: httpx2.AsyncClient, **more: Any) -> Json:
    """Ask for an approval and return it; the next one that is asked is newer by its id."""
    await asyncio.sleep(0.005)  # ids sort by time, to four milliseconds
    answer = await client.post("/v1/approvals", json=asked(**more))
    assert answer.status_code == 201, answer.text
    return found(answer)


async def decide(
    client: httpx2.AsyncClient, approval_id: str, decision: str = "approve", **more: Any
) -> httpx2.Response:
    """Answer."""
    body = {"decision": decision, **more}
    return await client.post(f"/v1/approvals/{approval_id}/decision", json=body)


def found(answer: httpx2.Response) -> Json:
    """The object in an answer."""
    body = answer.json()
    assert isinstance(body, dict)
    return body


def refused(answer: httpx2.Response, status: int, code: str) -> Json:
    """The problem document of an answer, which must be one."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == PROBLEM
    document = found(answer)
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"urn:placet:problem:{code}"
    assert document["title"]
    assert document["detail"]
    return document


def pointers(document: Mapping[str, Any]) -> list[str]:
    """Which fields a problem document names."""
    return [one["pointer"] for one in document["errors"]]


async def ids(client: httpx2.AsyncClient, path: str, **query: Any) -> list[str]:
    """The ids of a list, page after page."""
    collected: list[str] = []
    cursor: str | None = None
    async with asyncio.timeout(PATIENCE_S):
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            answer = await client.get(path, params=query | more)
            assert answer.status_code == 200, answer.text
            collected.extend(one["id"] for one in found(answer)["data"])
            cursor = found(answer)["next_cursor"]
            if cursor is None:
                return collected
