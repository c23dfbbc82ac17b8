"""A gate between an approval and a fallback never lets both happen, whatever the server does."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from placet import NotDecidedInTime, Unavailable, asking, flows, payload_digest, waiting

from tests.client.client_kit import PATIENCE_S, Caller, Kind, opened
from tests.client.stub_server import Answer, Asked, Choose, stub, stub_that

ASKED: dict[str, Any] = {
    "id": "a" * 27,
    "title": "Send",
    "status": "pending",
    "payload_digest": payload_digest({"to": "ann"}),
    "created_at": "2030-01-01T00:00:00Z",
    "expires_at": "2030-01-01T01:00:00Z",
}
PENDING = Answer(body=ASKED)
APPROVED = Answer(body={**ASKED, "status": "approved", "edited_payload_digest": None})
DECIDING = {**ASKED, "status": "deciding"}
RESOLVED = Answer(
    status=409, body={"code": "already_resolved", "detail": "Late.", "approval": DECIDING}
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(waiting, "HURRIED_S", 0.01)


def late(withdrawal: Answer, after_it: Answer) -> Choose:
    """Nobody answers in time; what becomes of the withdrawal, and what is to be seen after it."""

    def choose(asked: Asked, before: Sequence[Asked]) -> Answer:
        if asked.path.endswith("/withdraw"):
            return withdrawal
        withdrawn = any(one.path.endswith("/withdraw") for one in before)
        return after_it if withdrawn else PENDING

    return choose


async def gated(kind: Kind, clients: AsyncExitStack, choose: Choose) -> tuple[Any, list[str]]:
    """What a call with a time limit came to, and what ran."""
    ran: list[str] = []

    def send(to: str) -> str:
        ran.append(f"sent to {to}")
        return "sent"

    def instead(to: str) -> str:
        ran.append(f"not sent to {to}")
        return "not sent"

    async with stub_that(choose) as server, asyncio.timeout(PATIENCE_S):
        client = Caller(await opened(clients, kind, server.url, "plk_a", attempts=2))
        guarded = await client.gated(send, timeout=0.05, on_timeout=instead)
        try:
            return await guarded("ann"), ran
        except Exception as error:  # noqa: BLE001 # which one is what the test asks
            return error, ran


async def test_an_answer_that_is_on_its_way_is_waited_for(
    kind: Kind, clients: AsyncExitStack
) -> None:
    assert await gated(kind, clients, late(RESOLVED, APPROVED)) == ("sent", ["sent to ann"])


async def test_an_answer_that_never_arrives_lets_neither_run(
    kind: Kind, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SETTLING_S", 0.05)
    error, ran = await gated(kind, clients, late(RESOLVED, Answer(body=DECIDING)))
    assert isinstance(error, NotDecidedInTime)
    assert (error.approval.status, ran) == ("deciding", [])


async def test_a_withdrawal_that_is_not_heard_of_lets_neither_run(
    kind: Kind, clients: AsyncExitStack
) -> None:
    error, ran = await gated(kind, clients, late(Answer(cut=True), APPROVED))
    assert isinstance(error, Unavailable)
    assert ran == []


async def test_an_acknowledgement_that_fails_does_not_lose_the_result(
    kind: Kind, clients: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    away = Answer(status=503, body={"code": "unavailable"})

    def choose(asked: Asked, _: Sequence[Asked]) -> Answer:
        return away if asked.path.endswith("/acknowledge") else APPROVED

    assert await gated(kind, clients, choose) == ("sent", ["sent to ann"])
    assert "could not be acknowledged" in caplog.text


async def test_an_edit_whose_digest_is_another_is_refused(
    kind: Kind, clients: AsyncExitStack
) -> None:
    edited = Answer(
        body={
            **ASKED,
            "status": "approved",
            "edited_payload": {"to": "ben"},
            "edited_payload_digest": payload_digest({"to": "eve"}),
        }
    )
    ran: list[str] = []
    async with stub(edited) as server:
        client = Caller(await opened(clients, kind, server.url, "plk_a"))
        guarded = await client.gated(lambda to: ran.append(to), editable=True, title="Send")  # noqa: PLW0108 # a parameter named `to`
        with pytest.raises(Exception, match="its digest differs"):
            await guarded("ann")
        # And an edit that nobody asked for is not run either, nor what it was before.
        guarded = await client.gated(lambda to: ran.append(to), title="Send")  # noqa: PLW0108 # the same
        with pytest.raises(Exception, match="not what was approved"):
            await guarded("ann")
    assert ran == []
