"""A person sets how they are told in a real browser, by keyboard alone, without scripts too."""

import pytest
from playwright.async_api import Locator, Page, expect

from services.directory.preferences import Quiet, Turn
from tests.pages.fakes import JOHN
from tests.pages.site import Site

pytestmark = pytest.mark.browser
MOST_TABS = 40


async def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus, as somebody without a mouse does."""
    await expect(target).to_have_count(1)
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        if await target.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"no key leads to {target}")


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_person_says_when_they_are_told_and_reads_what_is_wrong_beside_it(
    site: Site,
    javascript: bool,  # noqa: FBT001 # the case
) -> None:
    async with site.opened(javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Settings").click()
        await tab_to(page, page.get_by_role("link", name="Notifications"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("How you are told")
        await tab_to(page, page.get_by_label("email", exact=True))
        await page.keyboard.type("after 15")
        await tab_to(page, page.get_by_label("From").first)
        await page.keyboard.type("1000PM")
        zone = page.get_by_label("Your time zone")
        await tab_to(page, zone)
        await page.keyboard.type("Mars/Phobos")
        await page.keyboard.press("Enter")

        await expect(page.get_by_role("alert")).to_contain_text("Nothing was kept yet")
        until = page.get_by_label("Until").first
        await expect(until).to_have_accessible_description("Give both times, or neither.")
        await expect(zone).to_have_attribute("aria-invalid", "true")
        await expect(zone).to_have_value("Mars/Phobos")
        await expect(page.get_by_label("From").first).to_have_value("22:00")
        assert JOHN.email not in site.placet.people.preferences

        await tab_to(page, until)
        await page.keyboard.type("0700AM")
        await tab_to(page, zone)
        await page.keyboard.press("Control+A")
        await page.keyboard.type("Asia/Tokyo")
        await page.keyboard.press("Enter")

        await expect(page.locator("[data-notice]")).to_contain_text("It is kept")
        await expect(page.get_by_label("email", exact=True)).to_have_value("15m")
        await expect(until).to_have_value("07:00")
    site.complaints.clear()  # the browser notes the 422
    kept = site.placet.people.preferences[JOHN.email]
    assert kept.quiet_hours == (Quiet(begins=22 * 60, ends=7 * 60),)
    assert kept.order is not None
    assert Turn("email", 900.0) in kept.order
    assert kept.time_zone == "Asia/Tokyo"


@pytest.mark.parametrize("javascript", [True, False])
async def test_the_settings_say_where_the_reader_is(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    async with site.opened(javascript=javascript, width=390) as page:
        for path, words in (
            ("/delegations", "Away"),
            ("/preferences", "Notifications"),
            ("/shortcuts", "Shortcuts"),
        ):
            await page.goto(path)
            here = page.locator("[aria-current]")
            await expect(here).to_have_text(["Settings", words])
            await expect(here.last).to_have_attribute("aria-current", "page")
