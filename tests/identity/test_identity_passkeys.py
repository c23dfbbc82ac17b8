"""A passkey confirms one answer to one approval, as it was sent, once, and nothing else."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import BrowserContext, Page, expect

from events.approval import DecisionSubmitted
from events.store.database import Database
from services.identity.passkeys import ADD, DECIDE, NotConfirmed, Passkeys, Wanted
from services.web.session import PLAIN_COOKIE, Session
from tests.identity.passkey_kit import PRESENT, SecurityKey, app_of, demanding
from tests.pages.fakes import JOHN, MARIA, WORKSPACE, Placet
from tests.pages.reader import read
from tests.pages.site import Browser, chromium
from tests.servers.postgres import TestingPostgres

__all__ = ["chromium"]

ORIGIN = "http://localhost:8080"
ME = Session(WORKSPACE, JOHN.email)
HERE, ELSEWHERE = b"this session", b"another session"
WANTED = Wanted(DECIDE, "an approval", "decision=approve&revision=1")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Database]:
    async with postgres.database(template=migrated) as dsn:
        database = await Database.open(dsn, "placet_app", size=4)
        yield database
        await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def app_db(shared: Database) -> Database:
    """The module's database, in which nobody has a passkey yet."""
    async with shared.workspace(WORKSPACE) as connection:
        await connection.execute("DELETE FROM passkeys")
    return shared


@pytest.fixture
def passkeys(app_db: Database) -> Passkeys:
    return Passkeys(app_db, ORIGIN)


@pytest.fixture
def key() -> SecurityKey:
    return SecurityKey(ORIGIN)


async def add(passkeys: Passkeys, key: SecurityKey, me: Session = ME) -> None:
    options = await passkeys.ask_to_add(me, HERE)
    await passkeys.add(me, HERE, key.makes(options), "A key")


async def test_what_a_passkey_signs_is_what_was_asked(passkeys: Passkeys, key: SecurityKey) -> None:
    await add(passkeys, key)
    for wanted in (WANTED, Wanted(ADD)):
        options = await passkeys.ask_to_confirm(ME, HERE, wanted)
        assert await passkeys.confirmed(ME, HERE, key.signs(options)) == wanted
    (mine,) = await passkeys.of(ME)
    assert (mine.name, mine.uses, mine.last_used_at is not None) == ("A key", 3, True)
    assert await passkeys.of(Session(WORKSPACE, MARIA.email)) == []


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://Placet.Example.com:443/approvals", "https://placet.example.com"),
        ("http://LOCALHOST:80", "http://localhost"),
        ("https://placet.example.com:8443", "https://placet.example.com:8443"),
    ],
)
async def test_the_address_of_placet_is_compared_as_browsers_write_it(
    app_db: Database, written: str, origin: str
) -> None:
    passkeys = Passkeys(app_db, written)
    key = SecurityKey(origin, host=httpx2.URL(origin).host)
    await add(passkeys, key)
    options = await passkeys.ask_to_confirm(ME, HERE, WANTED)
    assert await passkeys.confirmed(ME, HERE, key.signs(options)) == WANTED


async def test_a_confirmation_counts_once(passkeys: Passkeys, key: SecurityKey) -> None:
    await add(passkeys, key)
    sent = key.signs(await passkeys.ask_to_confirm(ME, HERE, WANTED))
    assert await passkeys.confirmed(ME, HERE, sent) == WANTED
    with pytest.raises(NotConfirmed, match="confirmed already"):
        await passkeys.confirmed(ME, HERE, sent)


async def test_two_that_come_at_once_count_once(passkeys: Passkeys, key: SecurityKey) -> None:
    await add(passkeys, key)
    sent = key.signs(await passkeys.ask_to_confirm(ME, HERE, WANTED))
    both = await asyncio.gather(
        *(passkeys.confirmed(ME, HERE, sent) for _ in range(2)), return_exceptions=True
    )
    assert [one for one in both if isinstance(one, Wanted)] == [WANTED]


def another_origin(key: SecurityKey) -> None:
    key.origin = "http://localhost.evil.example:8080"


def another_host(key: SecurityKey) -> None:
    key.host = "evil.example"


def nobody_looked(key: SecurityKey) -> None:
    key.flags = PRESENT


def counts_backwards(key: SecurityKey) -> None:
    key.counter = -1


def another_key(key: SecurityKey) -> None:
    key.key = SecurityKey(ORIGIN).key


def another_credential(key: SecurityKey) -> None:
    key.id = b"x" * 32


@pytest.mark.parametrize(
    "wrong",
    [
        another_origin,
        another_host,
        nobody_looked,
        counts_backwards,
        another_key,
        another_credential,
    ],
)
async def test_what_this_passkey_did_not_sign_here_confirms_nothing(
    passkeys: Passkeys, key: SecurityKey, wrong: Callable[[SecurityKey], None]
) -> None:
    await add(passkeys, key)
    options = await passkeys.ask_to_confirm(ME, HERE, WANTED)
    wrong(key)
    with pytest.raises(NotConfirmed):
        await passkeys.confirmed(ME, HERE, key.signs(options))


@pytest.mark.parametrize(
    ("me", "session"),
    [
        (ME, ELSEWHERE),
        (Session(WORKSPACE, MARIA.email), HERE),
        (Session("other", JOHN.email), HERE),
    ],
)
async def test_what_was_asked_of_one_session_is_not_confirmed_by_another(
    passkeys: Passkeys, key: SecurityKey, me: Session, session: bytes
) -> None:
    await add(passkeys, key)
    sent = key.signs(await passkeys.ask_to_confirm(ME, HERE, WANTED))
    with pytest.raises(NotConfirmed):
        await passkeys.confirmed(me, session, sent)


async def test_a_challenge_that_we_did_not_give_confirms_nothing(
    passkeys: Passkeys, key: SecurityKey
) -> None:
    await add(passkeys, key)
    options = await passkeys.ask_to_confirm(ME, HERE, WANTED)
    with pytest.raises(NotConfirmed):
        await passkeys.confirmed(ME, HERE, key.signs(options, challenge="A" * 43))


async def test_a_confirmation_comes_within_minutes_or_not_at_all(
    passkeys: Passkeys, key: SecurityKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(passkeys, key)
    monkeypatch.setattr("services.identity.passkeys.CONFIRMED_WITHIN_S", -1.0)
    sent = key.signs(await passkeys.ask_to_confirm(ME, HERE, WANTED))
    with pytest.raises(NotConfirmed, match="too long ago"):
        await passkeys.confirmed(ME, HERE, sent)


async def test_what_was_asked_for_an_answer_adds_no_passkey(
    passkeys: Passkeys, key: SecurityKey
) -> None:
    await add(passkeys, key)
    options = await passkeys.ask_to_confirm(ME, HERE, WANTED)
    with pytest.raises(NotConfirmed):
        await passkeys.add(ME, HERE, SecurityKey(ORIGIN).makes(options), "Another")
    assert len(await passkeys.of(ME)) == 1


async def test_what_was_asked_to_be_allowed_another_passkey_adds_none_by_itself(
    passkeys: Passkeys, key: SecurityKey
) -> None:
    """Else whoever has only stolen a session would skip the passkey that is to confirm it."""
    await add(passkeys, key)
    options = await passkeys.ask_to_confirm(ME, HERE, Wanted(ADD))
    with pytest.raises(NotConfirmed):
        await passkeys.add(ME, HERE, SecurityKey(ORIGIN).makes(options), "A thief's")
    assert len(await passkeys.of(ME)) == 1


async def test_a_passkey_that_somebody_has_is_not_anybody_elses(
    passkeys: Passkeys, key: SecurityKey
) -> None:
    await add(passkeys, key)
    with pytest.raises(NotConfirmed):
        await add(passkeys, key, Session(WORKSPACE, MARIA.email))


@pytest.mark.parametrize(
    "sent",
    ["", "null", "[]", "{}", '{"response": {}}', '{"response": {"clientDataJSON": 7}}', "{" * 9],
)
async def test_nonsense_confirms_nothing(passkeys: Passkeys, sent: str) -> None:
    with pytest.raises(NotConfirmed):
        await passkeys.confirmed(ME, HERE, sent)
    with pytest.raises(NotConfirmed):
        await passkeys.add(ME, HERE, sent, "x")


@pytest.mark.parametrize(
    ("url", "possible"),
    [
        ("https://placet.example.com", True),
        ("http://localhost:8080", True),
        ("http://127.0.0.1:8080", False),
        ("https://192.0.2.7", False),
        ("http://[::1]:8080", False),
        ("http://placet.example.com", False),
    ],
)
def test_where_browsers_make_no_passkeys_is_known(
    app_db: Database,
    url: str,
    possible: bool,  # noqa: FBT001 # the case
) -> None:
    assert Passkeys(app_db, url).possible == possible


@dataclass
class AtHome:
    """A Placet with passkeys, and John's browser without a screen."""

    placet: Placet
    client: httpx2.AsyncClient

    async def answers(self, approval_id: str, **fields: str) -> httpx2.Response:
        sent = {"decision": "approve", "revision": "1", **fields}
        return await self.client.post(f"/approvals/{approval_id}/decision", data=sent)

    async def submitted(self, approval_id: str) -> list[DecisionSubmitted]:
        stream = (await self.placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
        return [one.event for one in stream if isinstance(one.event, DecisionSubmitted)]


@pytest_asyncio.fixture(loop_scope="session")
async def at_home(passkeys: Passkeys) -> AsyncIterator[AtHome]:
    placet = Placet()
    app = app_of(placet, passkeys)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ORIGIN,
        headers={"Sec-Fetch-Site": "same-origin"},
    ) as client:
        for name, value in placet.cookies().items():
            # Where the jar keeps what the host itself sets, so that a new token takes its place.
            client.cookies.set(name, value, domain="localhost.local")
        yield AtHome(placet, client)


async def register(at_home: AtHome, key: SecurityKey) -> None:
    page = await at_home.client.post("/passkeys/new")
    assert page.status_code == 200, page.text
    made = key.makes(options_in(page))
    kept = await at_home.client.post("/passkeys", data={"credential": made, "name": "Mine"})
    assert kept.status_code == 303, kept.text


def options_in(page: httpx2.Response) -> str:
    (form,) = [one for one in read(page.text).all("form") if "data-options" in one.attributes]
    return form.attributes["data-options"]


async def test_an_answer_is_confirmed_and_kept_as_it_was_sent(
    at_home: AtHome, key: SecurityKey
) -> None:
    await register(at_home, key)
    approval_id = await at_home.placet.world.ask(policy=demanding("step_up"))
    page = await at_home.answers(approval_id, reason="Fine.\r\nBy me & <all>.")
    assert "Confirm it with your passkey" in page.text
    assert not await at_home.submitted(approval_id), "nothing is sent before that"
    before = at_home.client.cookies[PLAIN_COOKIE]
    done = await at_home.client.post(
        "/passkeys/confirmed", data={"credential": key.signs(options_in(page))}
    )
    assert (done.status_code, f"/approvals/{approval_id}" in done.headers["location"]) == (
        303,
        True,
    )
    (submitted,) = await at_home.submitted(approval_id)
    assert (submitted.assurance, submitted.reason, submitted.revision, submitted.outcome) == (
        "step_up",
        "Fine.\nBy me & <all>.",
        "1",
        "approved",
    )
    assert at_home.client.cookies[PLAIN_COOKIE] != before, "whoever has shown that has a new token"
    assert (await at_home.client.get("/inbox")).status_code == 200


async def test_an_answer_to_what_has_changed_meanwhile_is_not_taken(
    at_home: AtHome, key: SecurityKey
) -> None:
    await register(at_home, key)
    approval_id = await at_home.placet.world.ask(policy=demanding("step_up"))
    page = await at_home.answers(approval_id, revision="0")
    assert page.status_code == 409, "it is not even asked to be confirmed"
    page = await at_home.answers(approval_id)
    signed = key.signs(options_in(page))
    await at_home.placet.world.send(approval_id, changed(approval_id))
    refused = await at_home.client.post("/passkeys/confirmed", data={"credential": signed})
    assert refused.status_code == 409
    assert not await at_home.submitted(approval_id)


def changed(_: str) -> Any:
    from events.commands import WithdrawApproval
    from tests.pages.fakes import JANE

    return WithdrawApproval(by=JANE, as_admin=False, reason=None, now=Placet().world.clock())


async def test_somebody_without_a_passkey_reads_where_to_get_one(at_home: AtHome) -> None:
    approval_id = await at_home.placet.world.ask(policy=demanding("step_up"))
    page = await at_home.answers(approval_id, reason="Fine.")
    assert page.status_code == 403
    alert = read(page.text).one("div", role="alert").text
    assert "second factor" in alert
    assert "/passkeys" in alert
    assert not await at_home.submitted(approval_id)


async def test_a_session_is_enough_where_no_more_is_demanded(at_home: AtHome) -> None:
    approval_id = await at_home.placet.world.ask(policy=demanding("session"))
    assert (await at_home.answers(approval_id)).status_code == 303
    (submitted,) = await at_home.submitted(approval_id)
    assert submitted.assurance == "session"


async def test_another_passkey_and_one_less_are_confirmed_with_one_that_is_there(
    at_home: AtHome, key: SecurityKey, passkeys: Passkeys
) -> None:
    """Whoever has found an open browser gets no second factor by it."""
    await register(at_home, key)
    page = await at_home.client.post("/passkeys/new")
    assert "Confirm it with your passkey" in page.text
    adding = await at_home.client.post(
        "/passkeys/confirmed", data={"credential": key.signs(options_in(page))}
    )
    other = SecurityKey(ORIGIN)
    made = other.makes(options_in(adding))
    kept = await at_home.client.post("/passkeys", data={"credential": made})
    assert kept.status_code == 303
    assert len(await passkeys.of(ME)) == 2
    asked = await at_home.client.post(f"/passkeys/{key.id.hex()}/remove")
    assert len(await passkeys.of(ME)) == 2
    removed = await at_home.client.post(
        "/passkeys/confirmed", data={"credential": other.signs(options_in(asked))}
    )
    assert removed.status_code == 303
    assert [one.credential_id for one in await passkeys.of(ME)] == [other.id]
    assert await passkeys.remove_all_of(WORKSPACE, JOHN.email) == 1


async def test_what_is_not_confirmed_says_so(at_home: AtHome, key: SecurityKey) -> None:
    await register(at_home, key)
    approval_id = await at_home.placet.world.ask(policy=demanding("step_up"))
    page = await at_home.answers(approval_id)
    key.origin = "https://evil.example"
    refused = await at_home.client.post(
        "/passkeys/confirmed", data={"credential": key.signs(options_in(page))}
    )
    assert refused.status_code == 422
    assert "This was not confirmed" in read(refused.text).one("div", role="alert").text
    assert not await at_home.submitted(approval_id)


@dataclass
class Served:
    """A Placet with passkeys that a real browser looks at."""

    placet: Placet
    page: Page


@pytest_asyncio.fixture(loop_scope="session")
async def served(app_db: Database, chromium: Browser) -> AsyncIterator[Served]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    placet = Placet()
    app = app_of(placet, Passkeys(app_db, url))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    following = asyncio.create_task(placet.broadcast.run())
    context = await chromium.new_context(base_url=url)
    context.set_default_timeout(10_000)
    complaints: list[str] = []
    for name, value in placet.cookies().items():
        await context.add_cookies([{"name": name, "value": value, "url": url}])
    page = await with_an_authenticator(context)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda one: complaints.append(one.text) if one.type == "error" else None,
    )
    yield Served(placet, page)
    await context.close()
    placet.closing.set()
    server.should_exit = True
    async with asyncio.timeout(10):
        await serving
    following.cancel()
    assert complaints == []


async def with_an_authenticator(context: BrowserContext) -> Page:
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


@pytest.mark.browser
async def test_in_a_browser_a_person_adds_a_passkey_and_answers_with_it(served: Served) -> None:
    page, world = served.page, served.placet.world
    await page.goto("/passkeys")
    await page.get_by_role("button", name="Add a passkey").click()
    await page.get_by_label("What do you call it?").fill("My laptop")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_text("My laptop", exact=True)).to_be_visible()
    approval_id = await world.ask("A payout", policy=demanding("step_up"))
    await page.goto(f"/approvals/{approval_id}")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Confirm it with your passkey")
    await page.get_by_role("button", name="Confirm").click()
    await page.wait_for_url(f"**/approvals/{approval_id}*")
    view = await world.view(WORKSPACE, approval_id)
    assert view is not None
    assert (view.status, view.decided_by) == ("approved", JOHN.email)
    history = await world.history(WORKSPACE, approval_id)
    assert any("confirmed by their passkey" in one["summary"] for one in history)


@pytest.mark.browser
async def test_without_javascript_the_page_says_what_is_needed(
    served: Served, chromium: Browser
) -> None:
    options = await served.page.request.post(
        "/passkeys/new", headers={"Sec-Fetch-Site": "same-origin"}
    )
    text = await options.text()
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.set_content(text)
    await expect(page.get_by_text("Browsers make passkeys with JavaScript only")).to_be_visible()
    await expect(page.get_by_role("button", name="Make it")).to_be_hidden()
    await context.close()
