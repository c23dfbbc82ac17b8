"""What services and agents ask for themselves: by HTTP, by Kafka, and without an answer."""

import asyncio
import json
import secrets
from typing import Any

from events.kafka.messages import Message
from events.kafka.topics import REQUESTS
from services.web.keys import BOOTSTRAP_PRINCIPAL
from tests.journey.running_placet import Placet, eventually


def body(**changes: Any) -> dict[str, Any]:
    """The body of an ask, whose approver no other test has."""
    return {
        "type": "deploy",
        "title": "Deploy 1.2",
        "payload": {"version": "1.2"},
        "approvers": [f"ann.{secrets.token_hex(4)}@example.com"],
        **changes,
    }


async def test_an_ask_by_http_goes_to_the_queue_once(placet: Placet) -> None:
    asked = body()
    [ann] = asked["approvers"]
    headers = {"Idempotency-Key": secrets.token_hex()}
    answers = [
        await placet.http.post("/v1/approvals", json=asked, headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1
    [waiting] = await eventually(lambda: placet.queue(ann), "it waits for Ann")
    assert waiting["id"] == answers[0].json()["id"]
    assert waiting["requester"]["email"] == BOOTSTRAP_PRINCIPAL
    [fact] = await placet.messages("approval.requested", waiting["id"])
    assert fact["status"] == "pending"


async def test_an_ask_by_kafka_that_comes_twice_goes_to_the_queue_once(placet: Placet) -> None:
    asked = body(requester="ci@example.com")
    [ann] = asked["approvers"]
    ce_id = secrets.token_hex()
    message = Message(
        REQUESTS.name,
        ce_id.encode(),
        json.dumps(asked).encode(),
        [("ce_id", ce_id.encode()), ("ce_workspace", b"default")],
    )
    after = body(requester="ci@example.com")
    last = Message(
        REQUESTS.name,
        ce_id.encode(),  # the same partition: what comes before it is handled before it
        json.dumps(after).encode(),
        [("ce_id", secrets.token_hex().encode()), ("ce_workspace", b"default")],
    )
    producer = await placet.parts.producer()
    try:
        await producer.send([message, message])
        await producer.send([message])
        await producer.send([last])
    finally:
        await producer.close()
    await eventually(lambda: placet.queue(after["approvers"][0]), "the last one waits")
    [waiting] = await eventually(lambda: placet.queue(ann), "it waits for Ann")
    assert waiting["requester"]["email"] == "ci@example.com"
    answer = await placet.answer(waiting["id"], decision="approve", approver=ann)
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    [fact] = await placet.messages("approval.decided", waiting["id"])
    assert fact["decided_by"] == ann


async def test_an_ask_that_nobody_answers_expires(placet: Placet) -> None:
    asked = await placet.ask(**body(expires_in=1))
    [ann] = asked["approvers"]
    approval = await placet.get(f"/v1/approvals/{asked['id']}/wait", timeout=30)
    assert (approval["status"], approval["outcome"]) == ("expired", None)
    assert approval["updated_at"] >= approval["expires_at"]
    late = await placet.answer(asked["id"], decision="approve", approver=ann["email"])
    assert (late.status_code, late.json()["code"]) == (409, "already_resolved")
    [fact] = await placet.messages("approval.expired", asked["id"])
    assert fact["status"] == "expired"
    await placet.leaves_the_queue(ann["email"], asked["id"])


async def test_whoever_waits_is_told_of_the_answer_at_once(placet: Placet) -> None:
    asked = await placet.ask(**body())
    path = f"/v1/approvals/{asked['id']}/wait"
    waiting = asyncio.create_task(placet.get(path, timeout=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    [ann] = asked["approvers"]
    await placet.answer(asked["id"], decision="deny", approver=ann["email"], reason="Not today")
    approval = await asyncio.wait_for(waiting, 20)
    assert (approval["status"], approval["decision_reason"]) == ("rejected", "Not today")
