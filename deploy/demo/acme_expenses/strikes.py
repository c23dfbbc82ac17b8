"""Carries out the faults that strike before a request is handled, and after it took effect."""

import asyncio
import contextlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from acme_expenses.connections import Connections
from acme_expenses.faults import Faults, Operation
from acme_expenses.problems import problem

_CLOSING_TAKES_S = 2.0


class Strikes:
    """Turns faults that are on into what a caller suffers."""

    def __init__(self, faults: Faults, connections: Connections) -> None:
        self._faults = faults
        self._connections = connections

    async def before(self, operation: Operation) -> Response | None:
        """Waits, if that is a fault; the answer instead of handling, if that is one."""
        if latency := self._faults.strike("latency_ms", operation):
            await asyncio.sleep((latency.amount or 0) / 1000)
        if limit := self._faults.strike("rate_limit", operation):
            return problem(
                429,
                "rate_limited",
                f"Too many requests; come back in {limit.amount} s. (A fault is switched on.)",
                headers={"Retry-After": str(limit.amount)},
            )
        if self._faults.strike("error_500", operation):
            return problem(500, "broken", "Something broke. (A fault is switched on.)")
        return None

    async def after(self, operation: Operation, request: Request, done: Response) -> Response:
        """The answer, or silence and a cut connection after a write that took effect."""
        if done.status_code >= 300:  # noqa: PLR2004 - the statuses below mean that it took effect
            return done
        fault = self._faults.strike("timeout_after_write", operation)
        if fault is None or request.client is None:
            return done
        client = (request.client.host, request.client.port)
        return _Silence(self._connections, client, fault.amount or 0)


class _Silence(Response):
    """No answer at all: the connection hangs, and then it is closed."""

    def __init__(self, connections: Connections, client: tuple[str, int], hang_s: float) -> None:
        super().__init__()
        self._connections = connections
        self._client = client
        self._hang_s = hang_s

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - an ASGI application takes three
        receive: Receive,
        send: Send,  # noqa: ARG002 - never called: that is the fault
    ) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_gone(receive), self._hang_s)
            return
        self._connections.cut(self._client)
        # The server would answer for us with 500 if we returned before the connection is closed.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_gone(receive), _CLOSING_TAKES_S)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
