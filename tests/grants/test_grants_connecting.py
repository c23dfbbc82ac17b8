"""People connect their accounts by themselves, for themselves, and take it back."""

import base64
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from events.store.database import Database
from services.decision.forms import granting
from services.grants import Whose
from services.grants.grants import MOST_REQUESTS, Grants
from services.settings import DEFAULT_WORKSPACE
from services.web.session import PLAIN_COOKIE, digest_of
from tests.cli.command_line import placet
from tests.grants.grant_kit import (
    CLIENT_ID,
    LOGIN,
    ORIGIN,
    OWN_ACCOUNT,
    SECRET,
    SOURCE,
    Office,
    texts,
    whose,
)
from tests.pages.fakes import JOHN, MARIA, WORKSPACE

NOT_CONNECTED = "Not connected"
CONNECTED = "<strong>Connected</strong> since"


async def page(office: Office) -> str:
    answer = await office.browser.get("/grants")
    assert answer.status_code == 200
    return answer.text


async def test_somebody_connects_their_account_and_disconnects_it(office: Office) -> None:
    before = await page(office)
    assert NOT_CONNECTED in before
    assert f'href="/grants/{SOURCE}/connect"' in before
    assert "erp.acme.test" in before
    assert '<a href="/grants" aria-current="page">' in before
    # This one comes from pages that were told of no such source.
    assert '"/grants"' not in (await office.browser.get("/preferences")).text
    url = await office.sent()
    assert url.startswith(f"{LOGIN}/authorize?prompt=consent&")
    wanted = dict(parse_qsl(urlsplit(url).query))
    assert len(wanted.pop("state")) >= 32
    assert len(wanted.pop("code_challenge")) == 43
    assert wanted == {
        "prompt": "consent",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{ORIGIN}/grants/{SOURCE}/callback",
        "scope": "answer offline_access",
        "code_challenge_method": "S256",
    }
    answer = await office.back(office.login.allow(url, "john at acme"))
    assert answer.headers["location"] == "/grants?notice=connected"
    assert answer.headers["referrer-policy"] == "no-referrer"
    (asked,) = office.login.asked
    assert asked["redirect_uri"] == wanted["redirect_uri"]
    pair = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    assert office.login.shown == [f"Basic {pair}"]
    assert CONNECTED in await page(office)
    told = await office.browser.get("/grants?notice=connected")
    assert "It is connected: your answers are written there as yours." in told.text
    answer = await office.browser.post(f"/grants/{SOURCE}/disconnect")
    assert answer.headers["location"] == "/grants?notice=disconnected"
    assert NOT_CONNECTED in await page(office)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"client_secret": None}, {"client_id": CLIENT_ID}),
        ({"client_auth": "post"}, {"client_id": CLIENT_ID, "client_secret": SECRET}),
    ],
)
async def test_a_public_client_and_one_that_shows_its_secret_in_the_body(
    app_db: Database, changes: dict[str, object], shown: dict[str, str]
) -> None:
    own = {name: one for name, one in (OWN_ACCOUNT | changes).items() if one is not None}
    office = Office(app_db, {"act_as": {"user": own}})
    await office.connect()
    (asked,) = office.login.asked
    assert {name: asked[name] for name in asked if name.startswith("client_")} == shown
    assert office.login.shown == [""]


async def test_a_way_there_is_for_one_session_of_one_person_once(office: Office) -> None:
    for stranger in (office.browser_of(MARIA), office.browser_of(JOHN)):
        query = office.login.allow(await office.sent(), "john at acme")
        answer = await office.back(query, stranger)
        assert answer.status_code == 403
        assert "This was not begun here by you" in answer.text
        answer = await office.back(query)
        assert answer.status_code == 403, "whoever had it, it is used"
    query = office.login.allow(await office.sent(), "john at acme")
    assert (await office.back(query)).status_code == 303
    assert (await office.back(query)).status_code == 403
    assert (await office.back({"code": "x"})).status_code == 403
    assert [one["grant_type"] for one in office.login.asked] == ["authorization_code"]
    assert await office.grants.of(WORKSPACE, MARIA.email) == {}


async def test_a_way_there_is_for_whoever_began_it_also_within_one_session(office: Office) -> None:
    for email, taken in ((MARIA.email, False), (JOHN.email, True)):
        await office.grants.begin(whose(), state="a" * 40, session=b"the same", verifier="v")
        away = await office.grants.take(WORKSPACE, "a" * 40, email=email, session=b"the same")
        assert (away is not None) is taken


async def test_a_way_there_is_for_some_minutes(office: Office, app_db: Database) -> None:
    query = office.login.allow(await office.sent(), "john at acme")
    async with app_db.workspace(WORKSPACE) as connection:
        await connection.execute("UPDATE grant_requests SET expires_at = now()")
    assert (await office.back(query)).status_code == 403
    assert office.login.asked == []


async def test_one_source_does_not_speak_for_another(office: Office) -> None:
    state = "a" * 40
    session = digest_of(office.browser.cookies[PLAIN_COOKIE])
    for source, known in (("another", False), (SOURCE, True)):
        await office.grants.begin(whose(source=source), state=state, session=session, verifier="v")
        answer = await office.back({"code": "x", "state": state})
        assert ("did not connect it" in answer.text) is known
    assert len(office.login.asked) == 1


async def test_nobody_is_sent_because_another_site_wanted_it(office: Office) -> None:
    path = f"/grants/{SOURCE}/connect"
    answer = await office.browser.get(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["location"] == "/grants"
    answer = await office.browser.head(path)
    assert answer.headers["location"] == "/grants"
    await office.connect()
    answer = await office.browser.post(
        f"/grants/{SOURCE}/disconnect", headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert CONNECTED in await page(office)
    answer = await office.browser.get(f"/grants/{SOURCE}/disconnect")
    assert answer.headers["location"] == "/grants", "a reload of the refusal"
    assert CONNECTED in await page(office)


async def test_whoever_is_signed_out_signs_in_first(office: Office) -> None:
    await office.asked()
    office.browser.cookies.clear()
    for path in ("connect", "callback?code=x&state=y"):
        answer = await office.browser.get(f"/grants/{SOURCE}/{path}")
        assert answer.status_code == 401
        assert 'value="/grants"' in answer.text
    assert (await office.browser.get("/grants/other/connect")).status_code == 401


async def test_a_source_that_asks_for_no_account_is_not_there(office: Office) -> None:
    for path in ("connect", "callback"):
        assert (await office.browser.get(f"/grants/other/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"error": "access_denied"}, "did not connect it (access_denied)"),
        ({"error": "<b>Call 555</b>"}, "did not connect it (no code)"),
        ({}, "did not connect it (no code)"),
        ({"code": "c" * 5000}, "did not connect it (no code)"),
        ({"code": "another"}, "did not connect it (invalid_grant)"),
    ],
)
async def test_what_did_not_come_to_a_token_is_told(
    office: Office, query: dict[str, str], said: str
) -> None:
    state = dict(parse_qsl(urlsplit(await office.sent()).query))["state"]
    answer = await office.back({**query, "state": state})
    assert answer.status_code == 403
    assert said in answer.text
    assert "Call 555" not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert NOT_CONNECTED in await page(office)


async def test_a_login_that_is_away_is_told_and_what_there_was_stays(office: Office) -> None:
    await office.connect()
    query = office.login.allow(await office.sent(), "john at acme")
    office.login.answer = httpx2.ConnectError(f"no way for {query['code']}")
    answer = await office.back(query)
    assert answer.status_code == 503
    assert "Nothing was changed: try again." in answer.text
    assert query["code"] not in answer.text
    assert CONNECTED in await page(office)


async def test_ways_that_nobody_came_back_from_do_not_add_up(
    office: Office, app_db: Database
) -> None:
    for _ in range(MOST_REQUESTS + 5):
        await office.sent()
    async with app_db.workspace(WORKSPACE) as connection:
        kept = await connection.fetchval("SELECT count(*) FROM grant_requests")
        await connection.execute("UPDATE grant_requests SET expires_at = now()")
    assert kept == MOST_REQUESTS + 1
    await office.sent(office.browser_of(MARIA))
    async with app_db.workspace(WORKSPACE) as connection:
        assert await connection.fetchval("SELECT count(*) FROM grant_requests") == 1


async def test_attempts_are_slowed_down(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # More than at once: while they are sent, some more are let through.
    for _ in range(2 * granting.AT_ONCE):
        answer = await office.browser.get(f"/grants/{SOURCE}/connect")
        if answer.status_code != 303:
            break
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


async def test_what_is_kept_shows_no_token_and_what_was_broken_for_long_is_dropped(
    office: Office, app_db: Database
) -> None:
    await office.connect()
    await office.grants.put(whose(MARIA), b"x", renewable=False, lasts_s=None)
    async with app_db.workspace(WORKSPACE) as connection:
        rows = await connection.fetch("SELECT * FROM grants")
        await connection.execute(
            "UPDATE grants SET broken_at = now() - interval '100 days' WHERE email = $1",
            MARIA.email,
        )
    kept = texts(*(tuple(row.values()) for row in rows))
    assert "access" not in kept
    assert "renewal" not in kept
    await office.connect()
    assert await office.grants.of(WORKSPACE, MARIA.email) == {}
    assert set(await office.grants.of(WORKSPACE, JOHN.email)) == {SOURCE}


async def test_whoever_is_released_has_no_account_connected(
    shared_dsn: str, app_db: Database
) -> None:
    grants = Grants(app_db)
    for email in (JOHN.email, MARIA.email):
        account = Whose(DEFAULT_WORKSPACE, SOURCE, email)
        await grants.put(account, b"x", renewable=False, lasts_s=None)
        await grants.begin(account, state=email * 2, session=b"s", verifier="v")
    said = await placet(
        "release",
        JOHN.email,
        PLACET_POSTGRES_DSN=shared_dsn,
        PLACET_KAFKA="127.0.0.1:9",
    )
    assert said.code == 0, said.err
    assert "1 connected account(s)" in " ".join(said.out.split())
    assert await grants.of(DEFAULT_WORKSPACE, JOHN.email) == {}
    assert len(await grants.of(DEFAULT_WORKSPACE, MARIA.email)) == 1
    away = await grants.take(DEFAULT_WORKSPACE, JOHN.email * 2, email=JOHN.email, session=b"s")
    assert away is None
