"""Timers that became due fire once, whoever drains them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.approval import ApprovalExpired
from events.commands import ObserveSettled
from events.decider.asking import NOBODY
from events.handling import Order, handle
from events.state import Decided, Expired, Pending, Withdrawn
from events.store import Append, Unavailable
from events.store.database import Database
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from services.approval_types import ApprovalTypes
from services.config import read_config
from services.decision import expiry
from services.decision.asking import Asking
from services.decision.expiry import Timers
from services.decision.request_body import ApprovalBody, AskedBy
from tests.services.service_kit import facts_of, state_of, until


class Ground:
    """Approvals on Postgres whose time is over, and the timers that say so."""

    def __init__(self, app_db: Database, worker_db: Database) -> None:
        self.store = PostgresStore(app_db)
        self.worker_db = worker_db
        self.timers = Timers(worker_db, self.store)
        self.read_models = ReadModels(worker_db)

    async def asked(
        self, *, ago: float, expires_in: int = 60, types: ApprovalTypes | None = None
    ) -> str:
        """An approval that was asked for some seconds ago, shown by the read models."""
        then = datetime.now(UTC) - timedelta(seconds=ago)
        body = ApprovalBody(type="t", title="T", approvers=["a@x.com"], expires_in=expires_in)
        asking = Asking(self.store, lambda: then, types)
        asked = await asking.ask(
            "acme", body, asked_by=AskedBy(email="r@x.com"), idempotency_key=None, fingerprint=""
        )
        await self.show(asked.view.id)
        return asked.view.id

    async def show(self, approval_id: str) -> None:
        await self.read_models.apply((await self.store.read("acme", [approval_id]))[approval_id])

    async def waiting(self) -> list[str]:
        async with self.worker_db.connection() as connection:
            rows = await connection.fetch("SELECT approval_id FROM timers ORDER BY due_at")
        return [row["approval_id"] for row in rows]

    async def end_leases(self) -> None:
        async with self.worker_db.connection() as connection:
            await connection.execute("UPDATE timers SET due_at = now() - interval '1 second'")


@pytest.fixture
def ground(app_db: Database, worker_db: Database) -> Ground:
    return Ground(app_db, worker_db)


async def test_what_is_due_expires_and_what_is_not_waits(ground: Ground) -> None:
    over, open_ = await ground.asked(ago=61), await ground.asked(ago=1)
    assert await ground.timers.fire() == 1
    assert isinstance(await state_of(ground.store, over), Expired)
    assert isinstance(await state_of(ground.store, open_), Pending)
    assert await ground.waiting() == [open_]
    assert await ground.timers.fire() == 0


async def test_what_is_due_is_decided_where_its_type_says_so(
    ground: Ground, tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text("name: t\nversion: 1\ntitle: T\non_timeout: reject\n")
    (tmp_path / "placet.yaml").write_text("workspace: acme\ntypes: [t.yaml]\n")
    types = read_config(tmp_path / "placet.yaml", {}).types
    over = await ground.asked(ago=61, types=types)
    assert await ground.timers.fire() == 1
    state = await state_of(ground.store, over)
    assert isinstance(state, Decided)
    assert (state.outcome, state.by) == ("rejected", NOBODY)


async def test_two_that_drain_at_once_fire_each_timer_once(ground: Ground) -> None:
    over = [await ground.asked(ago=70) for _ in range(12)]
    fired = await asyncio.gather(*(ground.timers.fire() for _ in range(3)))
    assert sum(fired) == 12
    for approval_id in over:
        facts = await facts_of(ground.store, approval_id)
        assert [type(fact) for fact in facts].count(ApprovalExpired) == 1
    assert await ground.waiting() == []


async def test_a_timer_that_somebody_is_at_is_left_to_them_until_their_lease_ends(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await ground.asked(ago=61)

    async def die(*_: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Timers, "_fire", die)
        with pytest.raises(asyncio.CancelledError):
            await ground.timers.fire()
    assert await ground.timers.fire() == 0
    assert isinstance(await state_of(ground.store, over), Pending)
    await ground.end_leases()
    assert await ground.timers.fire() == 1
    assert isinstance(await state_of(ground.store, over), Expired)


async def test_a_lease_lasts_for_some_seconds_of_postgres_time(ground: Ground) -> None:
    await ground.asked(ago=61)
    async with ground.worker_db.connection() as connection:
        taken = await connection.fetch(ground.timers._sql["due_timers"], 10, expiry.LEASE_S)
        (row,) = await connection.fetch("SELECT due_at - now() AS left FROM timers")
    assert len(taken) == 1
    assert 0 < expiry.LEASE_S - row["left"].total_seconds() < 5


async def test_a_store_that_is_away_leaves_the_timer_for_later(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await ground.asked(ago=61)

    async def away(*_: object) -> None:
        raise Unavailable("Postgres is away")

    with monkeypatch.context() as patch:
        patch.setattr(ground.store, "append", away)
        assert await ground.timers.fire() == 1
    assert await ground.waiting() == [over]
    await ground.end_leases()
    assert await ground.timers.fire() == 1
    assert isinstance(await state_of(ground.store, over), Expired)


async def test_what_was_settled_meanwhile_loses_its_timer_and_does_not_expire(
    ground: Ground,
) -> None:
    over = await ground.asked(ago=61)
    now = datetime.now(UTC)
    settled = ObserveSettled(cause="cancelled", by=None, outcome=None, read_at=now, now=now)
    await handle(ground.store, "acme", Order(approval_id=over, command=settled, command_id="s"))
    assert await ground.timers.fire() == 1
    assert isinstance(await state_of(ground.store, over), Withdrawn)
    assert await ground.waiting() == []


async def test_a_record_that_is_settled_while_its_timer_fires_has_one_end(ground: Ground) -> None:
    over = await ground.asked(ago=61)
    store = ground.store

    class Slow(PostgresStore):
        """Somebody else is faster, once."""

        beaten = False

        async def append(self, workspace: str, appends: Sequence[Append]) -> None:
            if not self.beaten:
                self.beaten = True
                now = datetime.now(UTC)
                settled = ObserveSettled(cause="gone", by=None, outcome=None, read_at=now, now=now)
                order = Order(approval_id=over, command=settled, command_id="s")
                await handle(store, workspace, order)
            await super().append(workspace, appends)

    timers = Timers(ground.worker_db, Slow(store._database))
    assert await timers.fire() == 1
    assert isinstance(await state_of(store, over), Withdrawn)
    assert len(await facts_of(store, over)) == 2


async def test_the_loop_fires_what_becomes_due(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "EVERY_S", 0.02)
    running = asyncio.create_task(ground.timers.run())
    over = await ground.asked(ago=59.9)

    async def expired() -> bool:
        return isinstance(await state_of(ground.store, over), Expired)

    await until(expired)
    running.cancel()
    await asyncio.wait([running])
