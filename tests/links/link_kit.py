"""Links on a real Postgres: asks, mails that are really sent, and visitors of their page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI
from ksuid import KsuidMs

from events.approval import AppliedPolicy, Json, Person, Subject
from events.commands import Command, RequestApproval, ReviseApproval
from events.digest import payload_digest
from events.handling import Order, handle
from events.store.database import Database
from events.store.postgres import PostgresStore
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from projections.queries import Queries
from services.approval_types import ApprovalType, ApprovalTypes
from services.approval_types.definition import validator_of
from services.channels import Recipient
from services.channels.card import Card, make_card
from services.channels.email.channel import EmailChannel
from services.channels.email.message import address
from services.channels.email.notices import Notices
from services.channels.email.smtp import Server
from services.channels.email.tokens import Tokens
from services.decision.answering import Answering
from services.decision.surfaces.cards import SentCards
from services.decision.surfaces.link_opening import Opening
from services.decision.surfaces.link_records import PostgresLinks
from services.decision.surfaces.links import LinkPages, links_router
from services.directory import Directory, FixedDirectories, Member
from services.queue.opened import PostgresOpened
from services.queue.pages.assets import Assets
from services.queue.pages.routes import make_pages
from services.web.app import make_app
from services.web.session import PLAIN_COOKIE, Session, Sessions
from tests.identity.memory_sessions import MemorySessions
from tests.links.mail_server import MailServer

WORKSPACE = "default"
PUBLIC_URL = "https://placet.example.com/approvals-of-acme"
ORIGIN = "http://placet.test"
JOHN = Person(email="john.smith@example.com", name="John Smith")
MARIA = Person(email="maria.garcia@example.com", name="Maria Garcia")
AGENT = Person(email="agent@example.com")
CONTEXT: Mapping[str, Json] = {
    "recipient_count": 500,
    "subject": "Product Update",
    "preview": "We are excited to announce...",
}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LOOKS = {
    "User-Agent": FIREFOX,
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-User": "?1",
}
"""What a browser sends when somebody opens a link in their mail."""
PRESSES = {**LOOKS, "Sec-Fetch-Site": "same-origin", "Origin": "null"}
"""What it sends when they press a button on the page."""
A_WHILE = timedelta(minutes=5)
_LINK = re.compile(rf"{re.escape(PUBLIC_URL)}(/l/[^\s\"]+)")


class NoSource:
    """Nothing is written back: the hold is looked at, not its end."""

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        """Leave it."""


class People(FixedDirectories):
    """Directories for pages, which want to have them fresh."""

    async def fresh(self, workspace: str) -> Directory:
        return self.of(workspace)


@dataclass(frozen=True)
class Mailed:
    """An ask, and the addresses in the mail about it."""

    approval_id: str
    approve: str
    deny: str

    @property
    def token(self) -> str:
        return self.approve.removeprefix("/l/")


class Ground:
    """Everything that a link needs, and nothing else; `moved` turns the clock."""

    def __init__(self, app_db: Database, worker_db: Database, mail: MailServer) -> None:
        self.app_db, self.worker_db, self.mail = app_db, worker_db, mail
        self.moved = timedelta()
        self.store = PostgresStore(app_db)
        kinds = (kind("bulk_send", decide_from_link=True), kind("deploy", decide_from_link=False))
        self.types = ApprovalTypes(
            workspace=WORKSPACE, types={one.name: one for one in kinds}, undo_s=60
        )
        self.answering = Answering(self.store, NoSource(), self.clock, self.types)
        self.kept = MemorySessions()
        self.sessions = Sessions(self.kept, dev_login=True, secure=False)
        left = Member(email="gone@example.com", active=False)
        people = People(WORKSPACE, Directory({left.email: left}))
        self.pages = make_pages(
            Queries(app_db, self.store),
            people,
            self.sessions,
            self.clock,
            opened=PostgresOpened(app_db),
        )
        self.links = PostgresLinks(app_db)
        assets = APIRouter()
        assets.add_route("/assets/{etag}/{name}", Assets().serve)
        self.app: FastAPI = make_app(
            [
                assets,
                links_router(
                    LinkPages(
                        answering=self.answering,
                        opening=Opening(
                            store=self.store,
                            links=self.links,
                            types=self.types,
                            directories=people,
                            sessions=self.sessions,
                            look=lambda _: (None, ("/secret",)),
                            public_url=PUBLIC_URL,
                            clock=self.clock,
                        ),
                        cards=SentCards(app_db),
                        draws=self.pages,
                    )
                ),
            ]
        )
        self.channel = EmailChannel(
            "email",
            server=Server(host="127.0.0.1", port=mail.port, tls="none"),
            sender=address("placet@example.com", "Placet"),
            tokens=Tokens(worker_db),
            notices=Notices(worker_db),
            public_url=PUBLIC_URL,
            clock=self.clock,
        )

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.moved

    async def send(self, approval_id: str, command: Command) -> None:
        order = Order(approval_id=approval_id, command=command, command_id=str(KsuidMs()))
        await handle(self.store, WORKSPACE, order)

    async def ask(
        self,
        *,
        type_: str = "bulk_send",
        title: str = "Agent Approval Required: Bulk Send",
        payload: Json = None,
        approvers: Sequence[Person] = (JOHN,),
        expires_in: timedelta = timedelta(hours=1),
        policy: AppliedPolicy | None = None,
    ) -> str:
        """Ask for an approval and return its id."""
        approval_id = str(KsuidMs())
        command = self.request(
            dict(CONTEXT) if payload is None else payload,
            type_=type_,
            title=title,
            approvers=approvers,
            expires_in=expires_in,
            policy=policy,
        )
        await self.send(approval_id, command)
        return approval_id

    def request(
        self,
        payload: Json,
        *,
        type_: str,
        title: str,
        approvers: Sequence[Person],
        expires_in: timedelta = timedelta(hours=1),
        policy: AppliedPolicy | None = None,
        revision: str = "1",
    ) -> RequestApproval:
        """The command by which the agent asks."""
        now = self.clock()
        about = Subject(
            type=type_,
            title=title,
            requester=AGENT,
            revision=revision,
            round=1,
            payload_digest=payload_digest(payload),
        )
        return RequestApproval(
            about=about,
            payload=payload,
            approvers=tuple(approvers),
            reason=None,
            urgency="medium",
            metadata={},
            expires_at=now + expires_in,
            now=now,
            policy=policy,
        )

    async def view(self, approval_id: str) -> ApprovalView:
        stream = (await self.store.read(WORKSPACE, [approval_id]))[approval_id]
        return view_of(WORKSPACE, approval_id, (one.event for one in stream))

    async def events(self, approval_id: str) -> list[Any]:
        stream = (await self.store.read(WORKSPACE, [approval_id]))[approval_id]
        return [one.event for one in stream]

    async def card(self, approval_id: str, to: Person = JOHN) -> Card:
        return make_card(
            await self.view(approval_id),
            to.email,
            public_url=PUBLIC_URL,
            template=None,
            now=self.clock(),
        )

    async def mailed(
        self, *, after: timedelta = A_WHILE, to: Person = JOHN, **asked: Any
    ) -> Mailed:
        """Ask, mail it, and let some time go by."""
        approval_id = await self.ask(**asked)
        await self.mail_again(approval_id, to)
        self.moved += after
        return Mailed(approval_id, *links_in(self.mail.raw[-1]))

    async def mail_again_to(self, approval_id: str, to: Person) -> Mailed:
        """Mail the same ask to somebody else."""
        await self.mail_again(approval_id, to)
        return Mailed(approval_id, *links_in(self.mail.raw[-1]))

    async def mail_again(self, approval_id: str, to: Person = JOHN) -> None:
        """Send the card, as the notifier does."""
        await self.channel.send(
            await self.card(approval_id, to),
            to=recipient(to),
            workspace=WORKSPACE,
            idempotency_key=f"{approval_id}.1.card:email:{to.email}",
        )

    async def revise(self, approval_id: str, **payload: Json) -> None:
        """Let the requester change what is asked."""
        view = await self.view(approval_id)
        assert isinstance(view.payload, dict)
        ask = self.request(
            {**view.payload, **payload},
            type_=view.type,
            title=view.title,
            approvers=[Person(email=one.email, name=one.name) for one in view.approvers],
            revision="2",
        )
        await self.send(approval_id, ReviseApproval(by=AGENT, as_admin=False, ask=ask))

    def browser(
        self, person: Person | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx2.AsyncClient:
        """A client that looks as a person's browser does, signed in or not."""
        cookies = {}
        if person is not None:
            session = Session(WORKSPACE, person.email)
            cookies[PLAIN_COOKIE] = self.kept.signed_in(session)
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=ORIGIN,
            headers=LOOKS if headers is None else headers,
            cookies=cookies,
        )

    async def verdicts(self, mailed: Mailed) -> list[str | None]:
        """Why each visit to the links of a mail looked like a program, oldest first."""
        link = await self.links.find(mailed.token)
        assert link is not None
        return [one.verdict for one in await self.links.visits(link)]


def recipient(person: Person) -> Recipient:
    return Recipient(email=person.email, name=person.name)


def links_in(raw: bytes) -> list[str]:
    """The addresses of links in a mail, below where Placet is."""
    text = message_from_bytes(raw, policy=default).get_body(("plain",))
    assert text is not None
    return list(dict.fromkeys(_LINK.findall(text.get_content())))


def kind(name: str, *, decide_from_link: bool) -> ApprovalType:
    return ApprovalType(
        name=name,
        version=1,
        title=name,
        payload_schema={},
        validator=validator_of({}),
        decide_from_link=decide_from_link,
    )
