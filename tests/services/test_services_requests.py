"""Asks that come by Kafka: each once, by the id of its message."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from events.approval import ApprovalRequested
from events.kafka.consumer import Delivered, Rejected
from events.state import Pending, Withdrawn
from events.store import EventStore
from events.store.database import Database
from events.store.memory import MemoryStore
from events.store.postgres import PostgresStore
from services.config import read_config
from services.decision.asking import Asking
from services.decision.intake import REUSED, Intake
from services.directory import FixedDirectories
from services.web.bodies import MAX_BODY
from tests.services.service_kit import Clock, delivered, state_of

BODY = {
    "type": "deploy",
    "title": "Deploy 1.2",
    "approvers": ["ann@example.com"],
    "requester": "bot@example.com",
    "payload": {"version": "1.2"},
}


def ask(ce_id: str = "1", *, offset: int = 0, workspace: str = "acme", **changes: Any) -> Delivered:
    """A message of `approval.requests`; a change to None leaves the field out."""
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    value = json.dumps(body).encode()
    return delivered(value, offset=offset, ce_id=ce_id, ce_workspace=workspace)


async def named(store: EventStore, ce_id: str, workspace: str = "acme") -> str:
    """The id of the approval that a message asked for."""
    key = f"kafka {ce_id}"
    return (await store.claimed(workspace, "idempotency", [key]))[key].approval_id


async def test_an_ask_becomes_an_approval_of_the_workspace_it_names(store: EventStore) -> None:
    assert await Intake(store, Clock()).requests([ask("1"), ask("1", workspace="other")]) == []
    state = await state_of(store, await named(store, "1"))
    assert isinstance(state, Pending)
    assert state.asked.about.requester.email == "bot@example.com"
    other = await named(store, "1", "other")
    assert isinstance(await state_of(store, other, "other"), Pending)


async def test_an_ask_without_a_workspace_goes_to_the_default_one(store: EventStore) -> None:
    message = delivered(json.dumps(BODY).encode(), ce_id="1")
    assert await Intake(store, Clock()).requests([message]) == []
    assert await named(store, "1", "default")


async def test_the_same_message_again_asks_nothing_more(store: EventStore) -> None:
    intake = Intake(store, Clock())
    assert await intake.requests([ask("1"), ask("2"), ask("1")]) == []
    first = await named(store, "1")
    assert await intake.requests([ask("1"), ask("3")]) == []
    assert await named(store, "1") == first
    stream = (await store.read("acme", [first]))[first]
    assert [type(one.event) for one in stream] == [ApprovalRequested]


async def test_the_same_body_with_other_spaces_is_the_same_ask(store: EventStore) -> None:
    intake = Intake(store, Clock())
    spaced = delivered(json.dumps(BODY, indent=2).encode(), ce_id="1", ce_workspace="acme")
    assert await intake.requests([ask("1"), spaced]) == []
    assert await intake.requests([spaced]) == []


async def test_an_id_that_comes_again_with_another_body_is_set_aside(store: EventStore) -> None:
    intake = Intake(store, Clock())
    await intake.requests([ask("1")])
    other = ask("1", title="Deploy 6.6.6")
    assert await intake.requests([other, ask("2")]) == [Rejected(other, REUSED)]
    state = await state_of(store, await named(store, "1"))
    assert isinstance(state, Pending)
    assert state.asked.about.title == "Deploy 1.2"
    assert await named(store, "2")


async def test_an_id_twice_in_one_batch_with_two_bodies_loses_neither(store: EventStore) -> None:
    first, second = ask("1"), ask("1", title="Deploy 6.6.6", offset=1)
    rejected = await Intake(store, Clock()).requests([first, second, first])
    assert rejected == [Rejected(second, REUSED)]
    state = await state_of(store, await named(store, "1"))
    assert isinstance(state, Pending)
    assert state.asked.about.title == "Deploy 1.2"


async def test_two_bodies_with_one_id_at_once_keep_one_and_set_the_other_aside(
    app_db: Database,
) -> None:
    store = PostgresStore(app_db)
    asks = [[ask("1", title=f"Deploy {number}")] for number in range(6)]
    rejected = await asyncio.gather(*(Intake(store, Clock()).requests(one) for one in asks))
    assert sorted(len(one) for one in rejected) == [0, 1, 1, 1, 1, 1]
    async with app_db.workspace("acme") as connection:
        assert await connection.fetchval("SELECT count(*) FROM events") == 1


async def test_many_at_once_with_overlapping_batches_ask_each_once(app_db: Database) -> None:
    store = PostgresStore(app_db)
    asks = [ask(str(number)) for number in range(12)]
    rejected = await asyncio.gather(
        *(Intake(store, Clock()).requests(asks[place : place + 6]) for place in range(0, 7, 2))
    )
    assert rejected == [[]] * 4
    async with app_db.workspace("acme") as connection:
        assert await connection.fetchval("SELECT count(*) FROM events") == 12


BAD = {
    "no-id": (delivered(json.dumps(BODY).encode()), "ce_id"),
    "a-long-id": (ask("x" * 256), "ce_id"),
    "an-id-with-nul": (ask("x\0"), "ce_id"),
    "a-workspace-with-nul": (ask(workspace="a\0"), "workspace"),
    "no-workspace": (ask(workspace=""), "workspace"),
    "a-header-that-is-no-text": (
        Delivered("t", 0, 0, None, json.dumps(BODY).encode(), [("ce_id", b"\xff")]),
        "headers",
    ),
    "no-value": (delivered(None, ce_id="1"), "not JSON"),
    "no-json": (delivered(b"{", ce_id="1"), "not JSON"),
    "too-large": (ask(metadata={"x": "y" * MAX_BODY}), "256 KiB"),
    "too-deep": (delivered(b'{"payload":' + b"[" * 5000, ce_id="1"), "nested deeper"),
    "no-title": (ask(title=None), "title"),
    "no-requester": (ask(requester=None), "requester"),
    "an-unknown-field": (ask(titel="x"), "titel"),
    "nobody": (ask(approvers=[]), "approvers"),
    "no-address": (ask(approvers=["ann"]), "approvers.0"),
    "a-large-number": (ask(payload={"n": 2**60}), "2^53"),
    "in-the-past": (ask(expires_at="2020-01-01T00:00:00Z"), "expires_at"),
}


@pytest.mark.parametrize(("message", "why"), BAD.values(), ids=BAD)
async def test_what_cannot_be_asked_is_set_aside_with_its_reason(
    message: Delivered, why: str
) -> None:
    store = MemoryStore()
    (rejected,) = await Intake(store, Clock()).requests([message, ask("good")])
    assert rejected.message is message
    assert why in rejected.reason
    assert isinstance(await state_of(store, await named(store, "good")), Pending)


async def test_a_newer_revision_in_one_batch_takes_the_place_of_the_older(
    store: EventStore,
) -> None:
    asks = [
        ask("1", offset=1, subject="release", revision="1"),
        ask("2", offset=2, subject="release", revision="2", payload={"version": "1.3"}),
        ask("3", offset=3, subject="release", revision="1", payload={"version": "1.1"}),
        ask("4", offset=4),
    ]
    (rejected,) = await Intake(store, Clock()).requests(asks)
    assert rejected.message is asks[2]
    assert "1 is older" in rejected.reason
    first = await state_of(store, await named(store, "1"))
    assert isinstance(first, Withdrawn)
    assert first.cause == "superseded"
    assert isinstance(await state_of(store, await named(store, "2")), Pending)
    assert isinstance(await state_of(store, await named(store, "4")), Pending)
    assert await Intake(store, Clock()).requests(asks[:2]) == []
    assert isinstance(await state_of(store, await named(store, "2")), Pending)


async def test_what_does_not_fit_its_type_or_comes_from_who_may_not_is_set_aside(
    tmp_path: Path,
) -> None:
    (tmp_path / "deploy.yaml").write_text(
        "name: deploy\nversion: 2\ntitle: Deploy\nrequesters: [release]\n"
        "payload: {type: object, required: [version]}\n"
    )
    (tmp_path / "placet.yaml").write_text(
        "workspace: acme\ntypes: [deploy.yaml]\n"
        "people: [{email: bot@example.com, roles: [release]}]\n"
    )
    config = read_config(tmp_path / "placet.yaml", {})
    store = MemoryStore()
    people = FixedDirectories("acme", config.directory)
    intake = Intake(store, Clock(), Asking(store, Clock(), config.types, people))
    good, unfit = ask("1"), ask("2", payload={"versoin": "1"})
    stranger = ask("3", requester="eve@example.com")
    rejected = await intake.requests([good, unfit, stranger])
    assert [one.message for one in rejected] == [unfit, stranger]
    assert "payload/version" in rejected[0].reason
    assert "eve@example.com may not ask for deploy" in rejected[1].reason
    assert "bot@example.com" in rejected[1].reason
    state = await state_of(store, await named(store, "1"))
    assert isinstance(state, Pending)
    assert state.asked.about.type_version == 2
