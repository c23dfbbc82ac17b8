"""The addresses under `/scim/v2`, which answer as SCIM has it, also when they refuse.

They describe themselves (`/Schemas`), so the OpenAPI document leaves them out.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from events.store import Unavailable
from services.people.listing import MANAGE
from services.people.scim.discovery import (
    MOST_RESULTS,
    provider_config,
    resource_types,
    schemas,
)
from services.people.scim.groups import Groups
from services.people.scim.messages import (
    Resource,
    ScimError,
    bad_value,
    error_answer,
    listed,
    not_there,
    only,
    scim_answer,
    wants,
)
from services.people.scim.provisioning import Users
from services.web.app import Authenticate, require
from services.web.bodies import read_json, read_json_body
from services.web.keys import Principal
from services.web.problems import Problem, unavailable

PREFIX = "/scim/v2"
MOST_BYTES = 2 * 1024 * 1024
PAGE = 100
FARTHEST = 10_000_000

Handler = Callable[[Request, Principal], Awaitable[Response]]
_bodies = msgspec.json.Decoder(dict[str, Any])


def scim_router(users: Users, groups: Groups, authenticate: Authenticate, at: str) -> APIRouter:
    """Return the routes; `at` is the public address of them all."""
    router = APIRouter(include_in_schema=False)

    def serve(method: str, path: str, handler: Handler) -> None:
        router.add_route(
            PREFIX + path, _answering(handler, authenticate), [method], include_in_schema=False
        )

    _serve_users(serve, users)
    _serve_groups(serve, groups)
    _serve_discovery(serve, at)
    return router


Serve = Callable[[str, str, Handler], None]


def _serve_users(serve: Serve, users: Users) -> None:
    async def find(request: Request, caller: Principal) -> Response:
        return scim_answer(_only(request, await users.find(caller.workspace, _id(request))))

    async def every(request: Request, caller: Principal) -> Response:
        start, count = _page(request)
        filter_ = request.query_params.get("filter")
        found, total = await users.list(caller.workspace, filter_, start, count)
        return scim_answer(listed([_only(request, one) for one in found], total, start))

    async def create(request: Request, caller: Principal) -> Response:
        made = await users.create(caller.workspace, await _body(request))
        return _created(request, made)

    async def replace(request: Request, caller: Principal) -> Response:
        changed = await users.replace(caller.workspace, _id(request), await _body(request))
        return scim_answer(_only(request, changed))

    async def patch(request: Request, caller: Principal) -> Response:
        operations = _operations(await _body(request))
        changed = await users.patch(caller.workspace, _id(request), operations)
        return scim_answer(_only(request, changed))

    async def remove(request: Request, caller: Principal) -> Response:
        await users.remove(caller.workspace, _id(request))
        return Response(status_code=204)

    serve("GET", "/Users", every)
    serve("POST", "/Users", create)
    serve("GET", "/Users/{id}", find)
    serve("PUT", "/Users/{id}", replace)
    serve("PATCH", "/Users/{id}", patch)
    serve("DELETE", "/Users/{id}", remove)


def _serve_groups(serve: Serve, groups: Groups) -> None:
    async def find(request: Request, caller: Principal) -> Response:
        found = await groups.find(caller.workspace, _id(request), members=_wants_members(request))
        return scim_answer(_only(request, found))

    async def every(request: Request, caller: Principal) -> Response:
        start, count = _page(request)
        found, total = await groups.list(
            caller.workspace,
            request.query_params.get("filter"),
            start,
            count,
            members=_wants_members(request),
        )
        return scim_answer(listed([_only(request, one) for one in found], total, start))

    async def create(request: Request, caller: Principal) -> Response:
        made = await groups.create(caller.workspace, await _body(request))
        return _created(request, made)

    async def replace(request: Request, caller: Principal) -> Response:
        changed = await groups.replace(caller.workspace, _id(request), await _body(request))
        return scim_answer(_only(request, changed))

    async def patch(request: Request, caller: Principal) -> Response:
        operations = _operations(await _body(request))
        await groups.patch(caller.workspace, _id(request), operations)
        if request.query_params.get("attributes"):
            return await find(request, caller)
        # A group may be long, and nobody reads it here.
        return Response(status_code=204)

    async def remove(request: Request, caller: Principal) -> Response:
        await groups.remove(caller.workspace, _id(request))
        return Response(status_code=204)

    serve("GET", "/Groups", every)
    serve("POST", "/Groups", create)
    serve("GET", "/Groups/{id}", find)
    serve("PUT", "/Groups/{id}", replace)
    serve("PATCH", "/Groups/{id}", patch)
    serve("DELETE", "/Groups/{id}", remove)


def _serve_discovery(serve: Serve, at: str) -> None:
    async def config(_: Request, __: Principal) -> Response:
        return scim_answer(provider_config(at))

    serve("GET", "/ServiceProviderConfig", config)
    for path, resources in (("/ResourceTypes", resource_types(at)), ("/Schemas", schemas(at))):
        by_id = {one["id"]: one for one in resources}

        async def every(_: Request, __: Principal, by_id: dict[str, Resource] = by_id) -> Response:
            return scim_answer(listed(list(by_id.values()), len(by_id), 1))

        async def find(
            request: Request, _: Principal, by_id: dict[str, Resource] = by_id
        ) -> Response:
            found = by_id.get(_id(request))
            if found is None:
                raise not_there("resource of that id")
            return scim_answer(found)

        serve("GET", path, every)
        serve("GET", f"{path}/{{id}}", find)


def _answering(
    handler: Handler, authenticate: Authenticate
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            caller = await authenticate(request)
            require(caller, MANAGE)
            return await handler(request, caller)
        except ScimError as error:
            return error_answer(error.status, str(error), error.scim_type)
        except Problem as problem:
            # A body that cannot be read is 400 here.
            wrong = problem.status == 422  # noqa: PLR2004 # as the standard numbers it
            return error_answer(
                400 if wrong else problem.status,
                problem.detail,
                "invalidSyntax" if wrong else None,
                problem.headers,
            )
        except Unavailable as error:
            away = unavailable(str(error))
            return error_answer(away.status, away.detail, None, away.headers)

    return answer


async def _body(request: Request) -> Resource:
    return read_json(await read_json_body(request, MOST_BYTES), _bodies)


def _operations(body: Resource) -> object:
    return next((value for name, value in body.items() if name.lower() == "operations"), None)


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _page(request: Request) -> tuple[int, int]:
    """Return the first place, counted from 1, and how many; out of range is brought into it."""
    start = _number(request, "startIndex", 1)
    count = _number(request, "count", PAGE)
    return min(max(start, 1), FARTHEST), min(max(count, 0), MOST_RESULTS)


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    digits = given.removeprefix("-")
    if given and not (digits.isascii() and digits.isdigit() and len(digits) < 10):  # noqa: PLR2004 # more people than there are
        raise bad_value(f"{name}: must be a number.")
    return int(given) if given else default


def _only(request: Request, resource: Resource) -> Resource:
    query = request.query_params
    return only(resource, query.get("attributes"), query.get("excludedAttributes"))


def _wants_members(request: Request) -> bool:
    query = request.query_params
    return wants("members", query.get("attributes"), query.get("excludedAttributes"))


def _created(request: Request, resource: Resource) -> Response:
    location = resource["meta"]["location"]
    return scim_answer(_only(request, resource), 201, {"Location": location})
