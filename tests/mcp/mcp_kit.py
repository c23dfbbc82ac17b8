"""A real Placet in this process, on real Postgres, with MCP beside its API and a named type."""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from services.bootstrap.contract import describe
from services.bootstrap.parts import Parts, opened
from services.bootstrap.serving import serving
from services.bootstrap.wiring import WIRES
from services.config import read_config
from services.embedded.ports import HOST, free_port
from services.settings import DEFAULT_WORKSPACE, read_settings
from services.web.app import make_app
from services.web.scopes import Scope
from tests.api.api_kit import Placet
from tests.mcp.stand_in import NO_CERTIFICATES, PUBLIC

ROOT = Path(__file__).parents[2]
BOT = "bot@example.com"
ANN = "ann@example.com"
BEN = "ben@example.com"
ASKS: tuple[Scope, ...] = ("approvals:read", "approvals:request")
DECIDES: tuple[Scope, ...] = ("approvals:read", "approvals:decide")
STDIO = "from services.cli import main; main()"
ALLOWED = """\
name: small_refund
version: 1
title: A small refund
approvers: [ann@example.com]
decide_over_mcp: true
payload:
  type: object
  required: [amount]
  properties:
    amount: {type: number, minimum: 0, maximum: 50}
"""


@dataclass(kw_only=True)
class Desk:
    """A Placet, and the ways to reach its MCP server."""

    placet: Placet

    @property
    def url(self) -> str:
        return f"{self.placet.url}/mcp"

    async def key(
        self, principal: str, scopes: Sequence[Scope] = ASKS, *, agent: bool = False
    ) -> str:
        """A new key."""
        made = await self.placet.parts.keys.create(
            DEFAULT_WORKSPACE,
            principal=principal,
            name="test",
            scopes=scopes,
            expires_at=None,
            agent=agent,
        )
        return made.text

    @asynccontextmanager
    async def over_http(self, key: str, mode: str = "auto") -> AsyncIterator[Client]:
        """The SDK's own client at `/mcp`."""
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, verify=NO_CERTIFICATES) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client

    def over_stdio(self, key: str, url: str | None = None) -> StdioServerParameters:
        """How an assistant starts `placet mcp`."""
        return StdioServerParameters(
            command=sys.executable,
            args=["-c", STDIO, "mcp"],
            cwd=ROOT,
            env={
                "PLACET_URL": url or self.placet.url,
                "PLACET_KEY": key,
                "PLACET_PUBLIC_URL": PUBLIC,
                "PYTHONPATH": os.pathsep.join(one for one in (str(ROOT), *sys.path) if one),
            },
        )


def subject() -> str:
    """What nobody asked about before."""
    return f"refund:{secrets.token_hex(6)}"


@asynccontextmanager
async def desk_on(dsn: str, folder: Path) -> AsyncIterator[Desk]:
    """Serve the API and MCP in one application, without Kafka: nothing is asked by it here."""
    (folder / "small_refund.yaml").write_text(ALLOWED, "utf-8")
    config = folder / "placet.yaml"
    config.write_text("types: [small_refund.yaml]\n", "utf-8")
    port = free_port()
    url = f"http://{HOST}:{port}"
    settings = read_settings(
        {
            "PLACET_POSTGRES_DSN": dsn,
            "PLACET_KAFKA": f"{HOST}:{free_port()}",
            "PLACET_PORT": str(port),
            "PLACET_PUBLIC_URL": PUBLIC,
            "PLACET_API_URL": url,
        }
    )
    async with opened(settings, read_config(config, {})) as parts:
        with patch.object(Parts, "consume", lambda *_: None):
            for name in ("decision", "queue", "mcp"):
                WIRES[name](parts)
        app = make_app(parts.routers)
        describe(app)
        async with serving(app, HOST, port):
            try:
                yield Desk(placet=Placet(app=app, url=url, parts=parts))
            finally:
                parts.closing.set()


def refund(amount: float = 5, **more: Any) -> dict[str, Any]:
    """The arguments of an ask that Ann decides, and that an assistant may answer for her."""
    return {
        "type": "small_refund",
        "title": "A refund",
        "payload": {"amount": amount, "order": subject()},
        **more,
    }


@asynccontextmanager
async def bot(desk: Desk) -> AsyncIterator[Client]:
    """An agent's assistant."""
    async with desk.over_http(await desk.key(BOT, agent=True)) as client:
        yield client


@asynccontextmanager
async def person(desk: Desk, email: str = ANN) -> AsyncIterator[Client]:
    """A person's assistant."""
    async with desk.over_http(await desk.key(email, DECIDES)) as client:
        yield client
