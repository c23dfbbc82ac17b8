"""The keyboard shortcuts in a real browser: what they reach, and that none decides by itself."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from services.approval_types import ApprovalTypes
from tests.pages.fakes import WORKSPACE, Placet
from tests.pages.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def placet() -> Placet:
    return Placet(types=ApprovalTypes(workspace=WORKSPACE, undo_s=60))


async def three(site: Site) -> list[str]:
    ask = site.placet.world.ask
    return [await ask(f"Row {number}", ago=timedelta(hours=9 - number)) for number in range(3)]


async def statuses(site: Site) -> list[str]:
    views = sorted(site.placet.world.views(WORKSPACE), key=lambda view: view.title)
    return [view.status for view in views]


async def at(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.textContent.trim()"))


async def press(page: Page, keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_the_inbox_is_walked_by_keys_and_no_single_key_decides(site: Site) -> None:
    await three(site)
    async with site.opened() as page:
        await page.goto("/inbox")
        walked = []
        for key in "jjjjkk":
            await page.keyboard.press(key)
            walked.append(await at(page))
        assert walked == ["Row 0", "Row 1", "Row 2", "Row 2", "Row 1", "Row 0"]
        for key in "bcefghilmnpqrstuvwyzABCDXYZ0123456789 ":
            await page.keyboard.press(key)
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await press(page, "jaxd")
        await page.keyboard.press("Escape")
        assert await at(page) == "Row 0"
        for key in "ad":
            await page.keyboard.press(key)
            await expect(page.get_by_role("dialog")).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(page.get_by_role("dialog")).to_have_count(0)
            assert await at(page) == "Row 0"
        await press(page, "jo")
        await expect(page).to_have_title("Row 1 · Placet")
        await page.get_by_label("A word with it").press_sequentially("joke? /adux")
        await expect(page.get_by_label("A word with it")).to_have_value("joke? /adux")
    assert await statuses(site) == ["pending"] * 3


async def test_approving_takes_a_second_key_and_undo_one(site: Site) -> None:
    await three(site)
    async with site.opened() as page:
        await page.goto("/inbox")
        await press(page, "ja")
        dialog = page.get_by_role("dialog", name="Approve this?")
        await expect(dialog).to_contain_text("Row 0")
        await expect(dialog).to_contain_text("750.50 USD")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-notice]")).to_contain_text("You approved this.")
        assert await statuses(site) == ["deciding", "pending", "pending"]
        # The focus is where the next answer is due.
        await expect(page.get_by_role("link", name="Row 1", exact=True)).to_be_focused()
        await page.keyboard.press("u")
        await expect(page.locator("[data-notice]")).to_contain_text(
            "Taken back. It waits for you again."
        )
        await expect(page.locator("[data-row] h2")).to_have_text(["Row 0", "Row 1", "Row 2"])
    assert await statuses(site) == ["pending"] * 3


async def test_denying_asks_for_the_reason_first(site: Site) -> None:
    ids = await three(site)
    async with site.opened() as page:
        await page.goto("/inbox")
        await press(page, "jd")
        dialog = page.get_by_role("dialog", name="Deny this?")
        reason = dialog.get_by_label("Why not?")
        await expect(reason).to_be_focused()
        await dialog.get_by_role("button", name="Deny").click()
        await expect(dialog).to_be_visible()
        assert await statuses(site) == ["pending"] * 3
        await reason.fill("Too dear.")
        await dialog.get_by_role("button", name="Deny").click()
        await expect(page.locator("[data-notice]")).to_contain_text("You rejected this.")

        await page.goto(f"/approvals/{ids[1]}")
        await page.keyboard.press("d")
        await expect(page.get_by_label("Why not?")).to_be_focused()
        await page.keyboard.press("a")
        await expect(page.get_by_label("Why not?")).to_have_value("a")
        await page.locator("h1").click()
        await page.keyboard.press("a")
        await expect(page.get_by_role("dialog", name="Approve this?")).to_contain_text("Row 1")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert await statuses(site) == ["deciding", "deciding", "pending"]


async def test_what_is_selected_by_keys_is_answered_together(site: Site) -> None:
    await three(site)
    async with site.opened() as page:
        await page.goto("/inbox")
        await press(page, "jxjx")
        await expect(page.locator("[data-announce]")).to_have_text("Row 1: selected. 2 selected")
        await expect(page.get_by_text("2 selected", exact=True)).to_be_visible()
        await press(page, "xx")
        await page.keyboard.press("a")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Approve 2 requests?")
        assert await statuses(site) == ["pending"] * 3


async def test_search_is_one_key_away_and_takes_letters_as_letters(site: Site) -> None:
    await three(site)
    async with site.opened() as page:
        await page.goto("/inbox")
        await page.keyboard.press("/")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await page.keyboard.type("row 2")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-row] h2")).to_have_text(["Row 2"])
        await expect(page.get_by_role("searchbox")).to_have_value("row 2")
        await expect(page).to_have_title("(3) Inbox · Placet")


@pytest.mark.parametrize("javascript", [True, False])
async def test_keys_can_be_turned_off_and_stay_off(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    await three(site)
    async with site.opened(javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Keyboard shortcuts").click()
        if javascript:
            await page.get_by_role("link", name="Turn them off or on").click()
        await page.get_by_role("button", name="Turn them off").click()
        await expect(page.get_by_text("In this browser they are off.")).to_be_visible()
        if javascript:
            await page.goto("/inbox")
            await press(page, "jax?/")
            assert await page.evaluate("document.activeElement.tagName") == "BODY"
            await expect(page.get_by_role("dialog")).to_have_count(0)
            await page.goto("/shortcuts")
        await page.get_by_role("button", name="Turn them on").click()
        await expect(page.get_by_text("In this browser they are on.")).to_be_visible()


async def test_an_answer_to_what_changed_is_not_even_asked_for(site: Site) -> None:
    world = site.placet.world
    approval_id = await world.ask("Row", mirrored=True)
    async with site.opened() as page:
        await page.goto("/inbox")
        await page.keyboard.press("j")
        await world.settle(approval_id, by="maria.garcia@example.com")
        row = page.locator(f"[data-id='{approval_id}']")
        await expect(row).to_contain_text("Approved in the source")
        await press(page, "a")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.locator("[data-announce]")).to_contain_text("Withdrawn")
