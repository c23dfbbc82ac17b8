"""People sign in through an identity provider, and nothing that it should not say counts."""

import base64
import hashlib
import logging
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from authlib.deprecate import AuthlibDeprecationWarning
from joserfc.jwk import OctKey

from events.store.database import Database
from services.decision.forms import by_provider
from services.identity.provider import Provider
from services.web.session import PLAIN_COOKIE
from tests.identity.oidc_kit import (
    ANN,
    CALLBACK,
    CLIENT_ID,
    GONE,
    ISSUER,
    KEY,
    OTHER_KEY,
    SECRET,
    Liar,
    SigningIn,
    asked,
    oidc,
)
from tests.pages.fakes import JOHN, WORKSPACE, Placet
from tests.servers.postgres import TestingPostgres

with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from oidc_provider_mock import run_server_in_thread

# The provider of the tests is older than what it stands on.
pytestmark = [
    pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def idp() -> Iterator[str]:
    """An identity provider that we did not write, on a loopback port."""
    with run_server_in_thread(require_nonce=True) as server:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        yield f"http://localhost:{server.server_port}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Database]:
    async with postgres.database(template=migrated) as dsn:
        database = await Database.open(dsn, "placet_app", size=4)
        yield database
        await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def app_db(shared: Database) -> Database:
    """The module's database, in which nobody has signed in yet."""
    async with shared.workspace(WORKSPACE) as connection:
        await connection.execute("DELETE FROM identities")
    return shared


@pytest_asyncio.fixture(loop_scope="session")
async def real(idp: str, app_db: Database) -> SigningIn:
    return SigningIn(Provider(oidc(idp), CALLBACK), app_db)


@pytest.fixture
def liar() -> Liar:
    return Liar()


@pytest_asyncio.fixture(loop_scope="session")
async def lied_to(liar: Liar, app_db: Database) -> SigningIn:
    return SigningIn(Provider(oidc(), CALLBACK, transport=liar.transport), app_db)


async def user(idp: str, subject: str, **claims: Any) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.put(f"{idp}/users/{subject}", json=claims)
        assert answer.status_code == 204


async def allow(url: str, subject: str) -> dict[str, str]:
    """Sign in at the provider and return what it sends back with the browser."""
    async with httpx2.AsyncClient() as client:
        answer = await client.post(url, data={"sub": subject})
    assert answer.status_code == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{CALLBACK}?")
    return asked(location)


async def come_back(lied_to: SigningIn, liar: Liar, **query: str) -> httpx2.Response:
    """Go to the provider that lies, and come back."""
    sent = asked(await lied_to.sent())
    liar.nonce = sent["nonce"]
    return await lied_to.back(**{"code": "a code", "state": sent["state"], **query})


async def test_somebody_signs_in_and_goes_where_they_wanted(real: SigningIn, idp: str) -> None:
    await user(idp, "a1", email=ANN, email_verified=True)
    approval_id = await real.placet.world.ask()
    url = await real.sent(f"/approvals/{approval_id}")
    answer = await real.back(**await allow(url, "a1"))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{approval_id}")
    assert await real.whoami() == ANN
    (row,) = real.placet.kept.rows.values()
    assert (row.way.by, row.way.issuer, row.way.subject) == ("oidc", idp, "a1")


async def test_what_is_asked_of_the_provider_is_proved_when_it_answers(
    lied_to: SigningIn, liar: Liar
) -> None:
    sent = asked(await lied_to.sent())
    assert {name: sent[name] for name in ("client_id", "response_type", "redirect_uri")} == {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": CALLBACK,
    }
    assert sent["code_challenge_method"] == "S256"
    assert set(sent["scope"].split()) >= {"openid", "email"}
    liar.nonce = sent["nonce"]
    await lied_to.back(code="a code", state=sent["state"])
    (exchange,) = liar.exchanged()
    digest = hashlib.sha256(exchange["code_verifier"][0].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == sent["code_challenge"]
    assert exchange["redirect_uri"] == [CALLBACK]
    assert await lied_to.whoami() == ANN


async def test_each_sign_in_has_secrets_of_its_own(lied_to: SigningIn) -> None:
    first, second = asked(await lied_to.sent()), asked(await lied_to.sent())
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name], name


async def test_whoever_was_only_ever_asked_signs_in_too(real: SigningIn, idp: str) -> None:
    await real.placet.world.ask(approvers=[JOHN])
    await user(idp, "j1", email=JOHN.email.upper(), email_verified=True)
    await real.back(**await allow(await real.sent(), "j1"))
    assert await real.whoami() == JOHN.email


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email": "stranger@example.com", "email_verified": True}, "does not know stranger@"),
        ({"email": GONE, "email_verified": True}, "is not active any more"),
        ({"email": ANN, "email_verified": False}, "has not verified your e-mail address"),
        ({"email": ANN}, "has not verified your e-mail address"),
        ({"email": ANN, "email_verified": "true"}, "has not verified your e-mail address"),
        ({"email_verified": True}, "told no e-mail address"),
        ({"email": "no address", "email_verified": True}, "no usable address"),
    ],
)
async def test_whom_the_provider_knows_and_we_do_not_reads_why(
    real: SigningIn, idp: str, claims: dict[str, Any], said: str
) -> None:
    await user(idp, "s1", **claims)
    answer = await real.back(**await allow(await real.sent(), "s1"))
    assert answer.status_code == 403
    assert said in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert await real.whoami() is None
    assert not real.placet.kept.rows


async def test_somebody_who_says_no_there_reads_that_and_can_try_again(
    real: SigningIn, idp: str
) -> None:
    url = await real.sent("/delegations")
    async with httpx2.AsyncClient() as client:
        denied = await client.post(url, data={"action": "deny"})
    query = asked(denied.headers["location"])
    answer = await real.back(**{"state": asked(url)["state"], **query})
    assert answer.status_code == 403
    assert "did not sign you in (access_denied)" in answer.text
    assert 'href="/login/oidc?next=/delegations"' in answer.text


async def test_a_code_that_comes_back_twice_signs_in_once(real: SigningIn, idp: str) -> None:
    await user(idp, "a1", email=ANN, email_verified=True)
    query = await allow(await real.sent(), "a1")
    assert (await real.back(**query)).status_code == 303
    again = await real.back(**query)
    assert again.status_code == 403
    assert "was not begun in this browser" in again.text
    # The provider takes it once as well, whichever state it comes with.
    state = asked(await real.sent())["state"]
    replayed = await real.back(code=query["code"], state=state)
    assert replayed.status_code == 403
    assert "did not take it" in replayed.text
    assert len(real.placet.kept.rows) == 1


async def test_what_another_browser_began_is_not_finished_here(real: SigningIn, idp: str) -> None:
    """Otherwise somebody could be signed in as whoever prepared the link."""
    await user(idp, "a1", email=ANN, email_verified=True)
    query = await allow(await real.sent(), "a1")
    victim = real.another_browser()
    for _ in range(2):
        answer = await victim.get("/login/oidc/callback", params=query)
        assert answer.status_code == 403
        await victim.get("/login/oidc")  # with a sign-in of its own under way, too
    assert PLAIN_COOKIE not in victim.cookies


@pytest.mark.parametrize("state", ["", "short", "é" * 40, "x" * 43, "y" * 500])
async def test_a_state_that_we_did_not_give_is_refused(
    lied_to: SigningIn, liar: Liar, state: str
) -> None:
    answer = await come_back(lied_to, liar, state=state)
    assert answer.status_code == 403
    assert not liar.exchanged(), "its code is not even asked for"


async def test_whoever_takes_too_long_begins_anew(
    lied_to: SigningIn, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.identity.accounts.BACK_WITHIN_S", -1.0)
    answer = await come_back(lied_to, liar)
    assert answer.status_code == 403
    assert not liar.exchanged()


def says(**claims: Any) -> Callable[[Liar], None]:
    return lambda liar: liar.claims.update(claims)


def lacks(name: str) -> Callable[[Liar], None]:
    return lambda liar: liar.left_out.add(name)


def signed_by_another(liar: Liar) -> None:
    liar.key = OTHER_KEY


def signed_with_our_secret(liar: Liar) -> None:
    liar.header = {"alg": "HS256", "kid": "one"}
    liar.key = OctKey.import_key(SECRET.ljust(32))


def without_a_token(liar: Liar) -> None:
    liar.token = {"access_token": "x", "token_type": "Bearer"}


def with_a_token_that_is_none(liar: Liar) -> None:
    liar.token = {"access_token": "x", "token_type": "Bearer", "id_token": "a.b.c"}


def unsigned(liar: Liar) -> None:
    _, body, _ = liar.signed().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').rstrip(b"=").decode()
    liar.token = {"access_token": "x", "token_type": "Bearer", "id_token": f"{none}.{body}."}


LIES: dict[str, Callable[[Liar], None]] = {
    "another nonce": says(nonce="another"),
    "no nonce": lacks("nonce"),
    "over": says(exp=int(time.time()) - 120),
    "without an end": lacks("exp"),
    "from the future": says(iat=int(time.time()) + 3600),
    "for another client": says(aud="another"),
    "for several": says(aud=[CLIENT_ID, "another"]),
    "for several, at another's asking": says(aud=[CLIENT_ID, "another"], azp="another"),
    "at another's asking": says(azp="another"),
    "for nobody": lacks("aud"),
    "from another issuer": says(iss="https://evil.example.com"),
    "from a longer issuer": says(iss=f"{ISSUER}/"),
    "from nobody": lacks("iss"),
    "of nobody": lacks("sub"),
    "of a number": says(sub=7),
    "of an empty name": says(sub=""),
    "signed by another": signed_by_another,
    "signed with our secret": signed_with_our_secret,
    "not signed": unsigned,
    "no token": without_a_token,
    "none": with_a_token_that_is_none,
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_the_provider_did_not_say_of_us_signs_nobody_in(
    lied_to: SigningIn, liar: Liar, lie: str
) -> None:
    LIES[lie](liar)
    answer = await come_back(lied_to, liar)
    assert answer.status_code == 403, answer.text
    assert await lied_to.whoami() is None
    # It is the lie that was refused: without it, the same way signs in.
    liar.__init__()  # type: ignore[misc] # as it was before it lied
    assert (await come_back(lied_to, liar)).status_code == 303


async def test_an_answer_in_the_name_of_another_issuer_is_refused(
    lied_to: SigningIn, liar: Liar
) -> None:
    assert (await come_back(lied_to, liar, iss="https://evil.example.com")).status_code == 403
    assert not liar.exchanged()
    assert (await come_back(lied_to, liar, iss=ISSUER)).status_code == 303


async def test_an_address_that_only_the_userinfo_tells_counts_for_the_same_account_only(
    lied_to: SigningIn, liar: Liar
) -> None:
    liar.left_out = {"email", "email_verified"}
    liar.userinfo = {"sub": "somebody else", "email": ANN, "email_verified": True}
    assert (await come_back(lied_to, liar)).status_code == 403
    liar.userinfo = {**liar.userinfo, "sub": "ann at the provider", "iss": "ignored"}
    assert (await come_back(lied_to, liar)).status_code == 303
    assert await lied_to.whoami() == ANN


async def test_an_account_stays_who_it_was_when_it_first_signed_in(
    lied_to: SigningIn, liar: Liar
) -> None:
    assert (await come_back(lied_to, liar)).status_code == 303
    # Its address changes: which of the two it is, a person must say.
    liar.claims = {"email": "bob@example.com"}
    moved = await come_back(lied_to, liar)
    assert moved.status_code == 403
    assert "This account signed in as ann@example.com" in moved.text
    # Another account comes to have the address.
    liar.claims = {"sub": "another account"}
    taken = await come_back(lied_to, liar)
    assert taken.status_code == 403
    assert "belongs to another account" in taken.text
    liar.claims = {}
    assert (await come_back(lied_to, liar)).status_code == 303
    # An administrator lets it go, and the address is whose it is now.
    assert await lied_to.accounts.release(ANN) == 1
    liar.claims = {"sub": "another account"}
    assert (await come_back(lied_to, liar)).status_code == 303


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example.com/",
        "//evil.example.com",
        "/\\evil.example.com",
        "/inbox/../../x",
        "/login/oidc",
        "/l/a-token-that-should-not-be-in-an-address",
        "javascript:alert(1)",
        "",
    ],
)
async def test_nobody_is_sent_on_to_what_is_no_page_of_ours(
    lied_to: SigningIn, liar: Liar, following: str
) -> None:
    sent = asked(await lied_to.sent(following))
    liar.nonce = sent["nonce"]
    answer = await lied_to.back(code="a code", state=sent["state"])
    assert answer.headers["location"] == "/inbox"


async def test_signing_in_ends_the_session_that_was_there(lied_to: SigningIn, liar: Liar) -> None:
    await come_back(lied_to, liar)
    before = lied_to.browser.cookies[PLAIN_COOKIE]
    await come_back(lied_to, liar)
    assert lied_to.browser.cookies[PLAIN_COOKIE] != before
    stale = lied_to.another_browser()
    stale.cookies.set(PLAIN_COOKIE, before)
    assert await lied_to.whoami(stale) is None


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
async def test_a_provider_that_is_away_is_said_to_be(
    lied_to: SigningIn, liar: Liar, path: str
) -> None:
    liar.down = {path}
    answer = await lied_to.browser.get("/login/oidc")
    if answer.status_code == 303:
        sent = asked(answer.headers["location"])
        answer = await lied_to.back(code="a code", state=sent["state"])
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    liar.down = set()
    assert (await come_back(lied_to, liar)).status_code == 303


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example.com"},
        {"token_endpoint": "http://login.example.com/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
async def test_a_provider_that_describes_itself_wrongly_is_not_used(
    lied_to: SigningIn, liar: Liar, metadata: dict[str, Any]
) -> None:
    liar.metadata = metadata
    answer = await lied_to.browser.get("/login/oidc")
    assert answer.status_code == 503
    assert not liar.exchanged()


async def test_a_provider_that_answers_without_end_is_cut_off(
    lied_to: SigningIn, liar: Liar
) -> None:
    liar.endless = True
    assert (await lied_to.browser.get("/login/oidc")).status_code == 503


async def test_a_key_that_is_new_is_fetched_once_a_minute_at_most(
    liar: Liar, app_db: Database
) -> None:
    moved = 0.0
    provider = Provider(
        oidc(), CALLBACK, transport=liar.transport, clock=lambda: time.time() + moved
    )
    signing_in = SigningIn(provider, app_db)
    await signing_in.sent()
    liar.published = [{**KEY.as_dict(private=False), "kid": "two"}]
    liar.header = {"alg": "RS256", "kid": "two"}
    for _ in range(3):
        assert (await come_back(signing_in, liar)).status_code == 403
    assert [one.url.path for one in liar.calls].count("/keys") == 1
    moved = 61.0
    assert (await come_back(signing_in, liar)).status_code == 303
    assert [one.url.path for one in liar.calls].count("/keys") == 2


async def test_a_HEAD_begins_and_ends_nothing(lied_to: SigningIn, liar: Liar) -> None:  # noqa: N802 # the method
    sent = asked(await lied_to.sent())
    liar.nonce = sent["nonce"]
    query = {"code": "a code", "state": sent["state"]}
    for path, params in (("/login/oidc", {}), ("/login/oidc/callback", query)):
        answer = await lied_to.browser.head(path, params=params)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert not liar.exchanged()
    assert (await lied_to.back(**query)).status_code == 303


async def test_no_secret_of_a_sign_in_is_logged(
    lied_to: SigningIn, liar: Liar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = asked(await lied_to.sent())
    liar.nonce = sent["nonce"]
    answer = await lied_to.back(code="the-code-itself", state=sent["state"])
    liar.token = {"status": 400, "error": "invalid_grant", "error_description": "the-code-itself"}
    refused = await come_back(lied_to, liar, code="the-code-itself")
    assert (answer.status_code, refused.status_code) == (303, 403)
    (verifier,) = liar.exchanged()[0]["code_verifier"]
    token = lied_to.browser.cookies[PLAIN_COOKIE]
    for secret in (verifier, token, SECRET, base64.b64encode(SECRET.encode()).decode()):
        assert secret not in caplog.text
    # The browser of the test is not Placet, and logs the addresses that it opens.
    ours = [one.getMessage() for one in caplog.records if "callback" not in one.getMessage()]
    assert not [one for one in ours if "the-code-itself" in one or sent["state"] in one]


async def test_without_a_provider_there_is_no_way_to_one() -> None:
    placet = Placet()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=placet.app), base_url="http://placet.test"
    ) as client:
        assert (await client.get("/login/oidc")).status_code == 404
        assert "/login/oidc" not in (await client.get("/")).text


async def test_another_site_begins_no_sign_in(lied_to: SigningIn, liar: Liar) -> None:
    answer = await lied_to.browser.get("/login/oidc", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert not liar.calls


async def test_whoever_tries_again_and_again_waits(lied_to: SigningIn) -> None:
    # One more is allowed each second, and the tries take their time.
    tries = range(2 * by_provider.FROM_ONE_ADDRESS)
    answers = [await lied_to.browser.get("/login/oidc") for _ in tries]
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert answers.index(refused[0]) >= by_provider.FROM_ONE_ADDRESS
    answer = refused[0]
    assert int(answer.headers["retry-after"]) >= 1
    assert "tried too often" in answer.text
