"""A Placet put together as in production, but for Kafka, and administrators who look at it."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import httpx2
from playwright.async_api import Browser, Page
from starlette.requests import Request
from starlette.responses import Response

from events.store.log import PostgresLog
from projections.apply import ReadModels
from services.approval_types import ApprovalTypes
from services.bootstrap.contract import describe
from services.bootstrap.parts import Parts, opened
from services.bootstrap.serving import serving
from services.bootstrap.wiring import WIRES
from services.config import Config
from services.embedded.ports import free_port
from services.people.csv_lines import read_lines
from services.people.importing import Imports
from services.queue.figures.counting import Counting
from services.settings import read_settings
from services.sources.loading import parse_source
from services.web.app import make_app
from services.web.scopes import Scope
from services.web.session import Session, Way
from tests.api.api_kit import NO_CERTIFICATES
from tests.pages.reader import Element, read
from tests.servers.postgres import TestingPostgres
from tests.sources.source_kit import FILE

HOST = "127.0.0.1"
PATIENCE_S = 20
ADMIN, ANN = "root@example.com", "ann@example.com"
REQUESTER = "agent@example.com"
HOME = "w-home"
"""The workspace of the configuration: its sources are there."""
SOURCE = "acme"
HOSTILE = "<script>alert('x')</script>&\"{{7*7}}\u202e"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}

Json = dict[str, Any]


@dataclass(kw_only=True)
class Placet:
    """The application and what it stands on."""

    url: str
    parts: Parts
    clients: AsyncExitStack
    _applied: int = field(default=0)
    _callers: dict[tuple[str, str, tuple[Scope, ...]], httpx2.AsyncClient] = field(
        default_factory=dict
    )

    async def cookies(self, workspace: str, email: str) -> dict[str, str]:
        """What the browser of somebody who has just signed in sends."""
        answer = Response()
        request = Request({"type": "http", "headers": [], "method": "GET", "path": "/"})
        session = Session(workspace, email)
        await self.parts.sessions.start(request, answer, session, Way("dev"))
        name, _, rest = answer.headers["set-cookie"].partition("=")
        return {name: rest.partition(";")[0]}

    async def browser(self, workspace: str, email: str | None) -> httpx2.AsyncClient:
        """A client that sends what a browser does, as somebody or as nobody."""
        return await self.clients.enter_async_context(
            httpx2.AsyncClient(
                base_url=self.url,
                headers=SAME_ORIGIN,
                cookies=await self.cookies(workspace, email) if email else None,
                timeout=PATIENCE_S,
                verify=NO_CERTIFICATES,
            )
        )

    async def caller(
        self, workspace: str, email: str, scopes: Sequence[Scope]
    ) -> httpx2.AsyncClient:
        """A program with a key."""
        known = self._callers.get((workspace, email, tuple(scopes)))
        if known is not None:
            return known
        key = await self.parts.keys.create(
            workspace, principal=email, name="test", scopes=scopes, expires_at=None
        )
        client = await self.clients.enter_async_context(
            httpx2.AsyncClient(
                base_url=self.url,
                headers={"Authorization": f"Bearer {key.text}"},
                timeout=PATIENCE_S,
                verify=NO_CERTIFICATES,
            )
        )
        self._callers[workspace, email, tuple(scopes)] = client
        return client

    async def shown(self) -> None:
        """Do what publisher, projector and its reconciler do, then count the figures."""
        log = PostgresLog(self.parts.worker_db)
        read_models = ReadModels(self.parts.worker_db)
        while await log.sequence(1000):
            pass
        while batch := await log.after(self._applied, 1000):
            await read_models.apply([one.recorded for one in batch])
            self._applied = batch[-1].seq
        async with self.parts.worker_db.connection() as connection:
            await connection.execute("UPDATE reconciled SET seq = $1", self._applied)
        counting = Counting(self.parts.worker_db)
        while await counting.step():
            pass

    async def run(self, statement: str, *arguments: object) -> list[Any]:
        """Do something to the tables, as the workers' role."""
        async with self.parts.worker_db.connection() as connection:
            return list(await connection.fetch(statement, *arguments))


@dataclass(frozen=True, kw_only=True)
class House:
    """A workspace of its own, with an administrator in it."""

    placet: Placet
    workspace: str
    admin: httpx2.AsyncClient

    async def page(self, path: str, status: int = 200) -> Element:
        """A page as the administrator sees it."""
        answer = await self.admin.get(path)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return read(answer.text)

    async def press(self, path: str, **fields: str) -> Element:
        """Send a form, and return the page that it leads to."""
        answer = await self.admin.post(path, data=fields)
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return await self.page(answer.headers["location"])

    async def rows(self, statement: str, *arguments: object) -> list[Any]:
        """What a statement finds, or leaves, in this workspace."""
        async with self.placet.parts.app_db.workspace(self.workspace) as connection:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]

    async def agent(self) -> httpx2.AsyncClient:
        """Who asks."""
        return await self.placet.caller(
            self.workspace, REQUESTER, ("approvals:read", "approvals:request")
        )

    async def approver(self, email: str = ANN) -> httpx2.AsyncClient:
        """Who answers."""
        return await self.placet.caller(
            self.workspace, email, ("approvals:read", "approvals:decide")
        )

    async def ask(self, title: str = "Dinner", **more: Any) -> str:
        """Ask for an approval; its id."""
        body = {"type": "expense", "title": title, "approvers": [ANN], **more}
        answer = await (await self.agent()).post("/v1/approvals", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def house_in(placet: Placet, workspace: str) -> House:
    """A workspace with an administrator."""
    await give_role(placet, workspace, ADMIN)
    admin = await placet.browser(workspace, ADMIN)
    return House(placet=placet, workspace=workspace, admin=admin)


async def give_role(placet: Placet, workspace: str, email: str, role: str = "placet admin") -> None:
    """Give somebody a role, as a file of people does."""
    lines, wrong = read_lines(f"email,roles\n{email},{role}\n".encode())
    assert not wrong
    await Imports(placet.parts.app_db, placet.parts.directories).take(
        workspace, lines, dry_run=False
    )
    await placet.parts.directories.fresh(workspace)


def new_workspace() -> str:
    return f"w-{secrets.token_hex(6)}"


@asynccontextmanager
async def placet_on(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Placet]:
    """Serve every route that there is, without consumers and without anything that polls."""
    port = free_port()
    source = parse_source(FILE, "acme.yaml", HOME, {})
    config = Config(sources=(source,), types=ApprovalTypes(workspace=HOME))
    async with postgres.database(template=migrated) as dsn, AsyncExitStack() as clients:
        settings = read_settings(
            {
                "PLACET_POSTGRES_DSN": dsn,
                "PLACET_KAFKA": f"{HOST}:{free_port()}",
                "PLACET_PORT": str(port),
                "PLACET_BOOTSTRAP_KEY": "an-admin-key-of-the-tests",
            }
        )
        async with opened(settings, config) as parts:
            with patch.object(Parts, "consume", lambda *_, **__: None):
                for name in ("decision", "queue", "webhooks", "people"):
                    WIRES[name](parts)
            app = make_app(parts.routers)
            describe(app)
            async with serving(app, HOST, port):
                try:
                    yield Placet(url=f"http://{HOST}:{port}", parts=parts, clients=clients)
                finally:
                    parts.closing.set()


@asynccontextmanager
async def looking(
    chromium: Browser,
    house: House,
    *,
    scheme: str = "light",
    width: int = 1100,
    script: bool = True,
) -> AsyncIterator[Page]:
    """A browser of the administrator; whatever it complains of fails the test."""
    complaints: list[str] = []
    context = await chromium.new_context(
        base_url=house.placet.url,
        java_script_enabled=script,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    cookies = await house.placet.cookies(house.workspace, ADMIN)
    await context.add_cookies(
        [{"name": name, "value": value, "url": house.placet.url} for name, value in cookies.items()]
    )
    context.set_default_timeout(10_000)
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    await context.close()
    assert complaints == []
