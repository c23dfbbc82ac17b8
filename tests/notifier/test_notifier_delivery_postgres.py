"""Staggering and digests on a real Postgres: each goes out once, whoever sends it or dies at it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from events.store.database import Database
from services.channels import Recipient
from services.channels.digest import Digest
from services.channels.inbox import InboxChannel
from services.channels.outbox import Mailbox, OutboxChannel
from services.directory import Directory, FixedDirectories
from services.directory.kept_preferences import KeptPreferences
from services.directory.postgres import PostgresDirectories
from services.directory.preferences import Preferences, Turn
from services.effects import Effects
from services.notifier.backlog import FROM_THE_START, PostgresBacklog
from services.notifier.notify import Notifier
from tests.notifier.fakes import AMARA, BO, CAROL
from tests.notifier.test_notifier_postgres import ACME, Real

SLOT = datetime(2099, 1, 5, 9, 0, tzinfo=UTC)


class Counted:
    """The outbox as a channel that would show each sending; it counts them, and may die at one."""

    name = "outbox"

    def __init__(self, database: Database) -> None:
        outbox = OutboxChannel(database)
        self.reaches, self.send, self.update = outbox.reaches, outbox.send, outbox.update
        self._send_digest = outbox.send_digest
        self.sent: list[str] = []
        self.dies = False

    async def send_digest(
        self, digest: Digest, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> None:
        self.sent.append(to.email)
        if self.dies:
            raise asyncio.CancelledError
        await self._send_digest(digest, to=to, workspace=workspace, idempotency_key=idempotency_key)


class Readers(Real):
    """Of whom each wants digests, at one time of the day."""

    def __init__(self, database: Database, directory: Directory) -> None:
        super().__init__(database)
        self.directories = FixedDirectories(ACME, directory)
        self.channel = Counted(database)
        self.time = SLOT + timedelta(minutes=5)

    def notifier(self) -> Notifier:
        return Notifier(
            store=self.store,
            cards=self.cards,
            backlog=PostgresBacklog(self.database),
            channels=[self.channel, InboxChannel()],
            sources={},
            looks={},
            effects=Effects(self.database),
            public_url="https://placet.example.com",
            clock=lambda: self.time,
            directories=self.directories,
        )


@pytest.fixture
def readers(worker_db: Database) -> Readers:
    daily = Preferences(digest=(9 * 60,))
    people = {one.email: daily for one in (AMARA, BO)}
    return Readers(worker_db, Directory(preferences=people))


async def asked(readers: Readers, notifier: Notifier) -> list[str]:
    ids = [await readers.ask(AMARA, BO), await readers.ask(AMARA), await readers.ask(CAROL)]
    await readers.deliver(notifier, *ids)
    await readers.project(*ids)
    return ids


async def test_several_notifiers_send_each_reader_one_digest(
    readers: Readers, app_db: Database
) -> None:
    notifiers = [readers.notifier() for _ in range(4)]
    ids = await asked(readers, notifiers[0])
    for _ in range(2):
        await asyncio.gather(*(one.send_digests() for one in notifiers))
    assert sorted(readers.channel.sent) == [AMARA.email, BO.email]
    page = await Mailbox(app_db).list(ACME, AMARA.email, limit=9, cursor=None)
    (line,) = page.messages
    assert (line.subject, line.approval_id) == ("2 wait for you", "")
    message = await Mailbox(app_db).get(ACME, line.message_id)
    assert message is not None
    for text in (message.body_text, message.body_html):
        for approval_id in ids[:2]:
            assert f"https://placet.example.com/approvals/{approval_id}" in text
        assert "https://placet.example.com/preferences" in text
        assert ids[2] not in text
    assert (await readers.types(ids[1])).count("approval.notified") == 2
    readers.time = SLOT + timedelta(days=1, minutes=5)
    await notifiers[0].send_digests()
    assert len(readers.channel.sent) == 4


async def test_one_who_dies_in_mid_send_leaves_no_second_digest(readers: Readers) -> None:
    first = readers.notifier()
    await asked(readers, first)
    readers.channel.dies = True
    with pytest.raises(asyncio.CancelledError):
        await first.send_digests()
    readers.channel.dies = False
    begun = list(readers.channel.sent)
    async with readers.database.connection() as connection:
        await connection.execute("UPDATE effects SET due_at = now() - interval '1 minute'")
    second = readers.notifier()
    await second.send_digests()
    await second.send_digests()
    assert sorted(readers.channel.sent) == [AMARA.email, BO.email]
    assert begun
    assert await PostgresBacklog(readers.database).due_digests(9) == []


async def test_readers_are_found_one_page_after_the_other(readers: Readers) -> None:
    ids = await asked(readers, readers.notifier())
    backlog = PostgresBacklog(readers.database)
    first = await backlog.readers(FROM_THE_START, 2)
    assert list(first) == [(ACME, AMARA.email), (ACME, BO.email)]
    assert list(await backlog.readers(first[-1], 2)) == [(ACME, CAROL.email)]
    waits = await backlog.waits_for(ACME, AMARA.email, 1)
    assert (list(waits.ids), waits.count) == ([ids[0]], 2)
    nothing = await backlog.waits_for(ACME, "nobody@example.com", 1)
    assert (list(nothing.ids), nothing.count) == ([], 0)


async def test_what_waits_is_taken_up_when_its_reader_changes_their_mind(
    worker_db: Database, app_db: Database
) -> None:
    real = Real(worker_db)

    def now() -> datetime:
        return datetime.now(UTC)

    directories = PostgresDirectories(worker_db, now)
    kept = KeptPreferences(app_db)
    later = Preferences(order=(Turn("outbox", 3600.0),))
    await kept.put(ACME, AMARA.email, later, by=AMARA.email, now=now())
    await directories.load()
    notifier = Notifier(
        store=real.store,
        cards=real.cards,
        backlog=PostgresBacklog(worker_db),
        channels=[OutboxChannel(worker_db), InboxChannel()],
        sources={},
        looks={},
        effects=Effects(worker_db),
        public_url="https://placet.example.com",
        clock=now,
        directories=directories,
    )
    approval_id = await real.ask(AMARA)
    await real.deliver(notifier, approval_id)
    assert await real.rows(approval_id) == [("inbox", "1", "open")]
    at_once = Preferences(order=(Turn("outbox"),))
    await kept.put(ACME, AMARA.email, at_once, by=AMARA.email, now=now())
    await directories.load()
    assert await notifier.retry_due() == 0, "not before every process knows it"
    async with worker_db.connection() as connection:
        waits = await connection.fetchval(
            "SELECT max(due_at) - now() FROM effects WHERE effect = $1",
            f"card_later:{AMARA.email}",
        )
        assert waits < timedelta(seconds=5)
        await connection.execute("UPDATE effects SET due_at = now() - interval '1 second'")
    assert await notifier.retry_due() == 1
    assert await real.rows(approval_id) == [("inbox", "1", "open"), ("outbox", "1", "open")]
