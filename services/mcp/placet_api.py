"""Speaks to the public HTTP API with the caller's own key, so that every rule stays there."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec
import rfc8785

from services.web.scopes import Scope

TIMEOUT_S = 15.0
CONNECTIONS = 1_000
"""How many calls are under way at once, most of them waits; one more is told to come again."""
LONGEST_DETAIL = 2_000
MOST_ERRORS = 10
MAX_KEY = 512

T = TypeVar("T")


class Refused(Exception):
    """The call did nothing; the message says why and what to do next, for a model to read."""

    def __init__(self, message: str, *, code: str = "", approval: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.approval = approval


class TryAgain(Refused):
    """Placet cannot answer now."""


class WrongKey(Refused):
    """The key opens nothing: another one is needed."""


class _Me(msgspec.Struct):
    workspace: str
    principal: str
    agent: bool
    scopes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the API answered with: its status and its JSON."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, what their key may do, and the API as they may use it."""

    principal: str
    agent: bool
    scopes: frozenset[str]
    public_url: str
    _client: httpx2.AsyncClient = field(repr=False)
    _key: str = field(repr=False)

    def may(self, scope: Scope) -> bool:
        """Tell whether a scope is granted; `admin` holds them all."""
        return scope in self.scopes or "admin" in self.scopes

    def page(self, approval_id: str) -> str:
        """Return where a person reads and decides an approval."""
        return f"{self.public_url}/approvals/{approval_id}"

    async def get(
        self, path: str, query: Mapping[str, Any] | None = None, *, within_s: float = TIMEOUT_S
    ) -> Any:
        """Return the JSON of a call that reads; raises `Refused`."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        answered = await _send(self._client, self._key, "GET", path, query=given, within_s=within_s)
        return answered.body

    async def post(
        self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Answered:
        """Return what a call that changes something answered; raises `Refused`."""
        return await _send(
            self._client, self._key, "POST", path, body=body, idempotency_key=idempotency_key
        )


class PlacetApi:
    """The API at a base URL; close it."""

    def __init__(
        self, base_url: str, public_url: str, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        address = urlsplit(base_url)
        self._public_url = public_url.rstrip("/")
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT_S,
            limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
            # A proxy of the environment is not for what runs here, and would read the key.
            trust_env=not _is_loopback(address.hostname or ""),
            # Reading the system's certificates costs time and memory that http has no use for.
            verify=address.scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            transport=transport,
        )

    async def caller(self, key: str) -> Caller:
        """Return whom a key stands for; raises `WrongKey`, or `TryAgain` when nobody can tell."""
        if not (key and len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
            raise WrongKey("This is no key of Placet. `placet key create` makes one.")
        answered = await _send(self._client, key, "GET", "/v1/me")
        me = _as(answered.body, _Me)
        return Caller(
            principal=me.principal,
            agent=me.agent,
            scopes=frozenset(me.scopes),
            public_url=self._public_url,
            _client=self._client,
            _key=key,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


async def _send(
    client: httpx2.AsyncClient,
    key: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    within_s: float = TIMEOUT_S,
) -> Answered:
    headers = {"Authorization": f"Bearer {key}"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = canonical(body)
    try:
        answer = await client.request(
            method,
            path,
            params=query,
            content=content,
            headers=headers,
            timeout=httpx2.Timeout(within_s, connect=TIMEOUT_S, pool=TIMEOUT_S),
        )
    except httpx2.PoolTimeout as error:
        raise TryAgain("Too many calls wait here at once. Try again in a minute.") from error
    except httpx2.TransportError as error:
        done = "" if method == "GET" else " It is not known whether anything was done."
        raise TryAgain(
            f"Placet cannot be reached ({type(error).__name__}).{done} Try again in a few seconds "
            "with the same arguments."
        ) from error
    try:
        found = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if answer.is_success and found is not None:
        return Answered(status=answer.status_code, body=found)
    raise _refusal(answer.status_code, found)


def canonical(body: Mapping[str, Any]) -> bytes:
    """Return a body as RFC 8785 has it: the same arguments are the same bytes each time.

    Raises `Refused` for what JSON cannot carry exactly.
    """
    try:
        return rfc8785.dumps(dict(body))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise Refused(
            "The arguments hold what JSON cannot carry exactly: numbers must be finite, integers "
            "below 2^53, texts valid Unicode. Send such a value as text."
        ) from error


_NEXT = {
    "wrong_key": "Tell the person who set up this assistant that it needs a new key.",
    "no_key": "Tell the person who set up this assistant that it needs a key.",
    "missing_scope": "Tell the person who set up this assistant; do not try again.",
    "not_found": "Check approval_id: the lists show the ids.",
    "stale_revision": "Nothing was decided. Read it again with get_approval, show the person "
    "what changed, and decide with its present revision.",
    "already_resolved": "Nothing was changed, and nothing is left to do.",
    "not_an_approver": "Nothing was decided. Somebody who is asked must decide.",
    "agents_do_not_decide": "Nothing was decided. A person decides, in the inbox.",
    "already_answered": "Nothing was changed, and nothing is left to do for this person.",
    "own_request": "Nothing was decided. Somebody else must decide.",
    "returned": "Nothing was changed. It goes on when the requester has answered.",
    "not_asked_back": "Nothing was answered. Read it again with get_approval.",
    "too_often": "Do not try again now.",
    "not_the_requester": "Only who asked can do this; do not try again.",
    "not_a_requester": "Nothing was asked. Do not try again with this key.",
    "idempotency_key_reused": "Nothing was asked. Choose another idempotency_key.",
    "invalid": "Correct that and call again.",
    "unavailable": "Try again in a few seconds with the same arguments.",
}
"""What to do next, by the code of a problem document."""


def _refusal(status: int, problem: Any) -> Refused:
    if not isinstance(problem, dict) or not isinstance(problem.get("detail"), str):
        return TryAgain(
            f"What answers for Placet said {status}, and nothing else. Tell the person who set up "
            "this assistant if it says so again."
        )
    code = str(problem.get("code", ""))
    sentences = [problem["detail"][:LONGEST_DETAIL]]
    errors = problem.get("errors")
    for one in errors[:MOST_ERRORS] if isinstance(errors, list) else ():
        detail = str(one.get("detail", "")) if isinstance(one, dict) else ""
        if detail and detail not in sentences[0]:
            sentences.append(f"{one.get('pointer') or 'body'}: {detail}"[:LONGEST_DETAIL])
    approval = problem.get("approval")
    if isinstance(approval, dict) and isinstance(approval.get("status"), str):
        sentences.append(f"Its status is {approval['status']}.")
    if code in _NEXT:
        sentences.append(_NEXT[code])
    kind = {401: WrongKey, 503: TryAgain}.get(status, Refused)
    return kind(" ".join(sentences), code=code, approval=approval)


def _as(body: Any, kind: type[T]) -> T:
    """Return an answer as what it must be; raises `Refused` where something else answers."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise Refused(
            f"What answers is no Placet of this release ({error}). Tell the person who set up "
            "this assistant."
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
