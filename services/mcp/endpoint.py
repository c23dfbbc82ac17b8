"""The address `/mcp`: lets in who has a key and comes from where it may, and serves MCP there."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import APIRouter
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from services.mcp.placet_api import Caller, PlacetApi, Refused, TryAgain, WrongKey
from services.mcp.server import Context, make_server
from services.web.problems import Problem, problem_response, unavailable

PATH = "/mcp"
MAX_BODY = 512 * 1024
"""The API takes half of that: what is over it is refused there, in words for the model."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_CALLER = "placet.caller"


class Endpoint:
    """An ASGI application; it answers while `run` runs."""

    def __init__(self, api: PlacetApi, public_url: str, hosts: Sequence[str] = ()) -> None:
        self._api = api
        self._public_url = public_url
        self._settings = _security(public_url, hosts)
        self._security = TransportSecurityMiddleware(self._settings)
        self._server = make_server(_caller_of)
        self._manager: StreamableHTTPSessionManager | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        # One for each run: it cannot be started twice, and a loop that failed is.
        manager = StreamableHTTPSessionManager(
            self._server,
            stateless=True,
            security_settings=self._settings,
            max_request_body_size=MAX_BODY,
        )
        async with manager.run():
            self._manager = manager
            try:
                await asyncio.Event().wait()
            finally:
                self._manager = None

    def router(self) -> APIRouter:
        """Return the route, for the application that serves everything else."""
        router = APIRouter()
        # No session is kept here: there is nothing to GET, and nothing to DELETE.
        router.routes.append(Route(PATH, endpoint=self, methods=["POST"]))
        return router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        manager = self._manager
        try:
            if manager is None:
                raise unavailable("MCP is not served at this moment. Try again.")
            scope[_CALLER] = await self._admitted(Request(scope))
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        await manager.handle_request(scope, receive, send)

    async def _admitted(self, request: Request) -> Caller:
        refused = await self._security.validate_request(request)
        if refused is not None:
            raise Problem(
                refused.status_code,
                "wrong_address",
                "MCP is not served to this Host or Origin, so that no web page can reach it by "
                f"another name. Use {self._public_url}{PATH}; PLACET_PUBLIC_URL says which.",
            )
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Problem(
                401,
                "no_key",
                "Send a key: Authorization: Bearer KEY. `placet key create` makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        try:
            return await self._api.caller(key.strip())
        except WrongKey as error:
            raise Problem(
                401,
                "wrong_key",
                str(error),
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from error
        except TryAgain as error:
            raise unavailable(str(error)) from error
        except Refused as error:
            raise Problem(502, "not_placet", str(error)) from error


async def _caller_of(context: Context) -> Caller:
    caller = context.request.scope[_CALLER] if isinstance(context.request, Request) else None
    if not isinstance(caller, Caller):
        raise TypeError("a call came in that nobody let in")
    return caller


def _security(public_url: str, hosts: Sequence[str]) -> TransportSecuritySettings:
    public = urlsplit(public_url)
    named = [public.netloc.rpartition("@")[2], *LOOPBACK, *hosts]
    return TransportSecuritySettings(
        allowed_hosts=[pattern for host in named for pattern in (host, f"{host}:*")],
        allowed_origins=[
            f"{public.scheme}://{public.netloc.rpartition('@')[2]}",
            *(f"http://{host}{port}" for host in LOOPBACK for port in ("", ":*")),
        ],
    )
