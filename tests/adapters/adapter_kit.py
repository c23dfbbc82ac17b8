"""The people around an adapter: a Placet on a real port, and Ann, who answers there."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
from placet import Approval, AsyncPlacet, Placet
from placet.adapters.tool_calls import Terms

from tests.api.api_kit import ANN, Office, decide, found

LOOK_EVERY_S = 0.05
WITHIN_S = 30
TERMS = Terms(approvers=[ANN])
EDITABLE = Terms(approvers=[ANN], editable=True)
AT_ONCE = Terms(approvers=[ANN], timeout=0)
"""An agent that does not wait: it asks, and goes away."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where an agent asks and Ann answers, in a workspace of their own."""

    office: Office
    ann: httpx2.AsyncClient
    key: str
    """The agent's key."""
    clients: AsyncExitStack

    async def client(self) -> AsyncPlacet:
        """A client of the agent; another one is another process of it."""
        made = AsyncPlacet(self.office.placet.url, self.key, attempts=1)
        return await self.clients.enter_async_context(made)

    def blocking(self) -> Placet:
        """A client of an agent without an event loop."""
        return self.clients.enter_context(Placet(self.office.placet.url, self.key, attempts=1))

    async def all(self) -> list[Approval]:
        """Every approval that was asked for, oldest first."""
        await self.office.placet.shown()
        answer = await self.ann.get("/v1/approvals", params={"limit": 100})
        assert answer.status_code == 200, answer.text
        return [Approval(one) for one in reversed(found(answer)["data"])]

    async def pending(self, count: int = 1) -> list[Approval]:
        """What waits for Ann, oldest first, once so many wait."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                waiting = [one for one in await self.all() if one.status == "pending"]
                if len(waiting) >= count:
                    assert len(waiting) == count
                    return waiting
                await asyncio.sleep(LOOK_EVERY_S)

    async def approve(self, approval: Approval, **more: Any) -> None:
        """Ann says yes; `payload` is hers."""
        await self._decide(approval, "approve", more)

    async def deny(self, approval: Approval, reason: str) -> None:
        """Ann says no."""
        await self._decide(approval, "deny", {"reason": reason})

    async def now(self, approval: Approval) -> Approval:
        """An approval as it is now."""
        answer = await self.ann.get(f"/v1/approvals/{approval.id}")
        assert answer.status_code == 200, answer.text
        return Approval(found(answer))

    async def _decide(self, approval: Approval, decision: str, more: Mapping[str, Any]) -> None:
        answer = await decide(self.ann, approval.id, decision, **more)
        assert answer.status_code == 200, answer.text


def about(approval: Approval) -> tuple[str, str, Any]:
    """What an approval says of the call that it is about."""
    return approval.metadata["framework"], approval.metadata["tool"], approval.payload
