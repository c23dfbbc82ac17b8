"""Every page and form of a real process: what a browser is told, and what another site cannot do.

The routes are taken from the process itself, so that one that is added is looked at as well.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

import httpx2
import pytest
import pytest_asyncio
from starlette.routing import Route

from services.bootstrap import running
from services.bootstrap.parts import Parts
from services.config import Config
from services.embedded.ports import HOST, free_port
from services.settings import read_settings
from services.web.session import HOST_COOKIE
from tests.servers.postgres import TestingPostgres

KEY = "a key for the tests of security"
PUBLIC = "https://placet.example.com"
ANN = "ann@example.com"
FROM_A_FORM = {"Sec-Fetch-Site": "same-origin", "Origin": PUBLIC}
FROM_ANOTHER_SITE = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.com"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]
BY_KEY = ("/v1/", "/scim/", "/api/", "/mcp")
"""What is called with a key in the header `Authorization`, which no browser sends by itself."""
SIGNED = ("/channels/", "/v1/sources/", "/l/stop/")
"""What other systems send, signed, and what mail programs send to end mails (RFC 8058)."""
OPEN = ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/redoc", "/asyncapi")
"""What tells nothing of anybody's approvals, and takes nothing."""


@dataclass(frozen=True)
class Running:
    """A process behind https, and somebody who is signed in to it."""

    client: httpx2.AsyncClient
    routes: list[Route]
    approval_id: str
    token: str

    def path_of(self, route: Route) -> str:
        """An address that the route serves."""
        path = route.path.replace("{approval_id}", self.approval_id)
        return re.sub(r"\{[^}]+\}", "aaaaaaaaaaaaaaaaaaaaaaaaaaa", path)

    @property
    def signed_in(self) -> dict[str, str]:
        return {"Cookie": f"{HOST_COOKIE}={self.token}"}

    def forms(self) -> Iterator[str]:
        for route in self.routes:
            if route.path.startswith((*BY_KEY, *SIGNED)):
                continue
            if (route.methods or set()) - {"GET", "HEAD"}:
                yield self.path_of(route)

    def pages(self) -> Iterator[str]:
        for route in self.routes:
            if route.path.startswith((*BY_KEY, *OPEN, "/assets")) or route.path.endswith("/stream"):
                continue
            if "GET" in (route.methods or set()):
                yield self.path_of(route)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def process(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Running]:
    async with postgres.database(template=migrated) as dsn:
        settings = read_settings(
            {
                "PLACET_POSTGRES_DSN": dsn,
                "PLACET_KAFKA": f"{HOST}:{free_port()}",
                "PLACET_PORT": str(free_port()),
                "PLACET_PUBLIC_URL": PUBLIC,
                "PLACET_BOOTSTRAP_KEY": KEY,
                "PLACET_DEV_LOGIN": "1",
                "PLACET_DEV_LOGIN_IN_PUBLIC": "1",
                "PLACET_OIDC_ISSUER": f"http://{HOST}:{free_port()}",
                "PLACET_OIDC_CLIENT_ID": "placet",
                "PLACET_OIDC_CLIENT_SECRET": "secret",
            }
        )
        names = ["decision", "queue", "people", "webhooks"]
        async with (
            running(settings, Config(), names) as parts,
            httpx2.AsyncClient(
                base_url=f"http://{HOST}:{settings.port}",
                headers={"Host": "placet.example.com"},
                timeout=20,
            ) as client,
        ):
            yield await begun(parts, client)


async def begun(parts: Parts, client: httpx2.AsyncClient) -> Running:
    asked = await client.post(
        "/v1/approvals",
        json={"type": "payout", "title": "Pay", "approvers": [ANN], "payload": {"a": "<b>&\"'"}},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    assert asked.status_code == 201, asked.text
    routes = [one for router in parts.routers for one in router.routes if isinstance(one, Route)]
    # Before anything is projected, nobody is known to have been asked.
    from starlette.requests import Request
    from starlette.responses import Response

    from services.settings import DEFAULT_WORKSPACE
    from services.web.session import Session, Way

    response = Response()
    request = Request({"type": "http", "method": "POST", "path": "/login", "headers": []})
    await parts.sessions.start(request, response, Session(DEFAULT_WORKSPACE, ANN), Way("dev"))
    token = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    return Running(client, routes, asked.json()["id"], token)


async def test_no_form_is_taken_from_another_site(process: Running) -> None:
    forms = list(process.forms())
    assert len(forms) >= 12
    assert {"/login", "/logout", f"/approvals/{process.approval_id}/decision"} <= set(forms)
    for path in forms:
        for headers in FROM_ANOTHER_SITE:
            if path.startswith("/l/") and headers == {"Origin": "null"}:
                # What its own page says, which tells nobody where it is: and its token, not a
                # cookie, is what decides.
                continue
            answer = await process.client.post(
                path, data={"x": "y"}, headers={**process.signed_in, **headers}
            )
            assert answer.status_code == 403, f"{path} took a form from {headers}"
            assert "another site" in answer.text, path
            assert "set-cookie" not in answer.headers, path


async def test_the_same_forms_are_read_when_our_own_pages_send_them(process: Running) -> None:
    for path in process.forms():
        if path == "/logout":
            continue
        answer = await process.client.post(
            path, data={"x": "y"}, headers={**process.signed_in, **FROM_A_FORM}
        )
        assert "another site" not in answer.text, path
        assert answer.status_code < 500, f"{path}: {answer.text[:300]}"


async def test_a_cookie_opens_no_call_of_the_api(process: Running) -> None:
    """A form of another site could bring a cookie, but never a header with a key."""
    tried = 0
    for route in process.routes:
        if not route.path.startswith(BY_KEY) or route.path.startswith(SIGNED):
            continue
        for method in (route.methods or set()) - {"HEAD"}:
            answer = await process.client.request(
                method, process.path_of(route), headers={**process.signed_in, **FROM_A_FORM}
            )
            assert answer.status_code == 401, f"{method} {route.path}: {answer.status_code}"
            tried += 1
    assert tried >= 30


async def test_no_page_is_seen_by_nobody(process: Running) -> None:
    for path in process.pages():
        answer = await process.client.get(path)
        assert process.approval_id not in answer.text or answer.status_code == 401, path
        assert "payout" not in answer.text.lower(), path


class Inline(HTMLParser):
    """Finds what a strict policy would have to allow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.found.append(f"{tag} {name}")
            if name in ("href", "src", "action") and (value or "").strip().lower().startswith(
                ("javascript:", "data:", "vbscript:")
            ):
                self.found.append(f"{tag} {name}={value}")
            if name in ("src", "action") and "//" in (value or ""):
                self.found.append(f"{tag} {name}={value} is elsewhere")


def policy_of(answer: httpx2.Response) -> dict[str, list[str]]:
    given = answer.headers["content-security-policy"]
    parts = [one.split() for one in given.split(";") if one.strip()]
    return {one[0]: one[1:] for one in parts}


@pytest.mark.parametrize("signed_in", [True, False])
async def test_every_page_is_kept_to_itself(process: Running, signed_in: bool) -> None:  # noqa: FBT001 # the case
    looked_at = 0
    for path in process.pages():
        headers = process.signed_in if signed_in else {}
        answer = await process.client.get(path, headers=headers)
        assert answer.status_code < 500 or path.startswith("/login/oidc"), f"{path}: {answer.text}"
        assert answer.headers["cache-control"] == "no-store", path
        if answer.status_code == 303:
            continue
        assert answer.headers["content-type"] == "text/html; charset=utf-8", path
        looked_at += 1
        policy = policy_of(answer)
        assert policy["default-src"] == ["'none'"], path
        assert policy["base-uri"] == ["'none'"], path
        assert policy["form-action"] == ["'self'"], path
        assert policy["frame-ancestors"] in (["'none'"], ["'self'"]), path
        for name in ("script-src", "style-src", "connect-src"):
            allowed = set(policy.get(name, ["'none'"]))
            assert allowed <= {"'self'", "'none'"}, f"{path}: {name} {allowed}"
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer"), path
        assert answer.headers["cross-origin-opener-policy"] == "same-origin", path
        assert "camera=()" in answer.headers["permissions-policy"], path
        inline = Inline()
        inline.feed(answer.text)
        assert not inline.found, f"{path}: {inline.found}"
    assert looked_at >= 8


async def test_every_answer_says_that_this_host_is_https_only(process: Running) -> None:
    for path in ("/", "/inbox", "/v1/me", "/nowhere", "/assets/x/placet.css"):
        answer = await process.client.get(path)
        assert answer.headers["strict-transport-security"] == "max-age=31536000", path


async def test_what_is_sent_along_is_never_a_type_to_guess(process: Running) -> None:
    for name in ("placet.css", "placet.js", "icon.svg"):
        answer = await process.client.get(f"/assets/x/{name}")
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_signing_in_over_https_gives_a_cookie_of_this_host(process: Running) -> None:
    elsewhere = {**process.signed_in, **FROM_ANOTHER_SITE[0]}
    sent = await process.client.post("/logout", headers=elsewhere)
    assert sent.status_code == 403, "nobody is signed out by another site"
    assert (await process.client.get("/inbox", headers=process.signed_in)).status_code == 200
    out = await process.client.post("/logout", headers={**process.signed_in, **FROM_A_FORM})
    assert out.status_code == 303
    cookie = out.headers["set-cookie"].lower()
    assert cookie.startswith(f"{HOST_COOKIE.lower()}=")
    assert "secure" in cookie
    again = await process.client.get("/inbox", headers=process.signed_in)
    assert again.status_code == 401, "the token is worth nothing any more"
