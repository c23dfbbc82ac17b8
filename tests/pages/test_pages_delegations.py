"""The page on which people name who answers for them while they are away."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest

from events.approval import Person
from services.directory import Delegation
from tests.pages.conftest import SAME_ORIGIN, browser_of
from tests.pages.fakes import JOHN, MARIA, Placet
from tests.pages.policies import ALICE, BOB, EVERYBODY
from tests.pages.reader import Element, read

EVIL = "<script>alert(1)</script>\"'><b>x</b>\u202e"


async def page(client: httpx2.AsyncClient, path: str = "/delegations") -> Element:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def fault(shown: Element, field: str) -> str:
    found = shown.one("input", name=field)
    assert found.attributes["aria-invalid"] == "true"
    return shown.one("p", id=found.attributes["aria-describedby"]).text


def day(placet: Placet, days: int) -> str:
    return (placet.world.clock() + timedelta(days=days)).date().isoformat()


def delegation(
    placet: Placet, person: Person, to: Person, begins: int, ends: int, reason: str | None = None
) -> Delegation:
    today = placet.world.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    made = Delegation(
        id=f"dlg_{person.email[:4]}{begins}",
        person=person.email,
        to=to.email,
        begins=today + timedelta(days=begins),
        ends=today + timedelta(days=ends),
        reason=reason,
    )
    placet.people.delegations.append(made)
    return made


async def test_the_page_tells_who_answers_for_me_and_for_whom_i_do(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.people.know(*EVERYBODY)
    delegation(placet, JOHN, MARIA, 30, 31)
    delegation(placet, JOHN, BOB, 0, 12, "Holidays")
    delegation(placet, JOHN, BOB, -9, -3, "Long over")
    delegation(placet, ALICE, JOHN, 0, 3)
    delegation(placet, ALICE, MARIA, 0, 3)

    shown = await page(john)

    mine = [one.text for one in shown.one("section", aria_labelledby="mine").all("li")]
    assert len(mine) == 2
    assert mine[0].startswith("Bob Tanaka now")
    assert "Holidays" in mine[0]
    assert "End it now" in mine[0]
    assert mine[1].startswith("Maria Garcia")
    assert "Cancel it" in mine[1]
    (other,) = shown.one("section", aria_labelledby="others").all("li")
    assert other.text.startswith("Alice Meyer now")
    assert not other.all("form")
    assert "Long over" not in shown.text
    section, tab = shown.all("a", href="/delegations")
    assert section.attributes["aria-current"] == "true"
    assert tab.attributes["aria-current"] == "page"


async def test_the_inbox_says_who_answers_for_me_and_until_when(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.people.know(*EVERYBODY)
    assert not (await page(john, "/inbox")).all("p", class_="away-note")
    made = delegation(placet, JOHN, BOB, 0, 12)
    note = (await page(john, "/inbox")).one("p", class_="away-note")
    last = (made.ends - timedelta(days=1)).date()
    assert note.text == f"Bob Tanaka answers for you until {last.day} {last:%b %Y} . See or end it"
    delegation(placet, BOB, ALICE, 0, 5)
    assert "Alice Meyer answers for you" in (await page(john, "/inbox")).text


async def test_somebody_is_named_from_a_first_to_a_last_day_both_included(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    fields = {
        "to": " Bob.Tanaka@example.com ",
        "first": "2099-12-24",
        "last": "2099-12-31",
        "reason": "Holidays",
    }
    answer = await john.post("/delegations", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/delegations?notice=added")
    (made,) = placet.people.delegations
    assert (made.person, made.to, made.reason) == (JOHN.email, BOB.email, "Holidays")
    assert made.begins == datetime(2099, 12, 24, tzinfo=UTC)
    assert made.ends == datetime(2100, 1, 1, tzinfo=UTC)
    shown = await page(john, answer.headers["location"])
    assert "It is set" in shown.one("div", role="status", class_="notice").text
    assert "24 Dec 2099 to 31 Dec 2099" in shown.text


async def test_a_day_begins_where_the_person_is(placet: Placet, john: httpx2.AsyncClient) -> None:
    placet.people.know(JOHN, time_zone="Asia/Tokyo")
    fields = {"to": BOB.email, "first": "2099-12-24", "last": "2099-12-24"}
    await john.post("/delegations", data=fields)
    (made,) = placet.people.delegations
    assert made.begins == datetime(2099, 12, 24, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert made.ends - made.begins == timedelta(days=1)
    shown = await page(john)
    assert "by the clock of Asia/Tokyo" in shown.text
    assert shown.one("section", aria_labelledby="mine").all("time")[0].text == "24 Dec 2099"


async def test_whoever_leaves_today_is_away_from_now_on(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    before = placet.world.clock()
    fields = {"to": BOB.email, "first": day(placet, 0), "last": day(placet, 1)}
    await john.post("/delegations", data=fields)
    (made,) = placet.people.delegations
    assert before <= made.begins <= placet.world.clock()


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"to": ""}, "to", "Name who answers for you"),
        ({"to": "bob"}, "to", "is not an e-mail address"),
        ({"to": JOHN.email}, "to", "answer for themselves"),
        ({"first": ""}, "first", "Choose a day"),
        ({"first": "24.12.2099"}, "first", "Choose a day"),
        ({"last": "9999-12-31"}, "last", "Choose a day"),
        ({"last": "2099-12-23"}, "last", "before the first"),
        ({"first": "2019-12-23", "last": "2019-12-24"}, "last", "over already"),
        ({"last": "2102-01-01"}, "last", "366 days"),
    ],
)
async def test_what_cannot_be_is_told_beside_its_field_and_all_is_kept(
    placet: Placet, john: httpx2.AsyncClient, changed: dict[str, str], field: str, said: str
) -> None:
    fields = {"to": BOB.email, "first": "2099-12-24", "last": "2099-12-31", "reason": "Kept & <so>"}
    answer = await john.post("/delegations", data=fields | changed)
    assert answer.status_code == 422
    shown = read(answer.text)
    assert said in fault(shown, field)
    for name, value in (fields | changed).items():
        assert shown.one("input", name=name).attributes["value"] == value
    assert placet.people.delegations == []


async def test_a_circle_and_too_many_are_refused_in_words(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    delegation(placet, BOB, JOHN, 0, 12)
    fields = {"to": BOB.email, "first": day(placet, 0), "last": day(placet, 1)}
    answer = await john.post("/delegations", data=fields)
    assert "comes back to john.smith@example.com" in fault(read(answer.text), "to")
    placet.people.most = 1
    answer = await john.post("/delegations", data=fields | {"to": MARIA.email})
    assert "too many" in read(answer.text).one("div", role="alert").text


async def test_one_of_mine_is_ended_and_nobody_else_s(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    made = delegation(placet, JOHN, BOB, 0, 12)
    path = f"/delegations/{made.id}/end"
    assert (await maria.post(path)).status_code == 404
    assert placet.people.delegations == [made]
    form = (await page(john)).one("form", action=path)
    assert form.one("button").attributes["aria-label"].startswith("End: bob.tanaka@example.com,")
    answer = await john.post(path)
    assert answer.headers["location"] == "/delegations?notice=ended"
    assert placet.people.delegations == []
    assert "It is ended" in (await page(john, answer.headers["location"])).text
    assert (await john.post(path)).status_code == 404
    assert (await john.post("/delegations/%00/end")).status_code == 404


async def test_looking_and_other_sites_and_nobody_change_nothing(
    placet: Placet, john: httpx2.AsyncClient, nobody: httpx2.AsyncClient
) -> None:
    made = delegation(placet, JOHN, BOB, 0, 12)
    fields = {"to": MARIA.email, "first": "2099-12-24", "last": "2099-12-31"}
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    for path in (f"/delegations?{query}", f"/delegations/{made.id}/end"):
        for method in ("GET", "HEAD"):
            assert (await john.request(method, path)).status_code in (200, 303)
    async with browser_of(placet, JOHN) as client:
        client.headers["Sec-Fetch-Site"] = "cross-site"
        for path in ("/delegations", f"/delegations/{made.id}/end"):
            assert (await client.post(path, data=fields)).status_code == 403
    answer = await nobody.post("/delegations", data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 401
    assert "nothing was sent" in answer.text
    assert (await nobody.get("/delegations")).status_code == 401
    assert placet.people.delegations == [made]


async def test_names_and_reasons_become_no_markup(placet: Placet, john: httpx2.AsyncClient) -> None:
    evil = Person(email="evil@example.com", name=EVIL)
    placet.people.know(evil)
    delegation(placet, JOHN, evil, 0, 12, EVIL)
    delegation(placet, evil, JOHN, 0, 12, EVIL)
    for path in ("/delegations", "/inbox"):
        shown = await page(john, path)
        assert not shown.all("b")
        assert all(one.attributes["src"].startswith("/assets/") for one in shown.all("script"))
        assert "\u202e" not in shown.text


async def test_every_field_has_a_label(placet: Placet, john: httpx2.AsyncClient) -> None:
    shown = await page(john)
    fields = [one for one in shown.all("input") if one.attributes.get("type") != "checkbox"]
    assert len(fields) == 4
    for one in fields:
        assert shown.one("label", for_=one.attributes["id"]).text
