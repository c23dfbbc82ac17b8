"""The notifier on a real Postgres: effects, cards, the outbox and the sweep."""

import asyncio
from datetime import UTC, datetime

import pytest

from events.approval import (
    AppliedPolicy,
    ApproverNotified,
    Person,
    SourceRecord,
    Step,
    Subject,
)
from events.commands import (
    AskBack,
    Command,
    ExpireApproval,
    ObservePending,
    RemindApprovers,
    RequestApproval,
    SubmitDecision,
)
from events.digest import payload_digest
from events.handling import Order, handle
from events.store.database import Database
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from services.channels.inbox import InboxChannel
from services.channels.outbox import Mailbox, OutboxChannel
from services.effects import Effect, Effects
from services.notifier import backlog as backlog_module
from services.notifier.backlog import FROM_THE_START, PostgresBacklog
from services.notifier.cards import PostgresCards, SentCard
from services.notifier.ledger import CARD, sending
from services.notifier.notify import Notifier
from tests.notifier.fakes import AMARA, BO, JANE, FakeSource, message, step

ACME = "acme"


def now() -> datetime:
    return datetime.now(UTC)


class Real:
    """A store, read models and a notifier on one database."""

    def __init__(self, database: Database, source: FakeSource | None = None) -> None:
        self.database = database
        self.store = PostgresStore(database)
        self.read_models = ReadModels(database)
        self.cards = PostgresCards(database)
        self.source = source
        self.number = 0

    def notifier(self) -> Notifier:
        return Notifier(
            store=self.store,
            cards=self.cards,
            backlog=PostgresBacklog(self.database),
            channels=[OutboxChannel(self.database), InboxChannel()],
            sources={(ACME, "expenses"): self.source} if self.source else {},
            looks={},
            effects=Effects(self.database),
            public_url="https://placet.example.com",
            clock=now,
        )

    def asking(
        self,
        *approvers: Person,
        revision: str = "1",
        source: str | None = None,
        steps: tuple[Step, ...] = (),
        **payload: object,
    ) -> RequestApproval:
        record = SourceRecord(name="expenses", record_id="EXP-1", revision=revision)
        return RequestApproval(
            about=Subject(
                type="expense",
                title='Says "revision":"9" and \\"revision\\":\\"9\\"',
                requester=JANE,
                revision=revision,
                round=1,
                payload_digest=payload_digest(payload),
                source=record if source else None,
            ),
            payload=payload,
            approvers=approvers or (AMARA,),
            reason=None,
            urgency="low",
            metadata={},
            expires_at=datetime(2099, 1, 1, tzinfo=UTC),
            now=now(),
            policy=AppliedPolicy(name="p", version=1, steps=steps) if steps else None,
        )

    async def ask(self, *approvers: Person, workspace: str = ACME, **more: object) -> str:
        self.number += 1
        approval_id = f"{self.number:027d}"
        await self.do(approval_id, self.asking(*approvers, **more), workspace)  # type: ignore[arg-type]
        return approval_id

    async def do(self, approval_id: str, command: Command, workspace: str = ACME) -> None:
        order = Order(approval_id=approval_id, command=command, command_id="test")
        assert (await handle(self.store, workspace, order)).added

    async def expire(self, approval_id: str) -> None:
        await self.do(approval_id, ExpireApproval(now=datetime(2100, 1, 1, tzinfo=UTC)))

    async def vote(self, approval_id: str, by: Person) -> None:
        vote = SubmitDecision(
            outcome="approved",
            by=by,
            reason=None,
            channel="inbox",
            via=None,
            revision=None,
            now=now(),
        )
        await self.do(approval_id, vote)

    async def ask_back(self, approval_id: str, by: Person) -> None:
        asks = AskBack(
            question_id="q1", by=by, text="Who?", wants="answer", revision=None, now=now()
        )
        await self.do(approval_id, asks)

    async def remind(self, approval_id: str) -> None:
        reminds = RemindApprovers(by=JANE, as_admin=False, approver=None, number=None, now=now())
        await self.do(approval_id, reminds)

    async def revise(self, approval_id: str, revision: str, **payload: object) -> None:
        ask = self.asking(AMARA, revision=revision, **payload)  # type: ignore[arg-type]
        await self.do(approval_id, ObservePending(ask=ask, read_at=now()))

    async def deliver(self, notifier: Notifier, *ids: str, workspace: str = ACME) -> None:
        streams = await self.store.read(workspace, ids)
        batch = [message(one) for stream in streams.values() for one in stream]
        assert await notifier.handle(batch) == []

    async def project(self, *ids: str, workspace: str = ACME) -> None:
        await self.read_models.catch_up([(workspace, one) for one in ids])

    async def types(self, approval_id: str) -> list[str]:
        return [one.type for one in (await self.store.read(ACME, [approval_id]))[approval_id]]

    async def rows(self, approval_id: str) -> list[tuple[str, str, str]]:
        cards = await self.cards.of([(ACME, approval_id)])
        return sorted((card.channel, card.revision, card.shown) for card in cards)


@pytest.fixture
def real(worker_db: Database) -> Real:
    return Real(worker_db)


async def test_a_life_from_the_card_to_its_end(real: Real, app_db: Database) -> None:
    notifier, mailbox = real.notifier(), Mailbox(app_db)
    approval_id = await real.ask(AMARA, BO)
    await real.deliver(notifier, approval_id)
    page = await mailbox.list(ACME, None, limit=9, cursor=None)
    assert sorted(one.approver for one in page.messages) == [AMARA.email, BO.email]
    assert (await real.types(approval_id)).count("approval.notified") == 4
    (notified,) = [
        one.event
        for one in (await real.store.read(ACME, [approval_id]))[approval_id]
        if isinstance(one.event, ApproverNotified)
        and (one.event.approver, one.event.channel) == (AMARA.email, "outbox")
    ]
    assert notified.reference in {one.message_id for one in page.messages}
    await real.revise(approval_id, "2", amount=2)
    await real.deliver(notifier, approval_id)
    await real.expire(approval_id)
    await real.deliver(real.notifier(), approval_id)
    messages = (await mailbox.list(ACME, AMARA.email, limit=9, cursor=None)).messages
    assert [one.shown for one in messages] == ["settled", "superseded"]
    assert {shown for _, _, shown in await real.rows(approval_id)} == {"settled", "superseded"}


async def test_many_notifiers_at_once_send_each_card_once(real: Real, app_db: Database) -> None:
    ids = [await real.ask(AMARA, BO) for _ in range(5)]
    notifiers = [real.notifier() for _ in range(4)]
    await asyncio.gather(*(real.deliver(notifier, *ids) for notifier in notifiers))
    page = await Mailbox(app_db).list(ACME, None, limit=100, cursor=None)
    assert len(page.messages) == 10
    for approval_id in ids:
        assert (await real.types(approval_id)).count("approval.notified") == 4


async def test_what_a_dead_notifier_left_is_due_after_its_lease_and_done_by_another(
    real: Real, app_db: Database
) -> None:
    approval_id = await real.ask()
    effect = sending(CARD, ACME, approval_id, 1, channel="outbox", to=AMARA.email)
    dead = Effects(real.database)
    await dead.take(effect)
    notifier = real.notifier()
    await real.deliver(notifier, approval_id)
    assert await real.rows(approval_id) == [("inbox", "1", "open")]
    assert await notifier.retry_due() == 0
    await dead.later(effect, 0.0, "as if a minute had gone by")
    assert await notifier.retry_due() == 1
    assert await real.rows(approval_id) == [("inbox", "1", "open"), ("outbox", "1", "open")]
    assert await notifier.retry_due() == 0
    assert len((await Mailbox(app_db).list(ACME, None, limit=9, cursor=None)).messages) == 1


async def test_effects_of_others_are_left_to_others(real: Real) -> None:
    effects = Effects(real.database)
    foreign = Effect(workspace=ACME, approval_id="x" * 27, version=1, effect="write_back")
    await effects.take(foreign)
    await effects.later(foreign, 0.0, "")
    assert await PostgresBacklog(real.database).due(10) == []


async def test_a_card_is_kept_once_and_noted_only_by_who_saw_it_last(real: Real) -> None:
    card = SentCard(
        workspace=ACME,
        approval_id="x" * 27,
        approver=AMARA.email,
        channel="mail",
        revision="1",
        reference="r",
        digest="d1",
        shown="open",
    )
    await real.cards.remember(card)
    await real.cards.remember(card)
    assert await real.cards.of([(ACME, "x" * 27), (ACME, "y" * 27)]) == [card]
    assert await real.cards.redrawn(card, shown="open", digest="d2")
    assert not await real.cards.redrawn(card, shown="settled", digest="d3"), "d1 is not there"
    (held,) = await real.cards.of([(ACME, "x" * 27)])
    assert (held.digest, held.shown) == ("d2", "open")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "SETTLING_S", 0.0)


async def test_the_sweep_asks_what_kafka_never_told_of(real: Real, at_once: None) -> None:
    notifier = real.notifier()
    # What Postgres cannot read as JSON, and a payload that names a revision of its own.
    approval_id = await real.ask(revision='W/"1\\', note="nul \0", inner={"revision": "2"})
    await real.project(approval_id)
    assert await notifier.sweep() == 1
    assert await real.rows(approval_id) == [
        ("inbox", 'W/"1\\', "open"),
        ("outbox", 'W/"1\\', "open"),
    ]
    assert await notifier.sweep() == 0, "with its cards it is not astray any more"


async def test_the_sweep_asks_the_next_step_and_the_requester_whom_no_message_brought(
    real: Real, app_db: Database, at_once: None
) -> None:
    notifier = real.notifier()
    approval_id = await real.ask(steps=(step(AMARA), step(BO)))
    await real.deliver(notifier, approval_id)
    await real.project(approval_id)
    assert await notifier.sweep() == 0
    await real.vote(approval_id, AMARA)
    await real.project(approval_id)
    assert await notifier.sweep() == 1
    assert await notifier.sweep() == 0
    await real.ask_back(approval_id, BO)
    await real.project(approval_id)
    assert await notifier.sweep() == 1
    assert await notifier.sweep() == 0, "a question's card is of no older revision"
    messages = (await Mailbox(app_db).list(ACME, None, limit=9, cursor=None)).messages
    assert [one.approver for one in messages] == [JANE.email, BO.email, AMARA.email]
    await real.expire(approval_id)
    await real.project(approval_id)
    assert await notifier.sweep() == 1
    assert {shown for _, _, shown in await real.rows(approval_id)} == {"settled"}


async def test_many_notifiers_at_once_send_each_question_and_reminder_once(
    real: Real, app_db: Database
) -> None:
    approval_id = await real.ask(AMARA, BO)
    await real.deliver(real.notifier(), approval_id)
    await real.remind(approval_id)
    notifiers = [real.notifier() for _ in range(4)]
    await asyncio.gather(*(real.deliver(one, approval_id) for one in notifiers))
    await real.ask_back(approval_id, BO)
    await asyncio.gather(*(real.deliver(one, approval_id) for one in notifiers))
    messages = (await Mailbox(app_db).list(ACME, None, limit=99, cursor=None)).messages
    subjects = sorted(one.subject.split(":")[0] for one in messages)
    assert subjects == ["Reminder", "Reminder", "To answer", "Waits", "Waits"]


async def test_the_sweep_leaves_what_is_on_its_way_alone(real: Real) -> None:
    approval_id = await real.ask()
    await real.project(approval_id)
    assert await real.notifier().sweep() == 0


async def test_the_sweep_asks_about_a_revision_that_was_lost(real: Real, at_once: None) -> None:
    notifier = real.notifier()
    approval_id = await real.ask(revision="1", inner={"revision": "1"})
    await real.deliver(notifier, approval_id)
    await real.revise(approval_id, "2", amount=2, inner={"revision": "1"})
    await real.project(approval_id)
    assert await notifier.sweep() >= 1
    assert await real.rows(approval_id) == [
        ("inbox", "1", "superseded"),
        ("inbox", "2", "open"),
        ("outbox", "1", "superseded"),
        ("outbox", "2", "open"),
    ]
    assert await notifier.sweep() == 0


async def test_the_sweep_settles_cards_of_what_was_settled_unseen(
    real: Real, app_db: Database, at_once: None
) -> None:
    notifier = real.notifier()
    approval_id = await real.ask()
    await real.deliver(notifier, approval_id)
    await real.project(approval_id)
    assert await notifier.sweep() == 0
    await real.expire(approval_id)
    await real.project(approval_id)
    assert await notifier.sweep() == 1
    (line,) = (await Mailbox(app_db).list(ACME, None, limit=9, cursor=None)).messages
    assert line.shown == "settled"
    assert await notifier.sweep() == 0


async def test_the_sweep_serves_every_workspace_and_goes_on_where_it_was(
    real: Real, at_once: None
) -> None:
    backlog = PostgresBacklog(real.database)
    ids = [await real.ask(AMARA, BO) for _ in range(3)]
    await real.project(*ids)
    other = await real.ask(workspace="other")
    await real.project(other, workspace="other")
    first = await backlog.unasked(FROM_THE_START, 2)
    assert first.astray == [(ACME, ids[0]), (ACME, ids[1])]
    assert first.end == (ACME, ids[1])
    second = await backlog.unasked(first.end, 9)
    assert (second.astray, second.end) == ([(ACME, ids[2]), ("other", other)], None)


async def test_a_mirrored_approval_leaves_one_note_whoever_is_asked_again(
    worker_db: Database,
) -> None:
    source = FakeSource(workspace=ACME)
    real = Real(worker_db, source)
    approval_id = await real.ask(AMARA, source="expenses")
    for _ in range(3):
        await real.deliver(real.notifier(), approval_id)
    assert len(source.notes) == 1
    assert source.reads == 1
    async with worker_db.connection() as connection:
        states = await connection.fetch("SELECT effect, state FROM effects ORDER BY effect")
    assert [tuple(row) for row in states] == [
        ("card:outbox:amara@example.com", "done"),
        ("card_check", "done"),
        ("card_note:amara@example.com", "done"),
    ]


async def test_only_the_latest_attempt_may_send_and_its_lease_begins_anew(
    worker_db: Database,
) -> None:
    effects = Effects(worker_db)
    effect = sending(CARD, ACME, "A" * 27, 1, channel="mail", to=AMARA.email)
    first = await effects.take(effect, lease_s=0)
    second = await effects.take(effect, lease_s=0)
    assert first is not None
    assert second is not None
    assert not await effects.leaving(effect, first)
    assert await effects.leaving(effect, second)
    assert await effects.take(effect) is None, "it is under way, and nobody else sends it now"


async def test_that_nothing_left_is_noted_with_the_next_time(worker_db: Database) -> None:
    effects = Effects(worker_db)
    for place, sent in enumerate((False, True)):
        effect = sending(CARD, ACME, f"{place:027d}", 1, channel="mail", to=AMARA.email)
        first = await effects.take(effect)
        assert first is not None
        assert await effects.leaving(effect, first)
        await effects.later(effect, 0, "No connection.", sent=sent)
        again = await effects.take(effect)
        assert again is not None
        assert again.sent == sent
        await effects.done(effect)
        assert not await effects.leaving(effect, again)
