"""Timers that became due fire once, whoever drains them, and never before their time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from events.approval import (
    AppliedPolicy,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalReminded,
    OnTimeout,
    Person,
    Reminders,
    Rung,
    Seat,
)
from events.commands import (
    AnswerBack,
    AskBack,
    Command,
    Fallback,
    ObserveSettled,
    RequestApproval,
    SubmitDecision,
)
from events.decider.lapsing import NOBODY
from events.envelope import Recorded
from events.handling import Order, handle
from events.state import Decided, Expired, Pending, Withdrawn
from events.store import Append, Unavailable
from events.store.database import Database
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from services.decision import chores, timers
from services.decision.timers import Timers
from services.directory import Directory, FixedDirectories, Member
from tests.core.examples import ANN, BOB, ask
from tests.core.steps import CARL, policy, step
from tests.services.service_kit import facts_of, state_of, until

HOUR = 3600.0


@dataclass
class Ladders:
    """Asks Carl on every rung, and takes over with a policy of its own, unless it breaks."""

    fallback: Fallback | None = None
    broken: bool = False

    def within(self, workspace: str) -> "Ladders":
        assert workspace in ("acme", "other")
        return self

    def rung_seats(
        self,
        state: Pending,  # noqa: ARG002 # the shape of the real ones
        directory: Directory,
        now: datetime,  # noqa: ARG002 # as above
    ) -> Sequence[Seat]:
        if self.broken:
            raise LookupError("nobody knows")
        found = directory.find("carl@example.com")
        assert found is not None, "the directory of the workspace is given"
        return [Seat(person=found.person)]

    def fallback_for(self, *_: object) -> Fallback | None:
        return self.fallback


class Ground:
    """Approvals on Postgres whose time is over, and the timers that say so."""

    def __init__(self, app_db: Database, worker_db: Database) -> None:
        self.store = PostgresStore(app_db)
        self.worker_db = worker_db
        self.ladders = Ladders()
        self.timers = self.draining(self.store)
        self.read_models = ReadModels(worker_db)

    def draining(self, store: PostgresStore) -> Timers:
        carl = Member(email=CARL.email, name=CARL.name)
        people = FixedDirectories("acme", Directory({CARL.email: carl}))
        return Timers(self.worker_db, store, people, self.ladders)

    async def asked(
        self,
        *,
        ago: float,
        one: AppliedPolicy | None = None,
        expires_in: float = 60,
        on_timeout: OnTimeout = "expire",
        approvers: tuple[Person, ...] = (ANN,),
        workspace: str = "acme",
    ) -> str:
        """An approval that was asked for some seconds ago, shown by the read models."""
        then = datetime.now(UTC) - timedelta(seconds=ago)
        command = replace(
            ask(now=then, approvers=approvers, policy=one, on_timeout=on_timeout),
            expires_at=then + timedelta(seconds=expires_in),
        )
        return await self.begin(command, workspace)

    async def begin(self, command: RequestApproval, workspace: str = "acme") -> str:
        approval_id = f"A-{self.count:05d}"
        self.count += 1
        await self.order(approval_id, command, workspace)
        return approval_id

    count = 0

    async def order(self, approval_id: str, command: Command, workspace: str = "acme") -> None:
        """Carry out a command and show what came of it."""
        one = Order(approval_id=approval_id, command=command, command_id="c")
        await handle(self.store, workspace, one)
        await self.show(approval_id, workspace)

    async def show(self, approval_id: str, workspace: str = "acme") -> None:
        stream = (await self.store.read(workspace, [approval_id]))[approval_id]
        await self.read_models.apply(stream)

    async def rows(self) -> list[tuple[str, str]]:
        async with self.worker_db.connection() as connection:
            rows = await connection.fetch("SELECT approval_id, kind FROM timers ORDER BY 1, 2")
        return [(row["approval_id"], row["kind"]) for row in rows]

    async def end_leases(self) -> None:
        async with self.worker_db.connection() as connection:
            await connection.execute("UPDATE timers SET leased_until = now() - interval '1 s'")


@pytest.fixture
def ground(app_db: Database, worker_db: Database) -> Ground:
    return Ground(app_db, worker_db)


async def test_what_is_due_expires_and_what_is_not_waits(ground: Ground) -> None:
    over, open_ = await ground.asked(ago=61), await ground.asked(ago=1)
    assert await ground.timers.fire() == 1
    assert isinstance(await state_of(ground.store, over), Expired)
    assert isinstance(await state_of(ground.store, open_), Pending)
    assert await ground.rows() == [(open_, "expire")]
    assert await ground.timers.fire() == 0


async def test_what_is_due_is_decided_where_its_type_says_so(ground: Ground) -> None:
    over = await ground.asked(ago=61, on_timeout="reject")
    assert await ground.timers.fire() == 1
    state = await state_of(ground.store, over)
    assert isinstance(state, Decided)
    assert (state.outcome, state.by) == ("rejected", NOBODY)


async def test_another_policy_takes_over_where_the_ask_says_so(ground: Ground) -> None:
    until_then = datetime.now(UTC) + timedelta(days=3)
    ground.ladders.fallback = Fallback(
        policy=policy(step(BOB), name="board"), expires_at=until_then, on_timeout="expire"
    )
    over = await ground.asked(ago=61, on_timeout="fallback")
    assert await ground.timers.fire() == 1
    state = await state_of(ground.store, over)
    assert isinstance(state, Pending)
    assert state.asked.course.policy.name == "board"
    await ground.show(over)
    assert await ground.rows() == [(over, "expire")]
    assert await ground.timers.fire() == 0, "the end of the new one is days ahead"


REMIND = Reminders(after_s=HOUR, every_s=HOUR, most=2)


async def test_who_has_not_answered_is_reminded_and_again(ground: Ground) -> None:
    both = policy(step(ANN, BOB, rule="all"), reminders=REMIND)
    one = await ground.asked(ago=1.5 * HOUR, one=both, expires_in=9 * HOUR)
    assert await ground.timers.fire() == 2
    facts = await facts_of(ground.store, one)
    told = [fact for fact in facts if isinstance(fact, ApprovalReminded)]
    assert [(fact.approver, fact.number, fact.by) for fact in told] == [
        ("ann@example.com", 1, None),
        ("bob@example.com", 1, None),
    ]
    await ground.show(one)
    assert await ground.rows() == [
        (one, "expire"),
        (one, "remind:ann@example.com"),
        (one, "remind:bob@example.com"),
    ]
    assert await ground.timers.fire() == 0, "the next is an hour after the last"


async def test_the_next_time_that_a_projector_sets_while_a_timer_fires_is_not_lost(
    ground: Ground,
) -> None:
    one = await ground.asked(
        ago=1.5 * HOUR, one=policy(step(ANN), reminders=REMIND), expires_in=9 * HOUR
    )
    show = ground.show

    class Projecting(PostgresStore):
        """A projector that is faster than whoever fires the timer."""

        async def append(self, workspace: str, appends: Sequence[Append]) -> None:
            await super().append(workspace, appends)
            await show(one)

    assert await ground.draining(Projecting(ground.store._database)).fire() == 1
    assert await ground.rows() == [(one, "expire"), (one, "remind:ann@example.com")]


async def test_nobody_is_reminded_of_what_they_answered_meanwhile(ground: Ground) -> None:
    both = policy(step(ANN, BOB, rule="all"), reminders=REMIND)
    one = await ground.asked(ago=1.5 * HOUR, one=both, expires_in=9 * HOUR)
    answer = SubmitDecision(
        outcome="approved",
        by=ANN,
        reason=None,
        channel="inbox",
        via=None,
        revision=None,
        now=datetime.now(UTC),
    )
    await handle(ground.store, "acme", Order(approval_id=one, command=answer, command_id="answer"))
    assert await ground.timers.fire() == 2, "the read models have not seen the answer yet"
    told = [one for one in await facts_of(ground.store, one) if isinstance(one, ApprovalReminded)]
    assert [fact.approver for fact in told] == ["bob@example.com"]


async def test_a_timer_that_is_left_from_before_a_pause_does_not_fire_early(
    ground: Ground,
) -> None:
    one = await ground.asked(
        ago=1.5 * HOUR,
        one=policy(step(ANN), reminders=REMIND, ladder=(Rung(after_s=HOUR, to=("x",)),)),
        expires_in=1.2 * HOUR,
    )
    now = datetime.now(UTC)
    pause = (
        AskBack(
            question_id="q",
            by=ANN,
            text="Why?",
            wants="answer",
            revision=None,
            now=now - timedelta(hours=1.4),
        ),
        AnswerBack(
            question_id="q",
            by=ask().about.requester,
            as_admin=False,
            text="So.",
            expires_at=now + timedelta(hours=9),
            now=now,
        ),
    )
    for command in pause:
        await handle(ground.store, "acme", Order(approval_id=one, command=command, command_id="c"))
    before = await facts_of(ground.store, one)
    assert await ground.timers.fire() == 3, "the read models have not seen the pause"
    assert await facts_of(ground.store, one) == before
    await ground.show(one)
    assert len(await ground.rows()) == 3, "each is set to its new time"
    assert await ground.timers.fire() == 0


LADDER = (Rung(after_s=HOUR, to=("role:cfo",)), Rung(after_s=4 * HOUR, to=("role:ceo",)))


async def test_what_nobody_ended_goes_to_the_next_rung(ground: Ground) -> None:
    one = await ground.asked(
        ago=2 * HOUR, one=policy(step(ANN), ladder=LADDER), expires_in=9 * HOUR
    )
    assert await ground.timers.fire() == 1
    state = await state_of(ground.store, one)
    assert isinstance(state, Pending)
    assert state.asked.waits_for == (ANN, CARL)
    assert state.asked.course.rungs == 1
    await ground.show(one)
    assert await ground.rows() == [(one, "escalate"), (one, "expire")]
    assert await ground.timers.fire() == 0


async def test_rungs_that_were_missed_are_taken_one_after_the_other(ground: Ground) -> None:
    one = await ground.asked(
        ago=5 * HOUR, one=policy(step(ANN), ladder=LADDER), expires_in=9 * HOUR
    )
    for _ in range(3):
        await ground.timers.fire()
        await ground.show(one)
    facts = await facts_of(ground.store, one)
    assert [fact.rung for fact in facts if isinstance(fact, ApprovalEscalated)] == [1, 2]
    assert await ground.rows() == [(one, "expire")]


async def test_one_that_fails_stops_no_other_and_is_tried_again(ground: Ground) -> None:
    bad = await ground.asked(
        ago=2 * HOUR, one=policy(step(ANN), ladder=LADDER), expires_in=9 * HOUR
    )
    over = [await ground.asked(ago=61) for _ in range(3)]
    ground.ladders.broken = True
    assert await ground.timers.fire() == 4
    for approval_id in over:
        assert isinstance(await state_of(ground.store, approval_id), Expired)
    assert await ground.rows() == [(bad, "escalate"), (bad, "expire")]
    assert await ground.timers.fire() == 0, "not before its lease ends"
    ground.ladders.broken = False
    await ground.end_leases()
    assert await ground.timers.fire() == 1
    state = await state_of(ground.store, bad)
    assert isinstance(state, Pending)
    assert state.asked.course.rungs == 1


async def test_a_timer_of_a_kind_that_only_a_newer_release_knows_is_left_to_it(
    ground: Ground,
) -> None:
    over = await ground.asked(ago=61)
    async with ground.worker_db.connection() as connection:
        await connection.execute(
            "INSERT INTO timers (workspace, approval_id, kind, due_at)"
            " VALUES ('acme', $1, 'dance', now())",
            over,
        )
    assert await ground.timers.fire() == 2
    assert await ground.rows() == [(over, "dance")]


async def test_workspaces_are_told_apart(ground: Ground) -> None:
    mine = await ground.asked(ago=61)
    theirs = await ground.asked(ago=61, workspace="other")
    assert await ground.timers.fire() == 2
    assert isinstance(await state_of(ground.store, mine, "acme"), Expired)
    assert isinstance(await state_of(ground.store, theirs, "other"), Expired)


async def test_two_that_drain_at_once_fire_each_timer_once(ground: Ground) -> None:
    over = [await ground.asked(ago=70) for _ in range(12)]
    fired = await asyncio.gather(*(ground.timers.fire() for _ in range(3)))
    assert sum(fired) == 12
    for approval_id in over:
        facts = await facts_of(ground.store, approval_id)
        assert [type(fact) for fact in facts].count(ApprovalExpired) == 1
    assert await ground.rows() == []


async def test_more_than_a_batch_drains_a_batch_at_a_time(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "BATCH", 5)
    over = [await ground.asked(ago=70 + number) for number in range(12)]
    assert [await ground.timers.fire() for _ in range(4)] == [5, 5, 2, 0]
    for approval_id in over:
        assert isinstance(await state_of(ground.store, approval_id), Expired)


async def test_a_batch_is_read_and_written_in_one_piece(ground: Ground) -> None:
    for _ in range(10):
        await ground.asked(ago=70)
    reads: list[int] = []
    appended: list[int] = []

    class Counting(PostgresStore):
        async def read(
            self, workspace: str, approval_ids: Sequence[str], after: int = 0
        ) -> Mapping[str, Sequence[Recorded]]:
            reads.append(len(approval_ids))
            return await super().read(workspace, approval_ids, after)

        async def append(self, workspace: str, appends: Sequence[Append]) -> None:
            appended.append(len(appends))
            await super().append(workspace, appends)

    assert await ground.draining(Counting(ground.store._database)).fire() == 10
    assert appended == [10]
    assert reads == [10]


async def test_a_timer_that_somebody_is_at_is_left_to_them_until_their_lease_ends(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await ground.asked(ago=61)

    async def die(*_: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(timers, "carry_out", die)
        with pytest.raises(asyncio.CancelledError):
            await ground.timers.fire()
    assert await ground.timers.fire() == 0
    assert isinstance(await state_of(ground.store, over), Pending)
    await ground.end_leases()
    assert await ground.timers.fire() == 1
    assert isinstance(await state_of(ground.store, over), Expired)


async def test_a_lease_lasts_for_some_seconds_of_postgres_time_and_leaves_what_is_due(
    ground: Ground,
) -> None:
    over = await ground.asked(ago=61)
    state = await state_of(ground.store, over)
    assert isinstance(state, Pending)
    async with ground.worker_db.connection() as connection:
        taken = await connection.fetch(ground.timers._sql["due_timers"], 10, timers.LEASE_S)
        row = await connection.fetchrow("SELECT due_at, leased_until - now() AS left FROM timers")
    assert len(taken) == 1
    assert row is not None
    assert 0 < timers.LEASE_S - row["left"].total_seconds() < 5
    assert row["due_at"] == state.asked.deadline


async def test_a_store_that_is_away_leaves_the_timer_for_later(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = await ground.asked(ago=61)

    async def away(*_: object) -> None:
        raise Unavailable("Postgres is away")

    with monkeypatch.context() as patch:
        patch.setattr(ground.store, "append", away)
        with pytest.raises(Unavailable):
            await ground.timers.fire()
    assert await ground.rows() == [(over, "expire")]
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
    assert await ground.rows() == []


async def test_what_is_settled_while_its_timer_fires_has_one_end_and_the_others_theirs(
    ground: Ground,
) -> None:
    over = [await ground.asked(ago=61) for _ in range(3)]
    store = ground.store

    class Slow(PostgresStore):
        """Somebody else is faster, once."""

        beaten = False

        async def append(self, workspace: str, appends: Sequence[Append]) -> None:
            if not self.beaten:
                self.beaten = True
                now = datetime.now(UTC)
                settled = ObserveSettled(cause="gone", by=None, outcome=None, read_at=now, now=now)
                order = Order(approval_id=over[1], command=settled, command_id="s")
                await handle(store, workspace, order)
            await super().append(workspace, appends)

    assert await ground.draining(Slow(store._database)).fire() == 3
    assert isinstance(await state_of(store, over[1]), Withdrawn)
    for approval_id in over:
        assert len(await facts_of(store, approval_id)) == 2
    assert isinstance(await state_of(store, over[0]), Expired)
    assert await ground.rows() == []


async def test_the_loop_fires_what_becomes_due(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "EVERY_S", 0.02)
    running = asyncio.create_task(ground.timers.run())
    over = await ground.asked(ago=59.9)

    async def expired() -> bool:
        return isinstance(await state_of(ground.store, over), Expired)

    await until(expired)
    running.cancel()
    await asyncio.wait([running])


async def test_it_rests_after_each_few_so_that_requests_come_first(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "TOGETHER", 2)
    rests: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await real_sleep(0)

    class Slow(PostgresStore):
        async def append(self, workspace: str, appends: Sequence[Append]) -> None:
            assert len(appends) <= 2
            await real_sleep(0.02)
            await super().append(workspace, appends)

    for _ in range(5):
        await ground.asked(ago=70)
    # Others of this process sleep too: only what the chores sleep is counted.
    monkeypatch.setattr(chores, "asyncio", SimpleNamespace(sleep=sleep))
    assert await ground.draining(Slow(ground.store._database)).fire() == 5
    assert len(rests) == 3
    assert all(rest >= 0.02 * chores.REST for rest in rests)
