"""An answer that is held: what its giver and everybody else reads, and that it is taken back."""

from datetime import timedelta

import httpx2
import pytest

from projections.approval_view import ApprovalView
from services.approval_types import ApprovalTypes
from services.decision.answering import Answer
from services.decision.asking import Asked, Asking
from services.decision.request_body import ApprovalBody, AskedBy
from services.queue.pages.words import time_of_day
from tests.pages.conftest import browser_of
from tests.pages.fakes import JANE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.policies import policy, two_of
from tests.pages.reader import Element, read

APPROVE = {"decision": "approve", "revision": "1"}


@pytest.fixture
def placet() -> Placet:
    return Placet(types=ApprovalTypes(workspace=WORKSPACE, undo_s=10))


async def known(placet: Placet, approval_id: str) -> ApprovalView:
    view = await placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    return view


async def approve(client: httpx2.AsyncClient, approval_id: str, **more: str) -> Element:
    answer = await client.post(f"/approvals/{approval_id}/decision", data={**APPROVE, **more})
    assert answer.status_code == 303, answer.text
    return read((await client.get(answer.headers["location"])).text)


async def undo(client: httpx2.AsyncClient, approval_id: str, **more: str) -> httpx2.Response:
    return await client.post(f"/approvals/{approval_id}/undo", data=more)


async def test_the_page_says_until_when_it_can_be_taken_back_and_how(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    shown = await approve(john, approval_id)
    view = await known(placet, approval_id)
    assert (view.status, view.decided_by) == ("deciding", None)
    assert view.held_until is not None
    form = shown.one("form", action=f"/approvals/{approval_id}/undo")
    until = time_of_day(view.held_until)
    assert f"You approved this, and can take it back until {until}" in form.text
    assert "Then it is final." in form.text
    assert form.one("button").text == "Undo"
    assert "Not final yet approved by you" in shown.text
    left = form.one("span").attributes
    assert 8 <= int(left["data-left"]) <= 10
    assert left["aria-hidden"] == "true"  # a screen reader is not read every second


async def test_it_is_taken_back_and_waits_again(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    await approve(john, approval_id)
    answer = await undo(john, approval_id)
    assert answer.headers["location"] == f"/approvals/{approval_id}?notice=undone"
    shown = read((await john.get(answer.headers["location"])).text)
    assert "Taken back. It waits for you again." in shown.one("div", class_="notice").text
    assert "john.smith@example.com took the answer approved back." in shown.text
    assert len(shown.all("form", action=f"/approvals/{approval_id}/decision")) == 2
    assert (await known(placet, approval_id)).status == "pending"


async def test_from_the_inbox_it_comes_back_to_where_it_stood_though_the_queue_lags(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    for number in range(3):
        await placet.world.ask(f"Row {number}", ago=timedelta(hours=9 - number))
    second = sorted(placet.world.views(WORKSPACE), key=lambda view: view.title)[1].id
    inbox = await approve(john, second, next="inbox", back="show=20")
    assert "You approved this." in inbox.one("div", class_="notice").text
    assert inbox.one("h1").text == "2 approvals wait for you"
    form = inbox.one("form", action=f"/approvals/{second}/undo")
    placet.world.queue_lags = True
    answer = await john.post(f"/approvals/{second}/undo", data=form.fields())
    assert answer.headers["location"].startswith(f"/inbox?notice=undone&about={second}")
    back = read((await john.get(answer.headers["location"])).text)
    assert back.one("h1").text == "3 approvals wait for you"
    assert [one.text for one in back.all("h2") if one.all("a")] == ["Row 0", "Row 1", "Row 2"]


async def test_when_the_time_is_over_it_is_final_and_the_page_says_so(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    await approve(john, approval_id)
    placet.world.moved = timedelta(seconds=11)
    shown = read((await john.get(f"/approvals/{approval_id}")).text)
    assert not shown.all("form", action=f"/approvals/{approval_id}/undo")
    assert "The answer is final. It is being written back to Acme Expenses." in shown.text
    late = await undo(john, approval_id)
    assert late.status_code == 409
    assert "It is too late to take this back" in read(late.text).one("div", role="alert").text
    await placet.world.source.carry_out(WORKSPACE, approval_id)
    after = read((await john.get(f"/approvals/{approval_id}")).text)
    assert "Nothing left to answer" in after.text
    assert "Approved by you in the inbox" in after.text


async def test_others_read_who_answered_and_cannot_take_it_back(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(approvers=[JOHN, MARIA])
    await approve(john, approval_id)
    for person in (MARIA, JANE):
        async with browser_of(placet, person) as other:
            shown = read((await other.get(f"/approvals/{approval_id}")).text)
            assert "John Smith approved this, and can take it back until" in shown.text
            assert not shown.all("form", action=f"/approvals/{approval_id}/undo")
    refused = await undo(maria, approval_id)
    assert refused.status_code == 409
    assert (await known(placet, approval_id)).status == "deciding"


async def test_of_several_votes_only_the_one_that_settled_it_is_held(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    both = policy(two_of(JOHN, MARIA))
    approval_id = await placet.world.ask(approvers=[JOHN, MARIA], policy=both)
    first = await approve(john, approval_id)
    assert not first.all("form", action=f"/approvals/{approval_id}/undo")
    await approve(maria, approval_id)
    assert "Maria Garcia approved this, and can take it back" in (
        read((await john.get(f"/approvals/{approval_id}")).text).text
    )
    assert (await undo(maria, approval_id)).status_code == 303
    view = await known(placet, approval_id)
    assert (view.status, view.waits_for) == ("pending", [MARIA.email])


async def test_a_type_without_a_hold_is_final_at_once() -> None:
    placet = Placet()
    approval_id = await placet.world.ask()
    async with browser_of(placet, JOHN) as john:
        shown = await approve(john, approval_id)
    assert "Approved." in shown.one("div", class_="notice").text
    assert not shown.all("form", action=f"/approvals/{approval_id}/undo")


@pytest.mark.parametrize(
    "fields",
    [
        {"next": "https://evil.example"},
        {"back": "next=//evil"},
        {"back": "q"},
        {"back": "q=" + "x" * 3000},
        {"who": "x"},
    ],
)
async def test_a_form_that_is_none_of_ours_takes_nothing_back(
    placet: Placet, john: httpx2.AsyncClient, fields: dict[str, str]
) -> None:
    approval_id = await placet.world.ask()
    await approve(john, approval_id)
    assert (await undo(john, approval_id, **fields)).status_code == 422
    assert (await known(placet, approval_id)).status == "deciding"


async def ask_about_the_plan(placet: Placet, plan: str) -> Asked:
    asking = Asking(placet.world.store, placet.world.clock)
    body = ApprovalBody(
        type="plan",
        title="The plan",
        approvers=[JOHN.email],
        payload={"plan": plan},
        subject="plan-7",
    )
    by = AskedBy(email=JANE.email)
    return await asking.ask(WORKSPACE, body, asked_by=by, idempotency_key=None, fingerprint="")


async def test_what_is_asked_again_while_the_answer_is_held_is_not_asked_twice(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    first = await ask_about_the_plan(placet, "one")
    await approve(john, first.view.id)
    again = await ask_about_the_plan(placet, "one")
    assert (again.view.id, again.created) == (first.view.id, False)


async def test_a_newer_ask_takes_the_place_of_one_whose_answer_is_held(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    """Else both would wait once the answer is taken back, and the older could still be approved."""
    first = await ask_about_the_plan(placet, "one")
    await approve(john, first.view.id)
    newer = await ask_about_the_plan(placet, "two")
    older = await known(placet, first.view.id)
    assert (older.status, older.superseded_by) == ("withdrawn", newer.view.id)
    assert (await undo(john, first.view.id)).status_code == 409
    assert [one.id for one in placet.world.views(WORKSPACE) if one.status == "pending"] == [
        newer.view.id
    ]


async def test_an_order_that_is_repeated_gives_no_second_answer(placet: Placet) -> None:
    """A second press of a link, or a replayed click, that came in before the first was undone."""
    approval_id = await placet.world.ask()
    answer = Answer(
        outcome="approved",
        by=JOHN,
        reason=None,
        channel="email",
        via=None,
        revision="1",
        assurance="link",
        undoable=True,
        command_id="link:5d",
    )
    for _ in range(2):
        await placet.answering.decide(WORKSPACE, approval_id, answer)
    await placet.answering.undo(WORKSPACE, approval_id, by=JOHN)
    view = await placet.answering.decide(WORKSPACE, approval_id, answer)
    assert (view.status, view.version) == ("pending", 3)
