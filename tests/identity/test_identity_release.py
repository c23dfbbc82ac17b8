"""An administrator lets go of how somebody signed in, and they begin anew."""

from starlette.requests import Request

from events.store.database import Database
from services.identity.accounts import Accounts
from services.identity.passkeys import Passkeys
from services.identity.provider import Account
from services.web.kept_sessions import PostgresSessions
from services.web.session import Session, Sessions, Way, digest_of
from tests.cli.command_line import placet
from tests.identity.passkey_kit import SecurityKey

ORIGIN = "http://localhost:8080"
ANN = Session("default", "ann@example.com")
BOB = Session("default", "bob@example.com")


async def test_a_lost_passkey_and_a_changed_account_are_let_go(dsn: str, app_db: Database) -> None:
    accounts, passkeys = Accounts(app_db, "default"), Passkeys(app_db, ORIGIN)
    kept = PostgresSessions(app_db)
    for me in (ANN, BOB):
        await accounts.bind(Account(issuer="https://idp", subject=me.email, email=me.email))
        options = await passkeys.ask_to_add(me, b"a session")
        await passkeys.add(me, b"a session", SecurityKey(ORIGIN).makes(options), "A key")
        await kept.create(digest_of(me.email), me, Way("dev"))
    said = await placet(
        "release",
        ANN.email.upper(),
        PLACET_POSTGRES_DSN=dsn,
        PLACET_KAFKA="127.0.0.1:9",
        PLACET_PUBLIC_URL=ORIGIN,
    )
    assert said.code == 0, said.err
    assert "1 account(s) at the identity provider, 1 passkey(s)" in " ".join(said.out.split())
    assert await passkeys.of(ANN) == []
    assert len(await passkeys.of(BOB)) == 1
    assert await kept.find(digest_of(ANN.email)) is None
    assert await kept.find(digest_of(BOB.email)) is not None
    await accounts.bind(Account(issuer="https://idp", subject="another", email=ANN.email))
    nobody = Sessions(kept, dev_login=False, secure=False)
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    assert await nobody.read(request) is None
