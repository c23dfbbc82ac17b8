"""The page of keys: made once, shown once, revoked, and never seen otherwise."""

import pytest

from services.web.keys import parse_key
from tests.admin.admin_kit import ADMIN, ANN, HOSTILE, House
from tests.pages.reader import Element, read

ONCE = "0123456789abcdef01234567"


async def create(house: House, **fields: str) -> Element:
    answer = await house.admin.post(
        "/admin/keys",
        data={"principal": ANN, "once": ONCE, "scope:approvals:read": "yes", **fields},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return read(answer.text)


async def kept(house: House) -> list[tuple[object, ...]]:
    return await house.rows("SELECT principal, name, scopes, agent FROM api_keys")


async def test_a_key_is_shown_on_the_answer_and_nowhere_else(house: House) -> None:
    page = await create(house, name=f"robot {HOSTILE}", agent="yes", days="30")
    text = page.one("input", id="the-key").attributes["value"]
    key = parse_key(text)
    assert key is not None
    found = await house.placet.parts.keys.find(text)
    assert found is not None
    assert (found.email, found.agent, found.scopes) == (ANN, True, frozenset({"approvals:read"}))
    page = await house.page("/admin/keys")
    assert key.key_id in page.text
    assert "robot <script>alert" in page.text
    for path in ("/admin/keys", "/admin/people", "/inbox"):
        assert key.secret not in (await house.admin.get(path)).text
    assert f"Made the key {key.key_id} for {ANN}, which may approvals:read, for an agent." in (
        page.one("section", class_="done").text
    )


async def test_the_same_form_sent_twice_makes_one_key(house: House) -> None:
    await create(house)
    again = await house.admin.post(
        "/admin/keys", data={"principal": ANN, "once": ONCE, "scope:approvals:read": "yes"}
    )
    assert again.status_code == 409
    assert len(await kept(house)) == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"principal": "nobody"}, "is not an e-mail address"),
        ({"scope:approvals:decide": "yes", "agent": "yes"}, "never decides"),
        ({"scope:admin": "yes", "agent": "yes"}, "never decides"),
        ({"days": "0"}, "A number of days"),
        ({"days": "99999999999"}, "A number of days"),
        ({"days": "0000010000000"}, "A number of days"),
        ({"days": "²"}, "A number of days"),
        ({"once": "x"}, "load the page again"),
        ({"scope:everything": "yes"}, "there is no such field"),
        ({"principal": "a\0b@example.com"}, "control characters"),
        ({"name": "n" * 201}, "at most 200 characters"),
    ],
)
async def test_what_is_wrong_is_said_and_no_key_is_made(
    house: House, fields: dict[str, str], told: str
) -> None:
    answer = await house.admin.post(
        "/admin/keys",
        data={"principal": ANN, "once": ONCE, "scope:approvals:read": "yes", **fields},
    )
    assert answer.status_code == 422
    assert told in answer.text
    assert await kept(house) == []


async def test_what_was_typed_stays_when_something_is_wrong(house: House) -> None:
    answer = await house.admin.post(
        "/admin/keys", data={"principal": ANN, "once": ONCE, "name": "robot"}
    )
    assert answer.status_code == 422
    page = read(answer.text)
    assert page.one("input", id="key-principal").attributes["value"] == ANN
    assert page.one("input", id="key-name").attributes["value"] == "robot"
    assert page.one("p", class_="fault").text.startswith("Choose at least one")


async def test_a_revoked_key_opens_nothing(house: House) -> None:
    page = await create(house)
    text = page.one("input", id="the-key").attributes["value"]
    key = parse_key(text)
    assert key is not None
    page = await house.press(f"/admin/keys/{key.key_id}/revoke")
    assert page.one("div", class_="notice").text.startswith(f"Revoked the key {key.key_id}.")
    assert "Revoked" in page.one("tbody").text
    assert await house.placet.parts.keys.find(text) is None
    again = await house.admin.post(f"/admin/keys/{key.key_id}/revoke", data={})
    assert again.status_code == 404


async def test_another_workspace_s_key_is_neither_shown_nor_revoked(
    house: House, home: House
) -> None:
    made = await home.placet.parts.keys.create(
        home.workspace, principal=ADMIN, name="theirs", scopes=["admin"], expires_at=None
    )
    assert made.key_id not in (await house.admin.get("/admin/keys")).text
    answer = await house.admin.post(f"/admin/keys/{made.key_id}/revoke", data={})
    assert answer.status_code == 404
    assert await home.placet.parts.keys.find(made.text) is not None


async def test_many_keys_come_a_page_at_a_time(house: House) -> None:
    keys = house.placet.parts.keys
    for number in range(51):
        await keys.create(
            house.workspace, principal=ANN, name=f"n{number}", scopes=["admin"], expires_at=None
        )
    page = await house.page("/admin/keys")
    assert len(page.one("tbody").all("tr")) == 50
    answer = await house.admin.get(page.one("a", rel="next").attributes["href"])
    assert len(read(answer.text).one("tbody").all("tr")) == 1
    assert (await house.admin.get("/admin/keys?cursor=bm9uZQ")).status_code == 422
