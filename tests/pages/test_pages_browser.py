"""The pages in a real browser, with and without scripts."""

import asyncio
import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from services.channels.card import make_card
from services.channels.html import html
from services.channels.outbox import Message
from services.channels.text import subject, text
from services.queue.pages.words import span
from tests.pages.fakes import EXPENSE, JOHN, MARIA, WORKSPACE
from tests.pages.site import OTHER_HOST, Site

pytestmark = pytest.mark.browser


async def test_without_scripts_a_person_signs_in_and_approves(site: Site) -> None:
    approval_id = await site.placet.world.ask("Chairs", mirrored=True)
    async with site.opened(None, javascript=False) as page:
        await page.goto("/")
        await page.get_by_role("button", name="john.smith@example.com").click()
        await expect(page).to_have_title("(1) Inbox · Placet")
        await page.get_by_role("link", name="Chairs", exact=True).click()
        await page.get_by_label("A word with it").fill("Fine.")
        await page.get_by_role("button", name="Approve").click()
        status = page.get_by_role("status").filter(has_text="Approved.")
        await expect(status).to_contain_text("Acme Expenses has it.")
        await expect(page.get_by_text("Nothing left to answer")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Who are you today?")
    view = await site.placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    assert (view.status, view.decision_reason) == ("approved", "Fine.")


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_person_denies_with_a_reason(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    approval_id = await site.placet.world.ask("Chairs")
    async with site.opened(javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Deny…: Chairs").click()
        await expect(page).to_have_url(re.compile("#deny-reason$"))
        await expect(page.get_by_label("Why not?")).to_be_focused()
        await page.get_by_role("button", name="Deny").click()
        await expect(page).to_have_url(re.compile("#deny-reason$"))  # the browser asks for a reason
        await page.get_by_label("Why not?").fill("Too dear.\nIn spring.")
        await page.get_by_role("button", name="Deny").click()
        await expect(page.get_by_text("Rejected by you in the inbox.", exact=True)).to_be_visible()
    view = await site.placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    assert (view.status, view.decision_reason) == ("rejected", "Too dear.\nIn spring.")


async def test_a_quick_approval_leaves_the_reader_at_the_next_row(site: Site) -> None:
    for number in range(3):
        await site.placet.world.ask(f"Row {number}", ago=timedelta(hours=9 - number))
    async with site.opened() as page:
        await page.goto("/inbox")
        await page.get_by_role("button", name="Approve: Row 1").click()
        await expect(page).to_have_title("(2) Inbox · Placet")
        await expect(page.get_by_role("link", name="Row 2", exact=True)).to_be_focused()
        await expect(page.locator("[data-notice]")).to_contain_text("Approved. Row 1")
        assert page.url == f"{site.url}/inbox", "a reload tells no old news"


async def test_everything_is_done_by_tab_and_enter_alone(site: Site) -> None:
    approval_id = await site.placet.world.ask("Row 0")
    async with site.opened() as page:
        await page.goto("/inbox")
        for _ in range(30):
            await page.keyboard.press("Tab")
            focused = await page.evaluate(
                "[document.activeElement.textContent, "
                "getComputedStyle(document.activeElement).outlineStyle, "
                "getComputedStyle(document.activeElement).outlineWidth]"
            )
            assert focused[1:] == ["solid", "3px"], f"{focused[0]!r} shows no focus"
            if focused[0].startswith("Approve"):
                break
        await page.keyboard.press("Enter")
        await expect(page).to_have_title("Inbox · Placet")
    view = await site.placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    assert view.status == "approved"


async def test_what_arrives_is_offered_and_moves_nothing(site: Site) -> None:
    await site.placet.world.ask("Old")
    async with site.opened() as page:
        await page.goto("/inbox")
        link = page.get_by_role("link", name="Old", exact=True)
        await link.focus()
        before = await link.bounding_box()

        await site.placet.world.ask("Urgent", urgency="high", ago=timedelta(0))

        button = page.get_by_role("button", name="1 new: show")
        await expect(button).to_be_visible()
        await expect(page).to_have_title("(2) Inbox · Placet")
        await expect(page.get_by_role("heading", level=1)).to_have_text("2 approvals wait for you")
        await expect(page.locator("[data-announce]")).to_have_text("1 new")
        await expect(link).to_be_focused()
        assert await link.bounding_box() == before
        await expect(page.locator("[data-row]")).to_have_count(1)

        await button.click()
        await expect(page.get_by_role("link", name="Urgent", exact=True)).to_be_focused()
        await expect(page.locator("[data-row] h2")).to_have_text(["Urgent", "Old"])
        await expect(button).to_be_hidden()


async def test_an_empty_inbox_fills_by_itself(site: Site) -> None:
    async with site.opened() as page:
        await page.goto("/inbox")
        await expect(page.get_by_text("You are done.")).to_be_visible()
        await site.placet.world.ask("First")
        await expect(page.get_by_role("link", name="First", exact=True)).to_be_visible()
        await expect(page.get_by_text("You are done.")).to_have_count(0)


async def test_settled_elsewhere_is_marked_in_place_under_the_reader(site: Site) -> None:
    world = site.placet.world
    ids = [
        await world.ask(f"Row {number}", mirrored=True, ago=timedelta(hours=9 - number))
        for number in range(3)
    ]
    async with site.opened() as page:
        await page.goto("/inbox")
        button = page.get_by_role("button", name="Approve: Row 1")
        below = page.get_by_role("link", name="Row 2", exact=True)
        await button.focus()
        before = await button.bounding_box()

        await world.settle(ids[1], by=MARIA.email)

        row = page.locator(f"[data-id='{ids[1]}']")
        await expect(row).to_contain_text("Approved in the source by maria.garcia@example.com.")
        await expect(page.locator("[data-announce]")).to_contain_text("Row 1: Withdrawn")
        await expect(page).to_have_title("(2) Inbox · Placet")
        await expect(button).to_be_focused()
        await expect(button).to_have_attribute("aria-disabled", "true")
        assert await button.bounding_box() == before
        await page.keyboard.press("Enter")
        assert page.url == f"{site.url}/inbox"

        await below.focus()
        await expect(row.get_by_role("button")).to_have_count(0)
        await expect(row).to_contain_text("Approved in the source")
        await page.reload()
        await expect(row).to_have_count(0)


async def test_a_row_that_nobody_is_at_settles_and_the_rows_below_stay(site: Site) -> None:
    world = site.placet.world
    ids = [
        await world.ask(f"Row {number}", mirrored=True, ago=timedelta(hours=9 - number))
        for number in range(3)
    ]
    async with site.opened() as page:
        await page.goto("/inbox")
        target = page.get_by_role("button", name="Approve: Row 2")
        await target.hover()
        before = await target.bounding_box()
        await world.settle(ids[0], by=MARIA.email)
        await expect(page.locator(f"[data-id='{ids[0]}']")).to_contain_text("Withdrawn")
        await expect(page.get_by_role("button", name="Approve: Row 0")).to_have_count(0)
        assert await target.bounding_box() == before


async def test_a_row_that_changed_under_the_reader_asks_for_another_look(site: Site) -> None:
    world = site.placet.world
    approval_id = await world.ask("Row", mirrored=True)
    async with site.opened() as page:
        await page.goto("/inbox")
        button = page.get_by_role("button", name="Approve: Row")
        await button.focus()
        await world.revise(approval_id, {**EXPENSE, "total_amount": 9_000.0})
        row = page.locator(f"[data-id='{approval_id}']")
        await expect(row).to_contain_text("This changed since you saw it.")
        await expect(row).to_contain_text("750.50 USD")
        await expect(button).to_have_attribute("aria-disabled", "true")
        await page.get_by_role("link", name="Settled").focus()
        await expect(row).to_contain_text("9,000.00 USD")
        await page.get_by_role("button", name="Approve: Row").click()
        await expect(page).to_have_title("Inbox · Placet")
    view = await world.view(WORKSPACE, approval_id)
    assert view is not None
    assert view.status == "approved"


async def test_an_open_approval_that_changes_says_so_and_takes_no_answer(site: Site) -> None:
    world = site.placet.world
    approval_id = await world.ask("Row", mirrored=True)
    async with site.opened() as page:
        await page.goto(f"/approvals/{approval_id}")
        await page.get_by_label("Why not?").fill("Half a rea")
        await site.placet.answering.comment(
            WORKSPACE, approval_id, by=MARIA, text="Look!", comment_id="1"
        )
        await expect(page.locator("[data-live]")).to_contain_text("Something was added")
        await expect(page.get_by_role("button", name="Deny")).not_to_have_attribute(
            "aria-disabled", "true"
        )

        await world.revise(approval_id, {**EXPENSE, "total_amount": 9_000.0})

        await expect(page.locator("[data-live]")).to_contain_text(
            "This changed since you opened it"
        )
        for name in ("Approve", "Deny"):
            button = page.get_by_role("button", name=name)
            await expect(button).to_have_attribute("aria-disabled", "true")
        await page.get_by_role("button", name="Deny").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name="Look again")).to_be_focused()
        await page.get_by_role("link", name="Look again").click()
        await expect(page.locator(".facts")).to_contain_text("9,000.00 USD was 750.50 USD")
        await expect(page.get_by_label("Why not?")).to_have_value("Half a rea")
        await expect(page.get_by_text("Look!", exact=True)).to_be_visible()
    view = await world.view(WORKSPACE, approval_id)
    assert view is not None
    assert view.status == "pending"


async def test_a_page_of_somebody_who_signed_out_says_so(site: Site) -> None:
    await site.placet.world.ask("Row")
    async with site.opened() as page:
        await page.goto("/inbox")
        await page.wait_for_function("stream !== null && stream.readyState === 1")
        await page.context.clear_cookies()
        await site.placet.world.ask("Another")
        await expect(page.get_by_text("You are signed out.")).to_be_visible()
    site.complaints.clear()  # the browser notes the 401


async def test_the_times_tick_in_the_same_words_as_they_were_written(site: Site) -> None:
    world = site.placet.world
    await world.ask("Row", mirrored=True)
    world.verified_at = world.clock() - timedelta(seconds=3)
    async with site.opened() as page:
        await page.goto("/inbox")
        seconds = [-1, 0, 0.9, 59.9, 60, 3599, 3600, 86_399, 86_400, 1e7]
        said = await page.evaluate("seconds => seconds.map(span)", seconds)
        assert said == [span(one) for one in seconds]
        await expect(page.locator(".verified")).to_contain_text(
            re.compile(r"Verified [5-9] s ago in Acme Expenses")
        )


async def test_forms_work_over_plain_http_on_another_host(site: Site) -> None:
    """There, browsers tell where a form was sent from by Origin alone."""
    approval_id = await site.placet.world.ask("Row")
    url = site.url.replace("127.0.0.1", OTHER_HOST)
    async with site.opened(None) as page:
        sent: list[dict[str, str]] = []
        page.on(
            "request",
            lambda request: sent.append(request.headers) if request.method == "POST" else None,
        )
        await page.goto(f"{url}/approvals/{approval_id}")
        await page.get_by_role("button", name="john.smith@example.com").click()
        await page.get_by_role("button", name="Approve").click()
        await expect(page.get_by_text("Nothing left to answer")).to_be_visible()
        assert len(sent) == 2
        assert all("sec-fetch-site" not in headers for headers in sent)
    # Chromium notes the page that asks who it is, and that opener isolation is for trustworthy
    # addresses only.
    assert all("401" in one or "Cross-Origin-Opener-Policy" in one for one in site.complaints)
    site.complaints.clear()


async def test_a_message_shows_in_its_frame_and_its_scripts_do_not_run(site: Site) -> None:
    world = site.placet.world
    approval_id = await world.ask("Chairs")
    view = await world.view(WORKSPACE, approval_id)
    assert view is not None
    card = make_card(view, JOHN.email, public_url=site.url, template=None, now=world.clock())
    now = world.clock()
    body = html(card) + "<script>document.body.textContent = 'script ran'</script>"
    site.placet.mail.put(
        Message(
            message_id="m1",
            approval_id=approval_id,
            approver=JOHN.email,
            subject=subject(card),
            body_text=text(card),
            body_html=body,
            shown="open",
            sent_at=now,
            updated_at=now,
        )
    )
    async with site.opened() as page:
        await page.goto("/mailbox")
        await page.get_by_role("link", name="To approve: Chairs").click()
        frame = page.frame_locator("iframe")
        await expect(frame.locator("body")).to_contain_text("Client Dinner at The Grand Restaurant")
        await expect(frame.locator("body")).not_to_contain_text("script ran")
        await page.locator("pre a").click()
        await expect(page).to_have_title("Chairs · Placet")
    assert all("sandbox" in one for one in site.complaints)
    site.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_small_screen_nothing_is_cut_off_or_too_small_to_hit(
    site: Site, scheme: str
) -> None:
    world = site.placet.world
    approval_id = await world.ask(
        "Averylongwordthatnobodyeverbreaks" * 4, {**EXPENSE, "x" * 90: "y" * 300}, mirrored=True
    )
    await world.ask("Row", urgency="high")
    async with site.opened(width=320, height=640, scheme=scheme) as page:
        for path in ("/inbox", f"/approvals/{approval_id}", "/inbox/decided", "/mailbox"):
            await page.goto(path)
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= 320, path
            small = await page.evaluate(
                """[...document.querySelectorAll(
                    "button, summary, input, textarea, nav a, .button, .rows h2 a, .away"
                )].filter((one) => one.checkVisibility())
                  .map((one) => [one.textContent, one.getBoundingClientRect()])
                  .filter(([, box]) => box.height && (box.height < 22 || box.width < 24))
                  .map(([text]) => text)"""
            )
            assert small == [], path


async def test_a_stream_is_given_back_while_nobody_looks(site: Site) -> None:
    async with site.opened() as page:
        await page.goto("/inbox")
        await page.wait_for_function("stream !== null && stream.readyState === 1")
        assert len(site.placet.broadcast._watchers) == 1
        await page.evaluate(
            """Object.defineProperty(document, "hidden", { value: true, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"))"""
        )
        async with asyncio.timeout(20):
            while site.placet.broadcast._watchers:  # noqa: ASYNC110 # nobody tells who has left
                await asyncio.sleep(0.05)
        await site.placet.world.ask("Meanwhile")
        await page.evaluate(
            """Object.defineProperty(document, "hidden", { value: false, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"))"""
        )
        await expect(page.get_by_role("link", name="Meanwhile", exact=True)).to_be_visible()
