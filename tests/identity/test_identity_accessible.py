"""The pages of passkeys, held to WCAG 2.2 AA by axe-core in a real browser."""

import pytest
from playwright.async_api import expect

from tests.identity.passkey_kit import demanding
from tests.identity.test_identity_passkeys import Served, app_db, served, shared
from tests.pages.axe import Held
from tests.pages.site import chromium

__all__ = ["app_db", "chromium", "served", "shared"]

pytestmark = pytest.mark.browser


async def test_no_page_of_a_passkey_breaks_a_rule_of_accessibility(served: Served) -> None:
    page = served.page
    await page.emulate_media(reduced_motion="reduce")
    held = Held(page)
    await held.open("/passkeys")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("button", name="Make it")).to_be_visible()
    await held.look("a new passkey")
    await page.get_by_label("What do you call it?").fill("My laptop")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_text("My laptop", exact=True)).to_be_visible()
    await held.look("one passkey")
    approval_id = await served.placet.world.ask("A payout", policy=demanding("step_up"))
    await page.goto(f"/approvals/{approval_id}")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await expect(page.get_by_role("button", name="Confirm")).to_be_visible()
    await held.look("confirming an answer")
    assert held.wrong == []
