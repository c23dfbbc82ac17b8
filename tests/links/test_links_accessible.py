"""The pages of the links in a mail, held to WCAG 2.2 AA by axe-core in a real browser."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser

from services.bootstrap.serving import serving
from services.embedded.ports import free_port
from tests.links.link_kit import Ground
from tests.links.scanners import CHROME
from tests.links.test_links_stop import Mailing, digested
from tests.pages.axe import Held

pytestmark = pytest.mark.browser


async def test_no_page_of_a_link_breaks_a_rule_of_accessibility(
    ground: Ground, chromium: Browser
) -> None:
    first, word, unasked = (
        await ground.mailed(),
        await ground.mailed(after=timedelta(seconds=1)),
        await ground.mailed(type_="deploy"),
    )
    ground.moved += timedelta(seconds=1)
    mailing = Mailing(ground)
    stop = await digested(ground, mailing)
    mailing.app.router.routes.extend(ground.app.router.routes)
    port = free_port()
    async with serving(mailing.app, "127.0.0.1", port):
        context = await chromium.new_context(
            base_url=f"http://127.0.0.1:{port}",
            user_agent=CHROME,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        page = await context.new_page()
        held = Held(page)
        await held.open(unasked.approve, "/l/nobody-has-this")
        await page.goto(word.approve)
        await page.get_by_role("button", name="Approve").click()
        await held.look("the word is asked for")
        await held.open(first.deny)
        await page.get_by_label("Why not?").fill("Too many.")
        ground.moved += timedelta(seconds=3)
        await page.get_by_role("button", name="Deny").click()
        await page.get_by_role("heading", name="Your answer is kept").wait_for()
        await held.look("kept, with Undo")
        await page.get_by_role("button", name="Undo").click()
        await held.look("taken back")
        await held.open(stop)
        await page.get_by_role("button", name="Send me nothing more").click()
        await held.look("stopped")
        await context.close()
    assert held.wrong == []
