"""The people service on a real port and a real Postgres, and those who speak to it."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from services.bootstrap.contract import describe
from services.bootstrap.parts import Parts, opened
from services.bootstrap.serving import serving
from services.bootstrap.wiring import WIRES
from services.config import Config
from services.embedded.ports import free_port
from services.settings import read_settings
from services.web.app import make_app
from services.web.scopes import Scope
from tests.api.api_kit import ADMIN_KEY, HOST, NO_CERTIFICATES, PATIENCE_S

ANN, BEN, CARA, DAN = (f"{name}@example.com" for name in ("ann", "ben", "cara", "dan"))
READS: Sequence[Scope] = ("approvals:read", "approvals:decide")
MANAGES: Sequence[Scope] = ("approvals:read", "people:manage")

Json = dict[str, Any]
_NOW = datetime.now(UTC)
THESE_DAYS = {
    "begins": (_NOW - timedelta(days=1)).isoformat(),
    "ends": (_NOW + timedelta(days=30)).isoformat(),
}
"""A time that somebody is away, and that holds now."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """The service, and what it stands on."""

    url: str
    parts: Parts


@dataclass(frozen=True, kw_only=True)
class House:
    """A workspace of its own."""

    served: Served
    workspace: str
    clients: AsyncExitStack

    async def caller(self, email: str, scopes: Sequence[Scope]) -> httpx2.AsyncClient:
        """Somebody with a key of this workspace."""
        made = await self.served.parts.keys.create(
            self.workspace, principal=email, name="test", scopes=scopes, expires_at=None
        )
        return await self.clients.enter_async_context(
            httpx2.AsyncClient(
                base_url=self.served.url,
                headers={"Authorization": f"Bearer {made.text}"},
                timeout=PATIENCE_S,
                verify=NO_CERTIFICATES,
            )
        )

    def next_door(self) -> "House":
        """Another workspace."""
        return House(
            served=self.served, workspace=f"w-{secrets.token_hex(6)}", clients=self.clients
        )


@asynccontextmanager
async def people_on(dsn: str, config: Config | None = None) -> AsyncIterator[Served]:
    """Serve the people service alone."""
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
        WIRES["people"](parts)
        app = make_app(parts.routers)
        describe(app)
        async with serving(app, HOST, port):
            try:
                yield Served(url=f"http://{HOST}:{port}", parts=parts)
            finally:
                parts.closing.set()


async def imported(manager: httpx2.AsyncClient, text: str, **query: Any) -> Json:
    """Import a file that can be read, and return what became of it."""
    answer = await manager.post(
        "/v1/people/import", content=text, params=query, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def person(client: httpx2.AsyncClient, email: str) -> Json:
    """Somebody as the API shows them, known or not."""
    answer = await client.post("/v1/people/resolve", json={"emails": [email]})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["data"][0]
    return found
