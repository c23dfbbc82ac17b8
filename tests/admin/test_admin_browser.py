"""The pages for administrators in a real browser: for all, light and dark, wide and narrow."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from tests.admin.admin_kit import House, looking
from tests.admin.test_admin_channels import CARD, EFFECT
from tests.admin.test_admin_parked import park
from tests.admin.test_admin_people import away, people
from tests.admin.test_admin_rights import PAGES
from tests.admin.test_admin_sources import state
from tests.admin.test_admin_webhooks import delivery, endpoint

pytestmark = pytest.mark.browser
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def furnished(home: House) -> str:
    """Something to look at on every page; the id of a webhook."""
    now = datetime.now(UTC)
    await state(
        home,
        polled_at=now - timedelta(seconds=30),
        swept_at=now - timedelta(minutes=3),
        last_error="sweep: the source answered 502 Bad Gateway",
        last_error_at=now,
        failing_since=now - timedelta(minutes=12),
        failures=7,
    )
    await people(
        home,
        "email,name,groups,roles,manager,active,slack\n"
        "ann@example.com,Ann Lee,Finance;Board,approver,ben@example.com,yes,U012AB3CD\n"
        "ben@example.com,Ben Bee,Finance,,,yes,\ncara@example.com,,,,,no,\n",
    )
    ws = home.workspace
    await away(home, "ann@example.com", "ben@example.com")
    await home.placet.run(CARD + " ON CONFLICT DO NOTHING", ws, "inbox", "20 minutes", 3)
    await home.placet.run(
        EFFECT + " ON CONFLICT DO NOTHING", ws, "card:outbox:", "failed", 9, "2 hours", "no", 2
    )
    await home.agent()
    webhook = await endpoint(home, description="The ledger")
    await endpoint(home, status="disabled")
    await delivery(home, webhook, "msg-1", "failed")
    await park(home, b'{"title": 7}')
    return webhook


async def test_no_page_breaks_a_rule_of_accessibility(home: House, chromium: Browser) -> None:
    webhook = await furnished(home)
    await home.press("/admin/sources/acme/poll")
    axe = Axe()
    every = (*PAGES, f"/admin/webhooks/{webhook}")
    # The rules take a second a page: of what differs by colours alone, one dense page will do.
    for scheme, width, judged in (("dark", 390, every), ("light", 1100, ("/admin/figures",))):
        async with looking(chromium, home, scheme=scheme, width=width) as page:
            for path in every:
                await page.goto(path)
                await page.evaluate(
                    "for (const one of document.querySelectorAll('details')) one.open = true"
                )
                if path in judged:
                    found = await axe.run(page, options={"runOnly": RULES})
                    report = f"{path}, {scheme}: {found.generate_report()}"
                    assert found.violations_count == 0, report
                overflow = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"


async def test_without_scripts_a_source_is_paused_and_resumed(
    home: House, chromium: Browser
) -> None:
    async with looking(chromium, home, script=False) as page:
        await page.goto("/admin/sources")
        await page.get_by_role("button", name="Pause: Acme").click()
        await expect(page.get_by_role("status").first).to_contain_text("Paused acme")
        await page.get_by_role("button", name="Resume: Acme").click()
        await expect(page.get_by_role("status").first).to_contain_text("Resumed acme")


async def test_a_key_is_made_in_a_browser(home: House, chromium: Browser) -> None:
    async with looking(chromium, home) as page:
        await page.goto("/admin/keys")
        await page.get_by_text("Make a key").click()
        await page.get_by_label("For whom?").fill("robot@example.com")
        await page.get_by_label("approvals:read").check()
        await page.get_by_role("button", name="Make it").click()
        await expect(page.get_by_label("The key")).to_have_value(re.compile("^plk_"))
