"""Somebody connects their account on the way to an answer, in a real browser."""

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Route, expect

from events.store.database import Database
from tests.grants.grant_kit import LOGIN, SOURCE, Office
from tests.pages.axe import Held
from tests.pages.fakes import JOHN
from tests.pages.site import Site, chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def served(app_db: Database) -> AsyncIterator[Office]:
    listening = socket.create_server(("127.0.0.1", 0))
    office = Office(app_db, origin=f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(office.app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    yield office
    office.placet.closing.set()
    server.should_exit = True
    async with asyncio.timeout(10):
        await serving


async def test_an_account_is_connected_on_the_way_to_an_answer(
    served: Office, chromium: Browser
) -> None:
    site = Site(served.placet, served.origin, chromium)
    approval_id = await served.asked()

    async def log_in(route: Route) -> None:
        back = served.login.allow(route.request.url, "john at acme")
        url = f"{served.origin}/grants/{SOURCE}/callback?{urlencode(back)}"
        await route.fulfill(content_type="text/html", body=f'<a href="{url}">Allow Placet</a>')

    async with site.opened(JOHN) as page:
        await page.emulate_media(reduced_motion="reduce")
        await page.route(f"{LOGIN}/authorize**", log_in)
        held = Held(page)
        await page.goto(f"/approvals/{approval_id}")
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("only from your own account there")
        await page.get_by_role("link", name="Connect your account").click()
        await held.look("not connected")
        await page.get_by_role("link", name="Connect: Acme").click()
        await page.get_by_role("link", name="Allow Placet").click()
        await expect(page.get_by_role("status").first).to_contain_text("It is connected")
        await held.look("connected")
        await page.goto(f"/approvals/{approval_id}")
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_text("Approved").first).to_be_visible()
        assert served.acme.record["decided_by"] == "john at acme"
        await page.goto("/grants")
        await page.get_by_role("button", name="Disconnect: Acme").click()
        await expect(page.get_by_text("Not connected")).to_be_visible()
    assert held.wrong == []
    wrong = [one for one in site.complaints if "403" not in one]
    assert wrong == [], wrong
