"""Whoever is away or gone is routed around, whatever changed: who waits, or who is there."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from events.approval import AppliedPolicy, ApprovalReassigned, Person, Reassignment
from events.commands import AskBack, Command
from events.envelope import Recorded
from events.handling import Order, handle
from events.state import Pending
from events.store import Append, Unavailable
from events.store.database import Database
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from services.decision import absences
from services.decision.absences import AGAIN_AFTER, Absences
from services.directory import Delegation, Directory, Member
from tests.core.examples import ANN, BOB, EVE, RITA, ask
from tests.core.steps import CARL, DORA, policy, step
from tests.services.service_kit import Clock, facts_of, state_of, until

BOTH = policy(step(ANN, BOB, rule="all"))


class Routes:
    """Asks who stands in, else one who is named here; and remembers whom it was asked about."""

    def __init__(self) -> None:
        self.instead: dict[str, Person] = {}
        self.asked: list[str] = []
        self.workspaces: list[str] = []
        self.broken: set[str] = set()

    def within(self, workspace: str) -> "Routes":
        self.workspaces.append(workspace)
        return self

    def routed(
        self, email: str, state: Pending, directory: Directory, now: datetime
    ) -> tuple[Person, Reassignment] | None:
        self.asked.append(email)
        if state.asked.about.title in self.broken:
            raise LookupError("nobody knows")
        if directory.is_active(email):
            found = directory.stand_in(email, now)
            return (found, "delegated") if found else None
        instead = self.instead.get(email)
        return (instead, "deactivated") if instead else None


class People:
    """The people of each workspace, as a test changes them."""

    def __init__(self) -> None:
        self.now: Mapping[str, Directory] = {}

    def of(self, workspace: str) -> Directory:
        return self.now.get(workspace, NOBODY)


NOBODY = Directory()


class Ground:
    """Approvals on Postgres that wait for people, some of whom are gone."""

    def __init__(self, app_db: Database, worker_db: Database) -> None:
        self.store = PostgresStore(app_db)
        self.worker_db = worker_db
        self.read_models = ReadModels(worker_db)
        self.clock = Clock(datetime.now(UTC))
        self.routes, self.people = Routes(), People()
        self.absences = self.routing(self.store)
        self.count = 0

    def routing(self, store: PostgresStore) -> Absences:
        return Absences(self.worker_db, store, self.people, self.routes, self.clock)

    async def asked(
        self, one: AppliedPolicy = BOTH, *, workspace: str = "acme", title: str = "Oslo"
    ) -> str:
        approval_id = f"A-{self.count:05d}"
        self.count += 1
        await self.order(approval_id, ask(policy=one, now=self.clock(), title=title), workspace)
        return approval_id

    async def order(self, approval_id: str, command: Command, workspace: str = "acme") -> None:
        """Carry out a command and show what came of it."""
        one = Order(approval_id=approval_id, command=command, command_id="c")
        await handle(self.store, workspace, one)
        await self.show(approval_id, workspace)

    async def show(self, approval_id: str, workspace: str = "acme") -> None:
        stream = (await self.store.read(workspace, [approval_id]))[approval_id]
        await self.read_models.apply(stream)

    async def waits_for(self, approval_id: str, workspace: str = "acme") -> list[str]:
        state = await state_of(self.store, approval_id, workspace)
        assert isinstance(state, Pending)
        return [person.email for person in state.asked.waits_for]

    def away(
        self, person: Person, to: Person, *, begins: float = 0, workspace: str = "acme"
    ) -> None:
        """From so many seconds on, for a day."""
        at = self.clock() + timedelta(seconds=begins)
        one = Delegation(
            id="d", person=person.email, to=to.email, begins=at, ends=at + timedelta(days=1)
        )
        zone = Member(email=to.email, name=to.name, time_zone="Europe/Oslo")
        self.people.now = {workspace: Directory({to.email: zone}, [one])}

    def gone(self, *people: Person, workspace: str = "acme") -> None:
        members = {one.email: Member(email=one.email, active=False) for one in people}
        self.people.now = {workspace: Directory(members)}


@pytest.fixture
def ground(app_db: Database, worker_db: Database) -> Ground:
    return Ground(app_db, worker_db)


async def test_whoever_stands_in_is_asked_instead_of_who_is_away(ground: Ground) -> None:
    one = await ground.asked()
    ground.away(ANN, DORA)
    assert await ground.absences.route() == 1
    assert await ground.waits_for(one) == ["dora@example.com", "bob@example.com"]
    (fact,) = [f for f in await facts_of(ground.store, one) if isinstance(f, ApprovalReassigned)]
    assert (fact.person, fact.to, fact.cause, fact.by) == (ANN.email, DORA, "delegated", None)
    assert fact.time_zone == "Europe/Oslo"
    await ground.show(one)
    assert await ground.absences.route() == 0, "it waits for nobody who is away any more"


async def test_somebody_else_is_asked_for_good_instead_of_who_is_not_active(
    ground: Ground,
) -> None:
    one = await ground.asked()
    ground.gone(ANN)
    ground.routes.instead = {ANN.email: CARL}
    assert await ground.absences.route() == 1
    assert await ground.waits_for(one) == ["carl@example.com", "bob@example.com"]


async def test_both_are_routed_where_two_are_gone(ground: Ground) -> None:
    one = await ground.asked()
    ground.gone(ANN, BOB)
    ground.routes.instead = {ANN.email: CARL, BOB.email: DORA}
    assert await ground.absences.route() == 2
    assert await ground.waits_for(one) == ["carl@example.com", "dora@example.com"]


async def test_nobody_is_routed_around_before_they_are_away(ground: Ground) -> None:
    one = await ground.asked()
    ground.away(ANN, DORA, begins=60)
    assert await ground.absences.route() == 0
    assert ground.routes.asked == []
    ground.clock.turn(61)
    assert await ground.absences.route() == 1
    assert await ground.waits_for(one) == ["dora@example.com", "bob@example.com"]


async def test_what_comes_to_wait_for_somebody_who_is_away_already_is_routed_too(
    ground: Ground,
) -> None:
    ground.away(ANN, DORA)
    assert await ground.absences.route() == 0
    one = await ground.asked()
    assert await ground.absences.route() == 1
    assert await ground.waits_for(one) == ["dora@example.com", "bob@example.com"]


async def test_a_requester_who_is_away_is_not_routed_around_while_asked_back(
    ground: Ground,
) -> None:
    """Not even one who is to approve it as well: their question is theirs."""
    one = await ground.asked(policy(step(ANN, RITA, rule="all"), self_approval=True))
    question = AskBack(
        question_id="q",
        by=ANN,
        text="Why?",
        wants="answer",
        revision=None,
        now=ground.clock(),
    )
    await ground.order(one, question)
    ground.away(RITA, DORA)
    before = await facts_of(ground.store, one)
    assert await ground.absences.route() == 0
    assert await facts_of(ground.store, one) == before
    assert ground.routes.asked == []


async def test_what_nobody_takes_is_left_alone_for_a_while(ground: Ground) -> None:
    one = await ground.asked()
    ground.gone(ANN)
    for _ in range(3):
        assert await ground.absences.route() == 0
    assert ground.routes.asked == [ANN.email]
    ground.routes.instead = {ANN.email: CARL}
    ground.clock.turn(AGAIN_AFTER.total_seconds() + 1)
    assert await ground.absences.route() == 1
    assert await ground.waits_for(one) == ["carl@example.com", "bob@example.com"]


async def test_what_nobody_takes_is_tried_at_once_when_the_people_have_changed(
    ground: Ground,
) -> None:
    await ground.asked()
    ground.gone(ANN)
    assert await ground.absences.route() == 0
    ground.gone(ANN)
    assert await ground.absences.route() == 0
    assert ground.routes.asked == [ANN.email, ANN.email]


async def test_what_is_remembered_has_a_bound(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absences, "REMEMBERED", 3)
    for _ in range(8):
        await ground.asked()
    ground.gone(ANN)
    await ground.absences.route()
    assert len(ground.absences._known["acme"].in_vain) == 3


async def test_one_that_fails_stops_no_other(ground: Ground) -> None:
    bad, good = await ground.asked(title="Rome"), await ground.asked()
    ground.away(ANN, DORA)
    ground.routes.broken = {"Rome"}
    assert await ground.absences.route() == 1
    assert await ground.waits_for(bad) == ["ann@example.com", "bob@example.com"]
    assert await ground.waits_for(good) == ["dora@example.com", "bob@example.com"]


async def test_workspaces_are_told_apart(ground: Ground) -> None:
    theirs, mine = await ground.asked(workspace="other"), await ground.asked()
    ground.away(ANN, DORA, workspace="other")
    assert await ground.absences.route() == 1
    assert await ground.waits_for(mine) == ["ann@example.com", "bob@example.com"]
    assert await ground.waits_for(theirs, "other") == ["dora@example.com", "bob@example.com"]
    assert ground.routes.workspaces == ["other"]


async def test_more_workspaces_and_approvals_than_are_looked_at_at_once_are_all_routed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absences, "WORKSPACES", 2)
    monkeypatch.setattr(absences, "PEOPLE", 1)
    monkeypatch.setattr(absences, "BATCH", 4)
    for workspace in ("one", "two", "three", "acme"):
        await ground.asked(workspace=workspace)
    for _ in range(9):
        await ground.asked()
    members = {one.email: Member(email=one.email, active=False) for one in (EVE, ANN, DORA)}
    one = Directory(members)
    ground.people.now = dict.fromkeys(("one", "two", "three", "acme"), one)
    ground.routes.instead = {ANN.email: CARL}
    assert await ground.absences.route() == 13


async def test_a_batch_is_one_transaction(ground: Ground) -> None:
    for _ in range(10):
        await ground.asked()
    ground.away(ANN, DORA)
    appended: list[int] = []

    class Counting(PostgresStore):
        async def append(self, workspace: str, appends: Sequence[Append]) -> None:
            appended.append(len(appends))
            await super().append(workspace, appends)

    assert await ground.routing(Counting(ground.store._database)).route() == 10
    assert appended == [10]


async def test_two_that_look_at_once_pass_each_on_once(ground: Ground) -> None:
    every = [await ground.asked() for _ in range(6)]
    ground.away(ANN, DORA)
    await asyncio.gather(*(ground.routing(ground.store).route() for _ in range(3)))
    for one in every:
        facts = await facts_of(ground.store, one)
        assert [type(fact) for fact in facts].count(ApprovalReassigned) == 1


async def test_the_loop_goes_on_after_an_outage(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absences, "EVERY_S", 0.02)
    one = await ground.asked()
    ground.away(ANN, DORA)

    class AwayOnce(PostgresStore):
        """It cannot be reached when it is read for the first time."""

        tries = 0

        async def read(
            self, workspace: str, approval_ids: Sequence[str], after: int = 0
        ) -> Mapping[str, Sequence[Recorded]]:
            self.tries += 1
            if self.tries == 1:
                raise Unavailable("Postgres is away")
            return await super().read(workspace, approval_ids, after)

    running = asyncio.create_task(ground.routing(AwayOnce(ground.store._database)).run())

    async def passed_on() -> bool:
        return "dora@example.com" in await ground.waits_for(one)

    await until(passed_on)
    running.cancel()
    await asyncio.wait([running])
