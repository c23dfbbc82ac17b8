"""The people in memory: as the tables have them within a second, and never more than fit."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from events.store import Unavailable
from events.store.database import Database
from services.directory import Delegation, Directory, Member
from services.directory.changing import changing
from services.directory.delegations import Delegations
from services.directory.postgres import PostgresDirectories
from services.people.rows import PersonRow, new_id, put_people
from tests.people.people_kit import ANN, BEN

WORKSPACE = "acme"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def directories(worker_db: Database) -> PostgresDirectories:
    file = Directory({BEN: Member(email=BEN, name="Ben of the file")})
    return PostgresDirectories(worker_db, now, workspace=WORKSPACE, file=file)


@pytest.fixture
async def following(directories: PostgresDirectories) -> AsyncIterator[PostgresDirectories]:
    """One that follows the changes."""
    await directories.load()
    task = asyncio.create_task(directories.run())
    yield directories
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def put(app_db: Database, *rows: PersonRow, new: int, workspace: str = WORKSPACE) -> None:
    async with changing(app_db, workspace) as change:
        await put_people(change, rows, new=new)


async def until(directories: PostgresDirectories, name: str | None, within_s: float = 3.0) -> float:
    """How long it takes until Ann has a name."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        member = directories.of(WORKSPACE).find(ANN)
        if (member.name if member else None) == name:
            return time.monotonic() - began
        await asyncio.sleep(0.01)
    raise AssertionError(f"Ann is not called {name} within {within_s} s")


async def test_a_change_is_seen_within_about_a_second(
    following: PostgresDirectories, app_db: Database
) -> None:
    row = PersonRow(person_id=new_id(), email=ANN, name="Ann")
    await put(app_db, row, new=1)
    assert await until(following, "Ann") < 2
    await put(app_db, PersonRow(person_id=row.person_id, email=ANN, name="Anna"), new=0)
    assert await until(following, "Anna") < 2
    assert set(following.of(WORKSPACE).members) == {ANN, BEN}
    assert following.of("elsewhere").members == {}


async def test_who_changes_the_address_is_known_by_the_new_one_only(
    directories: PostgresDirectories, app_db: Database
) -> None:
    row = PersonRow(person_id=new_id(), email=ANN, name="Ann")
    await put(app_db, row, new=1)
    await directories.load()
    await put(app_db, PersonRow(person_id=row.person_id, email="a2@example.com"), new=0)
    await directories.load()
    assert set(directories.of(WORKSPACE).members) == {"a2@example.com", BEN}


async def test_only_who_changed_is_read_again(
    directories: PostgresDirectories, app_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [PersonRow(person_id=new_id(), email=f"p{n}@x.com") for n in range(50)]
    await put(app_db, *rows, new=50)
    monkeypatch.setattr("services.directory.postgres.TOGETHER", 7)
    await directories.load()
    assert len(directories.of(WORKSPACE).members) == 51
    before = dict(directories.of(WORKSPACE).members)
    await put(app_db, PersonRow(person_id=rows[7].person_id, email="p7@x.com", name="P"), new=0)
    await directories.load()
    after = directories.of(WORKSPACE).members
    changed = [email for email in before if after[email] is not before[email] and email != BEN]
    assert changed == ["p7@x.com"]


async def test_delegations_that_are_over_are_left_out(
    directories: PostgresDirectories, app_db: Database
) -> None:
    delegations = Delegations(app_db)
    soon = now() + timedelta(seconds=0.3)
    for ends in (soon, now() + timedelta(days=1)):
        one = Delegation(id="", person=ANN, to=BEN, begins=now(), ends=ends)
        await delegations.add(WORKSPACE, one, by=ANN, now=now())
    await directories.load()
    assert len(directories.of(WORKSPACE).delegations) == 2
    await asyncio.sleep(0.35)
    directory = directories.of(WORKSPACE)
    assert [one.holds(now()) for one in directory.delegations] == [False, True]
    other = Delegation(id="", person=BEN, to="c@x.com", begins=now(), ends=now() + timedelta(1))
    made = await delegations.add(WORKSPACE, other, by=BEN, now=now())
    await delegations.end(WORKSPACE, made.id, by=BEN)
    await directories.load()
    assert [one.to for one in directories.of(WORKSPACE).delegations] == [BEN]


async def test_without_postgres_the_file_is_known_and_the_rest_follows(
    app_db: Database, worker_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Directory({BEN: Member(email=BEN)})
    directories = PostgresDirectories(worker_db, now, workspace=WORKSPACE, file=file)
    await put(app_db, PersonRow(person_id=new_id(), email=ANN, name="Ann"), new=1)

    def away(_: Database) -> None:
        raise Unavailable("Postgres is away")

    with monkeypatch.context() as outage:
        outage.setattr(Database, "connection", away)
        await directories.load()
        assert set(directories.of(WORKSPACE).members) == {BEN}
        with pytest.raises(Unavailable):
            await directories.run()
    await directories.load()
    assert set(directories.of(WORKSPACE).members) == {ANN, BEN}


async def test_more_people_than_fit_are_left_out_loudly(
    directories: PostgresDirectories,
    app_db: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [PersonRow(person_id=new_id(), email=f"p{n}@x.com") for n in range(5)]
    await put(app_db, *rows, new=5)
    monkeypatch.setattr("services.directory.postgres.MOST_PEOPLE", 3)
    await directories.load()
    assert len(directories.of(WORKSPACE).members) == 4
    assert any("over 3 people" in one.message for one in caplog.records)


async def test_changes_of_one_workspace_come_one_after_another(
    following: PostgresDirectories, app_db: Database
) -> None:
    """Whoever counted first and commits last would otherwise be passed over."""
    second = asyncio.Event()

    async def slow() -> None:
        async with changing(app_db, WORKSPACE) as change:
            await asyncio.wait({asyncio.create_task(second.wait())}, timeout=0.3)
            await put_people(change, [PersonRow(person_id=new_id(), email=ANN, name="Slow")], new=1)

    async def quick() -> None:
        await asyncio.sleep(0.05)
        await put(app_db, PersonRow(person_id=new_id(), email="q@x.com"), new=1)
        second.set()

    await asyncio.gather(slow(), quick())
    await until(following, "Slow")
    assert set((await following.fresh(WORKSPACE)).members) == {ANN, BEN, "q@x.com"}
