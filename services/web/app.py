"""Makes an HTTP application that answers what was asked for, or a problem document."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from events.store import Unavailable, VersionConflict
from services.web.asyncapi import PATH as ASYNCAPI_PATH
from services.web.asyncapi import asyncapi_router
from services.web.keys import Keys, Principal
from services.web.problems import Problem, answer_problem, problem_response, unavailable
from services.web.scopes import Scope

VERSION = "0.1.0"
DESCRIPTION = (
    "One approval queue for people, fed by business systems and by agents. What it takes in and "
    f"tells by Kafka is described at [{ASYNCAPI_PATH}]({ASYNCAPI_PATH}).\n\n"
    "Errors are problem documents (RFC 9457) with a stable `code`; those of a field name it by a "
    "JSON pointer. Any call may also answer 404 or 405 for an address or a method that is not here."
)

logger = logging.getLogger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_app(routers: Sequence[APIRouter], *, lifespan: Lifespan | None = None) -> FastAPI:
    """Return an application with these routers, its own OpenAPI document and no default errors."""
    everything = (asyncapi_router(VERSION), *routers)
    app = FastAPI(
        title="Placet",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        # One address for each thing: another one is told so, and not sent on by a made-up URL.
        redirect_slashes=False,
        exception_handlers={
            Problem: answer_problem,
            Unavailable: _answer_unavailable,
            VersionConflict: _answer_busy,
            RequestValidationError: _answer_validation,
            HTTPException: _AnswerHttp(everything),
            Exception: _answer_unexpected,
        },
    )
    for router in everything:
        # Not included but taken over: an included router is asked anew for every request.
        app.router.routes.extend(router.routes)
    return app


async def _answer_unavailable(_: Request, error: Exception) -> Response:
    logger.warning("%s", error)
    return problem_response(unavailable(str(error)))


async def _answer_busy(request: Request, _: Exception) -> Response:
    logger.warning("%s %s: others were faster each time", request.method, request.url.path)
    return problem_response(
        unavailable("Others change this approval at the same moment. Nothing was done; try again.")
    )


async def _answer_validation(_: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    found = [
        {"pointer": "/" + "/".join(str(part) for part in one["loc"][1:]), "detail": one["msg"]}
        for one in errors
    ]
    named = "; ".join(f"{one['pointer'].strip('/')}: {one['detail']}" for one in found)
    return problem_response(Problem(422, "invalid", named or "invalid request", errors=found))


class _AnswerHttp:
    """Exception handler for what the framework refuses: no such address, no such method."""

    def __init__(self, routers: Sequence[APIRouter]) -> None:
        self._routers = routers

    async def __call__(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise TypeError(f"not an HTTP error: {error!r}")
        match error.status_code:
            case 404:
                problem = Problem(404, "not_found", "There is nothing at this address: see /docs.")
            case 405:
                allowed = ", ".join(sorted(self._methods(request)))
                problem = Problem(
                    405,
                    "method_not_allowed",
                    f"{request.method} is not for this address: use {allowed}.",
                    headers={"Allow": allowed},
                )
            case status:
                problem = Problem(status, "error", str(error.detail), headers=error.headers)
        return problem_response(problem)

    def _methods(self, request: Request) -> set[str]:
        """Return what is allowed at an address: several services may serve it."""
        return {
            method
            for router in self._routers
            for route in router.routes
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(
        Problem(500, "internal", "Something went wrong here; it is in the log. Try again.")
    )


Authenticate = Callable[[Request], Awaitable[Principal]]
"""Finds out who calls; raises 401."""


def authenticated(keys: Keys) -> Authenticate:
    """Return what finds out who calls; raises 401."""

    async def authenticate(request: Request) -> Principal:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Problem(
                401,
                "no_key",
                "Send a key: Authorization: Bearer KEY. `placet key create` makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        principal = await keys.find(text.strip())
        if principal is None:
            raise Problem(
                401,
                "wrong_key",
                "This key is wrong, revoked or expired. `placet key create` makes a new one.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return principal

    return authenticate


def require(principal: Principal, scope: Scope) -> None:
    """Raise 403 unless the key has a scope."""
    if not principal.may(scope):
        raise Problem(
            403,
            "missing_scope",
            f"This key may not do that: it needs the scope {scope}. An administrator can make "
            f"one: placet key create --scope {scope}",
        )


Documented = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Documented:
    """Return the documentation of the problem documents that a call may answer with."""
    return {
        status: {
            "description": "A problem document (RFC 9457) with a stable `code`.",
            "content": {"application/problem+json": {"schema": {"$ref": PROBLEM_REF}}},
            "headers": _HEADERS.get(status, {}),
        }
        for status in (401, 403, 503, *statuses)
    }


_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    503: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
}
PROBLEM_REF = "#/components/schemas/Problem"
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "approval": {"$ref": "#/components/schemas/Approval"},
    },
}
