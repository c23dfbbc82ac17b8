"""Puts API and pages together into one application."""

import logging
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from acme_expenses.api import Api, Setup
from acme_expenses.browser_guard import BrowserGuard
from acme_expenses.connections import Connections
from acme_expenses.faults import Faults
from acme_expenses.pages import Pages
from acme_expenses.problems import problem
from acme_expenses.store import Store
from acme_expenses.strikes import Strikes

_OF_API = ("/approvals", "/faults", "/healthz")
_CODES = {404: "not_found", 405: "method_not_allowed"}
_log = logging.getLogger(__name__)


def build_app(store: Store, faults: Faults, connections: Connections, setup: Setup) -> Starlette:
    """The application; it serves until its server stops, and leaves the store open."""
    pages = Pages(store, faults)
    api = Api(store, faults, Strikes(faults, connections), setup)

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        sentence = {
            404: "There is nothing at this address.",
            405: "This address does not take this method.",
            500: "This is a fault of Acme Expenses itself; its log says more.",
        }.get(status, str(error))
        if request.scope["path"].startswith(_OF_API):
            return problem(status, _CODES.get(status, "refused"), sentence, headers=headers)
        response = pages.error(status, sentence)
        response.headers.update(headers)
        return response

    async def gone(_request: Request, _error: Exception) -> Response:
        _log.info("A client went away before its request was complete.")
        return Response(status_code=400)

    app = Starlette(
        routes=[
            *api.routes(),
            *pages.routes(),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[Middleware(BrowserGuard)],
        exception_handlers={HTTPException: refused, ClientDisconnect: gone, Exception: refused},
    )
    # An address with a slash too many is a wrong address: redirects of unsafe methods lose bodies.
    app.router.redirect_slashes = False
    return app
