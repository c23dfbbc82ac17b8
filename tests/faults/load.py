"""Clients that ask, answer, recall and comment at the same time, and write down what they hear.

A client whose answer is lost asks again with the same key, as it should; an answer that stays
unknown is as good as done or not done.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

import httpx2

from events.approval import Outcome
from tests.faults.history import ASK
from tests.faults.processes import KEY
from tests.faults.told import Telling, Told

CLIENTS = 8
APPROVERS = ("ann@example.com", "bob@example.com", "carol@example.com")
BY_TWO = "purchase_by_two"
"""The type of asks for which a site may have a policy: two of the approvers must agree."""
REQUESTER = "service@example.com"
TIMEOUT_S = 5.0
PATIENCE_S = 25.0
AGAIN_S = 0.15
OUTCOMES: tuple[tuple[str, Outcome], ...] = (("approve", "approved"), ("deny", "rejected"))


class Load:
    """`approvals` asked by `CLIENTS` clients over HTTP, most of them answered, all of it by seed.

    `pause` is the longest that a client rests between two commands, in seconds. Use it as `async
    with`; `run` returns when every client is done.
    """

    def __init__(
        self, url: str, telling: Telling, *, seed: int, approvals: int = 200, pause: float = 0.1
    ) -> None:
        self.telling = telling
        self.asked = 0
        self._approvals = approvals
        self._pause = pause
        self._random = Random(seed)
        self._open: list[str] = []
        self._progress = asyncio.Condition()
        self._marks = 0
        self._name = secrets.token_hex(3)  # many loads may share one store
        self._http = httpx2.AsyncClient(
            base_url=url,
            timeout=TIMEOUT_S,
            headers={"Authorization": f"Bearer {KEY}"},
            limits=httpx2.Limits(max_connections=2 * CLIENTS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def run(self) -> None:
        """Let all clients work through their share; raises `TimeoutError` when one cannot."""
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                share = len(range(number, self._approvals, CLIENTS))
                group.create_task(self._client(Random(self._random.random()), share))

    async def reached(self, share: float) -> None:
        """Wait until that share of the approvals was asked for."""
        wanted = int(share * self._approvals)
        async with self._progress:
            await self._progress.wait_for(lambda: self.asked >= wanted)

    async def _client(self, random: Random, share: int) -> None:
        for _ in range(share):
            approval_id = await self.ask(random)
            await asyncio.sleep(random.uniform(0, self._pause))
            await self._go_on(random, approval_id)
            await asyncio.sleep(random.uniform(0, self._pause))

    async def _go_on(self, random: Random, approval_id: str) -> None:
        drawn = random.random()
        if drawn < 0.15:
            return  # it stays pending
        if drawn < 0.25:
            await self.withdraw(approval_id)
        elif drawn < 0.35:
            await self.comment(approval_id)
        elif drawn < 0.55:
            # Two people, two minds, one moment.
            one, other = random.sample(APPROVERS, 2)
            await asyncio.gather(
                self.decide(approval_id, one, OUTCOMES[0]),
                self.decide(approval_id, other, OUTCOMES[1]),
            )
        elif drawn < 0.65:
            await asyncio.gather(
                self.withdraw(approval_id),
                self.decide(approval_id, random.choice(APPROVERS), random.choice(OUTCOMES)),
            )
        else:
            # Mostly somebody else's, which another client may be at.
            somebodys = random.choice(self._open)
            await self.decide(somebodys, random.choice(APPROVERS), random.choice(OUTCOMES))

    async def ask(self, random: Random | None = None) -> str:
        """Ask until it is known that the ask is kept, and return the approval's id."""
        mark = self._mark("ask")
        told = self.telling.invoke(Told(action="ask", by=REQUESTER, mark=mark))
        answer = await self._until_known(
            "/v1/approvals", body_of(mark, random or self._random), told, key=mark
        )
        assert answer is not None, f"{told}: {told.code}"
        async with self._progress:
            self.asked += 1
            self._progress.notify_all()
        self._open.append(answer["id"])
        return str(answer["id"])

    async def decide(self, approval_id: str, by: str, answer: tuple[str, Outcome]) -> Told:
        """Answer for somebody, until it is known what came of it."""
        word, outcome = answer
        told = self.telling.invoke(
            Told(
                action="decide",
                by=by,
                mark=self._mark("because"),
                approval_id=approval_id,
                outcome=outcome,
            )
        )
        body = {"decision": word, "approver": by, "reason": told.mark}
        await self._until_known(f"/v1/approvals/{approval_id}/decision", body, told)
        return told

    async def withdraw(self, approval_id: str) -> Told:
        """Recall an ask."""
        told = self.telling.invoke(
            Told(
                action="withdraw",
                by=REQUESTER,
                mark=self._mark("recall"),
                approval_id=approval_id,
            )
        )
        await self._until_known(
            f"/v1/approvals/{approval_id}/withdraw", {"reason": told.mark}, told
        )
        return told

    async def comment(self, approval_id: str) -> Told:
        """Comment once, however often it is sent."""
        told = self.telling.invoke(
            Told(
                action="comment",
                by=REQUESTER,
                mark=self._mark("comment"),
                approval_id=approval_id,
            )
        )
        path = f"/v1/approvals/{approval_id}/comments"
        await self._until_known(path, {"text": told.mark}, told, key=told.mark)
        return told

    def _mark(self, kind: str) -> str:
        self._marks += 1
        return f"{kind}-{self._name}-{self._marks}"

    async def _until_known(
        self, path: str, body: Mapping[str, Any], told: Told, key: str | None = None
    ) -> Any:
        """Send a command again and again while nobody says what came of it."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            answer = await self._once(path, body, told, key)
            if told.answer != "unknown":
                return answer
            await asyncio.sleep(AGAIN_S)
        raise TimeoutError(f"{told} got no answer for {PATIENCE_S:g} s")

    async def _once(self, path: str, body: Mapping[str, Any], told: Told, key: str | None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            response = await self._http.post(path, json=body, headers=headers)
        except httpx2.HTTPError:
            told.answer = "unknown"
            return None
        if response.status_code >= 500:
            told.answer = "unknown"
            return None
        content = response.json()
        approval = content if response.is_success else content.get("approval") or {}
        told.answer = "ok" if response.is_success else "failed"
        told.code = content.get("code")
        told.approval_id = told.approval_id or approval.get("id")
        told.status, told.decided_by = approval.get("status"), approval.get("decided_by")
        return approval if response.is_success else None


def body_of(mark: str, random: Random, approvers: Sequence[str] = APPROVERS) -> dict[str, Any]:
    """Return an ask that its mark finds again."""
    return {
        "type": random.choice(["purchase", BY_TWO]),
        "title": f"Purchase {mark}",
        "payload": {"amount": random.randrange(1, 10_000), "currency": "EUR"},
        "approvers": list(approvers),
        "requester": REQUESTER,
        "urgency": random.choice(["low", "medium", "high"]),
        "metadata": {ASK: mark},
    }
