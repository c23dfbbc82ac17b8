"""What readers are answered: whole pages, in order, of their own workspace, and true as of now."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from projections.cursors import BadCursor
from projections.queries import Changes, Docs, Filters, Mirror
from tests.core.examples import (
    ANN,
    BOB,
    EVE,
    MIRRORED,
    NOW,
    OWN,
    RITA,
    answer,
    ask,
    comment,
    commented,
    decided,
    requested,
    submitted,
    withdrawn,
)
from tests.core.steps import ask_back, asked_back
from tests.projections.conftest import World


def docs(page: Docs) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(f"[{page.json}]")
    assert len(found) == page.rows
    return found


def ids(page: Docs) -> list[str]:
    return [doc["id"] for doc in docs(page)]


async def listed(world: World, workspace: str, **wanted: str) -> list[str]:
    return ids(await world.queries.list(workspace, Filters(**wanted), limit=50, cursor=None))


async def test_each_filter_narrows_the_list_newest_first(world: World, workspace: str) -> None:
    special = requested(ask(approvers=(EVE,)))
    await world.show(
        workspace, "a1", replace(special, about=replace(special.about, type="hire", subject="S-1"))
    )
    await world.show(workspace, "a2", OWN, submitted(answer()), decided(answer(), OWN))
    await world.show(workspace, "a3", MIRRORED)
    assert await listed(world, workspace) == ["a3", "a2", "a1"]
    assert await listed(world, workspace, status="approved") == ["a2"]
    assert await listed(world, workspace, approver=EVE.email) == ["a1"]
    assert await listed(world, workspace, approver=BOB.email) == ["a3", "a2"]
    assert await listed(world, workspace, requester=RITA.email) == ["a3", "a2", "a1"]
    assert await listed(world, workspace, type="hire") == ["a1"]
    assert await listed(world, workspace, source="acme") == ["a3"]
    assert await listed(world, workspace, subject="S-1") == ["a1"]
    assert await listed(world, workspace, source="acme", status="approved") == []


async def test_pages_hold_everything_once_while_new_ones_come_in(
    world: World, workspace: str
) -> None:
    for number in range(10, 17):
        await world.show(workspace, f"a{number}", OWN)
    cursor, seen = None, []
    for newer in range(3):
        page = await world.queries.list(workspace, Filters(), limit=3, cursor=cursor)
        seen += ids(page)
        cursor = page.next_cursor
        await world.show(workspace, f"b{newer}", OWN)
    assert seen == [f"a{number}" for number in range(16, 9, -1)]
    assert cursor is None


async def test_the_queue_is_most_urgent_first_then_oldest_on_every_page(
    world: World, workspace: str
) -> None:
    for name, urgency in [("a1", "low"), ("a2", "high"), ("a3", "medium"), ("a4", "high")]:
        await world.show(workspace, name, replace(OWN, urgency=urgency))
    await world.show(workspace, "a5", OWN, withdrawn(OWN, "recalled", "No."))
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = await world.queries.queue(workspace, ANN.email, limit=2, cursor=cursor)
        assert page.waiting == 4
        seen += ids(page)
        cursor = page.next_cursor
    assert seen == ["a2", "a4", "a3", "a1"]
    assert cursor is None


async def test_a_row_of_the_queue_tells_its_age_and_the_time_left(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a", OWN)
    (doc,) = docs(await world.queries.queue(workspace, ANN.email, limit=5, cursor=None))
    age = (datetime.now(UTC) - NOW).total_seconds()
    left = (datetime.fromisoformat(doc["expires_at"]) - datetime.now(UTC)).total_seconds()
    assert abs(doc["age_seconds"] - age) < 60
    assert abs(doc["time_left_seconds"] - max(0, left)) < 60


@pytest.mark.parametrize("cursor", ["", "x", "ü", "AA", "AAAA", "bm90IG91cnM", "MQ" * 400])
async def test_a_cursor_that_we_never_gave_is_refused(
    world: World, workspace: str, cursor: str
) -> None:
    with pytest.raises(BadCursor, match="Begin again without one"):
        await world.queries.queue(workspace, ANN.email, limit=5, cursor=cursor)


async def test_one_approval_is_read_as_of_now_whatever_the_projector_has_done(
    world: World, workspace: str
) -> None:
    stream = await world.keep(workspace, "a", OWN, submitted(answer()), decided(answer(), OWN))
    for shown in range(4):
        await world.read_models.apply(stream[:shown])
        view = await world.queries.view(workspace, "a")
        assert view is not None
        assert (view.status, view.version) == ("approved", 3)
        entries = await world.queries.history(workspace, "a")
        assert [entry["version"] for entry in entries] == [1, 2, 3]
        assert entries[2]["summary"].startswith("Approved by ann@example.com")


async def test_nobody_reads_another_workspace_even_by_its_id(world: World, workspace: str) -> None:
    await world.show(workspace, "secret", OWN)
    other = f"{workspace}-other"
    assert await world.queries.approval(other, "secret") is None
    assert await world.queries.history(other, "secret") == []
    assert await listed(world, other) == []
    assert await world.queries.people(other) == []
    assert await Mirror(world.app_db).open(other, "acme") == {}


async def test_people_are_all_who_were_ever_asked_busiest_first(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a1", requested(ask(approvers=(ANN,))))
    await world.show(workspace, "a2", requested(ask(approvers=(ANN, BOB))))
    gone = requested(ask(approvers=(EVE,)))
    await world.show(workspace, "a3", gone, withdrawn(gone, "recalled", "No."))
    await world.show(workspace, "a4", requested(ask(approvers=(BOB,))), asked_back(ask_back(BOB)))
    assert await world.queries.people(workspace) == [
        (ANN.email, 2),
        (BOB.email, 1),
        (RITA.email, 1),
        (EVE.email, 0),
    ]


async def test_a_sweep_verifies_what_is_pending_and_nothing_else(
    world: World, workspace: str
) -> None:
    done = (MIRRORED, submitted(answer()), decided(answer(), MIRRORED))
    await world.show(workspace, "a1", MIRRORED)
    await world.show(workspace, "a2", *done)
    await world.show(workspace, "a3", OWN)
    swept = NOW + timedelta(hours=1)
    connection = await asyncpg.connect(world.dsn)
    await connection.execute(
        "INSERT INTO placet.source_checkpoints (workspace, source, swept_at)"
        " VALUES ($1, 'acme', $2)",
        workspace,
        swept,
    )
    await connection.close()
    page = await world.queries.list(workspace, Filters(), limit=5, cursor=None)
    verified = {doc["id"]: doc["verified_at"] for doc in docs(page)}
    assert datetime.fromisoformat(verified["a1"]) == swept
    assert datetime.fromisoformat(verified["a2"]) == NOW
    assert verified["a3"] is None
    one = await world.queries.view(workspace, "a1")
    assert one is not None
    assert one.verified_at == swept


async def test_the_mirror_knows_the_latest_round_of_each_record(
    world: World, workspace: str
) -> None:
    first = requested(ask(mirrored=True))
    await world.show(workspace, "a1", first, withdrawn(first, "settled", "Approved there."))
    await world.show(workspace, "a2", requested(ask(mirrored=True, round_=2)))
    await world.show(workspace, "a3", requested(ask(mirrored=True, record_id="R-2")))
    mirror = Mirror(world.app_db)
    held = await mirror.of(workspace, "acme", ["R-1", "R-2", "R-3"])
    assert {record: view.id for record, view in held.items()} == {"R-1": "a2", "R-2": "a3"}
    assert set(await mirror.open(workspace, "acme")) == {"R-1", "R-2"}
    assert await mirror.open(workspace, "other") == {}


async def test_changes_come_in_the_order_of_the_log_and_say_what_is_shown(
    world: World, workspace: str
) -> None:
    changes = Changes(world.worker_db)
    await world.sequence()
    head = await changes.head()
    stream = await world.keep(workspace, "a", OWN, commented(comment()))
    await world.read_models.apply(stream[:1])
    await world.sequence()
    found = await changes.after(head)
    assert [(one.type, one.version, one.shown) for one in found] == [
        ("approval.requested", 1, 1),
        ("approval.commented", 2, 1),
    ]
    assert [one.seq for one in found] == [head + 1, head + 2]
    assert found[1].summary is None, "its sentence comes with the row"
    assert await changes.after(head + 2) == []
