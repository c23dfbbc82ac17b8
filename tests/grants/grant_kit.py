"""A Placet with a system that is answered from people's own accounts, and where they log in."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2

from events.approval import ApprovalEvent, Person
from events.commands import Automatic, ObservePending
from events.store.database import Database
from services.decision.forms.granting import Granting, granting_router
from services.decision.forms.guarding import Guard
from services.decision.identifiers import new_approval_id
from services.decision.intake import ask_of
from services.decision.write_back import WriteBacks
from services.effects import Effect
from services.grants import Whose
from services.grants.authorizing import AuthorizationServer
from services.grants.grants import Grants
from services.grants.sealing import Seal
from services.grants.tokens import Tokens
from services.queue.pages.grants import GrantPages
from services.queue.pages.routes import make_pages
from services.sources.definition import SourceDefinition
from services.sources.loading import parse_source
from services.web.app import make_app
from services.web.session import PLAIN_COOKIE, Session
from tests.pages.fakes import JOHN, WORKSPACE, Placet
from tests.services.service_kit import MemoryEffects
from tests.sources.source_kit import changed, connect, row

ORIGIN = "http://placet.test"
SOURCE = "acme"
CLIENT_ID = "placet"
SECRET = "the client's secret"
SERVICE = "the service account's token"
API_KEY = "the service account's key"
KEY = bytes(range(32))
LOGIN = "https://login.acme.test"
OWN_ACCOUNT = {
    "authorize_url": f"{LOGIN}/authorize?prompt=consent",
    "token_url": f"{LOGIN}/token",
    "client_id": CLIENT_ID,
    "client_secret": {"env": "CLIENT_SECRET"},
    "scopes": ["answer", "offline_access"],
}
ENVIRON = {"CLIENT_SECRET": SECRET, "SERVICE_TOKEN": SERVICE, "SERVICE_KEY": API_KEY}
BEARER = {"type": "bearer", "token": {"env": "SERVICE_TOKEN"}}
# What another site's redirect looks like to us.
FROM_THERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


def source_file(changes: Mapping[str, Any] | None = None) -> str:
    asks = {"act_as": {"user": OWN_ACCOUNT}, "http.auth": BEARER, **(changes or {})}
    return changed(asks)


def define(changes: Mapping[str, Any] | None = None) -> SourceDefinition:
    return parse_source(source_file(changes), "acme.yaml", WORKSPACE, ENVIRON)


class Login:
    """Where people of the system log in: codes once, tokens that rotate."""

    def __init__(self) -> None:
        self.codes: dict[str, tuple[str, str]] = {}
        self.access: dict[str, str] = {}
        self.renewal: dict[str, str] = {}
        self.issues = 0
        self.lasts_s: int | None = 3600
        self.gives_renewal = True
        self.answer: httpx2.Response | Exception | None = None
        self.slow_s = 0.0
        self.asked: list[dict[str, str]] = []
        self.shown: list[str] = []

    def transport(self) -> httpx2.AsyncBaseTransport:
        return httpx2.MockTransport(self._answer)

    def allow(self, url: str, login: str) -> dict[str, str]:
        """Somebody logs in as `login` and allows what is asked: what they come back with."""
        wanted = dict(parse_qsl(urlsplit(url).query))
        code = f"code {len(self.codes)} of {login}"
        self.codes[code] = (wanted["code_challenge"], login)
        return {"code": code, "state": wanted["state"]}

    def who(self, header: str | None) -> str | None:
        """Whose account a header opens."""
        return self.access.get((header or "").removeprefix("Bearer "))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        fields = {name: value[0] for name, value in parse_qs(request.content.decode()).items()}
        self.asked.append(fields)
        self.shown.append(request.headers.get("authorization", ""))
        await asyncio.sleep(self.slow_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        login = self._login(fields)
        if login is None:
            body = {"error": "invalid_grant", "error_description": f"not {fields}"}
            return httpx2.Response(400, json=body)
        return httpx2.Response(200, json=self.issued(login))

    def _login(self, fields: Mapping[str, str]) -> str | None:
        if fields["grant_type"] == "refresh_token":
            return self.renewal.pop(fields["refresh_token"], None)
        challenge, login = self.codes.pop(fields["code"], ("", ""))
        digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
        given = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return login if given == challenge else None

    def issued(self, login: str) -> dict[str, Any]:
        self.issues += 1
        number = self.issues
        said: dict[str, Any] = {"access_token": f"access-{number}", "token_type": "Bearer"}
        self.access[said["access_token"]] = login
        if self.gives_renewal:
            said["refresh_token"] = f"renewal-{number}"
            self.renewal[said["refresh_token"]] = login
        if self.lasts_s is not None:
            said["expires_in"] = self.lasts_s
        return said


@dataclass
class Asked:
    """A request as the system got it."""

    what: str
    headers: httpx2.Headers
    url: str

    @property
    def authorization(self) -> str | None:
        found: str | None = self.headers.get("authorization")
        return found


class Acme:
    """A system that notes as approver whoever the token is."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.record = row()
        self.asked: list[Asked] = []
        self.quotes = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        what = request.method if request.method == "GET" else request.url.path.rpartition("/")[2]
        self.asked.append(Asked(what, request.headers, str(request.url)))
        if what == "GET":
            return httpx2.Response(200, json=self.record, headers={"ETag": '"1"'})
        if what == "notes":
            return httpx2.Response(200, json={})
        by = self.login.who(request.headers.get("authorization"))
        if by is None:
            told = request.headers.get("authorization") if self.quotes else "Log in first."
            return httpx2.Response(401, json={"message": told})
        outcome = json.loads(request.content)["answer"]
        self.record = row(status=outcome, decided_by=by, rev=2)
        return httpx2.Response(200, json=self.record)

    def of(self, what: str) -> list[Asked]:
        return [one for one in self.asked if one.what == what]


class Leaving(MemoryEffects):
    """Effects that tell which of them were about to leave."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.left: list[Effect] = []

    async def sending(self, effect: Effect) -> None:
        self.left.append(effect)
        await super().sending(effect)


class Office:
    """A Placet, the system, where people log in to it, and a browser."""

    def __init__(
        self, app_db: Database, changes: Mapping[str, Any] | None = None, origin: str = ORIGIN
    ) -> None:
        self.origin = origin
        self.login = Login()
        self.acme = Acme(self.login)
        self.grants = Grants(app_db)
        self.definition = define(changes)
        self.source = connect(self.acme, self.definition)
        self.tokens = self.another_process()
        self.placet = placet = Placet()
        world = placet.world
        self.effects = Leaving(world.clock)
        self.write_backs = WriteBacks(
            world.store,
            self.effects,  # type: ignore[arg-type]  # a twin
            {(WORKSPACE, SOURCE): self.source},
            world.clock,
            tokens=self.tokens,
        )
        placet.answering._write_backs = self.write_backs
        placet.answering._accounts = self.tokens
        pages = make_pages(
            world, placet.people, placet.sessions, world.clock, connects=lambda _: True
        )
        page = GrantPages(pages, self.grants, {(WORKSPACE, SOURCE): "https://erp.acme.test/api"})
        granting = Granting(self.servers, self.tokens, self.grants, page, placet.sessions)
        self.app = make_app(
            [page.router(), granting_router(granting, Guard(pages, placet.sessions))]
        )
        self.app.router.routes.extend(placet.app.router.routes)
        self.browser = self.browser_of(JOHN)

    @property
    def servers(self) -> dict[tuple[str, str], AuthorizationServer]:
        acts = self.definition.file.act_as
        assert acts is not None
        back = f"{self.origin}/grants/{SOURCE}/callback"
        server = AuthorizationServer(SOURCE, acts.user, back, transport=self.login.transport)
        return {(WORKSPACE, SOURCE): server}

    def another_process(self, key: bytes = KEY) -> Tokens:
        return Tokens(self.servers, self.grants, Seal(key), self.origin)

    def browser_of(self, person: Person) -> httpx2.AsyncClient:
        """A browser of its own in which somebody is signed in."""
        token = self.placet.kept.signed_in(Session(WORKSPACE, person.email))
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=ORIGIN,
            headers={"Sec-Fetch-Site": "same-origin"},
            cookies={PLAIN_COOKIE: token},
        )

    async def sent(self, browser: httpx2.AsyncClient | None = None) -> str:
        answer = await (browser or self.browser).get(f"/grants/{SOURCE}/connect")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def back(
        self, query: Mapping[str, str], browser: httpx2.AsyncClient | None = None
    ) -> httpx2.Response:
        return await (browser or self.browser).get(
            f"/grants/{SOURCE}/callback", params=dict(query), headers=FROM_THERE
        )

    async def connect(self, login: str = "john at acme") -> None:
        """John connects his account."""
        answer = await self.back(self.login.allow(await self.sent(), login))
        assert answer.headers["location"] == "/grants?notice=connected", answer.text

    async def asked(self, *approvers: Person, automatic: Automatic | None = None) -> str:
        """The record of the system is mirrored: the id of its approval."""
        world = self.placet.world
        self.acme.record = row(approvers=[one.email for one in approvers or (JOHN,)])
        reading = await self.source.read("r1")
        ask = ask_of(
            reading.observation, round_=1, now=world.clock(), expires_after=timedelta(days=30)
        )
        assert ask is not None
        ask = replace(ask, automatic=automatic)
        approval_id = new_approval_id(world.clock())
        await world.send(approval_id, ObservePending(ask=ask, read_at=world.clock()))
        self.acme.asked.clear()
        return approval_id

    async def approve(
        self, approval_id: str, browser: httpx2.AsyncClient | None = None
    ) -> httpx2.Response:
        view = await self.placet.world.view(WORKSPACE, approval_id)
        assert view is not None
        return await (browser or self.browser).post(
            f"/approvals/{approval_id}/decision",
            data={"decision": "approve", "revision": view.revision},
        )

    async def facts(self, approval_id: str) -> Sequence[ApprovalEvent]:
        stream = (await self.placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
        return [one.event for one in stream]

    async def status(self, approval_id: str) -> str:
        view = await self.placet.world.view(WORKSPACE, approval_id)
        assert view is not None
        return view.status


def whose(person: Person = JOHN, source: str = SOURCE) -> Whose:
    return Whose(WORKSPACE, source, person.email)


def texts(*parts: object) -> str:
    """Everything as one text, to look for what must not be there."""
    return " ".join(repr(part) for part in parts)
