"""Who may see the pages for administrators, and act on them."""

import httpx2
import pytest

from tests.admin.admin_kit import ADMIN, ANN, HOME, House, give_role, new_workspace
from tests.pages.reader import read

PAGES = (
    "/admin/sources",
    "/admin/channels",
    "/admin/webhooks",
    "/admin/parked",
    "/admin/people",
    "/admin/keys",
    "/admin/figures",
)
FORMS = (
    "/admin/sources/acme/pause",
    "/admin/sources/acme/resume",
    "/admin/sources/acme/poll",
    "/admin/webhooks/wh_1/enable",
    "/admin/webhooks/wh_1/replay",
    "/admin/parked/retry",
    "/admin/parked/1/retry",
    "/admin/parked/1/discard",
    "/admin/people/delegations/dlg_1/end",
    "/admin/keys",
    "/admin/keys/abc/revoke",
)


@pytest.mark.parametrize("path", PAGES)
async def test_an_administrator_sees_each_page(house: House, path: str) -> None:
    page = await house.page(path)
    nav = page.one("nav", aria_label="Administration")
    assert nav.one("a", aria_current="page").attributes["href"] == path
    assert page.one("nav", aria_label="Main").one("a", href="/admin/sources").text == "Admin"


@pytest.mark.parametrize("path", [*PAGES, "/admin", "/admin/webhooks/wh_1"])
async def test_somebody_else_is_told_whom_to_ask(house: House, path: str) -> None:
    other = await house.placet.browser(house.workspace, ANN)
    answer = await other.get(path)
    assert answer.status_code == 403
    page = read(answer.text)
    assert page.one("p", role="alert").text.endswith(f"Ask {ADMIN}.")
    assert not page.one("nav", aria_label="Main").all("a", href="/admin/sources")


async def test_where_nobody_administers_the_role_is_named(house: House) -> None:
    nobody_yet = await house.placet.browser(new_workspace(), ANN)
    answer = await nobody_yet.get("/admin/keys")
    assert answer.status_code == 403
    assert "placet admin" in read(answer.text).one("p", role="alert").text


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_of_somebody_else_does_nothing(house: House, path: str) -> None:
    other = await house.placet.browser(house.workspace, ANN)
    answer = await other.post(path, data={})
    assert answer.status_code == 403
    assert await house.rows("SELECT 1 FROM admin_actions") == []


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_that_another_site_sent_is_refused(house: House, path: str) -> None:
    answer = await house.admin.post(path, data={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "another site" in answer.text


@pytest.mark.parametrize("path", FORMS)
async def test_somebody_signed_out_is_asked_who_they_are(house: House, path: str) -> None:
    nobody = await house.placet.browser(house.workspace, None)
    assert (await nobody.post(path, data={})).status_code == 401
    page = path.split("/")[2]
    assert (await nobody.get(f"/admin/{page}")).status_code == 401


@pytest.mark.parametrize("path", FORMS)
async def test_asking_for_the_address_of_a_form_leads_to_its_page(house: House, path: str) -> None:
    if path == "/admin/keys":
        return
    answer = await house.admin.get(path)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/".join(path.split("/")[:3]),
    )


async def test_with_the_dev_login_everybody_administers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.placet.parts.sessions, "dev_login", True)
    somebody = await house.placet.browser(house.workspace, ANN)
    assert (await somebody.get("/admin/keys")).status_code == 200


async def test_a_deactivated_administrator_is_none(house: House) -> None:
    await give_role(house.placet, house.workspace, ANN, "placet admin")
    ann = await house.placet.browser(house.workspace, ANN)
    assert (await ann.get("/admin/keys")).status_code == 200
    await give_role(house.placet, house.workspace, ANN, "Member")
    assert (await ann.get("/admin/keys")).status_code == 403


async def test_a_workspace_never_sees_the_administration_of_another(
    house: House, home: House
) -> None:
    await home.press("/admin/sources/acme/pause")
    page = await house.page("/admin/sources")
    assert "No source is configured" in page.text
    assert "acme" not in page.text.lower()
    answer = await house.admin.post("/admin/sources/acme/pause", data={})
    assert answer.status_code == 404


async def test_without_javascript_a_reload_after_an_action_does_it_once(home: House) -> None:
    answer: httpx2.Response = await home.admin.post("/admin/sources/acme/poll", data={})
    assert answer.status_code == 303
    again = await home.admin.get(answer.headers["location"])
    assert again.headers["cache-control"] == "no-store"
    rows = await home.rows("SELECT verb, done FROM admin_actions ORDER BY action_id DESC LIMIT 1")
    assert rows == [("poll_now", True)]


async def test_somebody_else_s_number_says_nothing(home: House) -> None:
    await give_role(home.placet, HOME, ANN)
    answer = await home.admin.post("/admin/sources/acme/poll", data={})
    ann = await home.placet.browser(HOME, ANN)
    page = read((await ann.get(answer.headers["location"])).text)
    assert not page.all("div", class_="notice")
    assert ADMIN in page.one("section", class_="done").text
