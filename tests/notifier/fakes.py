"""Twins of what the notifier works with, in memory, with a clock that a test sets."""
# ruff: noqa: ARG002 # twins take all that the protocols give them

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from events.approval import (
    AppliedPolicy,
    AskedBack,
    Person,
    Reassignment,
    Seat,
    SourceRecord,
    Step,
    Subject,
    Wanted,
)
from events.commands import (
    AnswerBack,
    AskBack,
    Command,
    ConfirmWriteBack,
    EscalateApproval,
    ExpireApproval,
    FailWriteBack,
    ObservePending,
    ObserveSettled,
    ReassignApproval,
    RemindApprovers,
    RequestApproval,
    ReviseApproval,
    SubmitDecision,
    WithdrawApproval,
)
from events.digest import payload_digest
from events.envelope import Recorded
from events.handling import Order, handle
from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import messages
from events.observation import Observation, RecordState
from events.state import Deciding, Pending, fold
from events.store.memory import MemoryStore
from services.channels import Channel, Recipient
from services.channels.card import Card, Shown
from services.channels.mustache import CardTemplate
from services.directory import Directories
from services.directory.preferences import Defaults
from services.effects import Effect
from services.notifier.backlog import Stretch, Waits
from services.notifier.cards import Key, SentCard
from services.notifier.drawing import Look
from services.notifier.notify import Notifier
from services.policies import Policies
from services.sources import Answer, Page, Reading, SourceUnavailable
from tests.services.service_kit import MemoryEffects

WORKSPACE = "acme"
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AMARA = Person(email="amara@example.com", name="Amara")
BO = Person(email="bo@example.com", name="Bo")
CAROL = Person(email="carol@example.com", name="Carol")
DAVE = Person(email="dave@example.com", name="Dave")
JANE = Person(email="jane@example.com", name="Jane Doe")
EXPENSE = {
    "report_id": "EXP-1",
    "total_amount": 750.50,
    "currency": "USD",
    "description": "Client dinner",
    "line_items": [
        {"item": "Dinner", "category": "Meals", "amount": 250.0},
        {"item": "Flight", "category": "Travel", "amount": 500.5},
    ],
}


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class MemoryCards:
    """As `PostgresCards`, without a table."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], SentCard] = {}
        self.fail_next_remember: Exception | None = None

    async def of(self, keys: Sequence[Key]) -> Sequence[SentCard]:
        return [row for row in self.rows.values() if (row.workspace, row.approval_id) in keys]

    async def remember(self, card: SentCard) -> None:
        if self.fail_next_remember is not None:
            error, self.fail_next_remember = self.fail_next_remember, None
            raise error
        self.rows.setdefault(_place(card), card)

    async def redrawn(self, card: SentCard, *, shown: Shown, digest: str) -> bool:
        if self.rows[_place(card)] != card:
            return False
        self.rows[_place(card)] = replace(card, shown=shown, digest=digest)
        return True

    def shown(self) -> list[tuple[str, str, str, Shown]]:
        return [(r.approver, r.channel, r.revision, r.shown) for r in self.rows.values()]


def _place(card: SentCard) -> tuple[str, ...]:
    return card.workspace, card.approval_id, card.approver, card.channel, card.revision


class MemoryBacklog:
    """As `PostgresBacklog`, over the twins."""

    def __init__(self, effects: MemoryEffects, clock: Clock) -> None:
        self._effects = effects
        self._clock = clock
        self.astray: list[Key] = []
        self.queue: dict[Key, list[str]] = {}

    async def due(self, limit: int) -> Sequence[Effect]:
        due = [
            effect
            for effect, held in self._effects.held.items()
            if held.state == "started"
            and held.due_at <= self._clock()
            and effect.effect.startswith("card")
        ]
        return due[:limit]

    async def due_digests(self, limit: int) -> Sequence[Effect]:
        due = [
            effect
            for effect, held in self._effects.held.items()
            if held.state == "started"
            and held.due_at <= self._clock()
            and effect.effect.startswith("digest:")
        ]
        return due[:limit]

    async def readers(self, after: Key, limit: int) -> Sequence[Key]:
        return sorted(key for key in self.queue if key > after)[:limit]

    async def waits_for(self, workspace: str, email: str, limit: int) -> Waits:
        ids = self.queue.get((workspace, email), [])
        return Waits(ids[:limit], len(ids))

    async def unasked(self, after: Key, limit: int) -> Stretch:
        return Stretch(astray=self.astray, end=None)

    async def left_open(self, after: Key, limit: int) -> Stretch:
        return Stretch(astray=[], end=None)


@dataclass
class Sent:
    approver: str
    card: Card
    shown: Shown
    key: str
    workspace: str
    approval_id: str


class FakeChannel:
    """A channel that shows a key's card once; `trouble` decides what each call runs into."""

    def __init__(self, name: str = "mail") -> None:
        self.name = name
        self.messages: dict[str, Sent] = {}
        self.sends: list[str] = []
        self.out_of_reach: set[str] = set()
        self.updates: list[tuple[str, Shown]] = []
        self.reminders: dict[str, tuple[str, Card]] = {}
        self.trouble: Callable[[str, str], Exception | None] = lambda _what, _approval: None
        self.after_send: Callable[[], Exception | None] = lambda: None
        self.meanwhile: Callable[[str], object] | None = None

    def reaches(self, to: Recipient) -> bool:
        return to.email not in self.out_of_reach

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        approver, approval_id = to.email, card.approval_id
        error = self.trouble("send", approval_id)
        if error is not None:
            raise error
        self.sends.append(approver)
        self.messages.setdefault(
            idempotency_key,
            Sent(approver, card, "open", idempotency_key, workspace, approval_id),
        )
        if self.meanwhile is not None:
            await self.meanwhile(approval_id)  # type: ignore[misc]
        error = self.after_send()
        if error is not None:
            raise error
        return idempotency_key

    async def remind(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        assert reference in self.messages
        error = self.trouble("remind", card.approval_id)
        if error is not None:
            raise error
        self.reminders.setdefault(idempotency_key, (to.email, card))

    def card_of(self, approver: str) -> Card:
        """What somebody's latest card shows now."""
        return [sent.card for sent in self.messages.values() if sent.approver == approver][-1]

    async def find(self, idempotency_key: str, *, to: Recipient, workspace: str) -> str | None:
        return idempotency_key if idempotency_key in self.messages else None

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        assert reference is not None
        sent = self.messages[reference]
        error = self.trouble("update", sent.approval_id)
        if error is not None:
            raise error
        self.updates.append((sent.approver, card.shown))
        sent.card, sent.shown = card, card.shown

    def shown(self) -> list[tuple[str, Shown]]:
        return [(sent.approver, sent.shown) for sent in self.messages.values()]


class FakeSource:
    """A source of which every record is pending, with the notes that were left on it."""

    def __init__(self, name: str = "expenses", workspace: str = WORKSPACE) -> None:
        self.name = name
        self.workspace = workspace
        self.notes: list[str] = []
        self.note_keys: list[str] = []
        self.reads = 0
        self.state: RecordState = "pending"
        self.trouble: Callable[[str], Exception | None] = lambda _what: None
        self.after_note: Callable[[], Exception | None] = lambda: None
        self.under_way = 0
        self.most_under_way = 0
        self.pause_s = 0.0

    def changed(self, cursor: str | None) -> AsyncIterator[Page]:
        raise NotImplementedError

    def pending(self) -> AsyncIterator[Page]:
        raise NotImplementedError

    async def decide(self, answer: Answer) -> None:
        raise NotImplementedError

    async def read(self, record_id: str) -> Reading:
        self.reads += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.pause_s)
        self.under_way -= 1
        error = self.trouble("read")
        if error is not None:
            raise error
        observation = Observation(
            workspace=self.workspace,
            source=self.name,
            record_id=record_id,
            revision="1",
            state=self.state,
            read_at=START,
        )
        return Reading(observation=observation, precondition=None, notes=tuple(self.notes))

    async def note(self, record_id: str, text: str, *, idempotency_key: str) -> None:
        error = self.trouble("note")
        if error is not None:
            raise error
        self.notes.append(text)
        self.note_keys.append(idempotency_key)
        error = self.after_note()
        if error is not None:
            raise error


def away(_what: str) -> Exception | None:
    return SourceUnavailable("down for maintenance")


@dataclass
class World:
    """An approval system with nothing but a store and a notifier; Kafka is `deliver`."""

    channels: Sequence[Channel] = ()
    sources: Sequence[FakeSource] = ()
    templates: dict[tuple[str, str], CardTemplate] = field(default_factory=dict)
    type_templates: dict[tuple[str, str], CardTemplate] = field(default_factory=dict)
    sensitive: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    directories: Directories | None = None
    policies: Policies = field(default_factory=Policies)
    defaults: Defaults = field(default_factory=Defaults)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.cards = MemoryCards()
        self.forget_effects()
        self.delivered: Counter[Key] = Counter()
        self.ids: list[str] = []

    def forget_effects(self) -> None:
        """Lose what was written down, as a database that was restored from an old copy."""
        self.effects = MemoryEffects(self.clock)
        self.restart()

    def restart(self) -> None:
        """A new process: only what was kept is there."""
        self.backlog = MemoryBacklog(self.effects, self.clock)
        self.notifier = Notifier(
            store=self.store,
            cards=self.cards,
            backlog=self.backlog,
            channels=self.channels,
            sources={(one.workspace, one.name): one for one in self.sources},
            looks={key: Look(template=one) for key, one in self.templates.items()},
            type_looks={
                key: Look(
                    template=self.type_templates.get(key), sensitive=self.sensitive.get(key, ())
                )
                for key in (*self.type_templates, *self.sensitive)
            },
            effects=self.effects,
            public_url="https://placet.example.com",
            clock=self.clock,
            directories=self.directories,
            policies=self.policies,
            defaults=self.defaults,
        )

    async def ask(
        self,
        *approvers: Person,
        source: str | None = None,
        payload: object = EXPENSE,
        **more: Any,
    ) -> str:
        approval_id = f"{len(self.ids) + 1:027d}"
        self.ids.append(approval_id)
        ask = self.asking(*(approvers or (AMARA,)), source=source, payload=payload, **more)
        await self.do(approval_id, ask)
        return approval_id

    def asking(
        self,
        *approvers: Person,
        source: str | None = None,
        payload: object = EXPENSE,
        revision: str = "1",
        title: str = "Expense report EXP-1",
        reason: str | None = "Client visit",
        steps: Sequence[Step] = (),
        warnings: Sequence[str] = (),
    ) -> RequestApproval:
        record = SourceRecord(
            name=source or "", record_id="EXP-1", revision=revision, url="https://acme.example/1"
        )
        policy = AppliedPolicy(
            name="expenses", version=1, steps=tuple(steps), warnings=tuple(warnings)
        )
        return RequestApproval(
            about=Subject(
                type="expense",
                title=title,
                requester=JANE,
                revision=revision,
                round=1,
                payload_digest=payload_digest(payload),
                source=record if source else None,
            ),
            payload=payload,
            approvers=approvers,
            reason=reason,
            urgency="high",
            metadata={},
            expires_at=START + timedelta(days=30),
            now=self.clock(),
            policy=policy if steps else None,
        )

    async def revise(self, approval_id: str, *approvers: Person, **more: Any) -> None:
        ask = self.asking(*(approvers or (AMARA,)), **more)
        await self.do(approval_id, ObservePending(ask=ask, read_at=self.clock()))

    async def ask_back(
        self, approval_id: str, text: str, by: Person = AMARA, wants: Wanted = "answer"
    ) -> None:
        asks = AskBack(
            question_id=f"q{self.clock.now.timestamp()}{text}",
            by=by,
            text=text,
            wants=wants,
            revision=None,
            now=self.clock(),
        )
        await self.do(approval_id, asks)

    async def answer_back(self, approval_id: str, text: str) -> None:
        events = [one.event for one in await self.stream(approval_id)]
        asked = [event for event in events if isinstance(event, AskedBack)][-1]
        answers = AnswerBack(
            question_id=asked.question_id,
            by=JANE,
            as_admin=False,
            text=text,
            expires_at=START + timedelta(days=33),
            now=self.clock(),
        )
        await self.do(approval_id, answers)

    async def change(self, approval_id: str, *approvers: Person, **more: Any) -> None:
        ask = self.asking(*(approvers or (AMARA,)), **more)
        await self.do(approval_id, ReviseApproval(by=JANE, as_admin=False, ask=ask))

    async def remind(self, approval_id: str) -> None:
        reminds = RemindApprovers(
            by=JANE, as_admin=False, approver=None, number=None, now=self.clock()
        )
        await self.do(approval_id, reminds)

    async def reassign(
        self, approval_id: str, person: Person, to: Person, cause: Reassignment = "reassigned"
    ) -> None:
        by = person if cause == "reassigned" else None
        reassigns = ReassignApproval(
            person=person.email,
            to=to,
            cause=cause,
            by=by,
            as_admin=False,
            reason=None,
            now=self.clock(),
        )
        await self.do(approval_id, reassigns)

    async def escalate(self, approval_id: str, *to: Person) -> None:
        state = fold(one.event for one in await self.stream(approval_id))
        assert isinstance(state, Pending)
        course = state.asked.course
        escalates = EscalateApproval(
            step=course.step,
            rung=course.rungs + 1,
            seats=tuple(Seat(person=one) for one in to),
            now=self.clock(),
        )
        await self.do(approval_id, escalates)

    async def answer(
        self, approval_id: str, by: Person = AMARA, held_until: datetime | None = None
    ) -> None:
        submit = SubmitDecision(
            outcome="approved",
            by=by,
            reason="fine",
            channel="inbox",
            via=None,
            revision=None,
            held_until=held_until,
            now=self.clock(),
        )
        await self.do(approval_id, submit)

    async def fail_write_back(self, approval_id: str, reason: str = "Budget is closed.") -> None:
        version = await self._decision_version(approval_id)
        fail = FailWriteBack(
            decision_version=version, cause="refused", reason=reason, now=self.clock()
        )
        await self.do(approval_id, fail)

    async def confirm(self, approval_id: str) -> None:
        version = await self._decision_version(approval_id)
        await self.do(approval_id, ConfirmWriteBack(decision_version=version, now=self.clock()))

    async def settle_in_source(self, approval_id: str) -> None:
        settled = ObserveSettled(
            cause="settled",
            by="cfo@example.com",
            outcome="approved",
            read_at=self.clock(),
            now=self.clock(),
        )
        await self.do(approval_id, settled)

    async def withdraw(self, approval_id: str) -> None:
        recall = WithdrawApproval(by=JANE, as_admin=False, reason=None, now=self.clock())
        await self.do(approval_id, recall)

    async def expire(self, approval_id: str) -> None:
        self.clock.forward(31 * 86400)
        await self.do(approval_id, ExpireApproval(now=self.clock()))

    async def _decision_version(self, approval_id: str) -> int:
        state = fold(one.event for one in await self.stream(approval_id))
        assert isinstance(state, Deciding)
        return state.decision_version

    async def do(self, approval_id: str, command: Command) -> None:
        order = Order(approval_id=approval_id, command=command, command_id="test")
        done = await handle(self.store, WORKSPACE, order)
        assert done.added, "the command of a test must do something"

    async def stream(self, approval_id: str) -> Sequence[Recorded]:
        return (await self.store.read(WORKSPACE, [approval_id]))[approval_id]

    async def types(self, approval_id: str) -> list[str]:
        return [one.type.removeprefix("approval.") for one in await self.stream(approval_id)]

    async def deliver(self) -> Sequence[Rejected]:
        """Let Kafka bring what is new, until there is nothing new."""
        rejected: list[Rejected] = []
        while True:
            batch = []
            for approval_id in self.ids:
                key = (WORKSPACE, approval_id)
                stream = await self.stream(approval_id)
                batch += [message(one) for one in stream[self.delivered[key] :]]
                self.delivered[key] = len(stream)
            if not batch:
                return rejected
            rejected += await self.notifier.handle(batch)

    async def replay(self) -> None:
        """Let Kafka bring everything again, from the beginning."""
        self.delivered.clear()
        await self.deliver()

    async def retry_until_quiet(self, seconds: float) -> None:
        """Let time pass, with a look at what is due every two seconds."""
        for _ in range(int(seconds // 2)):
            self.clock.forward(2)
            await self.notifier.retry_due()


def step(*people: Person, needed: int = 1, name: str = "managers") -> Step:
    """Return a step of which so many people must approve."""
    seats = tuple(Seat(person=one) for one in people)
    return Step(name=name, rule="count", needed=needed, deny=1, seats=seats)


def message(recorded: Recorded) -> Delivered:
    log = messages(1, recorded)[0]
    return Delivered(log.topic, 0, 0, log.key, log.value, log.headers)
