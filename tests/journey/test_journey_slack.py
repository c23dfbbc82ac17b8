"""An approval in Slack, from the file of the channel to the card that says how it ended."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from tests.journey.running_placet import Placet, eventually, placet_running
from tests.servers.brokers import Broker
from tests.servers.fake_slack import SIGNING_SECRET, TOKEN, FakeSlack, Message, slack_running
from tests.servers.postgres import TestingPostgres

AMARA, BO = "U0AMARA", "U0BO"
FILES = {
    "slack.yaml": """
name: chat
type: slack
token: {env: SLACK_TOKEN}
signing_secret: {env: SLACK_SECRET}
base_url: {env: SLACK_URL}
""",
    "placet.yaml": "channels: [inbox, slack.yaml]\n",
}


@dataclass
class Office:
    """A Placet whose cards go to Slack."""

    placet: Placet
    slack: FakeSlack

    async def card_of(self, user: str, title: str) -> Message:
        async def look() -> Message | None:
            found = [one for one in self.slack.seen_by(user) if title in one.words]
            return found[0] if found else None

        return await eventually(look, f"{user} sees {title}")


@pytest.fixture(scope="module")
async def office(
    postgres: TestingPostgres,
    migrated: str,
    broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    async with _slack_of_office() as (slack, reach), postgres.database(template=migrated) as dsn:
        environ = {
            "PLACET_CONFIG": str(folder / "placet.yaml"),
            "SLACK_TOKEN": TOKEN,
            "SLACK_SECRET": SIGNING_SECRET,
            "SLACK_URL": f"{slack.url}/api",
        }
        async with placet_running(dsn, broker, environ) as placet:
            reach.append(f"{placet.url}/channels/chat/interactions")
            yield Office(placet, slack)


@asynccontextmanager
async def _slack_of_office() -> AsyncIterator[tuple[FakeSlack, list[str]]]:
    """A Slack, and where to write down what the Request URL is."""
    reach: list[str] = []

    async def post(body: str, headers: dict[str, str]) -> httpx2.Response:
        return await http.post(reach[-1], content=body, headers=headers)

    async with httpx2.AsyncClient() as http, slack_running(post, time.time) as slack:
        slack.join(AMARA, "amara@example.com")
        slack.join(BO, "bo@example.com")
        yield slack, reach
        assert slack.faults == []


async def test_a_click_in_slack_decides_for_good(office: Office) -> None:
    title = f"Dinner {secrets.token_hex(4)}"
    asked = await office.placet.ask(
        type="expense",
        title=title,
        payload={"total_amount": 750.5, "currency": "USD"},
        approvers=["amara@example.com", "bo@example.com"],
    )
    message, other = await office.card_of(AMARA, title), await office.card_of(BO, title)
    assert "750.50 USD" in message.words
    answer = await office.slack.press(AMARA, message, "approve")
    assert (answer.status_code, answer.content) == (200, b"")
    approval = await office.placet.get(f"/v1/approvals/{asked['id']}")
    assert (approval["status"], approval["decided_by"]) == ("approved", "amara@example.com")
    assert approval["decision_channel"] == "chat"

    async def edited() -> bool:
        return message.actions == other.actions == ["open"]

    await eventually(edited, "no button is left on either card")
    assert "Approved by amara@example.com" in other.words
    history = await office.placet.get(f"/v1/approvals/{asked['id']}/history")
    [given] = [one for one in history["data"] if one["type"] == "approval.decision_submitted"]
    assert given["data"]["assurance"] == "channel"
    async with office.placet.parts.worker_db.connection() as connection:
        sent = await connection.fetchval(
            "SELECT count(*) FROM cards WHERE approval_id = $1 AND channel = 'chat'", asked["id"]
        )
    assert sent == 2
    assert len(given["data"]["shown"]) == 64


async def test_a_decision_by_the_api_edits_the_card_in_slack(office: Office) -> None:
    title = f"Taxi {secrets.token_hex(4)}"
    asked = await office.placet.ask(
        type="expense", title=title, payload={}, approvers=["amara@example.com"]
    )
    message = await office.card_of(AMARA, title)
    approve = message.button("approve")
    told = await office.placet.answer(
        asked["id"], decision="deny", reason="No", approver="amara@example.com"
    )
    assert told.status_code == 200

    async def edited() -> bool:
        return message.actions == ["open"]

    await eventually(edited, "no button is left")
    await office.slack.press_button(AMARA, message, approve)

    async def replied() -> bool:
        return len(office.slack.replies) == 1

    await eventually(replied, "Amara is told")
    assert "already" in office.slack.replies[0][1]
