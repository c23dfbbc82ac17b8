"""Takes the README's pictures: runs `placet up` on fresh data and photographs its pages."""

import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
PORT, DEMO_PORT = 8480, 8481
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PERSON = "john.smith@example.com"
STAND_IN = "maria.garcia@example.com"
KEY = secrets.token_hex(16)
NEWSLETTER = {
    "type": "newsletter",
    "title": "Send the spring newsletter",
    "requester": "jane.doe@example.com",
    "approvers": [PERSON],
    "reason": "The offer ends on Sunday.",
    "editable": True,
    "payload": {
        "subject": "Spring is here",
        "recipients": 500,
        "budget": 120.5,
        "dry_run": False,
        "body": "Dear all,\n\nwe open on Monday.",
        "segments": ["eu", "us"],
    },
}


async def main() -> None:
    """Start everything, take each picture, and stop everything."""
    if not Path(CHROMIUM).exists():  # noqa: ASYNC240 # before anything runs
        sys.exit(f"The pictures need Debian's chromium at {CHROMIUM}: apt-get install chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        environment = os.environ | {
            "PLACET_DATA_DIR": data,
            "PLACET_PORT": str(PORT),
            "PLACET_DEMO_PORT": str(DEMO_PORT),
            "PLACET_BOOTSTRAP_KEY": KEY,
        }
        placet = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("placet"),
            "up",
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.to_thread(_wait_until_ready)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                await _take(browser)
                await browser.close()
        finally:
            placet.send_signal(signal.SIGINT)
            await placet.wait()


def _wait_until_ready() -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=2)
        except OSError:
            time.sleep(0.5)
        else:
            time.sleep(8)  # the cards go out in a moment
            return
    sys.exit("placet up did not become ready in a minute")


async def _take(browser: Browser) -> None:
    for scheme, (width, height) in (("light", (1200, 900)), ("dark", (390, 844))):
        page = await _opened(browser, scheme, width, height)
        suffix = "" if scheme == "light" else "-dark-phone"
        await page.screenshot(path=PICTURES / f"inbox{suffix}.png")
        await page.context.close()
    page = await _opened(browser, "light", 1100, 900)
    await _take_an_edit(page)
    await _take_several(page)
    await _take_an_answer_held(browser)
    await _take_settings(page)
    await _take_the_administration(page)


async def _opened(browser: Browser, scheme: str, width: int, height: int) -> Page:
    """Return the inbox of somebody who has just signed in."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{PORT}/")
    await page.click(f"button:has-text('{PERSON}')")
    await page.wait_for_url("**/inbox")
    return page


async def _take_an_edit(page: Page) -> None:
    """Photograph an approver's form for changes, and questions, on an ask of our own."""
    approval_id = await asyncio.to_thread(_ask, NEWSLETTER)
    await page.wait_for_timeout(3000)  # until the card went out, which the history then tells
    await page.goto(f"http://127.0.0.1:{PORT}/approvals/{approval_id}#edit")
    await page.click("summary:has-text('Ask')")
    await page.screenshot(path=PICTURES / "edit.png", full_page=True)


async def _take_settings(page: Page) -> None:
    """Photograph how somebody names who answers for them, and says when they are told."""
    await page.goto(f"http://127.0.0.1:{PORT}/delegations")
    await page.get_by_label("Who answers for you?").fill(STAND_IN)
    last = (datetime.now(UTC) + timedelta(days=12)).date()
    await page.get_by_label("Last day").fill(last.isoformat())
    await page.get_by_label("Why?").fill("Holidays")
    await page.get_by_role("button", name="Let them answer").click()
    await page.wait_for_url("**/delegations?*")
    await page.screenshot(path=PICTURES / "away.png", full_page=True)
    await page.goto(f"http://127.0.0.1:{PORT}/preferences")
    await page.get_by_label("From").first.fill("22:00")
    await page.get_by_label("Until").first.fill("07:00")
    await page.get_by_label("Your time zone").fill("Europe/Berlin")
    await page.get_by_role("button", name="Keep it").click()
    await page.wait_for_url("**/preferences?*")
    await page.screenshot(path=PICTURES / "preferences.png", full_page=True)


async def _take_the_administration(page: Page) -> None:
    """Photograph what administrators look at, once what was answered here is counted."""
    await page.set_viewport_size({"width": 1100, "height": 480})
    for place in ("sources", "channels"):
        await page.goto(f"http://127.0.0.1:{PORT}/admin/{place}")
        await page.screenshot(path=PICTURES / f"admin-{place}.png", full_page=True)
    for _ in range(90):
        await page.goto(f"http://127.0.0.1:{PORT}/admin/figures")
        if await page.locator(".plot .bar.approved").count():
            break
        await page.wait_for_timeout(1000)
    await page.screenshot(path=PICTURES / "admin-figures.png", full_page=True)


async def _take_several(page: Page) -> None:
    """Photograph a search with filters and a selection, and what is asked before."""
    for number, (place, days) in enumerate((("Lisbon", 3), ("Oslo", 2), ("Ghent", 4)), start=1):
        await asyncio.to_thread(_ask, _trip(number, place, days))
    while await page.locator("[data-row]").count() != 3:  # noqa: PLR2004 # until the queue has them
        await page.goto(f"http://127.0.0.1:{PORT}/inbox?q=trip&type=travel")
    await page.get_by_role("link", name="Select all 3").click()
    await page.get_by_role("checkbox", name="Trip to Oslo").uncheck()
    await page.evaluate("scrollTo(0, 0)")
    await page.screenshot(path=PICTURES / "inbox-selected.png")
    await page.get_by_role("button", name="Approve selected…").click()
    await page.wait_for_selector("[data-sure]")
    await page.screenshot(path=PICTURES / "approve-together.png")
    await page.get_by_role("button", name="Approve what is ticked").click()
    await page.wait_for_load_state()


async def _take_an_answer_held(browser: Browser) -> None:
    """Photograph an answer that can still be taken back, on a phone in the dark."""
    body = {**NEWSLETTER, "title": "Send the autumn newsletter", "urgency": "high"}
    approval_id = await asyncio.to_thread(_ask, body)
    page = await _opened(browser, "dark", 390, 844)
    await page.goto(f"http://127.0.0.1:{PORT}/approvals/{approval_id}")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await page.wait_for_selector("[data-undo]")
    await page.wait_for_timeout(1500)  # the seconds count down
    await page.screenshot(path=PICTURES / "undo-dark-phone.png")
    await page.context.close()


def _trip(number: int, place: str, days: int) -> dict[str, object]:
    return {
        "type": "travel",
        "title": f"Trip to {place}",
        "requester": STAND_IN,
        "approvers": [PERSON],
        "reason": f"The customer in {place} wants to see the pilot before the contract.",
        "payload": {
            "days": days,
            "total_amount": 300.0 * days + 20 * number,
            "currency": "EUR",
            "by": "train",
        },
    }


def _ask(body: object) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/approvals",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 # same
        return str(json.load(answer)["id"])


if __name__ == "__main__":
    asyncio.run(main())
