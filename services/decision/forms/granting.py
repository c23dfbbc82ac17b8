"""Has people connect their account at a source, and takes that back.

Whoever connects one is sent away and comes back by GET, as the protocol has it.
"""

import re
from collections.abc import Mapping
from typing import Final, Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.decision.forms.fields import read_form
from services.decision.forms.guarding import Guard
from services.grants import Whose
from services.grants.authorizing import AuthorizationAway, AuthorizationServer, NotGranted
from services.grants.grants import Away, Grants
from services.grants.tokens import Tokens
from services.web.problems import Problem
from services.web.session import Session, Sessions
from services.web.throttle import Throttle

AT_ONCE: Final = 30
"""How often in a minute somebody may begin, or come back."""
NOT_OURS: Final = (
    "This was not begun here by you, or too long ago, or it is over already: nothing was connected."
)
# The address of the page holds the code and the state: it is told to nobody.
_QUIET: Final = {"Referrer-Policy": "no-referrer"}
_STATE = re.compile(r"[A-Za-z0-9_-]{20,200}")
_ERROR = re.compile(r"[a-z_]{1,60}")
_MOST_CODE: Final = 4096
_MOST_NAME: Final = 63


class ShowsGrants(Protocol):
    """Who renders the page."""

    async def grants(self, me: Session, *, status: int = 200, alert: str | None = None) -> Response:
        """Return the page, with what went wrong."""
        ...


class Granting:
    """The way to where an account is connected and back, and the form that takes it back."""

    def __init__(
        self,
        servers: Mapping[tuple[str, str], AuthorizationServer],
        tokens: Tokens,
        grants: Grants,
        page: ShowsGrants,
        sessions: Sessions,
    ) -> None:
        self._servers = servers
        self._tokens = tokens
        self._grants = grants
        self._page = page
        self._sessions = sessions
        self._throttle = Throttle(AT_ONCE, 60.0)

    async def connect(self, request: Request, me: Session) -> Response:
        """Send somebody to where they connect their account."""
        if request.method == "HEAD" or request.headers.get("sec-fetch-site") == "cross-site":
            # Nobody connects anything because another site wanted it: they press the button here.
            return _to_page()
        whose, server = self._there(request, me)
        self._throttle.take(me.email)
        begun = await server.begin()
        await self._grants.begin(
            whose, state=begun.state, session=self._session(request), verifier=begun.verifier
        )
        return _redirect(begun.url)

    async def back(self, request: Request, me: Session) -> Response:
        """Take somebody back, and keep what they granted."""
        if request.method == "HEAD":
            return _to_page()
        whose, _ = self._there(request, me)
        self._throttle.take(me.email)
        away = await self._waited_for(request, whose)
        error = request.query_params.get("error")
        code = request.query_params.get("code", "")
        if error is not None or not 1 <= len(code) <= _MOST_CODE:
            said = error if error is not None and _ERROR.fullmatch(error) else "no code"
            return await self._failed(me, 403, f"{whose.source} did not connect it ({said}).")
        try:
            await self._tokens.keep(whose, code, verifier=away.verifier)
        except NotGranted as refused:
            return await self._failed(me, 403, f"{whose.source} did not connect it ({refused}).")
        except AuthorizationAway as gone:
            return await self._failed(me, 503, str(gone))
        return _to_page("connected")

    async def disconnect(self, request: Request, me: Session) -> Response:
        """Forget what somebody granted."""
        await read_form(request)
        # Also of a source that is there no more.
        await self._grants.remove(_whose(request, me))
        return _to_page("disconnected")

    def _there(self, request: Request, me: Session) -> tuple[Whose, AuthorizationServer]:
        whose = _whose(request, me)
        server = self._servers.get((whose.workspace, whose.source))
        if server is None:
            raise Problem(404, "not_found", "No source of this name asks for your own account.")
        return whose, server

    async def _waited_for(self, request: Request, whose: Whose) -> Away:
        """Return what was kept of whoever comes back; raises 403 for what they did not begin."""
        state = request.query_params.get("state", "")
        away = None
        if _STATE.fullmatch(state):
            away = await self._grants.take(
                whose.workspace, state, email=whose.email, session=self._session(request)
            )
        # Each source has an address of its own to come back to: one cannot speak for another.
        if away is None or away.source != whose.source:
            raise Problem(403, "not_our_grant", NOT_OURS, headers=_QUIET)
        return away

    async def _failed(self, me: Session, status: int, why: str) -> Response:
        response = await self._page.grants(
            me, status=status, alert=f"{why} Nothing was changed: try again."
        )
        response.headers.update(_QUIET)
        return response

    def _session(self, request: Request) -> bytes:
        digest = self._sessions.digest(request)
        if digest is None:
            raise Problem(401, "signed_out", "Sign in first.")
        return digest


def granting_router(granting: Granting, guard: Guard) -> APIRouter:
    """Return the routes of the way there and back, and of the form."""
    router = APIRouter()

    async def to_page(_: Request) -> Response:
        return _to_page()

    for path, theirs in (
        ("/grants/{source}/connect", granting.connect),
        ("/grants/{source}/callback", granting.back),
    ):
        endpoint = guard.as_page(guard.for_somebody(theirs))
        router.add_route(path, endpoint, methods=["GET"], include_in_schema=False)
    path = "/grants/{source}/disconnect"
    endpoint = guard.guarded(guard.for_somebody(granting.disconnect))
    router.add_route(path, endpoint, methods=["POST"], include_in_schema=False)
    # Where the form leaves the browser if it is refused.
    router.add_route(path, to_page, methods=["GET"], include_in_schema=False)
    return router


def _whose(request: Request, me: Session) -> Whose:
    return Whose(me.workspace, request.path_params["source"][:_MOST_NAME], me.email)


def _to_page(told: str | None = None) -> Response:
    return _redirect("/grants" if told is None else f"/grants?notice={told}")


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 303, {"Cache-Control": "no-store", **_QUIET})
