"""Sends one request to a source: within its budget, its deadline and a bound on what comes back."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import httpx2

from events.approval import Json
from services.outgoing.waiting import asked_to_wait
from services.sources import SourceRefused, SourceUnavailable
from services.sources.budget import Budget
from services.sources.connection import ApiKeyAuth, credentials
from services.sources.credentials import as_sent, redact
from services.sources.definition import SourceDefinition
from services.sources.messages import MAX_WORDS, Received, Request, own_words
from services.sources.request_log import keep_out

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
MAX_REDIRECTS: Final = 3
# Without a header that says how long, a source that had enough is left alone for this long.
UNTOLD_WAIT_S: Final = 5.0

_TOO_MANY: Final = 429
_OVERLOADED: Final = 503
_FORBIDDEN: Final = 403
_REQUEST_TIMEOUT: Final = 408
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Clock = Callable[[], datetime]

# These fail before anything was sent.
_NOTHING_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
)
_NEVER_SENT = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


class Exchange:
    """Speaks HTTP with one source."""

    def __init__(
        self,
        definition: SourceDefinition,
        client: httpx2.AsyncClient,
        budget: Budget,
        clock: Clock,
    ) -> None:
        self._name = definition.name
        self._http = definition.file.http
        self._secrets = definition.secrets
        self._client = client
        self._budget = budget
        self._clock = clock
        self._base = httpx2.URL(self._http.base_url)
        if isinstance(self._http.auth, ApiKeyAuth) and self._http.auth.query:
            keep_out(self._secrets)  # the client logs each URL, with the key in it
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "placet",
            **{name: value.render({}) for name, value in self._http.headers.items()},
        }
        self._credentials = credentials(definition.file.http.auth)

    async def send(self, request: Request, *, for_listing: bool = False) -> Received:
        """Return the source's answer, whatever it is, unless it has to be asked again later.

        Raises `SourceUnavailable` when it cannot be reached, has had enough or fails, and
        `SourceRefused` when it sends us somewhere else or more than 8 MiB.
        """
        async with self._budget.request(for_listing=for_listing):
            received = await self._deliver(request)
        if received.status in {_TOO_MANY, _OVERLOADED, _FORBIDDEN, _REQUEST_TIMEOUT}:
            await self._check_patience(request, received)
        if received.status >= 500:  # noqa: PLR2004 - the codes of failure
            raise SourceUnavailable(
                self.words(received),
                retry_after=self._wait(received),
                may_have_written=request.writes,
            )
        return received

    async def _check_patience(self, request: Request, received: Received) -> None:
        wait = self._wait(received)
        if received.status == _FORBIDDEN and wait is None:
            return
        if received.status != _REQUEST_TIMEOUT:
            await self._budget.block(UNTOLD_WAIT_S if wait is None else wait)
        raise SourceUnavailable(
            self.words(received),
            retry_after=wait,
            may_have_written=request.writes and received.status in {_OVERLOADED, _REQUEST_TIMEOUT},
        )

    def _wait(self, received: Received) -> float | None:
        return asked_to_wait(received.headers, self._http.rate.wait_headers, self._clock())

    async def _deliver(self, request: Request) -> Received:
        asked = f"{request.method} {request.path}"
        try:
            # The client's own timeouts start anew with every byte: this one does not.
            async with asyncio.timeout(self._http.timeout):
                return await self._follow(request, asked)
        except _NEVER_SENT as error:
            raise SourceRefused(
                f"{self._name} cannot be asked {asked}: {self._said(error, request)}"
            ) from None
        except (TimeoutError, httpx2.HTTPError, httpx2.StreamError) as error:
            late = isinstance(error, TimeoutError | httpx2.TimeoutException)
            problem = (
                f"gave no answer within {self._http.timeout:g} s" if late else "was not reached"
            )
            # Without the cause: its text may hold the URL, and the URL a key.
            raise SourceUnavailable(
                f"{self._name} {problem} ({asked}): {self._said(error, request)}",
                may_have_written=request.writes and not isinstance(error, _NOTHING_SENT),
            ) from None

    async def _follow(self, request: Request, asked: str) -> Received:
        url = self._url(request)
        for _ in range(MAX_REDIRECTS + 1):
            began = self._clock()
            async with self._stream(request, url) as response:
                location = response.headers.get("location")
                if response.status_code in _REDIRECTS and location is not None:
                    url = self._redirected(request, url, location, asked)
                    continue
                return Received(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=await self._body(request, response, asked),
                    began=began,
                    asked=asked,
                    token=request.token,
                )
        raise SourceRefused(f"{self._name} sends {asked} from place to place without an end")

    @asynccontextmanager
    async def _stream(self, request: Request, url: httpx2.URL) -> AsyncIterator[httpx2.Response]:
        fields = {**self._headers, **self._credentials, **request.headers}
        if request.token is not None:
            shown = {name.lower() for name in (*self._credentials, "Authorization")}
            fields = {name: value for name, value in fields.items() if name.lower() not in shown}
            fields["Authorization"] = f"Bearer {request.token.reveal()}"
        if request.body is not None:
            fields.setdefault("Content-Type", "application/json")
        # Not by `client.build_request`: it would send the cookies of one workspace for another.
        built = httpx2.Request(
            request.method,
            url,
            headers=[
                (name.encode(), _CONTROL.sub(" ", value).strip().encode())
                for name, value in fields.items()
            ],
            content=None if request.body is None else _encoded(request.body),
            extensions={"timeout": httpx2.Timeout(self._http.timeout).as_dict()},
        )
        response = await self._client.send(built, stream=True, auth=None, follow_redirects=False)
        try:
            yield response
        finally:
            await response.aclose()

    async def _body(self, request: Request, response: httpx2.Response, asked: str) -> bytes:
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    break
        except (httpx2.HTTPError, httpx2.StreamError):
            # The code alone says whether a write was taken; a reading needs all of its body.
            if not request.writes:
                raise
            return b""
        if len(body) > MAX_BODY_BYTES:
            if request.writes:
                return b""
            raise SourceRefused(
                f"{self._name} answered {asked} with more than {MAX_BODY_BYTES // 1024**2} MiB: "
                "ask for smaller pages"
            )
        return bytes(body)

    def _url(self, request: Request) -> httpx2.URL:
        if request.link is None:
            url = httpx2.URL(f"{self._http.base_url}{request.path}")
            if request.query:
                url = url.copy_merge_params(dict(request.query))
        else:
            url = self._base.join(request.link)
            if _origin(url) != _origin(self._base):
                raise SourceRefused(
                    f"{self._name} links to its next page on another server, {url.host}: "
                    "that is not followed"
                )
        return url if request.token is not None else self._with_key(url)

    def _with_key(self, url: httpx2.URL) -> httpx2.URL:
        match self._http.auth:
            case ApiKeyAuth(query=str() as name, key=key):
                return url.copy_set_param(name, key.reveal())
            case _:
                return url

    def _redirected(
        self, request: Request, url: httpx2.URL, location: str, asked: str
    ) -> httpx2.URL:
        target = url.join(location)
        if request.writes or _origin(target) != _origin(self._base):
            where = target.host if _origin(target) != _origin(self._base) else "another path"
            raise SourceRefused(
                f"{self._name} sends {asked} on to {where}, which is not followed: "
                "put the right address into http.base_url, and see whether a login is asked for"
            )
        return self._with_key(target)

    def words(self, received: Received) -> str:
        """Return what the source answered, in its own words, short and without our secrets."""
        secrets = self._hidden(received)
        said = own_words(received, secrets)
        text = f"{self._name} answered {received.status} to {received.asked}"
        return redact(f"{text}: {said}" if said else text, secrets)

    def _said(self, error: BaseException, request: Request) -> str:
        said = redact(str(error), self._hidden(request))
        return said[:MAX_WORDS] or type(error).__name__

    def _hidden(self, shown: Request | Received) -> tuple[str, ...]:
        return self._secrets if shown.token is None else (*self._secrets, *as_sent(shown.token))


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    standard = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or standard


def _encoded(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
