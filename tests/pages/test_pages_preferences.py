"""The page on which people choose how they are told: it shows what holds and keeps what is sent."""

from dataclasses import replace

import httpx2
import pytest

from services.directory.preferences import Preferences, Quiet, Turn
from tests.pages.conftest import SAME_ORIGIN, browser_of
from tests.pages.fakes import JOHN, Placet
from tests.pages.reader import Element, read

NIGHT = Quiet(begins=22 * 60, ends=7 * 60)
WEEKEND = Quiet(begins=0, ends=24 * 60, days=(5, 6))
ODD = Quiet(begins=8 * 60, ends=24 * 60, days=(0, 2))
ALL = Preferences(
    order=(Turn("email", 900.0), Turn("slack", 5400.0)),
    quiet_hours=(NIGHT, WEEKEND, ODD),
    digest=(540, 990),
    silent=True,
    outcomes=False,
    time_zone="Asia/Tokyo",
)


async def page(client: httpx2.AsyncClient, path: str = "/preferences") -> Element:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def sent(shown: Element) -> dict[str, str]:
    """What a browser sends of the form as it is shown."""
    form = shown.one("form", action="/preferences")
    fields: dict[str, str] = {}
    for one in form.all("input"):
        if one.attributes.get("type") != "checkbox" or "checked" in one.attributes:
            fields[one.attributes["name"]] = one.attributes["value"]
    for one in form.all("select"):
        picked = [each for each in one.all("option") if "selected" in each.attributes]
        fields[one.attributes["name"]] = (picked or one.all("option"))[0].attributes["value"]
    return fields


def kept(placet: Placet) -> Preferences:
    return replace(placet.people.preferences[JOHN.email], changed_at=None)


async def keep(client: httpx2.AsyncClient, fields: dict[str, str]) -> None:
    answer = await client.post("/preferences", data=fields)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/preferences?notice=kept"


async def test_who_said_nothing_sees_what_holds_and_sending_it_says_nothing(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    shown = await page(john)
    fields = sent(shown)
    assert fields["channel-slack"] == fields["channel-email"] == "now"
    assert (fields["first"], fields["outcomes"], fields["digest"]) == ("slack", "yes", "")
    assert "silent" not in fields
    assert "now: Europe/Berlin" in shown.text, "what the file says of the workspace"
    assert shown.one("a", href="/preferences").attributes["aria-current"] == "page"
    await keep(john, fields)
    assert kept(placet) == Preferences()
    assert "It is kept" in (await page(john, "/preferences?notice=kept")).text


async def test_what_was_said_is_shown_and_comes_back_as_it_was(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.people.preferences[JOHN.email] = ALL
    fields = sent(await page(john))
    assert (fields["channel-email"], fields["channel-slack"]) == ("15m", "90m")
    assert (fields["quiet-1-from"], fields["quiet-1-until"]) == ("22:00", "07:00")
    assert (fields["quiet-2-until"], fields["quiet-2-days"]) == ("00:00", "sat-sun")
    assert fields["quiet-3-days"] == "mon,wed"
    await keep(john, fields)
    assert kept(placet) == ALL


async def test_a_choice_is_kept(placet: Placet, john: httpx2.AsyncClient) -> None:
    fields = sent(await page(john)) | {
        "channel-slack": "15m",
        "channel-email": "now",
        "first": "email",
        "quiet-1-from": "22:00",
        "quiet-1-until": "07:00",
        "quiet-1-days": "mon-fri",
        "digest": "16:00, 9:00",
    }
    del fields["outcomes"]
    await keep(john, fields)
    assert kept(placet) == Preferences(
        order=(Turn("email"), Turn("slack", 900.0)),
        quiet_hours=(replace(NIGHT, days=(0, 1, 2, 3, 4)),),
        digest=(540, 960),
        outcomes=False,
    )
    assert "Asia/Tokyo" not in (await page(john)).text


async def test_who_wants_nothing_need_leave_no_channel_on(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    fields = sent(await page(john)) | {"silent": "yes"}
    fields |= {"channel-slack": "never", "channel-email": "never"}
    await keep(john, fields)
    assert kept(placet) == Preferences(silent=True)


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"channel-slack": "never", "channel-email": "never"}, "channel-slack", "at least one"),
        ({"channel-slack": "never"}, "first", "one of the channels that are on"),
        ({"channel-email": "soon"}, "channel-email", "'soon' is no length of time"),
        ({"quiet-1-from": "22:00"}, "quiet-1-until", "Give both times"),
        ({"quiet-2-until": "22:00"}, "quiet-2-from", "Give both times"),
        (
            {"quiet-2-from": "09:00", "quiet-2-until": "09:00"},
            "quiet-2-until",
            "ends when it begins",
        ),
        ({"quiet-2-from": "9", "quiet-2-until": "10:00"}, "quiet-2-from", "such as 08:00"),
        ({"quiet-1-from": "00:00", "quiet-1-until": "00:00"}, "quiet-1-until", "no time at all"),
        (
            {"quiet-1-from": "01:00", "quiet-1-until": "02:00", "quiet-1-days": "x"},
            "quiet-1-days",
            "mon-fri",
        ),
        ({"digest": "at nine"}, "digest", "such as 08:00"),
        ({"digest": "1:00,2:00,3:00,4:00,5:00,6:00,7:00"}, "digest", "at most 6"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "Europe/Berlin"),
    ],
)
async def test_what_cannot_be_is_told_beside_its_field_and_all_is_kept(
    placet: Placet, john: httpx2.AsyncClient, changed: dict[str, str], field: str, said: str
) -> None:
    fields = sent(await page(john)) | {"digest": "09:00"} | changed
    answer = await john.post("/preferences", data=fields)
    assert answer.status_code == 422, answer.text
    shown = read(answer.text)
    wrong = [
        one
        for one in (*shown.all("input"), *shown.all("select"))
        if one.attributes.get("aria-invalid") == "true"
    ]
    assert [one.attributes["name"] for one in wrong] == [field]
    assert said in shown.one("p", id=wrong[0].attributes["aria-describedby"]).text
    again = sent(shown)
    changes = {name for name in fields if again.get(name) != fields[name]}
    assert changes <= {field}, "a choice that is none cannot be shown; all else comes back"
    assert placet.people.preferences == {}


async def test_other_sites_and_nobody_and_looking_change_nothing(
    placet: Placet, john: httpx2.AsyncClient, nobody: httpx2.AsyncClient
) -> None:
    await placet.world.ask()
    fields = {"silent": "yes"}
    assert (await john.get("/preferences?silent=yes")).status_code == 200
    async with browser_of(placet, JOHN) as client:
        client.headers["Sec-Fetch-Site"] = "cross-site"
        assert (await client.post("/preferences", data=fields)).status_code == 403
    answer = await nobody.post("/preferences", data=fields, headers=SAME_ORIGIN)
    assert answer.status_code == 401
    assert 'value="/preferences"' in answer.text, "where one goes on after signing in"
    assert (await nobody.get("/preferences")).status_code == 401
    assert (await john.post("/preferences", data={"loud": "yes"})).status_code == 422
    assert placet.people.preferences == {}


async def test_every_field_has_a_label(john: httpx2.AsyncClient) -> None:
    form = (await page(john)).one("form", action="/preferences")
    fields = [*form.all("input"), *form.all("select")]
    assert len(fields) >= 12
    for one in fields:
        assert form.one("label", for_=one.attributes["id"]).text
