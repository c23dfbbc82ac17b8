"""Policies, questions, edits and absences in a real browser, with and without scripts."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from events.approval import Seat, Step
from services.directory import Delegation
from tests.pages.fakes import JANE, JOHN, MARIA, WORKSPACE
from tests.pages.policies import (
    ALICE,
    BOB,
    EVERYBODY,
    LENA,
    approved,
    asked_back,
    one_each,
    policy,
    two_of,
)
from tests.pages.site import Site

pytestmark = pytest.mark.browser

LONG = "Averylongnamethatnobodyeverbreaks" * 4
PAYLOAD = {"recipients": 500, "dry_run": False, "body": "Dear all,\n\nhello.", "tags": ["a"]}


async def status_of(site: Site, approval_id: str) -> str:
    view = await site.placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    return view.status


def forget_refusals(site: Site) -> None:
    """Chromium notes each page that is no 200."""
    assert all("422" in one for one in site.complaints)
    site.complaints.clear()


@pytest.mark.parametrize("javascript", [True, False])
async def test_two_of_three_say_yes_each_from_their_inbox(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    held_to = policy(two_of(JOHN, MARIA, BOB))
    approval_id = await site.placet.world.ask("Access", policy=held_to)
    async with site.opened(JOHN, javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("button", name="Approve: Access").click()
        await expect(page.locator("[data-notice]")).to_contain_text(
            "You approved this. It now waits for Maria Garcia and Bob Tanaka (1 of 2)."
        )
        await expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")
    assert await status_of(site, approval_id) == "pending"
    async with site.opened(MARIA, javascript=javascript) as page:
        await page.goto("/inbox")
        row = page.locator(f"[data-id='{approval_id}']")
        await expect(row).to_contain_text("1 of 2")
        await page.get_by_role("link", name="Access", exact=True).click()
        bar = page.get_by_role("progressbar", name="Approved so far: 1 of 2")
        await expect(bar).to_be_visible()
        await expect(page.locator("[aria-current='step']")).to_contain_text("Two of three: 1 of 2")
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_text("Nothing left to answer")).to_be_visible()
    assert await status_of(site, approval_id) == "approved"


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_question_goes_to_the_requester_and_comes_back(
    site: Site,
    javascript: bool,  # noqa: FBT001 # the case
) -> None:
    approval_id = await site.placet.world.ask("Hire")
    async with site.opened(JOHN, javascript=javascript) as page:
        await page.goto(f"/approvals/{approval_id}")
        await page.locator("summary", has_text="Ask Jane Doe first").click()
        await page.get_by_label("What do you want to know").fill("For which team?")
        await page.get_by_role("button", name="Send it back").click()
        await expect(page.locator("[data-notice]")).to_contain_text(
            "Your question went to Jane Doe."
        )
    async with site.opened(JANE, javascript=javascript) as page:
        await page.goto("/inbox")
        row = page.locator(f"[data-id='{approval_id}']")
        await expect(row).to_contain_text("John Smith asks you: For which team?")
        await page.get_by_role("link", name="Answer…: Hire").click()
        await page.get_by_label("Your answer").fill("Support.")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.locator("[data-notice]")).to_contain_text("The clock runs on.")
        await expect(page.locator(".comments")).to_contain_text("Jane Doe answered")
    async with site.opened(JOHN, javascript=javascript) as page:
        await page.goto("/inbox")
        await expect(page.get_by_role("button", name="Approve: Hire")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
async def test_what_was_returned_is_changed_in_fields(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    approval_id = await site.placet.world.ask("Send", PAYLOAD)
    await asked_back(site.placet, approval_id, JOHN, "Fewer.", changes=True)
    async with site.opened(JANE, javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Change…: Send").click()
        await page.get_by_label("Recipients").fill("few")
        await page.get_by_role("button", name="Send the change").click()
        await expect(page.get_by_label("Recipients")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Recipients")).to_have_accessible_description(
            "Write a number, with a point before decimals, such as 750.50."
        )
        await page.get_by_label("Recipients").fill("100")
        await page.get_by_role("button", name="Send the change").click()
        await expect(page.locator("[data-notice]")).to_contain_text("This is revision 2 now.")
    view = await site.placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    assert view.payload == {**PAYLOAD, "recipients": 100}
    forget_refusals(site)


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_approver_edits_in_fields_and_nothing_else_changes(
    site: Site,
    javascript: bool,  # noqa: FBT001 # the case
) -> None:
    approval_id = await site.placet.world.ask("Send", PAYLOAD, editable=True)
    async with site.opened(JOHN, javascript=javascript) as page:
        await page.goto(f"/approvals/{approval_id}")
        await page.get_by_role("link", name="Approve with changes").click()
        if not javascript:
            await page.locator("summary", has_text="Approve with changes").click()
        await page.get_by_label("Dry run").check()
        await page.get_by_role("button", name="Approve as changed").click()
        await expect(page.get_by_role("row", name="Dry run No Yes")).to_be_visible()
    view = await site.placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    assert view.edited_payload == {**PAYLOAD, "dry_run": True}


@pytest.mark.parametrize("javascript", [True, False])
async def test_somebody_hands_over_and_takes_it_back(site: Site, javascript: bool) -> None:  # noqa: FBT001 # the case
    site.placet.people.know(*EVERYBODY)
    await site.placet.world.ask("Row")
    async with site.opened(JOHN, javascript=javascript) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Settings").click()
        await page.get_by_label("Who answers for you?").fill(BOB.email)
        await page.get_by_label("Last day").fill("2099-12-31")
        await page.get_by_role("button", name="Let them answer").click()
        await expect(page.get_by_label("Last day")).to_have_accessible_description(
            "It may last 366 days at the most."
        )
        last = (site.placet.world.clock() + timedelta(days=9)).date()
        await page.get_by_label("Last day").fill(last.isoformat())
        await page.get_by_role("button", name="Let them answer").click()
        await expect(page.locator("[data-notice]")).to_contain_text("It is set")
        await page.get_by_role("link", name="Inbox").click()
        await expect(page.locator(".away-note")).to_contain_text("Bob Tanaka answers for you until")
        await page.get_by_role("link", name="See or end it").click()
        await page.get_by_role("button", name="End: Bob Tanaka").click()
        await expect(page.locator("[data-notice]")).to_contain_text("It is ended")
    assert site.placet.people.delegations == []
    forget_refusals(site)


async def test_an_open_page_tells_that_it_is_no_longer_its_reader_s_turn(site: Site) -> None:
    world = site.placet.world
    approval_id = await world.ask("Access", policy=policy(two_of(JOHN, MARIA, BOB)))
    async with site.opened(JOHN) as page:
        await page.goto(f"/approvals/{approval_id}")
        await page.wait_for_function("stream !== null && stream.readyState === 1")
        await approved(site.placet, approval_id, MARIA)
        await expect(page.locator("[data-live]")).to_contain_text("Something was added")
        await asked_back(site.placet, approval_id, BOB, "Why?")
        await expect(page.locator("[data-live]")).to_contain_text(
            "This changed since you opened it"
        )
        await page.get_by_role("link", name="Look again").click()
        await expect(page.get_by_text("You can decide without that.")).to_be_visible()


async def test_a_question_row_leaves_the_inbox_once_it_is_answered_elsewhere(site: Site) -> None:
    approval_id = await site.placet.world.ask("Hire", requester=JOHN, approvers=[MARIA])
    await asked_back(site.placet, approval_id, MARIA, "For which team?")
    async with site.opened(JOHN) as page:
        await page.goto("/inbox")
        row = page.locator(f"[data-id='{approval_id}']")
        await expect(row.get_by_role("link", name="Answer…: Hire")).to_be_visible()
        await page.wait_for_function("stream !== null && stream.readyState === 1")
        await site.placet.changing.answer_back(
            WORKSPACE, approval_id, by=JOHN, as_admin=False, text="Support."
        )
        await expect(row.get_by_role("link", name="Answer…: Hire")).to_have_count(0)
        await expect(row).to_contain_text("Waits for Maria Garcia")


async def test_every_field_can_be_reached_and_named_by_keyboard(site: Site) -> None:
    await site.placet.world.ask("Send", PAYLOAD, editable=True)
    async with site.opened(JOHN) as page:
        await page.goto("/inbox")
        await page.get_by_role("link", name="Send", exact=True).click()
        for fold in ("Approve with changes", "Ask Jane Doe first", "Pass it on"):
            await page.locator("summary", has_text=fold).focus()
            await page.keyboard.press("Enter")
        await page.locator("summary", has_text="Approve with changes").focus()
        assert await walked(page, "Approve as changed") == [
            "payload.recipients",
            "payload.dry_run",
            "payload.body",
            "payload-rest",
            "reason",
        ]
        await page.locator("summary", has_text="Ask Jane Doe first").focus()
        assert await walked(page, "Send it back") == ["wants", "text"]
        assert await walked(page, "Pass it on") == ["to", "reason"]
        nameless = await page.evaluate(
            """[...document.querySelectorAll("input:not([type=hidden]), textarea, select")]
              .filter((one) => ![...one.labels].some((label) => label.textContent.trim()))
              .map((one) => one.name)"""
        )
        assert nameless == []


async def walked(page: Page, until: str) -> list[str]:
    """The names of the fields that Tab comes by on the way to a button."""
    names = []
    for _ in range(20):
        await page.keyboard.press("Tab")
        at = "[document.activeElement.tagName, document.activeElement.name ?? '', "
        tag, name, text = await page.evaluate(f"{at} document.activeElement.textContent.trim()]")
        if tag == "BUTTON" and text == until:
            return names
        if tag in ("INPUT", "TEXTAREA"):
            names.append(name)
    raise AssertionError(f"no way to {until}: {names}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_small_screen_nothing_new_is_cut_off_or_too_small_to_hit(
    site: Site, scheme: str
) -> None:
    placet, world = site.placet, site.placet.world
    seats = (Seat(person=ALICE, held_by=JOHN, groups=(LONG,)), Seat(person=LENA, groups=("b",)))
    long = Step(name=LONG, rule="each", needed=2, deny=1, groups=(LONG, "b"), seats=seats)
    held_to = policy(long, one_each([(MARIA, "legal")]), warnings=(LONG,))
    steps = await world.ask(LONG, PAYLOAD, policy=held_to)
    edit = await world.ask("Edit", {**PAYLOAD, "x" * 90: "y" * 300}, editable=True)
    returned = await world.ask("Mine", PAYLOAD, requester=JOHN, approvers=[MARIA])
    await asked_back(placet, returned, MARIA, LONG, changes=True)
    today = world.clock()
    placet.people.delegations = [
        Delegation(
            id=f"dlg_{number}",
            person=person.email,
            to=to.email,
            begins=today - timedelta(days=1),
            ends=today + timedelta(days=3),
            reason=LONG,
        )
        for number, (person, to) in enumerate(((JOHN, BOB), (ALICE, JOHN)))
    ]
    async with site.opened(width=320, height=640, scheme=scheme) as page:
        paths = ("/inbox", *(f"/approvals/{one}" for one in (steps, edit, returned)))
        for path in (*paths, "/delegations"):
            await page.goto(path)
            await page.evaluate(
                "for (const one of document.querySelectorAll('details')) one.open = true"
            )
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= 320, path
            small = await page.evaluate(
                """[...document.querySelectorAll(
                    "button, summary, [type=text], [type=date], textarea, .choice, nav a, .button"
                )].filter((one) => one.checkVisibility())
                  .map((one) => [one.textContent || one.name, one.getBoundingClientRect()])
                  .filter(([, box]) => box.height && (box.height < 24 || box.width < 24))
                  .map(([text]) => text)"""
            )
            assert small == [], path
