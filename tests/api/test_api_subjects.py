"""Subjects: a newer revision takes the place of the older request, in one transaction."""

import asyncio
from typing import Any

import httpx2

from tests.api.api_kit import ANN, Office, asked, decide, found, refused

PLAN = {"subject": "plan-7", "payload": {"plan": "one"}}


async def ask_about(client: httpx2.AsyncClient, **more: Any) -> httpx2.Response:
    return await client.post("/v1/approvals", json=asked(**{**PLAN, **more}))


async def status(client: httpx2.AsyncClient, approval_id: str) -> tuple[str, str | None]:
    view = found(await client.get(f"/v1/approvals/{approval_id}"))
    return view["status"], view["withdrawn_cause"]


async def test_a_newer_revision_withdraws_the_older_request_and_names_itself(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    first = found(await ask_about(agent, revision="r1"))
    second = found(await ask_about(agent, revision="r2", payload={"plan": "two"}))
    assert await status(agent, first["id"]) == ("withdrawn", "superseded")
    assert found(await agent.get(f"/v1/approvals/{first['id']}"))["superseded_by"] == second["id"]
    document = refused(await decide(ann, first["id"]), 409, "already_resolved")
    assert "superseded" in document["detail"]
    assert found(await decide(ann, second["id"]))["status"] == "approved"


async def test_the_same_revision_again_is_the_same_request(agent: httpx2.AsyncClient) -> None:
    first = await ask_about(agent, revision="r1")
    again = await ask_about(agent, revision="r1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert found(first)["id"] == found(again)["id"]


async def test_a_revision_does_not_stand_for_two_payloads(agent: httpx2.AsyncClient) -> None:
    await ask_about(agent, revision="r1")
    document = refused(
        await ask_about(agent, revision="r1", payload={"plan": "other"}), 409, "revision_reused"
    )
    assert "new revision" in document["detail"]


async def test_an_older_number_does_not_take_the_place_of_a_newer_one(
    agent: httpx2.AsyncClient,
) -> None:
    newer = found(await ask_about(agent, revision="10"))
    refused(await ask_about(agent, revision="9", payload={"plan": "old"}), 409, "stale_revision")
    assert await status(agent, newer["id"]) == ("pending", None)


async def test_without_a_revision_another_payload_is_a_newer_one(
    agent: httpx2.AsyncClient,
) -> None:
    first = found(await ask_about(agent))
    same = await ask_about(agent)
    second = found(await ask_about(agent, payload={"plan": "two"}))
    assert (same.status_code, found(same)["id"]) == (200, first["id"])
    assert (first["revision"], second["revision"]) == ("1", "2")
    assert await status(agent, first["id"]) == ("withdrawn", "superseded")


async def test_a_repeated_key_finds_its_request_even_when_it_was_superseded(
    agent: httpx2.AsyncClient,
) -> None:
    def body(revision: str) -> dict[str, Any]:
        return asked(**PLAN, revision=revision)

    key = {"Idempotency-Key": "confirmation:issue-1:plan:1"}
    first = await agent.post("/v1/approvals", json=body("1"), headers=key)
    await agent.post("/v1/approvals", json=body("2"))
    again = await agent.post("/v1/approvals", json=body("1"), headers=key)
    assert (again.status_code, found(again)["id"]) == (200, found(first)["id"])
    assert found(again)["withdrawn_cause"] == "superseded"


async def test_what_was_decided_is_not_withdrawn_by_a_newer_request(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    first = found(await ask_about(agent, revision="1"))
    await decide(ann, first["id"])
    assert (await ask_about(agent, revision="2")).status_code == 201
    assert await status(agent, first["id"]) == ("approved", None)


async def test_the_same_subject_of_another_type_is_another_subject(
    agent: httpx2.AsyncClient,
) -> None:
    first = found(await ask_about(agent, revision="1"))
    await ask_about(agent, revision="2", type="strategy")
    assert await status(agent, first["id"]) == ("pending", None)


async def test_of_many_at_once_one_is_left_pending(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    answers = await asyncio.gather(
        *(ask_about(agent, payload={"plan": number}) for number in range(8)),
    )
    made = [found(one)["id"] for one in answers if one.status_code == 201]
    assert len(made) + sum(one.status_code == 503 for one in answers) == 8
    assert made
    states = [await status(agent, one) for one in made]
    assert states.count(("pending", None)) == 1
    assert states.count(("withdrawn", "superseded")) == len(made) - 1
    await office.placet.shown()
    listed = found(await agent.get("/v1/approvals", params={"subject": "plan-7"}))["data"]
    assert sum(one["status"] == "pending" for one in listed) == 1


async def test_a_persons_comment_withdraws_a_request_that_wants_it_so(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    view = found(await ask_about(agent, supersede_on_comment=True))
    bot = await office.stranger(
        await office.placet.key(
            office.workspace, "bot@example.com", ["approvals:request"], agent=True
        )
    )
    path = f"/v1/approvals/{view['id']}/comments"
    assert found(await bot.post(path, json={"text": "Beep."}))["status"] == "pending"
    assert found(await agent.post(path, json={"text": "Mine."}))["status"] == "pending"
    after = found(await ann.post(path, json={"text": "What about March?"}))
    assert (after["status"], after["withdrawn_cause"], after["withdrawn_by"]) == (
        "withdrawn",
        "superseded",
        ANN,
    )
