"""A kill -9 of `notifier` in mid-send: no card is missing, and the history tells of every second.

The vendor leaves some cards without an answer when they come for the first time, and the notifier
is killed while it waits. Ann's had arrived by then, Bea's had not: from here that looks the same.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from events.approval import ApproverNotified
from events.envelope import Recorded
from events.store.database import Database
from events.store.postgres import PostgresStore
from services.settings import DEFAULT_WORKSPACE
from tests.faults.ground import Ground
from tests.faults.processes import KEY, Deployment
from tests.faults.vendor import TOLD, UNTOLD, URL, Message, Vendor

pytestmark = pytest.mark.faults

PROGRAM = str(Path(__file__).with_name("quick_notifier.py"))
ANN, BEA = "ann@example.com", "bea@example.com"
CHANNELS = (TOLD, UNTOLD)
WITHIN_S = 30.0

Card = tuple[str, str]
"""Approver and channel."""


class Holding(Vendor):
    """Does not answer the first time that one of `cards` comes; keeps Ann's all the same."""

    def __init__(self, cards: Sequence[Card]) -> None:
        super().__init__()
        self._hold = set(cards)
        self.held = asyncio.Semaphore(0)

    async def send(self, message: Message) -> int:
        """See `Vendor.send`."""
        card = (message.approver, message.channel)
        if card in self._hold:
            self._hold.remove(card)
            if message.approver == ANN:
                self.messages.append(message)
            self.held.release()
            await self.closing.wait()
            raise ConnectionError
        return await super().send(message)


def findings(messages: Sequence[Message], notified: Sequence[ApproverNotified]) -> dict[Card, str]:
    """Return what is wrong with the cards of one approval."""
    found: dict[Card, str] = {}
    for card in ((approver, channel) for approver in (ANN, BEA) for channel in CHANNELS):
        told = [one for one in notified if (one.approver, one.channel) == card]
        there = [one for one in messages if (one.approver, one.channel) == card]
        if len(told) != 1:
            found[card] = f"the history tells of it {len(told)} times"
        elif not there:
            found[card] = "missing"
        elif card[1] == TOLD and len(there) > 1:
            found[card] = "twice where the vendor can tell"
        elif len(there) > 1 and not told[0].perhaps_twice:
            found[card] = "twice, and the history does not say so"
    return found


@asynccontextmanager
async def deployed(ground: Ground, vendor: Vendor, guard: str) -> AsyncIterator[Deployment]:
    async with ground.deployment(
        "decision",
        "publisher",
        "notifier",
        programs={"notifier": (PROGRAM, guard, "run", "notifier")},
        PYTHONPATH=":".join(path for path in sys.path if path),
        **{URL: vendor.url},
    ) as services:
        yield services


async def asked(url: str, approvers: Sequence[str]) -> str:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=20) as http:
        body = {"type": "t", "title": "T", "approvers": approvers}
        answer = await http.post(f"{url}/v1/approvals", json=body)
    assert answer.status_code == 201, answer.text
    approval_id: str = answer.json()["id"]
    return approval_id


async def all_told(dsn: str, approval_id: str, cards: int) -> list[ApproverNotified]:
    """Wait until the history tells of so many cards, and return what it tells of them."""
    database = await Database.open(dsn, role="placet_worker")
    told: list[ApproverNotified] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            while len(told) < cards:
                streams: Mapping[str, Sequence[Recorded]] = await PostgresStore(database).read(
                    DEFAULT_WORKSPACE, [approval_id]
                )
                events = [one.event for one in streams[approval_id]]
                told = [one for one in events if isinstance(one, ApproverNotified)]
                await asyncio.sleep(0.05)
        return told
    finally:
        await database.close()


async def killed_in_mid_send(
    ground: Ground, guard: str, *cards: Card
) -> tuple[list[Message], list[ApproverNotified]]:
    """Kill the notifier while each of these cards is on its way; what is there in the end."""
    async with Holding(cards) as vendor, deployed(ground, vendor, guard) as services:
        approval_id = await asked(services["decision"].url, (ANN, BEA))
        for _ in cards:
            async with asyncio.timeout(WITHIN_S):
                await vendor.held.acquire()
            await services["notifier"].kill()
            await services["notifier"].start()
        told = await all_told(ground.dsn, approval_id, 2 * len(CHANNELS))
        return vendor.messages, told


async def test_a_kill_in_mid_send_leaves_one_card_or_a_history_that_tells_of_two(
    ground: Ground,
) -> None:
    messages, told = await killed_in_mid_send(
        ground, "as-it-is", (ANN, TOLD), (ANN, UNTOLD), (BEA, UNTOLD)
    )
    assert findings(messages, told) == {}
    assert sorted((one.approver, one.channel) for one in messages) == [
        (ANN, TOLD),
        (ANN, UNTOLD),
        (ANN, UNTOLD),
        (BEA, TOLD),
        (BEA, UNTOLD),
    ]
    perhaps_twice = [(one.approver, one.channel) for one in told if one.perhaps_twice]
    assert sorted(perhaps_twice) == [(ANN, UNTOLD), (BEA, UNTOLD)], "nobody can tell them apart"


async def test_this_would_notice_a_notifier_that_forgets_what_it_was_sending(
    ground: Ground,
) -> None:
    messages, told = await killed_in_mid_send(ground, "forget", (ANN, TOLD), (ANN, UNTOLD))
    assert findings(messages, told) == {
        (ANN, TOLD): "twice where the vendor can tell",
        (ANN, UNTOLD): "twice, and the history does not say so",
    }
    assert set(findings([], told).values()) == {"missing"}
