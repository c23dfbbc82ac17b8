"""A Placet with an identity provider: a real one from a package, or one that lies as it is told."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from events.store.database import Database
from services.decision.forms.by_provider import ByProvider, provider_router
from services.decision.forms.guarding import Guard
from services.directory import Directory, FixedDirectories, Member
from services.identity.accounts import Accounts
from services.identity.provider import Provider
from services.settings import OidcSettings
from services.web.app import make_app
from tests.pages.fakes import WORKSPACE, Placet

ORIGIN = "http://placet.test"
CALLBACK = f"{ORIGIN}/login/oidc/callback"
CLIENT_ID = "placet"
SECRET = "a secret of the client"
ANN = "ann@example.com"
GONE = "gone@example.com"
ISSUER = "https://login.example.com"
# What another site's redirect looks like to us.
FROM_THERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

PEOPLE = Directory(
    members={
        ANN: Member(email=ANN, name="Ann"),
        "bob@example.com": Member(email="bob@example.com"),
        GONE: Member(email=GONE, active=False),
    }
)


def oidc(issuer: str = ISSUER) -> OidcSettings:
    return OidcSettings(issuer=issuer, client_id=CLIENT_ID, client_secret=SECRET)


class SigningIn:
    """A Placet in memory whose people sign in through a provider, and a browser that does."""

    def __init__(self, provider: Provider, app_db: Database) -> None:
        self.placet = Placet(dev_login=False)
        self.placet.sessions.oidc = True
        self.accounts = Accounts(app_db, WORKSPACE)
        by_provider = ByProvider(
            provider,
            self.accounts,
            self.placet.world,
            self.placet.pages,
            self.placet.sessions,
            FixedDirectories(WORKSPACE, PEOPLE),
        )
        router = provider_router(by_provider, Guard(self.placet.pages, self.placet.sessions))
        self.app = make_app([router])
        self.app.router.routes.extend(self.placet.app.router.routes)
        self.browser = self.another_browser()

    def another_browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=ORIGIN,
            headers={"Sec-Fetch-Site": "same-origin"},
        )

    async def sent(self, following: str | None = None) -> str:
        """Where the provider is, as the browser is sent there."""
        query = {} if following is None else {"next": following}
        answer = await self.browser.get("/login/oidc", params=query)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def back(self, **query: str) -> httpx2.Response:
        """The browser comes back."""
        return await self.browser.get("/login/oidc/callback", params=query, headers=FROM_THERE)

    async def whoami(self, browser: httpx2.AsyncClient | None = None) -> str | None:
        """Who is signed in, as the inbox says."""
        page = await (browser or self.browser).get("/inbox")
        if page.status_code == 401:
            return None
        assert page.status_code == 200
        return page.text.partition("<bdi>")[2].partition("</bdi>")[0]


def asked(url: str) -> dict[str, str]:
    """What an address asks of the provider."""
    return dict(parse_qsl(urlsplit(url).query))


KEY = RSAKey.generate_key(2048, parameters={"kid": "one"}, auto_kid=False)
OTHER_KEY = RSAKey.generate_key(2048, parameters={"kid": "one"}, auto_kid=False)


async def endless() -> AsyncIterator[bytes]:
    for _ in range(10_000):
        yield b" " * 65_536
    raise AssertionError("all of it was read")


class Liar:
    """A provider that says whatever a test makes it say."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.left_out: set[str] = set()
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.key: RSAKey | OctKey = KEY
        self.published = [KEY.as_dict(private=False)]
        self.metadata: dict[str, Any] = {}
        self.userinfo: Mapping[str, Any] | None = None
        self.token: Mapping[str, Any] | None = None
        self.down: set[str] = set()
        self.calls: list[httpx2.Request] = []
        self.nonce = ""
        self.endless = False

    def transport(self) -> httpx2.AsyncBaseTransport:
        return httpx2.MockTransport(self._answer)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(request)
        path = request.url.path
        if path in self.down:
            raise httpx2.ConnectError("no route to host")
        if self.endless:
            return httpx2.Response(200, content=endless())
        match path:
            case "/.well-known/openid-configuration":
                return httpx2.Response(
                    200,
                    json={
                        "issuer": ISSUER,
                        "authorization_endpoint": f"{ISSUER}/authorize",
                        "token_endpoint": f"{ISSUER}/token",
                        "userinfo_endpoint": f"{ISSUER}/userinfo",
                        "jwks_uri": f"{ISSUER}/keys",
                        **self.metadata,
                    },
                )
            case "/keys":
                return httpx2.Response(200, json={"keys": self.published})
            case "/token":
                if self.token is not None:
                    return httpx2.Response(int(self.token.get("status", 200)), json=self.token)
                return httpx2.Response(
                    200,
                    json={"access_token": "x", "token_type": "Bearer", "id_token": self.signed()},
                )
            case "/userinfo":
                return httpx2.Response(200, json=self.userinfo or {})
        raise AssertionError(path)

    def signed(self) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": CLIENT_ID,
            "sub": "ann at the provider",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": ANN,
            "email_verified": True,
            **self.claims,
        }
        for name in self.left_out:
            del claims[name]
        return jwt.encode(self.header, claims, self.key)

    def exchanged(self) -> list[dict[str, list[str]]]:
        """What was sent for tokens."""
        return [parse_qs(one.content.decode()) for one in self.calls if one.url.path == "/token"]
