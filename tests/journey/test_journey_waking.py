"""Every final state wakes whoever waits: by webhook, Kafka, long-poll, and however late."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from services.embedded.ports import HOST, free_port
from tests.journey.running_placet import Placet, eventually

ANN = "ann@example.com"
Ending = Callable[[Placet, str], Awaitable[Any]]


@dataclass
class Receiver:
    """An endpoint that keeps what it was told, and answers 204."""

    port: int
    told: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def of(self, path: str, approval_id: str) -> list[tuple[Mapping[str, str], dict[str, Any]]]:
        found = [(headers, json.loads(body)) for at, headers, body in self.told if at == path]
        return [one for one in found if one[1]["data"]["approval_id"] == approval_id]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path = line.split()[1].decode()
                headers: dict[str, str] = {}
                while (header := (await reader.readline()).strip()) != b"":
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers["content-length"]))
                self.told.append((path, headers, body))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver(free_port())
    server = await asyncio.start_server(found.serve, HOST, found.port)
    async with server:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secret(placet: Placet, receiver: Receiver) -> str:
    """The secret of a subscription to everything; a minute's worth of room on a busy machine."""
    answer = await placet.http.post("/v1/webhooks", json={"url": receiver.url("/all")})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["secret"]
    return made


async def approve(placet: Placet, approval_id: str) -> None:
    await placet.answer(approval_id, decision="approve", approver=ANN, reason="Fine.")


async def reject(placet: Placet, approval_id: str) -> None:
    await placet.answer(approval_id, decision="deny", approver=ANN, reason="No.")


async def recall(placet: Placet, approval_id: str) -> None:
    await placet.http.post(f"/v1/approvals/{approval_id}/withdraw")


async def supersede(placet: Placet, approval_id: str) -> None:
    older = await placet.get(f"/v1/approvals/{approval_id}")
    await placet.ask(
        type=older["type"],
        title="Newer",
        approvers=[ANN],
        subject=older["subject"],
        revision="2",
        payload={"n": 2},
    )


async def run_out(placet: Placet, approval_id: str) -> None:
    """Nobody does anything: it was asked for one second."""


ENDINGS: Mapping[str, tuple[Ending, str, str | None]] = {
    "approved": (approve, "approval.decided", None),
    "rejected": (reject, "approval.decided", None),
    "recalled": (recall, "approval.withdrawn", "recalled"),
    "superseded": (supersede, "approval.withdrawn", "superseded"),
    "expired": (run_out, "approval.expired", None),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_every_final_state_wakes_whoever_waits(
    placet: Placet, receiver: Receiver, secret: str, ending: str
) -> None:
    end, topic, cause = ENDINGS[ending]
    status = "withdrawn" if cause else ending
    asked = await placet.ask(
        type="plan",
        title=ending,
        approvers=[ANN],
        subject=f"subject of {ending}",
        revision="1",
        payload={"n": 1},
        expires_in=1 if end is run_out else 600,
        callback_url=receiver.url("/callback"),
    )
    approval_id = asked["id"]
    waits = asyncio.create_task(placet.get(f"/v1/approvals/{approval_id}/wait", timeout=20))

    await end(placet, approval_id)

    assert ((await waits)["status"], (await waits)["withdrawn_cause"]) == (status, cause)
    late = await placet.get(f"/v1/approvals/{approval_id}/wait", timeout=20)
    assert late["status"] == status
    (message,) = await placet.messages(topic, approval_id)
    assert (message["status"], message.get("cause")) == (status, cause)

    async def told() -> bool:
        callbacks = receiver.of("/callback", approval_id)
        return topic in [body["type"] for _, body in receiver.of("/all", approval_id)] and bool(
            callbacks
        )

    await eventually(told, f"{approval_id} is told by webhook")
    ((headers, body),) = receiver.of("/callback", approval_id)
    assert (body["type"], body["data"]["status"]) == (topic, status)
    assert body["data"]["payload_digest"] == asked["payload_digest"]
    assert body["data"]["ordering_key"] == approval_id
    assert headers["webhook-id"]
    for headers, body in receiver.of("/all", approval_id):
        raw = next(raw for _, one, raw in receiver.told if one is headers)
        assert Webhook(secret).verify(raw, dict(headers)) == body
    sequences = sorted(body["data"]["sequence"] for _, body in receiver.of("/all", approval_id))
    assert sequences[0] == 1

    async def unheard() -> bool:
        page = await placet.get("/v1/approvals", acknowledged="false", type="plan", limit=200)
        return approval_id in [one["id"] for one in page["data"]]

    await eventually(unheard, f"{approval_id} is listed as unheard")
    answer = await placet.http.post(f"/v1/approvals/{approval_id}/acknowledge")
    assert answer.status_code == 200, answer.text

    async def heard() -> bool:
        return not await unheard()

    await eventually(heard, f"{approval_id} is heard")
