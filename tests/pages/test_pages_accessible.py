"""Every page and state held to WCAG 2.2 AA by axe-core, light and dark, desktop and phone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from playwright.async_api import expect

from events.approval import Link
from services.approval_types import ApprovalTypes
from services.channels.outbox import Message
from tests.pages.axe import Held
from tests.pages.fakes import EXPENSE, JANE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.policies import approved, asked_back, policy, two_of
from tests.pages.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def placet() -> Placet:
    return Placet(types=ApprovalTypes(workspace=WORKSPACE, undo_s=60))


@asynccontextmanager
async def looking(site: Site) -> AsyncIterator[Held]:
    async with site.opened() as page:
        await page.emulate_media(reduced_motion="reduce")
        held = Held(page)
        yield held
        assert held.wrong == []


async def test_the_lists_and_what_can_be_done_there(site: Site) -> None:
    async with looking(site) as held:
        page = held.page
        await held.open("/inbox", "/requests")
        await everything(site.placet)
        await held.open("/inbox")
        await page.locator('[name="pick"]').first.check()
        await page.get_by_text("Filters").click()
        await held.look("selected and filters")
        await page.locator("[data-open]").first.focus()
        await page.keyboard.press("?")
        await held.look("help")
        await page.keyboard.press("Escape")
        await held.open("/inbox?q=nothing", "/inbox/shared", "/inbox/decided", "/requests")
        await page.goto("/inbox")
        await page.keyboard.press("j")
        await page.keyboard.press("d")
        await held.look("asking")
        await page.keyboard.press("Escape")
        await page.locator("[data-quick] button").first.click()
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
        await held.look("undo")
        await page.get_by_role("link", name="Select all").click()
        await page.get_by_role("button", name="Deny selected…").click()
        await held.look("sure")
        await page.get_by_label("Why not?").fill("No.")
        await page.get_by_role("button", name="Deny what is ticked").click()
        await held.look("results")
        await held.open("/shortcuts", "/delegations", "/preferences", "/mailbox", "/mailbox/m1")
        await page.goto("/preferences")
        await page.get_by_label("From").first.fill("22:00")
        await page.get_by_label("Your time zone").fill("Mars/Phobos")
        await page.get_by_role("button", name="Keep it").click()
        await held.look("preferences with faults")
        await held.open(f"/approvals/{'0' * 27}")
    site.complaints.clear()  # the browser notes the 404


async def test_the_lists_are_read_and_left_without_javascript(site: Site) -> None:
    (plain, *_) = await everything(site.placet)
    nowhere = f"/approvals/{'0' * 27}"
    async with site.opened(javascript=False) as page:
        for path in ("/inbox/shared", "/inbox/decided", "/requests", "/mailbox", nowhere):
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await page.get_by_role("link", name="Inbox", exact=True).click()
            await expect(page).to_have_url(f"{site.url}/inbox")
        await page.goto("/inbox/decided")
        await page.get_by_role("link", name="Final", exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Final")
        await page.goto("/mailbox")
        await page.get_by_role("link", name="To approve: Chairs").click()
        await expect(page.get_by_text("See https://example.com/approvals/1.")).to_be_visible()
        await page.goto("/inbox?q=Chairs")
        await page.get_by_role("link", name="Chairs", exact=True).click()
        await expect(page).to_have_url(f"{site.url}/approvals/{plain}")
    site.complaints.clear()  # the browser notes the 404


async def test_an_approval_at_each_turn(site: Site) -> None:
    found = await everything(site.placet)
    async with looking(site) as held:
        page = held.page
        await held.open(*(f"/approvals/{one}" for one in found[1:]))
        await page.goto(f"/approvals/{found[0]}")
        for summary in await page.locator("summary").all():
            await summary.click()
        await held.look("unfolded")
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
        await held.look("held")
        await page.context.clear_cookies()
        await held.open("/", "/requests")
        sessions = site.placet.sessions
        sessions.oidc = True
        await held.open("/")
        sessions.dev_login = False
        await held.open("/")
        sessions.oidc = False
        await held.open("/")
    site.complaints.clear()


async def everything(placet: Placet) -> list[str]:
    """Ask for one of each kind, and return those whose pages differ."""
    world = placet.world
    plain = await world.ask(
        "Chairs",
        {**EXPENSE, "note": "long " * 40},
        urgency="high",
        reason="We sit badly.",
        links=(Link(kind="ticket", id="T-1", url="https://example.com/t/1"),),
        editable=True,
        ago=timedelta(hours=3),
    )
    changed = await world.ask("Desks", mirrored=True, ago=timedelta(hours=4))
    await world.revise(changed, {**EXPENSE, "total_amount": 9_000.0})
    for number in range(3):
        await world.ask(f"Row {number}")
    both = await world.ask("Both", approvers=[JOHN, MARIA], policy=policy(two_of(JOHN, MARIA)))
    await approved(placet, both, JOHN)
    later = await world.ask(
        "Later",
        approvers=[MARIA, JOHN],
        policy=policy(two_of(MARIA, JANE), two_of(JOHN, JANE), warnings=("Nobody was found.",)),
        requester=MARIA,
    )
    question = await world.ask("Question", requester=JOHN, approvers=[MARIA])
    await asked_back(placet, question, MARIA, "For which team?", changes=True)
    own = await world.ask("Own", requester=JOHN, approvers=[MARIA])
    returned = await world.ask("Returned")
    await asked_back(placet, returned, JOHN, "Cheaper?", changes=True)
    not_asked = await world.ask("Not asked", approvers=[MARIA])
    over = await world.ask("Over", expires_in=timedelta(hours=1))
    final = await world.ask("Final", urgency="low")
    await approved(placet, final, JOHN)
    gone = await world.ask("Gone", mirrored=True)
    await world.settle(gone, by=MARIA.email)
    now = world.clock()
    placet.mail.put(
        Message(
            message_id="m1",
            approval_id=plain,
            approver=JOHN.email,
            subject="To approve: Chairs",
            body_text="See https://example.com/approvals/1.",
            body_html="<!doctype html><html lang=en><title>x</title><main><h1>Chairs</h1></main>",
            shown="open",
            sent_at=now,
            updated_at=now,
        )
    )
    return [plain, changed, both, later, question, own, returned, not_asked, over, final, gone]
