"""From an ask to the outcome mail through the real services: mail, page, answer, and the end."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.journey.running_placet import Placet, eventually, placet_running
from tests.links.link_kit import LOOKS, PRESSES
from tests.links.mail_server import MailServer
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres

JOHN, MARIA = "john.smith@example.com", "maria.garcia@example.com"
TYPED = {"decision": "approve", "confirm": "approve"}
CONTEXT = {"recipient_count": 500, "subject": "Product Update", "preview": "We are excited..."}


def files(folder: Path, port: int) -> Path:
    """A `placet.yaml` with e-mail, and a type that a link may decide."""
    (folder / "email.yaml").write_text(
        f"name: email\ntype: email\nhost: 127.0.0.1\nport: {port}\ntls: none\n"
        "from: Placet <placet@example.com>\n",
        "utf-8",
    )
    (folder / "bulk_send.yaml").write_text(
        "name: bulk_send\nversion: 1\ntitle: Bulk send\ndecide_from_link: true\nundo: 1s\n"
        "payload: {type: object}\n",
        "utf-8",
    )
    placet = folder / "placet.yaml"
    placet.write_text("channels: [inbox, email.yaml]\ntypes: [bulk_send.yaml]\nundo: 0s\n", "utf-8")
    return placet


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def placet(
    postgres: TestingPostgres,
    migrated: str,
    broker: Broker,
    the_mail: MailServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Placet]:
    config = files(tmp_path_factory.mktemp("placet"), the_mail.port)
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker, {"PLACET_CONFIG": str(config)}) as placet,
    ):
        yield placet


async def mails(mail: MailServer, to: str, count: int) -> list[EmailMessage]:
    """The mails to somebody, once there are so many."""

    async def look() -> list[EmailMessage] | None:
        found = mail.to(to)
        return found if len(found) >= count else None

    return await eventually(look, f"{count} mails to {to}")


def links(mail: EmailMessage) -> list[str]:
    text = mail.get_body(("plain",))
    assert text is not None
    return [line for line in text.get_content().splitlines() if "/l/" in line]


async def asked(placet: Placet, **context: Any) -> str:
    """What an agent asks in its own words."""
    answer = await placet.http.post(
        "/v1/notify-operator",
        json={
            "type": "approval_request",
            "action": "bulk_send",
            "context": {**CONTEXT, **context},
            "urgency": "medium",
            "expiresIn": 3600,
            "approvers": [JOHN, MARIA],
        },
    )
    assert answer.status_code == 201, answer.text
    request_id: str = answer.json()["requestId"]
    return request_id


async def test_an_agents_ask_is_approved_from_the_mail_and_the_other_is_told(
    placet: Placet, mail: MailServer
) -> None:
    approval_id = await asked(placet)
    [to_john] = await mails(mail, JOHN, 1)
    await mails(mail, MARIA, 1)
    assert to_john["Subject"] == "Agent Approval Required: Bulk Send"
    text = to_john.get_body(("plain",))
    assert text is not None
    assert "This request expires in 1 hour." in text.get_content()
    approve, _ = links(to_john)
    assert approve.startswith(f"{placet.url}/l/")
    async with httpx2.AsyncClient(headers=LOOKS) as client:
        looked = await client.get(approve)
        # It is opened within seconds of being sent: a click is not enough.
        assert "type the word approve" in looked.text
        answered = await client.post(approve, data=TYPED, headers=PRESSES)
        assert "Your answer is kept" in answered.text
        approval = await placet.until_status(approval_id, "approved")
        again = await client.post(approve, data=TYPED, headers=PRESSES)
    assert (again.status_code, "You have answered" in again.text) == (200, True)
    assert (approval["decided_by"], approval["decision_channel"]) == (JOHN, "email")
    first, outcome = await mails(mail, MARIA, 2)
    assert outcome["In-Reply-To"] == first["Message-ID"]
    assert outcome["Subject"] == f"Re: {first['Subject']}"
    told = outcome.get_body(("plain",))
    assert told is not None
    assert f"Approved by {JOHN}" in told.get_content()
    # Whoever answered knows.
    assert len(mail.to(JOHN)) == 1
    history = await placet.get(f"/v1/approvals/{approval_id}/history")
    [submitted] = [
        one["data"] for one in history["data"] if one["type"] == "approval.decision_submitted"
    ]
    assert submitted["assurance"] == "link"
    notified = [one["data"] for one in history["data"] if one["type"] == "approval.notified"]
    digests = {one["card_digest"] for one in notified if one["channel"] == "email"}
    assert submitted["shown"] in digests


async def test_a_plain_ask_is_answered_by_its_link_once_somebody_is_signed_in(
    placet: Placet, mail: MailServer
) -> None:
    ask = await placet.ask(
        type="deploy", title="Deploy 1.2", payload={"version": "1.2"}, approvers=[JOHN]
    )
    [to_john] = await mails(mail, JOHN, 1)
    approve, _ = links(to_john)
    async with httpx2.AsyncClient(headers=LOOKS, base_url=placet.url) as client:
        refused = await client.post(approve, data=TYPED, headers=PRESSES)
        assert refused.status_code == 401
        same = {**LOOKS, "Sec-Fetch-Site": "same-origin"}
        signed_in = await client.post("/login", data={"email": JOHN}, headers=same)
        assert signed_in.status_code == 303
        answered = await client.post(approve, data={"decision": "approve"}, headers=PRESSES)
        assert answered.status_code == 200, answered.text
    approval = await placet.until_status(ask["id"], "approved")
    assert approval["decided_by"] == JOHN
