"""A system of record that answers late, twice, with 429, 500 or nonsense, or not at all."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from random import Random

import asyncpg
import httpx2
import pytest

from events.approval import ApproverNotified
from events.store.database import Connection
from tests.demo.acme_process import Acme
from tests.faults.acme import SETTLED_S, SOURCE, mirror_settings, mirrored
from tests.faults.evidence import Evidence
from tests.faults.ground import Ground
from tests.faults.load import OUTCOMES, Load
from tests.faults.told import Telling

pytestmark = pytest.mark.faults

APPROVER = "john.smith@example.com"
RECORDS = 30
SEEN_S = 30.0
CALLS = ["list", "get", "decide", "note"]
MISBEHAVIOUR = {
    "latency_ms": {"ms": 300, "probability": 0.2, "only": CALLS},
    "rate_limit": {"retry_after_s": 1, "probability": 0.1, "only": CALLS},
    "error_500": {"probability": 0.15, "only": CALLS},
    "timeout_after_write": {"hang_s": 30, "probability": 0.25},
    "late_rows": {"after_s": 2, "probability": 0.4},
    "duplicates": True,
    "malformed_rows": True,
}


@pytest.fixture
def acme(ground: Ground) -> Iterator[Acme]:
    with Acme(ground.folder / "acme.sqlite3", "--empty") as running:
        yield running


async def test_a_source_that_misbehaves_in_every_way_is_still_mirrored_exactly(
    ground: Ground, acme: Acme, seed: int
) -> None:
    telling, random = Telling(), Random(seed)
    settings = mirror_settings(ground.folder, acme.url)
    services = ("decision", "publisher", "projector", "poller", "notifier")
    watching = await asyncpg.connect(ground.dsn, timeout=10)
    acme.fault(**MISBEHAVIOUR)
    try:
        async with (
            ground.deployment(*services, **settings) as running,
            Load(running["decision"].url, telling, seed=seed) as load,
            httpx2.AsyncClient(base_url=acme.url) as client,
        ):
            records = [acme.create()["id"] for _ in range(RECORDS)]
            await _answer(load, watching, random, acme, len(records))
            await _malformed_are_parked(watching)
            struck = acme.http.get("/faults/struck").json()
            assert all(struck[name] for name in MISBEHAVIOUR), struck
            acme.http.delete("/faults").raise_for_status()
            evidence = await mirrored(ground.dsn, ground.broker.bootstrap, telling, client)
    finally:
        await watching.close(timeout=5)
    assert evidence.source is not None
    assert evidence.source.keys() == set(records)
    _asked_once(evidence)
    assert sum(one.action == "decide" and one.promised for one in telling.commands) >= RECORDS / 3


async def _answer(
    load: Load, watching: Connection, random: Random, acme: Acme, records: int
) -> None:
    """Deal with each record as it comes into the queue: here, there, at once, or not at all."""
    dealt: set[str] = set()
    async with asyncio.timeout(SETTLED_S), asyncio.TaskGroup() as group:
        while len(dealt) < records:
            rows = await watching.fetch(
                "SELECT approval_id, record_id FROM placet.approval_list"
                " JOIN placet.pending_queue USING (approval_id)"
            )
            for approval_id, record_id in rows:
                if record_id not in dealt:
                    dealt.add(record_id)
                    await _deal(group, load, random, acme, approval_id, record_id)
            await asyncio.sleep(0.1)


async def _deal(
    group: asyncio.TaskGroup,
    load: Load,
    random: Random,
    acme: Acme,
    approval_id: str,
    record_id: str,
) -> None:
    drawn, answer = random.random(), random.choice(OUTCOMES)
    if drawn < 0.1:
        return  # it stays pending
    if drawn < 0.6:
        group.create_task(load.decide(approval_id, APPROVER, answer))
    elif drawn < 0.7:
        acme.http.post(f"/approvals/{record_id}/cancel", json={}).raise_for_status()
    elif drawn < 0.8:
        group.create_task(load.decide(approval_id, APPROVER, answer))
        acme.http.patch(f"/approvals/{record_id}", json={"description": "More"})
    else:
        # Somebody answers there while we do here: the record takes the first.
        group.create_task(load.decide(approval_id, APPROVER, answer))
        await asyncio.sleep(random.uniform(0, 0.1))
        await _settle_there(acme, record_id)


async def _settle_there(acme: Acme, record_id: str) -> None:
    body = {"decision": "deny", "decided_by": "boss@example.com", "reason": "not this year"}
    path = f"/approvals/{record_id}/decision"
    with contextlib.suppress(httpx2.HTTPError):  # its faults strike whoever calls
        await asyncio.to_thread(acme.http.post, path, json=body, timeout=1)


async def _malformed_are_parked(watching: Connection) -> None:
    """Wait until every kind of malformed row was set aside at once, each for its own reason."""
    reasons: set[str] = set()
    async with asyncio.timeout(SEEN_S):
        while reasons != {"map", "map.record_id", "map.approvers.each", "require[0]"}:
            rows = await watching.fetch(
                "SELECT reason FROM placet.parked WHERE topic = $1 AND resolved_at IS NULL",
                f"source:{SOURCE}",
            )
            reasons = {row["reason"].partition(":")[0] for row in rows}
            await asyncio.sleep(0.1)


def _asked_once(evidence: Evidence) -> None:
    for approval_id, stream in evidence.streams.items():
        asked = Counter(
            (one.event.revision, one.event.channel)
            for one in stream
            if isinstance(one.event, ApproverNotified)
        )
        assert all(times == 1 for times in asked.values()), (approval_id, asked)
