"""Postgres away: every call says so, and is right again when it is back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_kit import (
    BEN,
    PATIENCE_S,
    REQUESTER,
    Placet,
    ask,
    asked,
    found,
    placet_on,
    refused,
)
from tests.servers.postgres import TestingPostgres
from tests.servers.tcp_proxy import TcpProxy

CALLS = [
    ("GET", "/v1/approvals"),
    ("GET", "/v1/queue"),
    ("GET", "/v1/approvals/{id}"),
    ("GET", "/v1/approvals/{id}/history"),
    ("GET", "/v1/approvals/{id}/links"),
    ("GET", "/v1/approvals/{id}/wait"),
    ("POST", "/v1/approvals"),
    ("POST", "/v1/approvals/{id}/decision"),
    ("POST", "/v1/approvals/{id}/withdraw"),
    ("POST", "/v1/approvals/{id}/comments"),
    ("POST", "/v1/approvals/{id}/reassign"),
    ("POST", "/v1/approvals/{id}/remind"),
    ("POST", "/v1/approvals/{id}/questions"),
    ("POST", "/v1/approvals/{id}/answers"),
    ("POST", "/v1/approvals/{id}/revise"),
]
BODIES = {
    "approvals": asked(),
    "decision": {"decision": "approve"},
    "withdraw": {},
    "comments": {"text": "?"},
    "reassign": {"to": BEN},
    "remind": {},
    "questions": {"text": "?"},
    "answers": {"text": "!"},
    "revise": {"title": "Lunch"},
}


@dataclass(frozen=True, kw_only=True)
class Behind:
    """An application whose way to Postgres can be cut, and an approval in it."""

    placet: Placet
    proxy: TcpProxy
    client: httpx2.AsyncClient
    approval_id: str

    async def back(self) -> None:
        """Let Postgres be there again, and wait until it is noticed."""
        await self.proxy.heal()
        async with asyncio.timeout(PATIENCE_S):
            # Nobody tells when it is noticed.
            while (await self.client.get("/v1/queue")).status_code != 200:  # noqa: ASYNC110 # see above
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Behind]:
    async with postgres.database(template=migrated) as dsn:
        parts = urlsplit(dsn)
        assert parts.port is not None
        async with TcpProxy(parts.port, target_host=parts.hostname or "127.0.0.1") as proxy:
            user, _, _ = parts.netloc.rpartition("@")
            place = f"{user}@{proxy.host}:{proxy.port}" if user else f"{proxy.host}:{proxy.port}"
            through = urlunsplit(parts._replace(netloc=place))
            async with (
                placet_on(through) as placet,
                placet.client(await placet.key("here", REQUESTER)) as client,
            ):
                approval = await ask(client)
                yield Behind(placet=placet, proxy=proxy, client=client, approval_id=approval["id"])


@pytest.fixture
async def away(behind: Behind) -> AsyncIterator[Behind]:
    """The same, while Postgres is away."""
    behind.proxy.refuse()
    behind.proxy.cut()
    yield behind
    await behind.back()


@pytest.mark.parametrize("call", CALLS)
async def test_while_postgres_is_away_a_call_is_told_to_come_again(
    away: Behind, call: tuple[str, str]
) -> None:
    body = BODIES.get(call[1].split("/")[-1])
    answer = await away.client.request(
        call[0], call[1].format(id=away.approval_id), json=body if call[0] == "POST" else None
    )
    refused(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_nor_can_a_key_be_looked_up(away: Behind) -> None:
    stranger = away.placet.client("plk_" + "a" * 12 + "_" + "b" * 30)
    async with stranger:
        refused(await stranger.get("/v1/queue"), 401, "wrong_key")  # its checksum is wrong
    made = away.placet.parts.keys
    made._cache.clear()
    refused(await away.client.get("/v1/queue"), 503, "unavailable")


async def test_what_needs_no_postgres_goes_on(away: Behind) -> None:
    for path in ("/healthz", "/openapi.json", "/asyncapi", "/metrics"):
        assert (await away.client.get(path)).status_code == 200, path
    answer = await away.client.get("/readyz")
    assert (answer.status_code, found(answer)["ready"]) == (503, False)
    assert found(answer)["checks"]["postgres"] != "ok"
    refused(await away.client.get("/v1/nothing"), 404, "not_found")


async def test_a_wait_that_loses_postgres_ends_or_goes_on_but_is_never_wrong(
    behind: Behind,
) -> None:
    path = f"/v1/approvals/{behind.approval_id}/wait"
    waiting = asyncio.create_task(behind.client.get(path, params={"timeout": 2}))
    await asyncio.sleep(0.3)
    behind.proxy.cut()
    answer = await waiting
    if answer.status_code == 200:
        assert found(answer)["status"] == "pending"
    else:
        refused(answer, 503, "unavailable")
    await behind.back()


async def test_when_it_is_back_nothing_of_what_was_refused_was_done(behind: Behind) -> None:
    await behind.back()
    answer = await behind.client.get(f"/v1/approvals/{behind.approval_id}/history")
    assert [one["type"] for one in found(answer)["data"]] == ["approval.requested"]
    await behind.placet.shown()
    assert len(found(await behind.client.get("/v1/approvals"))["data"]) == 1
