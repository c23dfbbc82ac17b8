"""A Placet that is served, and a real browser that looks at it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from events.approval import Person
from tests.conftest import CHROMIUM
from tests.pages.fakes import JOHN, Placet

OTHER_HOST = "placet.test"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is no loopback address: to a browser plain http there is not trustworthy.
    f"--host-resolver-rules=MAP {OTHER_HOST} 127.0.0.1",
]


@dataclass
class Site:
    """A Placet that is served, and the browser that looks at it."""

    placet: Placet
    url: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def opened(
        self,
        person: Person | None = JOHN,
        *,
        javascript: bool = True,
        width: int = 1100,
        height: int = 900,
        scheme: str = "light",
    ) -> AsyncIterator[Page]:
        """A page in a browser of its own; whatever it complains of fails the test."""
        context = await self.browser.new_context(
            base_url=self.url,
            java_script_enabled=javascript,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(10_000)
        if person is not None:
            await sign_in(context, self, person)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text) if message.type == "error" else None
            ),
        )
        yield page
        await context.close()


async def sign_in(context: BrowserContext, site: Site, person: Person) -> None:
    for name, value in site.placet.cookies(person).items():
        await context.add_cookies([{"name": name, "value": value, "url": site.url}])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(placet: Placet, chromium: Browser) -> AsyncIterator[Site]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(placet.app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    following = asyncio.create_task(placet.broadcast.run())
    site = Site(placet, f"http://127.0.0.1:{port}", chromium)
    yield site
    placet.closing.set()
    server.should_exit = True
    async with asyncio.timeout(10):
        await serving
    following.cancel()
    assert site.complaints == [], site.complaints
