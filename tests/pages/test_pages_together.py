"""Many answered together: asked once more, each by itself, against what was shown of it."""

from datetime import timedelta
from urllib.parse import urlencode

import httpx2
import pytest

from events.approval import DecisionSubmitted
from events.store import Unavailable
from services.approval_types import ApprovalTypes
from services.web.picked import MOST_PICKED
from tests.pages.fakes import EXPENSE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.reader import Element, read

PATH = "/inbox/decisions"


async def three(placet: Placet, **more: object) -> list[str]:
    return [
        await placet.world.ask(f"Row {number}", ago=timedelta(hours=9 - number), **more)  # type: ignore[arg-type]
        for number in range(3)
    ]


async def send(client: httpx2.AsyncClient, picks: list[str], **fields: str) -> tuple[int, Element]:
    pairs = [("pick", pick) for pick in picks] + [*fields.items()]
    answer = await client.post(
        PATH,
        content=urlencode(pairs),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    return answer.status_code, read(answer.text)


async def statuses(placet: Placet) -> list[str]:
    views = sorted(placet.world.views(WORKSPACE), key=lambda view: view.title)
    return [view.status for view in views]


def first(ids: list[str]) -> list[str]:
    return [f"{one} 1" for one in ids]


async def test_the_inbox_offers_each_row_that_can_be_answered_with_what_it_shows(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    ids = await three(placet)
    inbox = read((await john.get("/inbox")).text)
    picks = inbox.all("input", type="checkbox", form="together")
    assert [one.attributes["value"] for one in picks] == first(ids)
    assert not any("checked" in one.attributes for one in picks)
    # It is called by the title of its row.
    assert picks[0].attributes["aria-labelledby"] == f"t-{ids[0]}"
    form = inbox.one("form", id="together")
    assert form.attributes["action"] == PATH
    every = form.one("a", data_all="")
    chosen = read((await john.get(every.attributes["href"])).text)
    assert all("checked" in one.attributes for one in chosen.all("input", form="together"))
    assert "3 selected" in chosen.text


async def test_nothing_is_answered_before_it_was_asked_once_more(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    ids = await three(placet)
    status, sure = await send(john, first(ids[:2]), decision="approve", back="q=row")
    assert status == 200
    assert sure.one("h1").text == "Approve 2 requests?"
    assert await statuses(placet) == ["pending"] * 3
    form = sure.one("form", action=PATH)
    listed = form.all("input", name="pick")
    assert [one.attributes["value"] for one in listed] == first(ids[:2])
    assert all("checked" in one.attributes for one in listed)
    assert "750.50 USD" in form.text
    assert "Jane Doe asks" in form.text
    assert form.fields()["back"] == "q=row"
    assert form.one("a", class_="button").attributes["href"] == "/inbox?q=row"


async def test_each_is_answered_by_itself_and_none_that_fails_stops_another(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    ids = await three(placet, mirrored=True)
    theirs = await world.ask("Row 3", approvers=[MARIA])
    await world.revise(ids[1], {**EXPENSE, "total_amount": 9_000.0})
    nobody = "0" * 27
    status, shown = await send(
        john, first([*ids, theirs, nobody]), decision="approve", sure="yes", reason="Fine."
    )
    assert status == 200
    assert shown.one("h1").text == "2 of 5 approved"
    items = [one.text for one in shown.one("ul", class_="card chosen").all("li")]
    assert "Row 0" in items[0]
    assert "Approved by you in the inbox Fine." in items[0]
    assert "Not approved. This changed since you saw it (revision 1, now 2)." in items[1]
    assert "Row 3" in items[3]
    assert "is not asked to decide this" in items[3]
    assert "There is no such approval." in items[4]
    assert await statuses(placet) == ["approved", "pending", "approved", "pending"]
    stream = (await world.store.read(WORKSPACE, [ids[0]]))[ids[0]]
    (answer,) = [one.event for one in stream if isinstance(one.event, DecisionSubmitted)]
    assert (answer.by.email, answer.revision, answer.channel) == (JOHN.email, "1", "inbox")
    assert answer.assurance == "session"


async def test_what_changed_or_is_over_is_left_out_before_and_said_why(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    ids = await three(placet, mirrored=True)
    theirs = await world.ask("Row 3", approvers=[MARIA])
    await world.revise(ids[0], {**EXPENSE, "total_amount": 9_000.0})
    await world.settle(ids[1], by=MARIA.email)
    _, sure = await send(john, first([*ids, theirs]), decision="approve")
    assert sure.one("h1").text == "Approve 1 request?"
    (left,) = sure.all("input", name="pick")
    assert left.attributes["value"] == f"{ids[2]} 1"
    assert "It changed since you selected it: look at it by itself." in sure.text
    assert "It is answered or over already." in sure.text
    assert "It does not wait for you now." in sure.text
    _, none = await send(john, first([ids[0]]), decision="approve")
    assert none.one("h1").text == "None of these can be answered now"
    assert not [one for one in none.all("button") if "ticked" in one.text]


async def test_a_denial_of_many_needs_a_reason_and_each_keeps_it(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    ids = await three(placet)
    status, again = await send(john, first(ids), decision="deny", sure="yes", reason="  ")
    assert status == 422
    area = again.one("textarea", name="reason")
    assert area.attributes["aria-invalid"] == "true"
    assert "Say why" in again.one("p", id=area.attributes["aria-describedby"]).text
    assert await statuses(placet) == ["pending"] * 3
    _, shown = await send(john, first(ids), decision="deny", sure="yes", reason="Too dear.")
    assert shown.one("h1").text == "3 of 3 denied"
    views = placet.world.views(WORKSPACE)
    assert {view.decision_reason for view in views} == {"Too dear."}


async def test_many_that_are_held_are_taken_back_together() -> None:
    from tests.pages.conftest import browser_of

    placet = Placet(types=ApprovalTypes(workspace=WORKSPACE, undo_s=10))
    ids = await three(placet)
    async with browser_of(placet, JOHN) as john:
        _, shown = await send(john, first(ids), decision="approve", sure="yes")
        assert await statuses(placet) == ["deciding"] * 3
        form = shown.one("form", data_undo="")
        assert form.one("button").text == "Undo all 3"
        assert "You can take them back until" in form.text
        picks = [one.attributes["value"] for one in form.all("input", name="pick")]
        _, back = await send(john, picks, decision=form.fields()["decision"])
        assert back.one("h1").text == "3 of 3 taken back"
        assert await statuses(placet) == ["pending"] * 3
        await send(john, picks[:1], decision="approve", sure="yes")
        placet.world.moved = timedelta(seconds=11)
        _, late = await send(john, picks[:1], decision="undo")
        assert late.one("h1").text == "0 of 1 taken back"
        assert "It is too late to take this back" in late.text


async def test_two_hundred_are_answered_at_once_and_no_more(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    ids = [await placet.world.ask(f"Row {number}") for number in range(MOST_PICKED)]
    page = read((await john.get("/inbox?show=200")).text)
    assert len(page.all("input", name="pick")) == MOST_PICKED
    status, shown = await send(john, first(ids), decision="approve", sure="yes")
    assert (status, shown.one("h1").text) == (200, "200 of 200 approved")
    status, refused = await send(john, first([*ids, "0" * 27]), decision="approve")
    assert status == 422
    assert "select 200 at the most" in refused.text


@pytest.mark.parametrize(
    ("picks", "fields", "status", "says"),
    [
        ([], {"decision": "approve"}, 422, "Select at least one approval first."),
        (["x 1"], {"decision": "approve"}, 404, "There is no such approval."),
        (["0" * 27], {"decision": "approve"}, 422, "pick: is no approval with its revision."),
        ([f"{'0' * 27} 1"], {"decision": "perhaps"}, 422, "decision: send approve, deny or undo."),
        ([f"{'0' * 27} 1"], {}, 422, "decision: is missing."),
        ([f"{'0' * 27} 1"], {"decision": "deny", "back": "x=1"}, 422, "back: this is none"),
        ([f"{'0' * 27} 1"], {"decision": "deny", "evil": "1"}, 422, "there is no such field"),
    ],
)
async def test_a_selection_that_is_none_of_ours_is_refused_in_words(
    john: httpx2.AsyncClient, picks: list[str], fields: dict[str, str], status: int, says: str
) -> None:
    found, page = await send(john, picks, **fields)
    assert found == status
    assert says in page.text


async def test_a_store_that_is_away_for_one_is_told_of_that_one(
    placet: Placet, john: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await three(placet)
    decide = placet.answering.decide

    async def failing(workspace: str, approval_id: str, answer: object) -> object:
        if approval_id == ids[1]:
            raise Unavailable("The store is away.")
        return await decide(workspace, approval_id, answer)  # type: ignore[arg-type]

    monkeypatch.setattr(placet.answering, "decide", failing)
    _, shown = await send(john, first(ids), decision="approve", sure="yes")
    assert shown.one("h1").text == "2 of 3 approved"
    assert await statuses(placet) == ["approved", "pending", "approved"]


async def test_nobody_and_other_sites_answer_nothing(
    placet: Placet, nobody: httpx2.AsyncClient, john: httpx2.AsyncClient
) -> None:
    ids = await three(placet)
    status, _ = await send(nobody, first(ids), decision="approve", sure="yes")
    assert status == 401
    refused = await john.post(
        PATH,
        data={"pick": f"{ids[0]} 1", "decision": "approve", "sure": "yes"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert refused.status_code == 403
    assert await statuses(placet) == ["pending"] * 3
    assert (await john.get(PATH)).headers["location"] == "/inbox"
