"""Posts webhooks to endpoints, and tells what became of each: whatever they do, within bounds."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

import aiohttp
import httpx2
from yarl import URL

from services.outgoing.connecting import Call, CheckedConnector, Names, calling
from services.outgoing.guard import Allowed, NotAllowedUrl, Resolve, Target, target_of
from services.outgoing.waiting import asked_to_wait

TIMEOUT_S = 15.0
CONNECT_S = 5.0
"""How long connecting may take, TLS included."""
CALLS_EACH = 16
CALLS_TOGETHER = 1024
HEADERS_MOST = 64
HEADER_BYTES = 4096
READ_BYTES = 64 * 1024
"""The most that is read of an answer for the sake of keeping its connection."""
KEPT_BYTES = 2048
BODY_GRACE_S = 1.0
"""How long the rest of an answer may take once its status is known."""
CLOSE_S = 1.0
URLS_KEPT = 4096
REASON_CHARS = 200
LOWEST_STATUS = 100
AGENT = "Placet-Webhooks"
STOPPED = "Placet stopped before an answer came."


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


@dataclass(slots=True)
class _Received:
    """What is known of an answer so far."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


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
        self._resolve = resolve
        self._ssl_context = ssl_context or httpx2.create_ssl_context()
        self._ssl_context.set_alpn_protocols(["http/1.1"])
        self._each = each
        self._together = together
        self._urls: dict[str, tuple[Target, URL]] = {}
        self._limits: set[asyncio.Timeout] = set()
        self._session: aiohttp.ClientSession | None = None
        self._names: Names | None = None
        self._stops = False

    async def __aenter__(self) -> Self:
        """Return itself."""
        self._names = Names(self._allowed, self._resolve)
        self._session = aiohttp.ClientSession(
            connector=CheckedConnector(
                self._names,
                ssl_context=self._ssl_context,
                each=self._each,
                together=self._together,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            max_headers=HEADERS_MOST,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection; calls that are under way end with an error."""
        self._stops = True
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._limits:  # noqa: ASYNC110 - at most a few turns of the loop
                    await asyncio.sleep(0)
                if self._session is not None:
                    await self._session.close()
        if self._names is not None:
            await self._names.close()
        await asyncio.sleep(0)  # transports close in the loop's next turn

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and return what came of it; raises nothing that an endpoint can cause.

        `headers` come beside host, user-agent and content-length. Raises ValueError for a header
        that would break the request in two.
        """
        began = time.monotonic()
        received = _Received()
        fault: str | None = None
        call: Call | None = None
        try:
            target, address = self._read(url)
            call = Call(target)
            async with asyncio.timeout(self._timeout_s) as limit:
                self._limits.add(limit)
                try:
                    await self._exchange(
                        call, address, _headers(target, headers, body), body, received
                    )
                finally:
                    self._limits.discard(limit)
        except NotAllowedUrl as error:
            fault = str(error)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # uvloop raises a RuntimeError where a connection is lost just as it is used.
            fault = self._reason(call, error)
        if received.status is not None:
            fault = None  # With its status it has answered, whatever became of the rest.
        return Answer(
            status=received.status,
            error=fault,
            body=received.body,
            duration_s=time.monotonic() - began,
            retry_after_s=asked_to_wait(received.headers, ("retry-after",), datetime.now(UTC)),
        )

    def _read(self, url: str) -> tuple[Target, URL]:
        found = self._urls.get(url)
        if found is None:
            target = target_of(url, self._allowed)
            # As it is written: nothing may read another host from it than was checked.
            text = f"{target.scheme}://{target.authority}{target.path}"
            found = target, URL(text, encoded=True)
            if len(self._urls) >= URLS_KEPT:
                self._urls.clear()
            self._urls[url] = found
        return found

    async def _exchange(
        self, call: Call, url: URL, headers: Mapping[str, str], body: bytes, received: _Received
    ) -> None:
        """Send; and once more where a kept connection was closed just as it was used again.

        To send again is safe: receivers tell by `webhook-id` what they have had.
        """
        before = calling.set(call)
        try:
            await self._send(call, url, headers, body, received)
        except aiohttp.ClientConnectionError:
            if not call.is_stale or self._stops:
                raise
            call.again()
            await self._send(call, url, headers, body, received)
        finally:
            calling.reset(before)

    async def _send(
        self, call: Call, url: URL, headers: Mapping[str, str], body: bytes, received: _Received
    ) -> None:
        if self._session is None or self._stops:
            raise OSError(STOPPED)
        posted = self._session.post(url, headers=headers, data=body, allow_redirects=False)
        async with posted as response:
            call.is_answered()
            if response.status < LOWEST_STATUS:
                raise aiohttp.ClientPayloadError("its status is none of HTTP")
            received.status, received.headers = response.status, response.headers
            with suppress(aiohttp.ClientError, OSError):
                await _begin_body(response.content, received)

    def _reason(self, call: Call | None, error: Exception) -> str:
        if self._stops:
            said = STOPPED
        elif call is not None and call.fault is not None:
            said = call.fault
        elif isinstance(error, aiohttp.ConnectionTimeoutError):
            said = f"It took no connection within {CONNECT_S:g} s."
        elif isinstance(error, TimeoutError) and call is not None and not call.begun:
            said = f"It was not called: the calls before this one took {self._timeout_s:g} s."
        elif isinstance(error, TimeoutError):
            said = f"It gave no answer within {self._timeout_s:g} s."
        elif call is not None and call.read and isinstance(error, aiohttp.ClientConnectionError):
            said = "It closed the connection in the middle of its answer."
        else:
            said = _said(error)
        return said[:REASON_CHARS]


async def _begin_body(content: aiohttp.StreamReader, received: _Received) -> None:
    """Read a bounded part of a body, for a bounded time, and keep its beginning."""
    if content.is_eof():
        received.body = content.read_nowait(KEPT_BYTES)
        return
    read = 0
    async with asyncio.timeout(BODY_GRACE_S):
        while read < READ_BYTES and (some := await content.readany()):
            read += len(some)
            received.body += some[: KEPT_BYTES - len(received.body)]


def _headers(target: Target, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    # In lower case, as ours are: some receivers compare names byte by byte.
    return {
        "host": target.authority,
        "user-agent": AGENT,
        "content-length": str(len(body)),
        **headers,
    }


def _said(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            told = getattr(error.certificate_error, "verify_message", error.certificate_error)
            said = f"Its certificate is not accepted: {told}"
        case aiohttp.ClientConnectorSSLError():
            told = getattr(error.os_error, "reason", None) or "no reason given"
            said = f"TLS could not be agreed on with it: {told}"
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            said = "Its host name could not be looked up: see whether the name is right."
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            said = "It refused the connection: see whether it runs and listens on this port."
        case aiohttp.ClientConnectorError():
            said = f"It could not be reached: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientConnectionError():
            said = "It closed the connection before it answered."
        case aiohttp.ClientResponseError():
            # The parser shows the place by an arrow below the line.
            told = " ".join(error.message.split()).removesuffix(" ^")
            said = f"It answered with something that is not HTTP: {told}"
        case aiohttp.ClientPayloadError():
            said = "It answered with something that is not HTTP."
        case OSError():
            said = f"It could not be reached: {error.strerror or error}"
        case _:
            said = "The connection to it was lost."
    return said
