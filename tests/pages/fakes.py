"""A whole Placet in memory: the real rules and the real answering, on a store in a dictionary."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from fastapi import FastAPI
from ksuid import KsuidMs

from events.approval import (
    AppliedPolicy,
    Json,
    Link,
    Outcome,
    Person,
    SourceRecord,
    Subject,
    Urgency,
)
from events.commands import (
    Automatic,
    Command,
    ConfirmWriteBack,
    FailWriteBack,
    ObservePending,
    ObserveSettled,
    RequestApproval,
)
from events.digest import payload_digest
from events.handling import Order, handle
from events.store.memory import MemoryStore
from projections.approval_history import actor, summary
from projections.approval_view import OPEN, ApprovalView, encode_view
from projections.cursors import BadCursor
from projections.evolving import view_of
from projections.finding import Found, Kinds, Narrowed, Whose
from projections.queries import Change, Current, Docs, Filters
from services.approval_types import ApprovalTypes
from services.channels.outbox import Message, MessagePage
from services.decision.answering import Answering
from services.decision.asking import Asking
from services.decision.changing import Changing
from services.decision.forms import forms_router
from services.decision.forms.preferring import preferring_router
from services.directory import Delegation, Directory, Member
from services.directory.delegations import (
    LONGEST,
    DelegationView,
    NotDelegated,
    closed_circle,
)
from services.directory.preferences import Defaults, Preferences
from services.queue.broadcast import Broadcast
from services.queue.pages.preferences import PreferencePages
from services.queue.pages.routes import make_pages, pages_router
from services.queue.streams import Streams
from services.web.app import make_app
from services.web.session import PLAIN_COOKIE, Session, Sessions
from tests.identity.memory_sessions import MemorySessions

WORKSPACE = "default"
CHANNELS = ("inbox", "slack", "email")
JOHN = Person(email="john.smith@example.com", name="John Smith")
MARIA = Person(email="maria.garcia@example.com", name="Maria Garcia")
JANE = Person(email="jane.doe@example.com", name="Jane Doe")
URGENCIES = ("high", "medium", "low")

EXPENSE: dict[str, Json] = {
    "report_id": "EXP-2025-09-15-001",
    "total_amount": 750.50,
    "currency": "USD",
    "description": "Client dinner and travel for Q3 sales meeting.",
    "submitter": {
        "email_addr": "jane.doe@example.com",
        "full_name": "Jane Doe",
        "record_id": "user_12345",
    },
    "line_items": [
        {
            "item": "Client Dinner at The Grand Restaurant",
            "category": "Meals & Entertainment",
            "amount": 250.00,
        },
        {"item": "Round-trip flight to NYC", "category": "Travel", "amount": 450.50},
        {"item": "Taxi from JFK to Hotel", "category": "Travel", "amount": 50.00},
    ],
}


class Source:
    """A system of record that takes answers, refuses them, or is slow."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.refusal: str | None = None
        self.slow = False

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        if self.slow:
            return
        view = await self._world.view(workspace, approval_id)
        if view is None or view.status != "deciding":
            return
        now = self._world.clock()
        if view.held_until is not None and now < view.held_until:
            return
        command: Command = ConfirmWriteBack(decision_version=view.version, now=now)
        if self.refusal is not None:
            command = FailWriteBack(
                decision_version=view.version, cause="refused", reason=self.refusal, now=now
            )
        await self._world.send(approval_id, command)


class World:
    """Store, clock, source, what reads them, and what changes are told."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.source = Source(self)
        self.moved = timedelta()
        self.mails: dict[str, Message] = {}
        self.verified_at: datetime | None = None
        self.queue_lags = False
        self.away: Exception | None = None
        self._lagging: list[ApprovalView] = []
        self._told = 0

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.moved

    async def send(self, approval_id: str, command: Command) -> None:
        order = Order(approval_id=approval_id, command=command, command_id=str(KsuidMs()))
        await handle(self.store, WORKSPACE, order)

    async def ask(
        self,
        title: str = "Expense report EXP-2025-09-15-001",
        payload: Json = None,
        *,
        approvers: Sequence[Person] = (JOHN,),
        urgency: Urgency = "medium",
        reason: str | None = None,
        mirrored: bool = False,
        url: str | None = "http://127.0.0.1:8081/reports/EXP-2025-09-15-001",
        links: Sequence[Link] = (),
        ago: timedelta = timedelta(hours=2),
        expires_in: timedelta = timedelta(days=30),
        kind: str = "expense_report",
        agent_id: str | None = None,
        requester: Person = JANE,
        editable: bool = False,
        supersede_on_comment: bool = False,
        policy: AppliedPolicy | None = None,
        automatic: Automatic | None = None,
    ) -> str:
        """Ask for an approval and return its id."""
        at = self.clock() - ago
        approval_id = str(KsuidMs(at))
        about = content(
            title, payload, "1", approval_id, mirrored, url, links, kind, requester, agent_id
        )
        command = RequestApproval(
            about=about,
            payload=EXPENSE if payload is None else payload,
            approvers=tuple(approvers),
            reason=reason,
            urgency=urgency,
            metadata={},
            expires_at=at + expires_in,
            now=at,
            editable=editable,
            supersede_on_comment=supersede_on_comment,
            policy=policy,
            automatic=automatic,
        )
        await self.send(approval_id, command)
        return approval_id

    async def revise(
        self, approval_id: str, payload: Json, *, revision: str = "2", title: str | None = None
    ) -> None:
        """Let the record change in its source."""
        view = await self._known(approval_id)
        about = content(
            title or view.title,
            payload,
            revision,
            view.source.record_id if view.source else "",
            True,
            view.source.url if view.source else None,
            (),
            view.type,
            view.requester,
            None,
        )
        ask = RequestApproval(
            about=about,
            payload=payload,
            approvers=tuple(Person(email=one.email, name=one.name) for one in view.approvers),
            reason=view.reason,
            urgency=view.urgency,
            metadata={},
            expires_at=view.expires_at,
            now=self.clock(),
        )
        await self.send(approval_id, ObservePending(ask=ask, read_at=self.clock()))

    async def settle(self, approval_id: str, *, by: str, outcome: Outcome = "approved") -> None:
        """Let somebody settle the record in its source."""
        now = self.clock()
        await self.send(
            approval_id,
            ObserveSettled(cause="settled", by=by, outcome=outcome, read_at=now, now=now),
        )

    async def _known(self, approval_id: str) -> ApprovalView:
        view = await self.view(WORKSPACE, approval_id)
        assert view is not None
        return view

    def views(self, workspace: str) -> list[ApprovalView]:
        found = []
        for (held, approval_id), stream in self.store._streams.items():
            if held == workspace:
                view = view_of(held, approval_id, (one.event for one in stream))
                if view.status == "pending" and view.source and self.verified_at:
                    view.verified_at = self.verified_at
                found.append(view)
        return found

    # What `projections.finding.Finding` does on Postgres.

    async def waiting(
        self, workspace: str, email: str, narrowed: Narrowed, *, limit: int, cursor: str | None
    ) -> Found:
        if self.away is not None:
            raise self.away
        views = self._lagging if self.queue_lags else self.views(workspace)
        self._lagging = views
        waiting = sorted(
            (view for view in views if email in view.waits_for),
            key=lambda view: (URGENCIES.index(view.urgency), view.id),
        )
        matching = [view for view in waiting if self._matches(view, narrowed)]
        return _found(_docs(matching, _start(cursor), limit, len(waiting)))

    async def found(
        self,
        workspace: str,
        whose: Whose,
        email: str,
        narrowed: Narrowed,
        *,
        limit: int,
        cursor: str | None,
    ) -> Found:
        def theirs(view: ApprovalView) -> bool:
            if whose == "requester":
                return view.requester.email == email
            return email in {one.email for one in view.approvers}

        found = [
            view for view in self.views(workspace) if theirs(view) and self._matches(view, narrowed)
        ]
        ordered = sorted(found, key=lambda view: view.id, reverse=True)
        return _found(_docs(ordered, _start(cursor), limit))

    def _matches(self, view: ApprovalView, narrowed: Narrowed) -> bool:
        record = view.source.record_id if view.source else ""
        seen = (view.title, view.requester.name or "", view.requester.email, record)
        left = (view.expires_at - self.clock()).total_seconds()
        return all(
            (
                narrowed.text is None or any(narrowed.text.lower() in one.lower() for one in seen),
                narrowed.type in (None, view.type),
                narrowed.source is None
                or (view.source is not None and view.source.name == narrowed.source),
                narrowed.requester is None or narrowed.requester in view.requester.email,
                narrowed.urgency in (None, URGENCIES.index(view.urgency)),
                narrowed.due_in_s is None or left < narrowed.due_in_s,
                not narrowed.statuses or view.status in narrowed.statuses,
                narrowed.shared_by is None
                or any(one.email != narrowed.shared_by for one in view.approvers),
                narrowed.answered_by is None
                or any(
                    one.answer and narrowed.answered_by == (one.answered_by or one.email)
                    for one in view.approvers
                ),
            )
        )

    async def kinds(self, workspace: str) -> Kinds:
        views = self.views(workspace)
        sources = {view.source.name for view in views if view.source}
        return Kinds(sorted({view.type for view in views}), sorted(sources))

    # What `projections.queries.Queries` does on Postgres.

    async def list(
        self, workspace: str, filters: Filters, *, limit: int, cursor: str | None
    ) -> Docs:
        found = [
            view
            for view in self.views(workspace)
            if (filters.status is None or view.status == filters.status)
            and (
                filters.approver is None
                or filters.approver in {one.email for one in view.approvers}
            )
            and (filters.requester is None or filters.requester == view.requester.email)
        ]
        return _docs(sorted(found, key=lambda view: view.id, reverse=True), _start(cursor), limit)

    async def view(self, workspace: str, approval_id: str) -> ApprovalView | None:
        return next((one for one in self.views(workspace) if one.id == approval_id), None)

    async def approvals(self, workspace: str, approval_ids: Sequence[str]) -> Mapping[str, Current]:
        return {
            view.id: Current(encode_view(view), final=view.status not in OPEN)
            for view in self.views(workspace)
            if view.id in approval_ids
        }

    async def history(self, workspace: str, approval_id: str) -> Sequence[dict[str, Any]]:
        stream = (await self.store.read(workspace, [approval_id]))[approval_id]
        return [
            {
                "version": one.version,
                "type": one.type,
                "at": one.event.at,
                "by": actor(one.event),
                "summary": summary(one.event),
                "data": msgspec.Raw(one.data),
            }
            for one in stream
        ]

    async def people(self, workspace: str, limit: int = 100) -> Sequence[tuple[str, int]]:
        waiting: dict[str, int] = {}
        for view in self.views(workspace):
            for email in {one.email for one in view.approvers} | set(view.waits_for):
                waiting[email] = waiting.get(email, 0) + (email in view.waits_for)
        return sorted(waiting.items(), key=lambda one: (-one[1], one[0]))[:limit]

    # What `projections.queries.Changes` does on Postgres.

    async def head(self) -> int:
        return len(self._log())

    async def after(self, seq: int, limit: int = 500) -> Sequence[Change]:
        return self._log()[seq : seq + limit]

    def _log(self) -> Sequence[Change]:
        recorded = [one for stream in self.store._streams.values() for one in stream]
        recorded.sort(key=lambda one: one.recorded_at)
        return [
            Change(
                seq=place,
                workspace=one.workspace,
                approval_id=one.approval_id,
                version=one.version,
                type=one.type,
                shown=one.version,
                recorded_at=one.recorded_at,
            )
            for place, one in enumerate(recorded, start=1)
        ]


class Mailbox:
    """The dev mailbox in a dictionary."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}

    def put(self, message: Message) -> None:
        self.messages[message.message_id] = message

    async def list(
        self,
        workspace: str,  # noqa: ARG002 # there is one
        approver: str | None,
        *,
        limit: int,
        cursor: str | None,
    ) -> MessagePage:
        start = _start(cursor)
        found = [
            one for one in self.messages.values() if approver is None or one.approver == approver
        ][::-1][start : start + limit]
        more = str(start + limit) if len(found) == limit else None
        return MessagePage(messages=found, next_cursor=more)

    async def get(self, workspace: str, message_id: str) -> Message | None:  # noqa: ARG002 # same
        return self.messages.get(message_id)


class People:
    """Who is known and who is away, in a list."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.members: dict[str, Member] = {}
        self.delegations: list[Delegation] = []
        self.preferences: dict[str, Preferences] = {}
        self.most = 100

    def know(self, *people: Person, time_zone: str | None = None) -> None:
        for one in people:
            self.members[one.email] = Member(email=one.email, name=one.name, time_zone=time_zone)

    def of(self, workspace: str) -> Directory:
        if workspace != WORKSPACE:
            return Directory()
        return Directory(self.members, tuple(self.delegations), self.preferences)

    async def fresh(self, workspace: str) -> Directory:
        return self.of(workspace)

    # What `services.directory.kept_preferences.KeptPreferences` does on Postgres.

    async def put(
        self,
        workspace: str,  # noqa: ARG002 # there is one
        email: str,
        preferences: Preferences,
        *,
        by: str,
        now: datetime,
    ) -> Preferences:
        assert by == email, "the page is for oneself"
        self.preferences[email] = replace(preferences, changed_at=now)
        return self.preferences[email]

    # What `services.directory.delegations.Delegations` does on Postgres.

    async def add(
        self,
        workspace: str,  # noqa: ARG002 # there is one
        delegation: Delegation,
        *,
        by: str,
        now: datetime,
    ) -> DelegationView:
        if delegation.to == delegation.person:
            raise NotDelegated("same_person", "They answer for themselves already.", "to")
        circle = closed_circle(delegation, self.delegations)
        if circle:
            raise NotDelegated("delegation_circle", f"It comes back to {delegation.person}.", "to")
        if delegation.ends - delegation.begins > LONGEST:
            raise NotDelegated("too_long", "It may last 366 days at the most.", "ends")
        if len(self.delegations) >= self.most:
            raise NotDelegated("too_many_delegations", "There are too many. End one.")
        made = replace(delegation, id=f"dlg_{len(self.delegations)}")
        self.delegations.append(made)
        return _delegation(made, by, now)

    async def find(self, workspace: str, delegation_id: str) -> DelegationView | None:  # noqa: ARG002 # there is one
        found = (one for one in self.delegations if one.id == delegation_id)
        return next((_delegation(one, one.person, one.begins) for one in found), None)

    async def end(self, workspace: str, delegation_id: str, *, by: str) -> DelegationView | None:  # noqa: ARG002 # there is one
        self.delegations = [one for one in self.delegations if one.id != delegation_id]
        return None


def _delegation(one: Delegation, by: str, at: datetime) -> DelegationView:
    return DelegationView(
        id=one.id,
        person=one.person,
        to=one.to,
        begins=one.begins,
        ends=one.ends,
        reason=one.reason,
        created_by=by,
        created_at=at,
        ended_at=None,
        ended_by=None,
    )


class Placet:
    """The application over a world."""

    def __init__(self, *, dev_login: bool = True, types: ApprovalTypes | None = None) -> None:
        self.world = World()
        self.mail = Mailbox()
        self.closing = asyncio.Event()
        self.broadcast = Broadcast(self.world)
        self.streams = Streams(self.broadcast, self.closing)
        self.kept = MemorySessions()
        self.sessions = Sessions(self.kept, dev_login=dev_login, secure=False)
        self.people = People(self.world)
        self.answering = Answering(
            self.world.store, self.world.source, self.world.clock, types, self.people
        )
        asking = Asking(self.world.store, self.world.clock, types)
        self.changing = Changing(self.world.store, asking, self.world.clock, self.people)
        self.pages = pages = make_pages(self.world, self.people, self.sessions, self.world.clock)
        self.defaults = Defaults(
            workspace=WORKSPACE, preferences=Preferences(time_zone="Europe/Berlin")
        )
        preferences = PreferencePages(pages, self.people, self.defaults, CHANNELS)
        self.app: FastAPI = make_app(
            [
                pages_router(
                    pages,
                    self.world,
                    self.world,
                    self.mail,
                    self.streams,
                    self.sessions,
                    self.world.clock,
                ),
                forms_router(
                    self.answering,
                    self.changing,
                    self.world,
                    pages,
                    self.sessions,
                    self.people,
                    self.people,
                    self.world.clock,
                ),
                preferences.router(),
                preferring_router(
                    self.people,
                    preferences,
                    pages,
                    self.sessions,
                    self.defaults,
                    CHANNELS,
                    self.world.clock,
                ),
            ]
        )

    def cookies(self, person: Person = JOHN, workspace: str = WORKSPACE) -> Mapping[str, str]:
        """The cookie of somebody who is signed in."""
        return {PLAIN_COOKIE: self.kept.signed_in(Session(workspace, person.email))}


def content(
    title: str,
    payload: Json,
    revision: str,
    record_id: str,
    mirrored: bool,  # noqa: FBT001 # one of many facts
    url: str | None,
    links: Sequence[Link],
    kind: str,
    requester: Person,
    agent_id: str | None,
) -> Subject:
    source = None
    if mirrored:
        source = SourceRecord(name="acme-expenses", record_id=record_id, revision=revision, url=url)
    return Subject(
        type=kind,
        title=title,
        requester=requester,
        revision=revision,
        round=1,
        payload_digest=payload_digest(EXPENSE if payload is None else payload),
        source=source,
        links=tuple(links),
        agent_id=agent_id,
    )


def _found(docs: Docs) -> Found:
    return Found(docs.json, docs.rows, docs.next_cursor, docs.waiting)


def _start(cursor: str | None) -> int:
    if cursor is not None and not cursor.isdigit():
        raise BadCursor
    return int(cursor or 0)


def _docs(views: Sequence[ApprovalView], start: int, limit: int, waiting: int = 0) -> Docs:
    page = views[start : start + limit]
    more = str(start + limit) if len(page) == limit else None
    return Docs(",".join(encode_view(view) for view in page), len(page), more, waiting)
