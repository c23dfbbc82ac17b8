"""Selecting, searching and taking back in a real browser, with scripts and without."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from services.approval_types import ApprovalTypes
from tests.pages.fakes import EXPENSE, JANE, MARIA, WORKSPACE, Placet
from tests.pages.site import Site

pytestmark = pytest.mark.browser

BOTH = pytest.mark.parametrize("javascript", [True, False])


@pytest.fixture
def placet() -> Placet:
    return Placet(types=ApprovalTypes(workspace=WORKSPACE, undo_s=60))


async def rows(site: Site, count: int = 3, **more: bool) -> list[str]:
    return [
        await site.placet.world.ask(f"Row {number}", ago=timedelta(hours=9 - number), **more)  # type: ignore[arg-type]
        for number in range(count)
    ]


async def statuses(site: Site) -> list[str]:
    views = sorted(site.placet.world.views(WORKSPACE), key=lambda view: view.title)
    return [view.status for view in views]


async def heading(page: Page, text: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


@BOTH
async def test_several_are_selected_confirmed_answered_and_taken_back(
    site: Site,
    javascript: bool,  # noqa: FBT001 # the case
) -> None:
    await rows(site)
    async with site.opened(javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("checkbox", name="Row 0").check()
        await page.get_by_role("checkbox", name="Row 2").check()
        await page.get_by_role("button", name="Approve selected…").click()
        await heading(page, "Approve 2 requests?")
        await page.get_by_role("checkbox", name="Row 2").uncheck()
        await page.get_by_role("button", name="Approve what is ticked").click()
        await heading(page, "1 of 1 approved")
        assert await statuses(site) == ["deciding", "pending", "pending"]
        await page.get_by_role("button", name="Undo").click()
        await heading(page, "1 of 1 taken back")
        await page.get_by_role("link", name="Back to the inbox").click()
        await page.get_by_role("link", name="Select all 3").click()
        await page.get_by_role("button", name="Deny selected…").click()
        await heading(page, "Deny 3 requests?")
        await page.get_by_label("Why not?").fill("Too dear.")
        await page.get_by_role("button", name="Deny what is ticked").click()
        await heading(page, "3 of 3 denied")
    assert await statuses(site) == ["deciding"] * 3


async def test_the_count_of_what_is_selected_is_shown_and_said(site: Site) -> None:
    await rows(site)
    async with site.opened() as page:
        await page.goto("/inbox")
        bar = page.locator("[data-together]")
        await expect(bar).to_contain_text("Select them above.")
        await page.get_by_role("button", name="Approve selected…").click()
        await expect(page.locator("[data-announce]")).to_have_text("Select at least one first.")
        assert page.url.endswith("/inbox")
        await page.get_by_role("link", name="Select all 3").click()
        await expect(bar).to_contain_text("3 selected")
        await expect(page.locator("[data-announce]")).to_have_text("3 selected")
        await page.get_by_role("checkbox", name="Row 1").uncheck()
        await expect(bar).to_contain_text("2 selected")
        await page.get_by_role("link", name="Select all 3").click()
        await page.get_by_role("link", name="Select none").click()
        await expect(bar).to_contain_text("Select them above.")


async def test_a_change_takes_away_the_selection_of_what_was_shown_before(site: Site) -> None:
    ids = await rows(site, mirrored=True)
    world = site.placet.world
    async with site.opened() as page:
        await page.goto("/inbox")
        boxes = [page.get_by_role("checkbox", name=f"Row {number}") for number in range(3)]
        for box in boxes:
            await box.check()
        await page.locator("h1").hover()
        await page.locator("h1").click()
        await world.revise(ids[0], {**EXPENSE, "total_amount": 9_000.0})
        await site.placet.answering.comment(
            WORKSPACE, ids[2], by=MARIA, text="Look!", comment_id="1"
        )
        await expect(page.locator(f"[data-id='{ids[0]}']")).to_contain_text("9,000.00 USD")
        await expect(page.locator(f"[data-id='{ids[2]}']")).to_have_attribute("data-version", "2")
        await expect(boxes[0]).not_to_be_checked()
        await expect(boxes[1]).to_be_checked()
        await expect(boxes[2]).to_be_checked()
        await expect(page.get_by_text("2 selected", exact=True)).to_be_visible()


@BOTH
async def test_an_answer_is_taken_back_from_the_inbox_and_from_its_page(
    site: Site,
    javascript: bool,  # noqa: FBT001 # the case
) -> None:
    await rows(site, 1)
    async with site.opened(javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("button", name="Approve: Row 0").click()
        await expect(page.locator("[data-notice]")).to_contain_text("You can take it back until")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("[data-notice]")).to_contain_text(
            "Taken back. It waits for you again."
        )
        await page.get_by_role("link", name="Row 0", exact=True).first.click()
        await page.get_by_role("button", name="Approve", exact=True).click()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_text("took the answer approved back")).to_have_count(2)
    assert await statuses(site) == ["pending"]


async def test_the_seconds_count_down_and_then_it_is_final(site: Site) -> None:
    (approval_id,) = await rows(site, 1)
    async with site.opened() as page:
        await page.goto(f"/approvals/{approval_id}")
        await page.clock.install()
        await page.get_by_role("button", name="Approve", exact=True).click()
        left = page.locator("[data-undo] [data-left]")
        await expect(left).to_have_text("\u00a0(60\u00a0s)".replace("\u00a0", " ", 1))
        await page.clock.run_for(30_000)
        await expect(left).to_contain_text("(30")
        await page.clock.run_for(31_000)
        await expect(page.get_by_text("It is final now.").first).to_be_visible()
        undo = page.get_by_role("button", name="Undo")
        await expect(undo).to_have_attribute("aria-disabled", "true")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        await undo.click(force=True)
        await page.keyboard.press("u")
        await page.goto("/inbox")
        assert "POST" not in sent
    assert await statuses(site) == ["deciding"]


@BOTH
async def test_the_inbox_is_searched_and_filtered(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    await rows(site)
    await site.placet.world.ask("Chairs", kind="hire", urgency="high")
    async with site.opened(javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("searchbox").fill("row")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("[data-row] h2")).to_have_text(["Row 0", "Row 1", "Row 2"])
        await page.get_by_role("link", name="Show all").click()
        await page.get_by_text("Filters").click()
        await page.get_by_label("Type").select_option("Hire")
        await page.get_by_label("Urgency").select_option("High")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.locator("[data-row] h2")).to_have_text(["Chairs"])
        await expect(page.get_by_text("Hire, high urgency")).to_be_visible()
        await page.get_by_role("button", name="Approve: Chairs").click()
        await expect(page.get_by_text("Nothing that waits for you matches.")).to_be_visible()


async def test_what_arrives_is_offered_only_where_it_matches(site: Site) -> None:
    await rows(site, 1)
    async with site.opened() as page:
        await page.goto("/inbox?q=row")
        await site.placet.world.ask("Chairs")
        await expect(page).to_have_title("(2) Inbox · Placet")
        await expect(page.locator("[data-show]")).to_be_hidden()
        await site.placet.world.ask("Row 9")
        await expect(page.get_by_role("button", name="1 new: show")).to_be_visible()


@BOTH
async def test_a_requester_reads_what_became_of_it(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    await rows(site, 1)
    async with site.opened(JANE, javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Requests").click()
        await expect(page.locator("[data-row]")).to_contain_text("Waits for John Smith")
        await page.get_by_role("link", name="Row 0").click()
        await expect(page.get_by_role("heading", name="Your request")).to_be_visible()
