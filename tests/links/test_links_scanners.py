"""No machine decides: each profile is played against both kinds of types, and is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page

from services.bootstrap.serving import serving
from services.channels.email.visits import MOST_USER_AGENT
from services.decision.surfaces.link_records import MOST_VISITS
from services.embedded.ports import free_port
from services.queue.opened import PostgresOpened
from services.web.session import Session
from tests.links.link_kit import JOHN, PRESSES, WORKSPACE, Ground, Mailed
from tests.links.scanners import AGENTS, AHEAD, CHROME, OPENS, Profile, gets, profiles

AT_ONCE, LATER = timedelta(seconds=1), timedelta(hours=1)
LONG = timedelta(hours=4)
TYPED = {"decision": "approve", "confirm": "Approve"}


async def is_pending(ground: Ground, mailed: Mailed) -> bool:
    return (await ground.view(mailed.approval_id)).status == "pending"


@pytest.mark.parametrize("profile", list(profiles()), ids=lambda one: one.name)
async def test_no_scanner_decides(profile: Profile, ground: Ground) -> None:
    for type_ in ("deploy", "bulk_send"):
        for after in (AT_ONCE, LATER):
            ground.moved = timedelta()
            mailed = await ground.mailed(type_=type_, after=after, expires_in=LONG)
            before = await ground.events(mailed.approval_id)
            async with ground.browser(headers={}) as client:
                await profile.play(client, [mailed.approve, mailed.deny])
            assert await ground.events(mailed.approval_id) == before
            assert any(await ground.verdicts(mailed)) or after == LATER


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
async def test_a_program_is_told_by_its_name(agent: str, ground: Ground) -> None:
    mailed = await ground.mailed(after=LATER, expires_in=LONG)
    async with ground.browser(headers={}) as client:
        await gets({"User-Agent": agent})(client, [mailed.approve])
    assert await ground.verdicts(mailed) == ["program"]


@pytest.mark.parametrize("headers", AHEAD, ids=str)
async def test_what_is_fetched_ahead_is_told_by_what_it_says(
    headers: dict[str, str], ground: Ground
) -> None:
    mailed = await ground.mailed(after=LATER, expires_in=LONG)
    async with ground.browser(headers={}) as client:
        await gets(headers)(client, [mailed.approve])
    assert await ground.verdicts(mailed) == ["prefetch"]


async def test_both_links_within_seconds_are_told_from_one_after_the_other(ground: Ground) -> None:
    for between, told in ((timedelta(), "both_links"), (timedelta(seconds=11), None)):
        mailed = await ground.mailed(after=LATER, expires_in=LONG)
        async with ground.browser() as client:
            await client.get(mailed.approve)
            ground.moved += between
            await client.get(mailed.deny)
        assert await ground.verdicts(mailed) == [None, told]


async def test_a_look_within_seconds_of_the_mail_is_told(ground: Ground) -> None:
    mailed = await ground.mailed(after=AT_ONCE)
    async with ground.browser() as client:
        await client.head(mailed.approve)
        await client.get(mailed.approve)
    assert await ground.verdicts(mailed) == ["probe", "at_once"]


async def test_after_a_scanner_a_person_types_a_word_and_is_told_why(ground: Ground) -> None:
    mailed = await ground.mailed(after=AT_ONCE)
    async with ground.browser(headers=dict(OPENS)) as scanner:
        await scanner.get(mailed.deny)
    ground.moved += LATER / 2
    async with ground.browser() as person:
        page = await person.get(mailed.approve)
        assert "type the word approve" in page.text
        assert "A program opened a link of this mail" in page.text
        for fields in (
            {"decision": "approve"},
            {"decision": "approve", "confirm": "deny"},
            {"decision": "approve", "confirm": "test"},
        ):
            refused = await person.post(mailed.approve, data=fields, headers=PRESSES)
            assert refused.status_code == 422
            assert "Type this word" in refused.text
            assert await is_pending(ground, mailed)
        taken = await person.post(mailed.approve, data=TYPED, headers=PRESSES)
    assert taken.status_code == 200
    assert not await is_pending(ground, mailed)


async def test_an_answer_before_anybody_could_have_read_the_page_is_told(ground: Ground) -> None:
    mailed = await ground.mailed(after=LATER, expires_in=LONG)
    async with ground.browser() as client:
        unseen = await client.post(mailed.deny, data={"decision": "approve"}, headers=PRESSES)
        ground.moved += timedelta(minutes=1)
        await client.get(mailed.approve)
        quick = await client.post(mailed.approve, data={"decision": "approve"}, headers=PRESSES)
    assert (unseen.status_code, quick.status_code) == (422, 422)
    assert await ground.verdicts(mailed) == ["unread", None, "unread"]
    assert await is_pending(ground, mailed)


async def test_whoever_is_signed_in_types_nothing(ground: Ground) -> None:
    mailed = await ground.mailed(after=AT_ONCE)
    async with ground.browser(JOHN) as person:
        assert "type the word" not in (await person.get(mailed.approve)).text
        ground.moved += timedelta(seconds=3)
        await person.post(mailed.approve, data={"decision": "approve"}, headers=PRESSES)
    assert not await is_pending(ground, mailed)


async def test_the_approvals_page_tells_which_programs_opened_its_links(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as person:
        await person.get(mailed.approve)
    me = Session(WORKSPACE, JOHN.email)
    page = await ground.pages.approval(me, mailed.approval_id)
    assert b"Programs that opened the links" not in page.body
    async with ground.browser(headers={"User-Agent": "<b>Preview</b>bot"}) as program:
        await program.get(mailed.approve)
    page = await ground.pages.approval(me, mailed.approval_id)
    assert b"Programs that opened the links of its mails (1)" in page.body
    assert b"it calls itself a program" in page.body
    assert b"&lt;b&gt;Preview&lt;/b&gt;bot" in page.body
    elsewhere = PostgresOpened(ground.app_db)
    assert await elsewhere.by_programs("other", mailed.approval_id) == []


async def test_what_is_kept_of_visits_is_bounded(ground: Ground) -> None:
    mailed = await ground.mailed(after=LATER, expires_in=LONG)
    async with ground.browser(headers={"User-Agent": "bot " * 5_000}) as client:
        for _ in range(MOST_VISITS + 5):
            assert (await client.get(mailed.approve)).status_code == 200
    link = await ground.links.find(mailed.token)
    assert link is not None
    visits = await ground.links.visits(link)
    assert len(visits) == MOST_VISITS
    assert {len(one.user_agent) for one in visits} == {MOST_USER_AGENT}


# A scanner that is a browser: it runs what is on the page, and what it brings along.

BRINGS = {
    "submits": "document.forms.length && HTMLFormElement.prototype.submit.call(document.forms[0])",
    "asks to submit": "document.forms.length && document.forms[0].requestSubmit()",
    "clicks by script": "document.querySelector('form button')?.click()",
    "posts by script": (
        "fetch('', {method: 'POST', body: new URLSearchParams({decision: 'approve'})})"
        ".catch(() => null)"
    ),
}
FILLS = """for (const one of document.querySelectorAll('textarea, input:not([type=hidden])'))
    one.value = 'test'"""


@asynccontextmanager
async def served(ground: Ground) -> AsyncIterator[str]:
    port = free_port()
    async with serving(ground.app, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def opened(chromium: Browser, *, javascript: bool = True) -> AsyncIterator[Page]:
    context = await chromium.new_context(
        user_agent=CHROME, java_script_enabled=javascript, bypass_csp=True
    )
    context.set_default_timeout(10_000)
    yield await context.new_page()
    await context.close()


@pytest.mark.browser
@pytest.mark.parametrize("after", [AT_ONCE, LATER], ids=["when it arrives", "later"])
async def test_no_scanner_that_is_a_browser_decides(
    after: timedelta, ground: Ground, chromium: Browser
) -> None:
    async with served(ground) as url, opened(chromium) as page:
        for type_ in ("deploy", "bulk_send"):
            for script in BRINGS.values():
                mailed = await ground.mailed(type_=type_, after=after, expires_in=LONG)
                for link in (mailed.approve, mailed.deny):
                    tab = await page.context.new_page()
                    await tab.goto(f"{url}{link}")
                    await tab.evaluate(FILLS)
                    async with posted(tab, script):
                        # It counts as a person's press to the browser, as it would for a scanner
                        # that drives one.
                        await tab.evaluate(script)
                    await tab.close()
                assert await is_pending(ground, mailed), script
                if type_ == "bulk_send":
                    assert {"no_click", "script", "unread"} & set(await ground.verdicts(mailed))


@asynccontextmanager
async def posted(tab: Page, script: str) -> AsyncIterator[None]:
    """Wait until what a script sends was answered, and shown where a form was sent."""
    if await tab.locator("form").count() == 0:
        yield
    elif script.startswith("fetch"):
        async with tab.expect_response(lambda one: one.request.method == "POST"):
            yield
    else:
        async with tab.expect_navigation():
            yield


@pytest.mark.browser
async def test_one_that_presses_as_a_hand_does_when_the_mail_arrives_is_stopped_by_the_word(
    ground: Ground, chromium: Browser
) -> None:
    mailed = await ground.mailed(after=AT_ONCE)
    async with served(ground) as url, opened(chromium) as page:
        await page.goto(f"{url}{mailed.approve}")
        await page.evaluate(FILLS)
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_text("Type this word").wait_for()
    assert await is_pending(ground, mailed)


@pytest.mark.browser
async def test_a_person_decides_by_a_click_without_any_script_and_takes_it_back(
    ground: Ground, chromium: Browser
) -> None:
    mailed = await ground.mailed()
    async with served(ground) as url, opened(chromium, javascript=False) as page:
        await page.goto(f"{url}{mailed.approve}")
        ground.moved += timedelta(seconds=3)
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("heading", name="Your answer is kept").wait_for()
        assert not await is_pending(ground, mailed)
        await page.get_by_role("button", name="Undo").click()
        await page.get_by_role("heading", name="You took your answer back").wait_for()
        assert await is_pending(ground, mailed)
    assert await ground.verdicts(mailed) == [None, None, None]


async def test_many_visits_at_once_disturb_nobody(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        pages = await asyncio.gather(*(client.get(mailed.approve) for _ in range(20)))
    assert {one.status_code for one in pages} == {200}
