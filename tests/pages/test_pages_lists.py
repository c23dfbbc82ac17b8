"""What is looked for, shared, asked for and settled: each list, its search, and its pages."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from projections.finding import Found
from tests.pages.conftest import browser_of
from tests.pages.fakes import EXPENSE, JANE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.policies import approved, asked_back, policy, two_of
from tests.pages.reader import Element, read

LISTS = ["/inbox", "/inbox/shared", "/inbox/decided", "/requests"]
MOST_BYTES = 60_000


async def page(client: httpx2.AsyncClient, path: str, status: int = 200) -> Element:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return read(answer.text)


def titles(page: Element) -> list[str]:
    return [one.text for one in page.all("h2") if one.all("a")]


async def test_the_inbox_is_narrowed_by_each_field_of_its_form(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    ask = placet.world.ask
    await ask("Chairs", kind="hire")
    await ask("Desks", urgency="high")
    await ask("Lamps", requester=MARIA)
    await ask("Mirrored", mirrored=True)
    await ask("Soon", ago=timedelta(0), expires_in=timedelta(hours=2))

    async def by(query: str) -> list[str]:
        return sorted(titles(await page(john, f"/inbox?{query}")))

    assert await by("q=CHAI") == ["Chairs"]
    assert await by("q=garcia") == ["Lamps"]
    assert await by("type=hire") == ["Chairs"]
    assert await by("urgency=high") == ["Desks"]
    assert await by("source=acme-expenses") == ["Mirrored"]
    assert await by("requester=Maria") == ["Lamps"]
    assert await by("due=soon") == ["Soon"]
    assert await by("q=&type=&due=") == ["Chairs", "Desks", "Lamps", "Mirrored", "Soon"]
    assert await by("type=hire&urgency=high") == []


async def test_the_form_keeps_what_was_looked_for_and_says_it(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    await placet.world.ask("Chairs & desks", kind="hire")
    shown = await page(john, "/inbox?q=chairs+%26&type=hire&urgency=medium&due=")
    form = shown.one("form", class_="finding")
    assert form.attributes["method"] == "get"
    assert form.one("input", type="search").attributes["value"] == "chairs &"
    chosen = [one.attributes["value"] for one in form.all("option") if "selected" in one.attributes]
    assert chosen == ["hire", "medium"]
    assert "Filters (2 on)" in form.text
    assert "open" in form.one("details").attributes
    narrowed = shown.one("p", class_="narrowed")
    assert "Only what matches: “chairs &”, Hire, medium urgency" in narrowed.text
    assert narrowed.one("a").attributes["href"] == "/inbox"
    assert shown.one("h1").text == "1 approval waits for you"
    nothing = await page(john, "/inbox?q=nothing")
    assert "Nothing that waits for you matches." in nothing.text
    assert nothing.one("title").text == "(1) Inbox · Placet"


async def test_pages_and_answers_keep_what_was_looked_for(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    for number in range(25):
        await placet.world.ask(f"Chair {number:02}", ago=timedelta(minutes=99 - number))
    first = await page(john, "/inbox?q=chair&urgency=medium")
    following = first.one("a", rel="next").attributes["href"]
    asked = parse_qs(urlsplit(following).query)
    assert (asked["q"], asked["urgency"]) == (["chair"], ["medium"])
    second = await page(john, following)
    assert titles(second) == [f"Chair {number}" for number in range(20, 25)]
    assert second.one("a", rel="prev").attributes["href"] == "/inbox?q=chair&urgency=medium"
    form = second.all("form", data_quick="")[0]
    answer = await john.post(form.attributes["action"], data=form.fields())
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (back["q"], back["cursor"]) == (["chair"], asked["cursor"])
    fragment = await page(john, "/inbox/rows?q=chair+07")
    assert titles(fragment) == ["Chair 07"]


async def test_an_id_leads_straight_to_its_approval(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Of others", approvers=[MARIA])
    for path in LISTS:
        answer = await john.get(f"{path}?q=+{approval_id}")
        assert answer.headers["location"] == f"/approvals/{approval_id}"
    assert (await john.get(f"/inbox?q={'0' * 27}")).status_code == 200


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("q=" + "x" * 201, "q"),
        ("q=%00", "q"),
        ("urgency=huge", "urgency"),
        ("due=never", "due"),
        ("cursor=%C3%BC", "cursor"),
    ],
)
async def test_what_cannot_be_looked_for_is_told_by_its_field(
    john: httpx2.AsyncClient, path: str, query: str, field: str
) -> None:
    shown = await page(john, f"{path}?{query}", 422)
    assert field in shown.one("p", role="alert").text


async def test_where_not_all_was_looked_through_the_page_says_so_and_goes_on(
    placet: Placet, john: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def partly(*_: object, **__: object) -> Found:
        return Found("", 0, "b25l", 7, partly=True)

    monkeypatch.setattr(placet.world, "waiting", partly)
    monkeypatch.setattr(placet.world, "found", partly)
    for path in LISTS:
        shown = await page(john, f"{path}?q=chair")
        said = shown.one("p", class_="partly")
        assert "5,000 were looked through on this page, and none of them matches." in said.text
        assert said.one("a").attributes["href"] == f"{path}?q=chair&cursor=b25l"


async def test_what_is_shared_says_whom_it_waits_for_and_how_far_it_has_come(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    await world.ask("Mine alone")
    both = await world.ask(
        "Ours", approvers=[JOHN, MARIA], policy=policy(two_of(JOHN, MARIA, JANE)), requester=MARIA
    )
    shown = await page(john, "/inbox/shared")
    assert titles(shown) == ["Ours"]
    assert "Waits for you, Maria Garcia and Jane Doe" in shown.text
    await approved(placet, both, JOHN)
    after = await page(john, "/inbox/shared")
    assert "Waits for Maria Garcia and Jane Doe" in after.text
    assert "1 of 2" in after.text
    assert titles(await page(john, "/inbox")) == ["Mine alone"]


async def test_my_requests_tell_what_became_of_them_and_what_i_am_asked(placet: Placet) -> None:
    world = placet.world
    await world.ask("Of Maria", requester=MARIA)
    asked = await world.ask("Asked back")
    done = await world.ask("Done")
    await asked_back(placet, asked, JOHN, "For which team?")
    await approved(placet, done, JOHN)
    async with browser_of(placet, JANE) as jane:
        shown = await page(jane, "/requests")
        # Asked within one second, and so in no order that could be told.
        assert sorted(titles(shown)) == ["Asked back", "Done"]
        assert shown.one("title").text == "(1) Requests · Placet"
        assert "A question waits for your answer." in shown.text
        assert "John Smith asks you: For which team?" in shown.text
        reply = shown.all("a", href=f"/approvals/{asked}#reply")
        assert [one.text for one in reply] == ["Answer…"]
        assert "Approved by John Smith through the API" in shown.text
        assert titles(await page(jane, "/requests?status=question")) == ["Asked back"]
        assert titles(await page(jane, "/requests?status=approved")) == ["Done"]
        assert titles(await page(jane, "/requests?status=pending")) == ["Asked back"]
        assert titles(await page(jane, "/requests?status=approved&q=asked")) == []
        await page(jane, "/requests?status=perhaps", 422)
    async with browser_of(placet, JOHN) as john:
        assert titles(await page(john, "/requests")) == []


async def test_settled_tells_apart_what_i_answered_and_what_others_did(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    mine, theirs = [await world.ask(title, approvers=[JOHN, MARIA]) for title in ("Mine", "Theirs")]
    await approved(placet, mine, JOHN)
    await approved(placet, theirs, MARIA)
    assert titles(await page(john, "/inbox/decided")) == ["Theirs", "Mine"]
    assert titles(await page(john, "/inbox/decided?status=mine")) == ["Mine"]
    assert titles(await page(john, "/inbox/decided?status=approved&q=their")) == ["Theirs"]
    assert titles(await page(john, "/inbox/decided?q=their")) == ["Theirs"]


async def test_a_page_stays_small_however_much_waits(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    for number in range(60):
        await placet.world.ask(
            f"Expense report EXP-2025-09-15-{number:03}, travel to the customer",
            EXPENSE,
            mirrored=True,
            urgency="high",
            reason="Dinner with the customer. " * 200,
        )
    placet.world.verified_at = placet.world.clock()
    for path in ("/inbox", "/inbox?q=expense&urgency=high&select=all", "/inbox/rows"):
        answer = await john.get(path)
        assert len(answer.content) < MOST_BYTES, path
    assert len(placet.world.views(WORKSPACE)) == 60
