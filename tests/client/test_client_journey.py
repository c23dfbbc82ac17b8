"""The client with every service running: woken through the log, and told by a signed webhook."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from placet import BadSignature, verify_webhook

from tests.api.api_kit import ANN
from tests.client.client_kit import PATIENCE_S, Caller, Kind, opened
from tests.client.stub_server import HOST, Answer, stub
from tests.journey.running_placet import KEY, Placet, eventually, placet_running
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres


@pytest.fixture(scope="module")
async def running(
    postgres: TestingPostgres, migrated: str, broker: Broker
) -> AsyncIterator[Placet]:
    allowed = {"PLACET_WEBHOOK_ALLOW": f"{HOST}/32"}
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker, allowed) as placet,
    ):
        yield placet


async def test_a_gated_call_runs_when_it_is_approved_and_the_webhook_can_be_believed(
    running: Placet, kind: Kind, clients: AsyncExitStack
) -> None:
    answer = await running.http.post("/v1/webhooks/callback-secret", json={})
    secret: str = answer.json()["secret"]
    client = Caller(await opened(clients, kind, running.url, KEY))

    def export(table: str) -> str:
        return f"{table} exported"

    async with stub(Answer(status=204, body="")) as receiver:
        guarded = await client.gated(
            export, type="data_export", callback_url=f"{receiver.url}/hook", timeout=PATIENCE_S
        )
        task = asyncio.ensure_future(guarded(kind.__name__))

        async def asked() -> Any:
            return (await client("queue", ANN)).data

        (approval,) = await eventually(asked, "the ask is in the queue")
        await client("decide", approval_id=approval.id, decision="approved", approver=ANN)
        async with asyncio.timeout(PATIENCE_S):
            assert await task == f"{kind.__name__} exported"

        async def called() -> Any:
            return receiver.asked

        (told,) = await eventually(called, "the webhook came")
    said = verify_webhook(told.body, told.headers, secret)
    assert said["type"] == "approval.decided"
    assert (said["data"]["approval_id"], said["data"]["status"]) == (approval.id, "approved")
    assert said["data"]["payload_digest"] == approval.payload_digest
    with pytest.raises(BadSignature):
        verify_webhook(told.body + b" ", told.headers, secret)
    assert (await client("get", approval.id)).acknowledged_at is not None
