"""The poller on the running demo: what is asked there, changed there and settled there."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from services.poller.checkpoints import MemoryCheckpoints
from services.poller.intake import Outlets
from services.poller.schedule import Plan, Poller, plan_of
from services.sources.budget import Allowance, Budget, MemoryBucket
from services.sources.http import HttpSource
from services.sources.loading import load_source
from tests.demo.acme_process import Acme
from tests.poller.poller_kit import Clock, Desk

FILE = Path(__file__).resolve().parents[2] / "deploy" / "demo" / "acme-expenses.yaml"


class WallClock(Clock):
    def __call__(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    with Acme(tmp_path_factory.mktemp("acme") / "acme.sqlite3", "--empty") as running:
        yield running


@pytest.fixture
async def polled(acme: Acme, desk: Desk) -> AsyncIterator[Desk]:
    definition = load_source(FILE, "w1", {"ACME_EXPENSES_URL": acme.url})
    assert plan_of(definition, desk.source).interval == 10
    assert plan_of(definition, desk.source).sweep_interval == 60
    desk.queue.learns = True
    clock = desk.queue.clock = WallClock()
    outlets = Outlets(
        publish=desk.queue.publish, parking=desk.parking, known=desk.queue, clock=clock
    )
    async with httpx2.AsyncClient() as client:
        source = HttpSource(
            definition, client, Budget(MemoryBucket(), Allowance(limit=1000, per=1), 8)
        )
        plan = Plan(source=source, interval=0.1, sweep_interval=0.4)
        poller = Poller(plans=[plan], checkpoints=MemoryCheckpoints(), outlets=outlets, owner="p1")
        task = asyncio.create_task(poller.run())
        yield desk
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        acme.http.delete("/faults")


async def heard(desk: Desk, record_id: str, state: str, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while True:
            if (record_id, state) in [(one.record_id, one.state) for one in desk.queue.published]:
                return
            await asyncio.sleep(0.02)


async def test_a_report_is_heard_of_once_and_again_when_it_is_settled(
    acme: Acme, polled: Desk
) -> None:
    name = acme.create()["id"]
    await heard(polled, name, "pending")
    await asyncio.sleep(0.6)
    assert polled.queue.take() == [(name, "pending")]
    acme.http.patch(f"/approvals/{name}", json={"description": "More paper"})
    await heard(polled, name, "pending")
    assert [one.revision for one in polled.queue.published] == ["2"]
    acme.decide(name, "deny")
    await heard(polled, name, "settled")
    assert polled.queue.published[-1].outcome == "rejected"


async def test_a_sweep_alone_sees_a_settlement_that_polls_cannot_reach(
    acme: Acme, polled: Desk
) -> None:
    polled.queue.knows("NO-SUCH-REPORT")
    await heard(polled, "NO-SUCH-REPORT", "gone")


async def test_reports_arrive_through_faults(acme: Acme, polled: Desk) -> None:
    acme.http.put(
        "/faults",
        json={
            "error_500": {"probability": 0.3},
            "rate_limit": {"retry_after_s": 0, "every_n": 5},
            "duplicates": True,
            "malformed_rows": True,
        },
    )
    names = []
    for _ in range(20):
        response = acme.http.post(
            "/approvals",
            json={
                "currency": "USD",
                "description": "x",
                "submitter": {"email_addr": "jane.doe@example.com"},
                "approver": {"email_addr": "john.smith@example.com"},
                "line_items": [{"item": "a", "category": "Other", "amount": 1}],
            },
        )
        if response.status_code == 201:
            names.append(response.json()["id"])
    for name in names:
        await heard(polled, name, "pending", within=30)
    published = [one.record_id for one in polled.queue.published if one.record_id in names]
    assert sorted(published) == sorted(names)
    reasons = {row.reason.partition(":")[0] for row in polled.parking.open.values()}
    assert reasons == {"map", "map.record_id", "map.approvers.each", "require[0]"}
