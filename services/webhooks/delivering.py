"""Posts webhooks to endpoints, and tells what became of each: whatever they do, within bounds."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import httpx2

from services.sources.waiting import asked_to_wait
from services.webhooks.connection import Broken, Connection, Received, Stale
from services.webhooks.guard import Allowed, NotAllowedUrl, Resolve, Target, target_of
from services.webhooks.pool import Pool

TIMEOUT_S = 15.0
CALLS_EACH = 16
CALLS_TOGETHER = 1024
URLS_KEPT = 4096
REASON_CHARS = 200
AGENT = "Placet-Webhooks"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered, or an `error` that says what happened instead of an answer.

    `body` is the beginning of what it answered, 2 KiB at the most. `retry_after_s` is how long it
    asks to be left alone, an hour at the most.
    """

    status: int | None
    error: str | None
    body: bytes
    duration_s: float
    retry_after_s: float | None


class Delivering:
    """Sends POST requests; an async context manager, used inside one event loop.

    `timeout_s` holds for a whole call, from the look-up of the name to the end of the answer.
    `each` calls go to one origin (scheme, host, port) at a time, `together` to all; more wait,
    and their wait counts. `resolve` replaces the system's look-up of names, `ssl_context` its
    trust. Proxies of the environment are not used, redirects not followed, cookies not kept.
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolve | None = None,
        ssl_context: ssl.SSLContext | None = None,
        each: int = CALLS_EACH,
        together: int = CALLS_TOGETHER,
    ) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._targets: dict[str, Target] = {}
        context = ssl_context or httpx2.create_ssl_context()
        context.set_alpn_protocols(["http/1.1"])
        self._pool = Pool(
            allowed, resolve=resolve, ssl_context=context, each=each, together=together
        )

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection; calls that are under way end with an error."""
        await self._pool.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and return what came of it; raises nothing that an endpoint can cause.

        `headers` come beside host, user-agent and content-length. Raises ValueError for a header
        that would break the request in two.
        """
        began = time.monotonic()
        received: Received | None = None
        fault: str | None = None
        try:
            target = self._target(url)
            received = await self._exchange(target, _request(target, headers, body))
        except NotAllowedUrl as error:
            fault = str(error)
        except TimeoutError as error:
            fault = str(error) or f"It gave no answer within {self._timeout_s:g} s."
        except (Broken, Stale, OSError) as error:
            fault = _reason(error)
        return Answer(
            status=None if received is None else received.status,
            error=fault,
            body=b"" if received is None else received.body,
            duration_s=time.monotonic() - began,
            retry_after_s=None
            if received is None
            else asked_to_wait(received.headers, ("retry-after",), datetime.now(UTC)),
        )

    def _target(self, url: str) -> Target:
        target = self._targets.get(url)
        if target is None:
            target = target_of(url, self._allowed)
            if len(self._targets) >= URLS_KEPT:
                self._targets.clear()
            self._targets[url] = target
        return target

    async def _exchange(self, target: Target, request: bytes) -> Received:
        """Send in turn; raises TimeoutError only while nothing is known of the answer."""
        origin = self._pool.origin(target)
        connection: Connection | None = None
        begun = False
        try:
            async with asyncio.timeout(self._timeout_s), self._pool.place(origin):
                begun = True
                try:
                    connection = self._pool.kept(origin)
                    received = await _answered(connection, request)
                    if received is None:
                        connection = await self._pool.connect(target)
                        received = await connection.post(request)
                finally:
                    if connection is not None:
                        self._pool.give(origin, connection)
        except TimeoutError:
            if not begun:
                raise TimeoutError(
                    f"It was not called: the calls before this one took {self._timeout_s:g} s."
                ) from None
            late = None if connection is None else connection.received
            origin.silent = late is None
            if late is None:
                raise
            return late
        origin.silent = False
        return received


async def _answered(connection: Connection | None, request: bytes) -> Received | None:
    """Use a kept connection; None where there is none, or where it was closed meanwhile.

    To send again is safe: receivers tell by `webhook-id` what they have had.
    """
    if connection is None:
        return None
    try:
        return await connection.post(request)
    except Stale:
        return None


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"host: {target.authority}",
        f"user-agent: {AGENT}",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("a header holds a line break")
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body


def _reason(error: Exception) -> str:
    match error:
        case Broken():
            said = str(error)
        case Stale():
            said = "It closed the connection before it answered."
        case ssl.SSLCertVerificationError():
            said = f"Its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            said = f"TLS could not be agreed on with it: {error.reason or 'no reason given'}"
        case socket.gaierror():
            said = "Its host name could not be looked up: see whether the name is right."
        case ConnectionRefusedError():
            said = "It refused the connection: see whether it runs and listens on this port."
        case OSError():
            said = f"It could not be reached: {error.strerror or error}"
        case _:
            said = type(error).__name__
    return said[:REASON_CHARS]
