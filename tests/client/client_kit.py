"""Both clients behind one way of calling, so that every test is of both."""

import asyncio
import inspect
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from placet import Approval, AsyncPage, AsyncPlacet, Page, Placet, requires_approval

from events.commands import ExpireApproval
from events.handling import Order, handle
from services.decision.identifiers import new_command_id
from services.web.scopes import Scope
from tests.api import api_kit

AT_WORK: tuple[Scope, ...] = ("approvals:read", "approvals:request")
PATIENCE_S = 20


Kind = type[Placet] | type[AsyncPlacet]


class Caller:
    """A client of either kind; what blocks is done beside the loop that the server runs on."""

    def __init__(self, client: Placet | AsyncPlacet) -> None:
        self.client = client
        self.kind = type(client)

    async def __call__(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """The result of `client.approvals.verb(...)`."""
        return await run(getattr(self.client.approvals, verb), *args, **kwargs)

    async def gated(self, action: Callable[..., Any], **gate: Any) -> Callable[..., Any]:
        """A function that does `action` when that is approved: of the client's kind, awaitable."""
        gate = {"type": "bulk_send", "approvers": [api_kit.ANN], "client": self.client, **gate}
        decorate = requires_approval(**gate)
        if self.kind is Placet:
            guarded = decorate(action)
            return lambda *args, **kwargs: run(guarded, *args, **kwargs)

        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return action(*args, **kwargs)

        asynchronous.__name__ = action.__name__
        asynchronous.__signature__ = inspect.signature(action)  # type: ignore[attr-defined]
        return decorate(asynchronous)


async def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function returns, whether it blocks or is awaited."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


async def every(page: Page | AsyncPage) -> list[Approval]:
    """All approvals of a page and those after it."""
    if isinstance(page, Page):
        return await asyncio.to_thread(list, page)
    return [approval async for approval in page]


@dataclass(frozen=True, kw_only=True)
class Office:
    """A workspace of its own on the real server, and who asks in it."""

    placet: api_kit.Placet
    workspace: str
    kind: Kind
    clients: AsyncExitStack

    async def caller(self, email: str, scopes: tuple[Scope, ...] = AT_WORK) -> Caller:
        """A client with a new key."""
        return await self.caller_with(await self.placet.key(self.workspace, email, scopes))

    async def caller_with(self, key: str, **more: Any) -> Caller:
        """A client with this key."""
        return Caller(await opened(self.clients, self.kind, self.placet.url, key, **more))

    async def beaten_to_withdrawal(self, key: str, decision: str) -> Caller:
        """Who asks, and is overtaken by this decision whenever it withdraws."""
        way = Overtaken if self.kind is Placet else AsyncOvertaken
        own = await self.placet.key(self.workspace, api_kit.REQUESTER, AT_WORK)
        return await self.caller_with(own, transport=way(key, decision))

    async def ann(self) -> Caller:
        """Who decides."""
        return await self.caller(api_kit.ANN, ("approvals:read", "approvals:decide"))

    async def pending(self, caller: Caller) -> Approval:
        """The one approval that waits, once there is one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.placet.shown()
                found = (await caller("list", status="pending"))["data"]
                if found:
                    (only,) = found
                    approval: Approval = only
                    return approval
                await asyncio.sleep(0.02)

    async def answered(self, caller: Caller, decision: str, **more: Any) -> Approval:
        """What waits, once it was decided and whoever waits was woken."""
        waiting = await self.pending(caller)
        decided = await caller("decide", approval_id=waiting.id, decision=decision, **more)
        await self.placet.shown()
        approval: Approval = decided
        return approval

    async def expired(self, approval_id: str) -> None:
        """Let the time of an approval be over, as the timers of the server do."""
        order = Order(
            approval_id=approval_id,
            command=ExpireApproval(now=datetime.now(UTC)),
            command_id=new_command_id(),
        )
        await handle(self.placet.parts.store, self.workspace, order)
        await self.placet.shown()

    async def told(self, task: asyncio.Task[Any]) -> Any:
        """How a task ends, while readers are told what is stored."""
        async with asyncio.timeout(PATIENCE_S):
            while not task.done():
                await self.placet.shown()
                await asyncio.sleep(0.02)
        return task.result()


class Overtaken(httpx2.HTTPTransport):
    """The way to the server, on which a decision overtakes each withdrawal."""

    def __init__(self, key: str, decision: str) -> None:
        super().__init__()
        self._key = key
        self._decision = decision

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/withdraw"):
            answer = super().handle_request(decision_before(request, self._key, self._decision))
            answer.read()
            assert answer.status_code == 200
        return super().handle_request(request)


class AsyncOvertaken(httpx2.AsyncHTTPTransport):
    """The same for the other client."""

    def __init__(self, key: str, decision: str) -> None:
        super().__init__()
        self._key = key
        self._decision = decision

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/withdraw"):
            decision = decision_before(request, self._key, self._decision)
            answer = await super().handle_async_request(decision)
            await answer.aread()
            assert answer.status_code == 200
        return await super().handle_async_request(request)


def decision_before(request: httpx2.Request, key: str, decision: str) -> httpx2.Request:
    """The decision on what a request would withdraw."""
    path = request.url.path.replace("/withdraw", "/decision")
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Request(
        "POST", request.url.copy_with(path=path), headers=headers, json={"decision": decision}
    )


async def opened(
    clients: AsyncExitStack, kind: Kind, url: str, key: str, **more: Any
) -> Placet | AsyncPlacet:
    """A client that is closed with the others."""
    if issubclass(kind, Placet):
        return clients.enter_context(kind(url, key, **more))
    return await clients.enter_async_context(kind(url, key, **more))


def workspace() -> str:
    """A name that nobody has."""
    return f"w-{secrets.token_hex(6)}"
