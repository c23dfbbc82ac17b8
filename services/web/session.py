"""Sessions of people in a browser, and the refusal of requests that another site sent."""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from events.approval import Assurance
from services.web.problems import Problem

PLAIN_COOKIE = "placet_session"
HOST_COOKIE = "__Host-placet_session"
"""Over https: the prefix keeps the cookie to this host, whatever a neighbour of it sets."""
LASTS_S = 12 * 3600
"""After this long, whoever signed in does so again, however busy they were."""
IDLE_S = 2 * 3600
"""A session that nobody used for this long is over."""
TOUCH_S = 60.0
"""How exactly it is known when a session was last used."""
CACHE_S = 5.0
"""How long a session that ended in another process may still open here."""
CACHE_SIZE = 10_000

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

SignedInBy = Literal["dev", "oidc"]


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, to which workspace, and how it is known that it is them."""

    workspace: str
    email: str
    assurance: Assurance = "session"


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody signed in: with `oidc`, by which account of which identity provider."""

    by: SignedInBy
    issuer: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A session that is not over; `idle_s` since it was used, `left_s` until it is over."""

    session: Session
    idle_s: float
    left_s: float


class KeptSessions(Protocol):
    """Where sessions are kept, by the hash of their token; all raise `Unavailable`."""

    async def find(self, digest: bytes) -> Kept | None:
        """Return a session that is not over, whichever workspace it opens."""
        ...

    async def create(self, digest: bytes, session: Session, way: Way) -> None:
        """Keep a new session."""
        ...

    async def replace(self, workspace: str, digest: bytes, by: bytes) -> bool:
        """Give a session that is not over another token; False if there is no such one."""
        ...

    async def touch(self, workspace: str, digest: bytes) -> None:
        """Note that a session is being used."""
        ...

    async def end(self, workspace: str, digest: bytes) -> None:
        """End a session."""
        ...

    async def end_all_of(self, workspace: str, email: str) -> None:
        """End every session of somebody."""
        ...


class Sessions:
    """Starts, reads and ends sessions.

    A session that ended elsewhere may be read here for `CACHE_S` more. `is_active` tells whether
    somebody of a workspace may still be there: whoever may not has no session any more. `oidc`
    tells whether people sign in through an identity provider.
    """

    def __init__(
        self,
        kept: KeptSessions,
        *,
        dev_login: bool,
        secure: bool,
        oidc: bool = False,
        is_active: Callable[[str, str], bool] = lambda *_: True,
    ) -> None:
        self._kept = kept
        self.dev_login = dev_login
        self.secure = secure
        self.oidc = oidc
        self._is_active = is_active
        self._cookie = HOST_COOKIE if secure else PLAIN_COOKIE
        self._cache: dict[bytes, tuple[float, Kept | None]] = {}
        self._finding = asyncio.Semaphore(8)

    async def start(self, request: Request, response: Response, session: Session, way: Way) -> None:
        """Sign somebody in, always under a new token; the session that was there ends."""
        await self._end(request)
        token = secrets.token_urlsafe(32)
        await self._kept.create(digest_of(token), session, way)
        self._send(response, token)

    async def renew(self, request: Request, response: Response, session: Session) -> None:
        """Give a session a new token, as when somebody has shown anew that it is them."""
        before = self.digest(request)
        if before is None:
            return
        token = secrets.token_urlsafe(32)
        if await self._kept.replace(session.workspace, before, digest_of(token)):
            self._cache.pop(before, None)
            self._send(response, token)

    async def end(self, request: Request, response: Response) -> None:
        """Sign somebody out: here and on the server."""
        await self._end(request)
        response.delete_cookie(
            self._cookie, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    async def read(self, request: Request) -> Session | None:
        """Return who is signed in; None for a token that is none, over, or somebody's who left.

        Raises `Unavailable`.
        """
        digest = self.digest(request)
        if digest is None:
            return None
        kept = await self._found(digest)
        if kept is None:
            return None
        session = kept.session
        if not self._is_active(session.workspace, session.email):
            await self._kept.end_all_of(session.workspace, session.email)
            self._cache.pop(digest, None)
            return None
        return session

    def digest(self, request: Request) -> bytes | None:
        """Return by what the request's session is known, if it could be one."""
        token = request.cookies.get(self._cookie, "")
        return digest_of(token) if _TOKEN.fullmatch(token) else None

    async def _found(self, digest: bytes) -> Kept | None:
        known = self._cache.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        async with self._finding:
            kept = await self._kept.find(digest)
            if kept is not None and kept.idle_s > TOUCH_S:
                await self._kept.touch(kept.session.workspace, digest)
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        until = min(CACHE_S, kept.left_s) if kept is not None else CACHE_S
        self._cache[digest] = (time.monotonic() + until, kept)
        return kept

    async def _end(self, request: Request) -> None:
        digest = self.digest(request)
        if digest is None:
            return
        # Not what is remembered: another process may have begun it since.
        kept = await self._kept.find(digest)
        if kept is not None:
            await self._kept.end(kept.session.workspace, digest)
        self._cache.pop(digest, None)

    def _send(self, response: Response, token: str) -> None:
        response.set_cookie(
            self._cookie,
            token,
            max_age=LASTS_S,
            httponly=True,
            samesite="lax",
            secure=self.secure,
            path="/",
        )


def digest_of(token: str) -> bytes:
    """Return what is kept of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def refuse_cross_site(request: Request) -> None:
    """Raise 403 for a form that another site sent."""
    if is_cross_site(request):
        raise Problem(403, "cross_site", "This form was sent by another site. Open Placet itself.")


def is_cross_site(request: Request, *, without_origin: bool = False) -> bool:
    """Tell whether another site sent a form, by Sec-Fetch-Site, or else by Origin.

    `without_origin`: it stands on a page of ours that tells nobody its address, and for which
    browsers send the origin `null`.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None or (without_origin and origin == "null"):
        return False
    return urlsplit(origin).netloc != request.headers.get("host")
