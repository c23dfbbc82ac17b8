"""The dev mailbox: what would have been sent, shown so that it can do no harm."""

from datetime import UTC, datetime

import httpx2
import pytest

from services.channels.card import Shown
from services.channels.outbox import Message
from services.queue.pages.mailbox import linked
from tests.pages.conftest import browser_of
from tests.pages.fakes import Placet
from tests.pages.reader import read

SENT = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)


def message(
    message_id: str = "m1", subject: str = "To approve: <b>chairs</b>", shown: Shown = "open"
) -> Message:
    return Message(
        message_id=message_id,
        approval_id="0" * 27,
        approver="john.smith@example.com",
        subject=subject,
        body_text="See http://127.0.0.1:8080/approvals/1. <script>",
        body_html="<h1>Chairs</h1><script>alert(1)</script>",
        shown=shown,
        sent_at=SENT,
        updated_at=SENT,
    )


@pytest.mark.parametrize("shown", ["open", "superseded", "settled"])
async def test_the_list_tells_to_whom_what_when_and_how_it_stands(
    placet: Placet, nobody: httpx2.AsyncClient, shown: Shown
) -> None:
    placet.mail.put(message(shown=shown))
    page = read((await nobody.get("/mailbox")).text)
    (line,) = page.one("ul", class_="mails").all("li")
    assert line.one("a").attributes["href"] == "/mailbox/m1"
    assert "To approve: <b>chairs</b>" in line.text
    assert "john.smith@example.com" in line.text
    assert "21 Nov 2026, 14:05 UTC" in line.text
    assert shown.capitalize() in line.text


async def test_a_message_is_shown_in_a_frame_that_may_do_nothing(
    placet: Placet, nobody: httpx2.AsyncClient
) -> None:
    placet.mail.put(message())
    answer = await nobody.get("/mailbox/m1")
    page = read(answer.text)
    frame = page.one("iframe")
    assert frame.attributes["sandbox"] == ""
    assert "frame-src 'self'" in answer.headers["content-security-policy"]
    assert "alert(1)" not in answer.text
    link = page.one("pre").one("a")
    assert link.attributes["href"] == "http://127.0.0.1:8080/approvals/1"
    assert "<script>" in page.one("pre").text

    inner = await nobody.get(frame.attributes["src"])
    assert inner.text == message().body_html
    policy = inner.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'")
    assert inner.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/mailbox/none", "/mailbox/none/html", "/mailbox/%00", "/mailbox/é"]
)
async def test_an_unknown_message_is_a_404(nobody: httpx2.AsyncClient, path: str) -> None:
    assert (await nobody.get(path)).status_code == 404


async def test_without_the_dev_login_there_is_no_mailbox() -> None:
    placet = Placet(dev_login=False)
    placet.mail.put(message())
    async with browser_of(placet, None) as client:
        for path in ("/mailbox", "/mailbox/m1", "/mailbox/m1/html"):
            assert (await client.get(path)).status_code == 404


async def test_many_messages_go_on_at_the_next_page(
    placet: Placet, nobody: httpx2.AsyncClient
) -> None:
    for number in range(51):
        placet.mail.put(message(f"m{number}", subject=f"Number {number}"))
    first = read((await nobody.get("/mailbox")).text)
    assert len(first.one("ul", class_="mails").all("li")) == 50
    older = first.one("a", rel="next").attributes["href"]
    rest = read((await nobody.get(older)).text)
    assert [one.text for one in rest.all("h2")] == ["Number 0"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [("", None)]),
        ("no link", [("no link", None)]),
        (
            "(see https://a.example/x).",
            [("(see ", None), ("https://a.example/x", "https://a.example/x"), (").", None)],
        ),
        ("javascript:alert(1)", [("javascript:alert(1)", None)]),
        ("http://", [("http://", None)]),
    ],
)
def test_addresses_in_a_text_become_links_and_nothing_else(
    text: str, parts: list[tuple[str, str | None]]
) -> None:
    assert list(linked(text)) == parts
    assert "".join(part for part, _ in linked(text)) == text
