"""What is found among what waits and what was asked: narrowed, in order, whole, and bounded."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest

from events.approval import Person
from events.store.named_sql import statements
from projections import finding
from projections.cursors import BadCursor
from projections.finding import Finding, Found, Narrowed, Whose
from tests.core.examples import (
    ANN,
    BOB,
    EVE,
    MIRRORED,
    OWN,
    RITA,
    answer,
    ask,
    decided,
    requested,
    submitted,
    undo,
    undone,
    withdrawn,
)
from tests.projections.conftest import World

ALL = Narrowed()


def ids(page: Found) -> list[str]:
    docs: list[dict[str, Any]] = json.loads(f"[{page.json}]")
    assert len(docs) == page.rows
    return [doc["id"] for doc in docs]


async def waiting(world: World, workspace: str, email: str, narrowed: Narrowed = ALL) -> list[str]:
    finds = Finding(world.app_db)
    return ids(await finds.waiting(workspace, email, narrowed, limit=50, cursor=None))


async def found(
    world: World, workspace: str, whose: Whose, email: str, narrowed: Narrowed = ALL
) -> list[str]:
    finds = Finding(world.app_db)
    return ids(await finds.found(workspace, whose, email, narrowed, limit=50, cursor=None))


def titled(title: str, *approvers: Person, **about: Any) -> Any:
    special = requested(ask(approvers=approvers or (ANN,)))
    return replace(special, about=replace(special.about, title=title, **about))


async def test_what_waits_is_narrowed_by_each_filter(world: World, workspace: str) -> None:
    await world.show(workspace, "a1", titled("Chairs", type="hire"))
    await world.show(workspace, "a2", replace(titled("Desks"), urgency="low"))
    await world.show(workspace, "a3", titled("Lamps", requester=EVE))
    await world.show(workspace, "a4", MIRRORED)
    soon = datetime.now(UTC) + timedelta(hours=2)
    await world.show(workspace, "a5", replace(titled("Soon"), expires_at=soon))
    far = datetime.now(UTC) + timedelta(days=3)
    await world.show(workspace, "a6", replace(titled("Later"), expires_at=far))

    async def by(**narrowed: Any) -> list[str]:
        return await waiting(world, workspace, ANN.email, Narrowed(**narrowed))

    assert (await by())[-1] == "a2"
    assert sorted(await by()) == ["a1", "a2", "a3", "a4", "a5", "a6"]
    assert await by(type="hire") == ["a1"]
    assert await by(urgency=2) == ["a2"]
    assert await by(requester="EVE@") == ["a3"]
    assert await by(source="acme") == ["a4"]
    assert "a5" in await by(due_in_s=86_400)
    assert "a6" not in await by(due_in_s=86_400)
    assert await by(type="hire", urgency=1) == []
    assert await waiting(world, workspace, EVE.email) == []


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("chairs", ["a1"]),
        ('"ERGO', ["a1"]),
        ("back\\slash", ["a1"]),
        ("straße", ["a2"]),
        ("100%", ["a2"]),
        ("100_", []),
        ("eve example", ["a2"]),
        ("eve@example", ["a2"]),
        ("nothing", []),
        ("payload", []),
        ("title", []),
    ],
)
async def test_a_text_is_looked_for_where_people_see_it_and_nowhere_else(
    world: World, workspace: str, text: str, hits: list[str]
) -> None:
    named = Person(email="eve@example.com", name="Eve Example")
    await world.show(workspace, "a1", titled('Chairs "ergo" back\\slash'))
    await world.show(workspace, "a2", titled("Straße 100%", requester=named))
    trap = requested(ask(payload={"title": "nothing", "payload": '"title":"nothing"'}))
    await world.show(workspace, "a3", replace(trap, about=replace(trap.about, title="Plain")))
    assert await waiting(world, workspace, ANN.email, Narrowed(text=text)) == hits


async def test_of_a_very_long_payload_the_title_is_found_all_the_same(
    world: World, workspace: str
) -> None:
    long = requested(ask(payload={"note": "é" * 30_000}))
    await world.show(workspace, "a1", replace(long, about=replace(long.about, title="Chairs")))
    assert await waiting(world, workspace, ANN.email, Narrowed(text="chairs")) == ["a1"]
    assert await waiting(world, workspace, ANN.email, Narrowed(text="éé")) == []


async def test_a_record_is_found_by_its_id(world: World, workspace: str) -> None:
    await world.show(workspace, "a1", MIRRORED)
    assert MIRRORED.about.source is not None
    wanted = Narrowed(text=MIRRORED.about.source.record_id.upper())
    assert await waiting(world, workspace, ANN.email, wanted) == ["a1"]


async def test_a_record_is_found_by_an_id_with_quotation_marks(
    world: World, workspace: str
) -> None:
    assert MIRRORED.about.source is not None
    source = replace(MIRRORED.about.source, record_id='BOX "7\\8"')
    about = replace(MIRRORED.about, source=source, title="Plain")
    await world.show(workspace, "a1", replace(MIRRORED, about=about))
    for text in ('"7', "7\\8", 'box "7\\8"'):
        assert await waiting(world, workspace, ANN.email, Narrowed(text=text)) == ["a1"]
    assert await waiting(world, workspace, ANN.email, Narrowed(text='"box')) == []


async def test_who_asks_is_not_taken_from_a_payload_that_names_a_requester(
    world: World, workspace: str
) -> None:
    payload = {"id": "7", "requester": {"email": "mallory@example.com", "name": "Mallory"}}
    asked = requested(ask(payload=payload))
    named = Person(email="eve@example.com", name="Eve Example")
    about = replace(asked.about, title="Plain", requester=named)
    await world.show(workspace, "a1", replace(asked, about=about))
    assert await waiting(world, workspace, ANN.email, Narrowed(text="eve exam")) == ["a1"]
    assert await waiting(world, workspace, ANN.email, Narrowed(text="mallory")) == []


@pytest.mark.parametrize("narrowed", [Narrowed(answered_by=BOB.email), Narrowed(shared_by="x")])
async def test_no_filter_reads_the_approvals_of_everybody(
    world: World, workspace: str, narrowed: Narrowed
) -> None:
    await fill(world, workspace, 20_000)
    arguments: list[object] = [workspace, ANN.email, "~", finding.MOST_LOOKED_AT, 20]
    sql = statements("projections", "finding.sql")
    conditions = finding._conditions(sql, narrowed, arguments)
    query = sql["found"].format(conditions=conditions, table="approval_approvers", who="approver")
    async with world.app_db.workspace(workspace) as connection:
        rows = await connection.fetch(f"EXPLAIN {query}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    for table in ("approval_list", "approval_history", "approval_approvers"):
        assert f"Seq Scan on {table}" not in plan, plan


async def fill(world: World, workspace: str, count: int) -> None:
    """Put many approvals of one approver into the tables, as if they had been decided."""
    connection = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    try:
        await connection.execute(
            "INSERT INTO approval_history (workspace, approval_id, version, type, at, summary)"
            " SELECT $1, 'h' || number, version, 'approval.decided', now(), ''"
            " FROM generate_series(1, $2::integer) AS number, generate_series(1, 3) AS version",
            workspace,
            count,
        )
        await connection.execute(
            "INSERT INTO approval_approvers (workspace, approval_id, approver)"
            " SELECT $1, 'h' || number, $3 FROM generate_series(1, $2::integer) AS number",
            workspace,
            count,
            ANN.email,
        )
        await connection.execute("ANALYZE approval_history, approval_approvers")
    finally:
        await connection.close()


async def test_what_waits_comes_in_order_on_every_page_of_a_search(
    world: World, workspace: str
) -> None:
    for number, urgency in enumerate(("low", "high", "medium", "high", "low", "medium")):
        one = replace(titled(f"Number {number}"), urgency=urgency)
        await world.show(workspace, f"a{number}", one)
    finds, cursor = Finding(world.app_db), None
    seen: list[str] = []
    for _ in range(4):
        page = await finds.waiting(
            workspace, ANN.email, Narrowed(text="number"), limit=2, cursor=cursor
        )
        assert (page.partly, page.waiting) == (False, 6)
        seen += ids(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["a1", "a3", "a2", "a5", "a0", "a4"]


async def test_no_page_looks_at_more_than_is_allowed_and_the_next_goes_on(
    world: World, workspace: str
) -> None:
    for number in range(10, 20):
        await world.show(workspace, f"a{number}", titled("Last" if number == 19 else "Chairs"))
    finds, last = Finding(world.app_db), Narrowed(text="last")

    async def waits(cursor: str | None) -> Found:
        return await finds.waiting(workspace, ANN.email, last, limit=2, cursor=cursor)

    async def asked(cursor: str | None) -> Found:
        whose: Whose = "approver"
        return await finds.found(workspace, whose, ANN.email, last, limit=2, cursor=cursor)

    for look in (waits, asked):
        page = await look(None)
        assert (ids(page), page.next_cursor) == (["a19"], None)
    with patch.object(finding, "MOST_LOOKED_AT", 4):
        for look in (waits, asked):
            pages = [await look(None)]
            while pages[-1].next_cursor is not None:
                assert pages[-1].partly
                assert len(pages) < 6
                pages.append(await look(pages[-1].next_cursor))
            assert not pages[-1].partly
            assert [one for page in pages for one in ids(page)] == ["a19"]
            assert len(pages) >= 3


async def test_what_was_asked_is_found_by_who_asked_and_who_was_asked(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a1", OWN)
    await world.show(workspace, "a2", OWN, submitted(answer()), decided(answer(), OWN))
    await world.show(workspace, "a3", OWN, withdrawn(OWN, "recalled", "No."))
    await world.show(workspace, "a4", titled("Others", EVE, requester=BOB))
    assert await found(world, workspace, "requester", RITA.email) == ["a3", "a2", "a1"]
    assert await found(world, workspace, "approver", EVE.email) == ["a4"]
    over = Narrowed(statuses=("approved", "withdrawn"))
    assert await found(world, workspace, "approver", ANN.email, over) == ["a3", "a2"]
    mine = Narrowed(answered_by=ANN.email)
    assert await found(world, workspace, "approver", ANN.email, mine) == ["a2"]
    assert await found(world, workspace, "approver", BOB.email, mine) == ["a2"]
    assert await found(world, workspace, "requester", RITA.email, Narrowed(text="x" * 9)) == []
    await world.show(workspace, "a5", titled("Alone"))
    shared = Narrowed(shared_by=ANN.email, statuses=("pending",))
    assert await found(world, workspace, "approver", ANN.email, shared) == ["a1"]


async def test_an_answer_that_was_taken_back_is_none_of_theirs(
    world: World, workspace: str
) -> None:
    mine, theirs = answer(), answer(by=BOB)
    back = (OWN, submitted(mine), undone(undo()))
    await world.show(workspace, "a1", *back, submitted(theirs), decided(theirs, OWN))
    await world.show(workspace, "a2", *back, submitted(mine), decided(mine, OWN))
    for who, ids_of_theirs in ((ANN, ["a2"]), (BOB, ["a1"])):
        by = Narrowed(answered_by=who.email, statuses=("approved",))
        assert await found(world, workspace, "approver", ANN.email, by) == ids_of_theirs


async def test_another_workspace_is_never_looked_into(world: World, workspace: str) -> None:
    await world.show(workspace, "a1", OWN)
    assert await waiting(world, f"{workspace}-other", ANN.email) == []
    assert await found(world, f"{workspace}-other", "requester", RITA.email) == []
    assert (await Finding(world.app_db).kinds(f"{workspace}-other")).types == []


async def test_types_and_sources_are_told_each_once(world: World, workspace: str) -> None:
    await world.show(workspace, "a1", titled("Chairs", type="hire"))
    await world.show(workspace, "a2", titled("Desks", type="hire"))
    await world.show(workspace, "a3", MIRRORED)
    kinds = await Finding(world.app_db).kinds(workspace)
    assert kinds.types == sorted({"hire", MIRRORED.about.type})
    assert kinds.sources == ["acme"]


@pytest.mark.parametrize("cursor", ["", "x", "AA", "bm90IG91cnM"])
async def test_a_cursor_that_we_never_gave_is_refused(
    world: World, workspace: str, cursor: str
) -> None:
    finds = Finding(world.app_db)
    with pytest.raises(BadCursor):
        await finds.waiting(workspace, ANN.email, ALL, limit=5, cursor=cursor)
