"""An answer from a page keeps the digest of what was shown: of the content, not of the time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
import pytest

from events.approval import DecisionSubmitted, Person
from projections.approval_view import ApprovalView
from services.queue.pages.detail import detail
from services.queue.pages.reading import Entry, entries_in
from services.queue.pages.rows import row
from services.queue.pages.selection import chosen
from services.web.picked import Picked
from tests.pages.fakes import EXPENSE, JOHN, WORKSPACE, Placet
from tests.pages.reader import Element, read

TOGETHER = "/inbox/decisions"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DIGEST = "0123456789abcdef" * 4


async def kept(placet: Placet, approval_id: str) -> str | None:
    """What the answer says that was shown."""
    stream = (await placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
    (answer,) = [one.event for one in stream if isinstance(one.event, DecisionSubmitted)]
    return answer.shown


async def sent(client: httpx2.AsyncClient, form: Element, **more: str) -> None:
    answer = await client.post(form.attributes["action"], data=form.fields() | more)
    assert answer.status_code == 303, answer.text


async def seen(placet: Placet, approval_id: str, later: timedelta = timedelta()) -> tuple[str, ...]:
    """The digests of row, page and confirmation as they would be after a while."""
    view = await placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    history = entries_in(await placet.world.history(WORKSPACE, approval_id))
    return digests(view, history, placet.world.clock() + later)


def digests(view: ApprovalView, history: Sequence[Entry], now: datetime) -> tuple[str, ...]:
    picked = Picked(view.id, view.revision)
    (one,) = chosen([picked], {view.id: view}, JOHN.email, now)
    assert one.shown is not None
    return (
        row(view, JOHN.email, now).shown,
        detail(view, history, JOHN.email, now).shown,
        one.shown,
    )


async def test_an_answer_in_the_inbox_keeps_what_its_row_showed(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    of_row, of_page, _ = await seen(placet, approval_id)
    form = read((await john.get("/inbox")).text).one("form", data_quick="")
    assert form.fields()["shown"] == of_row != of_page
    await sent(john, form)
    assert await kept(placet, approval_id) == of_row


@pytest.mark.parametrize("place", range(3))
async def test_an_answer_on_the_page_keeps_what_the_page_showed(
    placet: Placet, john: httpx2.AsyncClient, place: int
) -> None:
    approval_id = await placet.world.ask(editable=True)
    _, of_page, _ = await seen(placet, approval_id)
    page = read((await john.get(f"/approvals/{approval_id}")).text)
    forms = page.all("form", data_decide="")
    assert [one.fields()["decision"] for one in forms] == ["approve", "approve", "deny"]
    assert [one.fields()["shown"] for one in forms] == [of_page] * 3
    await sent(john, forms[place], reason="Because.")
    assert await kept(placet, approval_id) == of_page


async def test_answers_together_keep_what_was_shown_of_each_before(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    ids = [await placet.world.ask(f"Row {number}") for number in range(3)]
    before = [(await seen(placet, one))[2] for one in ids]
    picks = [("pick", f"{one} 1") for one in ids]
    asked = await john.post(
        TOGETHER, content=urlencode([*picks, ("decision", "approve")]), headers=FORM
    )
    form = read(asked.text).one("form", action=TOGETHER)
    pairs = [
        (one.attributes["name"], one.attributes["value"])
        for one in form.all("input")
        # Whoever takes a tick away sends what was shown of it all the same.
        if one.attributes["value"] != f"{ids[2]} 1"
    ]
    done = await john.post(TOGETHER, content=urlencode(pairs), headers=FORM)
    assert "2 of 2 approved" in read(done.text).text
    assert [await kept(placet, one) for one in ids[:2]] == before[:2]
    assert len(set(before)) == 3


async def test_the_digest_does_not_change_with_the_time(placet: Placet) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    now = await seen(placet, approval_id)
    assert len(set(now)) == 3
    assert await seen(placet, approval_id, later=timedelta(days=29, hours=20)) == now


async def test_the_digest_changes_with_the_content(placet: Placet) -> None:
    approval_id = await placet.world.ask(reason="Client visit", approvers=[JOHN])
    view = await placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    now = placet.world.clock()
    before = digests(view, [], now)
    everywhere: tuple[dict[str, Any], ...] = (
        {"title": "Something else"},
        {"payload": {**EXPENSE, "total_amount": 9_000.0}},
        {"urgency": "high"},
        {"requester": Person(email="mallory@example.com")},
        {"revision": "2"},
    )
    for changes in everywhere:
        after = digests(msgspec.structs.replace(view, **changes), [], now)
        assert not set(after) & set(before), changes
    only_on_the_page = {"payload": {**EXPENSE, "note": "x" * 300}}
    after = digests(msgspec.structs.replace(view, **only_on_the_page), [], now)
    assert after[1] != before[1]
    assert after[2] == before[2]


@pytest.mark.parametrize(
    "shown", ["", "x", DIGEST.upper(), DIGEST[:-1], DIGEST + "0", DIGEST + "\n"]
)
async def test_what_is_no_digest_is_refused_by_its_field(
    placet: Placet, john: httpx2.AsyncClient, shown: str
) -> None:
    approval_id = await placet.world.ask()
    one = {"decision": "approve", "revision": "1", "shown": shown}
    several = {
        "pick": f"{approval_id} 1",
        "decision": "approve",
        "sure": "yes",
        "shown": f"{approval_id} {shown}",
    }
    for path, fields in ((f"/approvals/{approval_id}/decision", one), (TOGETHER, several)):
        answer = await john.post(path, data=fields)
        assert answer.status_code == 422
        assert "shown: is no digest of ours" in read(answer.text).text
    view = await placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    assert view.status == "pending"


async def test_an_answer_without_a_digest_says_nothing_of_what_was_shown(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    await john.post(
        f"/approvals/{approval_id}/decision", data={"decision": "approve", "revision": "1"}
    )
    assert await kept(placet, approval_id) is None
