"""A request under a policy of two steps, from its file to its end: votes, questions, absence."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.journey.running_placet import Placet, eventually, placet_running
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres

BOT, MIA, ANN, BEN, DAN = (f"{name}@example.com" for name in ("bot", "mia", "ann", "ben", "dan"))
FILES = {
    "purchase.yaml": """
name: purchases
version: 2
applies_to: {types: [purchase], when: payload.amount > 1000}
steps:
  - name: manager
    approvers: [requester.manager]
  - name: board
    approvers: [group:legal, group:finance]
    rule: one from each
fallback: [operator]
expires_in: 2d
""",
    "placet.yaml": """
policies: [purchase.yaml]
approvers: [operator]
people:
  - {email: bot@example.com, name: Bot, manager: mia@example.com}
  - {email: mia@example.com, name: Mia}
  - {email: ann@example.com, name: Ann, groups: [legal]}
  - {email: ben@example.com, name: Ben, groups: [finance]}
  - {email: dan@example.com, name: Dan}
  - {email: otto@example.com, name: Otto, roles: [operator]}
""",
}


@pytest.fixture(scope="module")
async def governed(
    postgres: TestingPostgres,
    migrated: str,
    broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Placet]:
    """A Placet with people and a policy in its file."""
    folder = tmp_path_factory.mktemp("governed")
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    environ = {"PLACET_CONFIG": str(folder / "placet.yaml")}
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker, environ) as placet,
    ):
        yield placet


async def waits_for(placet: Placet, person: str, approval_id: str) -> dict[str, Any]:
    """The approval in somebody's queue, once it is there."""

    async def look() -> dict[str, Any] | None:
        waiting = await placet.queue(person)
        return next((one for one in waiting if one["id"] == approval_id), None)

    return await eventually(look, f"{approval_id} waits for {person}")


async def purchase(placet: Placet, amount: int) -> dict[str, Any]:
    return await placet.ask(
        type="purchase",
        title="A server",
        payload={"amount": amount},
        requester=BOT,
        approvers=[ANN],
    )


async def test_a_request_goes_through_both_steps_in_spite_of_questions_and_absence(
    governed: Placet,
) -> None:
    asked = await purchase(governed, 5000)
    path = f"/v1/approvals/{asked['id']}"
    assert asked["progress"]["words"] == "Step 1 of 2, manager: 0 of 1"
    await waits_for(governed, MIA, asked["id"])
    early = await governed.answer(asked["id"], decision="approve", approver=ANN)
    assert (early.status_code, early.json()["code"]) == (403, "not_an_approver")

    vote = await governed.answer(asked["id"], decision="approve", approver=MIA)
    assert (vote.status_code, vote.json()["status"]) == (200, "pending")
    assert (
        vote.json()["progress"]["words"] == "Step 2 of 2, board: 0 of 2, legal and finance missing"
    )
    await governed.leaves_the_queue(MIA, asked["id"])
    for person in (ANN, BEN):
        await waits_for(governed, person, asked["id"])

    question = {"text": "Which one?", "approver": ANN}
    answer = await governed.http.post(f"{path}/questions", json=question)
    assert answer.status_code == 201, answer.text
    assert (await waits_for(governed, BOT, asked["id"]))["asked_back"]["text"] == "Which one?"
    await governed.leaves_the_queue(ANN, asked["id"])
    answer = await governed.http.post(f"{path}/answers", json={"text": "The big one"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_at"] > asked["expires_at"]
    await waits_for(governed, ANN, asked["id"])

    now = datetime.now(UTC)
    away = {
        "person": BEN,
        "to": DAN,
        "begins": (now - timedelta(minutes=1)).isoformat(),
        "ends": (now + timedelta(days=1)).isoformat(),
        "reason": "On leave",
    }
    answer = await governed.http.post("/v1/delegations", json=away)
    assert answer.status_code == 201, answer.text

    async def dan_answers() -> dict[str, Any] | None:
        given = await governed.answer(asked["id"], decision="approve", approver=DAN)
        return given.json() if given.status_code == 200 else None

    view = await eventually(dan_answers, "Dan answers for Ben")
    assert (view["status"], view["progress"]["missing"]) == ("pending", ["legal"])

    last = await governed.answer(asked["id"], decision="approve", approver=ANN)
    assert (last.status_code, last.json()["status"]) == (200, "approved")
    final = await governed.get(f"{path}/wait", timeout=30)
    assert (final["outcome"], final["decided_by"]) == ("approved", ANN)
    [fact] = await governed.messages("approval.decided", asked["id"])
    assert (fact["status"], fact["decided_by"]) == ("approved", ANN)
    await governed.leaves_the_queue(BEN, asked["id"])
    history = (await governed.get(f"{path}/history"))["data"]
    sentences = [one["summary"] for one in history]
    assert any("Policy purchases, version 2" in one for one in sentences)
    assert any(f"{DAN} answered approved for {BEN}" in one for one in sentences)


async def test_a_request_that_grows_falls_under_the_policy_when_it_is_changed(
    governed: Placet,
) -> None:
    asked = await purchase(governed, 10)
    assert [one["email"] for one in asked["approvers"]] == [ANN]
    await waits_for(governed, ANN, asked["id"])
    answer = await governed.http.post(
        f"/v1/approvals/{asked['id']}/revise", json={"payload": {"amount": 5000}}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["progress"]["words"] == "Step 1 of 2, manager: 0 of 1"
    await waits_for(governed, MIA, asked["id"])
    await governed.leaves_the_queue(ANN, asked["id"])
    stale = await governed.answer(asked["id"], decision="approve", approver=MIA, revision="1")
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")
    left = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=1) < left <= timedelta(days=2)
