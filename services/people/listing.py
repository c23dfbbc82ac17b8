"""The calls that tell who is there: a list, one person, many addresses at once, and an import."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from projections.cursors import BadCursor, cursor_of, place_of
from services.directory import Directory
from services.directory.postgres import PostgresDirectories
from services.directory.searching import search
from services.people.csv_lines import NotCsv, read_lines
from services.people.importing import Imports
from services.people.shapes import ImportView, LineProblem, PersonView, ResolveBody
from services.web.answers import json_answer, lists, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, plain, read_body, read_json, read_json_body
from services.web.calls import Call, refuse_others
from services.web.keys import Principal
from services.web.problems import Invalid, Problem
from services.web.scopes import Scope

MANAGE: Scope = "people:manage"
PAGE = 50
MOST_ROWS = 200
MOST_BYTES = 5 * 1024 * 1024
MOST_TOLD = 1000
"""Lines that were not taken and are told of one by one."""
CSV = "text/csv"

Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Cursor = Annotated[str | None, Query(max_length=600)]
_resolve_bodies = msgspec.json.Decoder(ResolveBody)
_TAKES_CSV = {
    "requestBody": {
        "required": True,
        "content": {CSV: {"schema": {"type": "string"}}},
    }
}


def people_router(
    directories: PostgresDirectories, imports: Imports, authenticate: Authenticate
) -> APIRouter:
    """Return the routes of the people themselves."""
    router = APIRouter(prefix="/v1/people", tags=["people"], route_class=Call)
    caller = Depends(authenticate)

    @router.get(
        "",
        summary="List people, by address",
        description="`q` is a part of the address or of the name, in any case.",
        responses={200: lists("PersonView"), **problems(422)},
        response_class=Response,
    )
    async def people(
        request: Request,
        principal: Principal = caller,
        *,
        q: Annotated[str | None, Query(max_length=200)] = None,
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> Response:
        require(principal, "approvals:read")
        refuse_others(request, "q", "limit", "cursor")
        after = _place(cursor)
        part = plain(q, "q").strip().lower() if q is not None else ""
        directory = await directories.fresh(principal.workspace)
        found = search(directory, part, after=after, limit=limit + 1)
        more = cursor_of(found[limit - 1].encode().hex()) if len(found) > limit else None
        data = [view_of(directory, email) for email in found[:limit]]
        return json_answer({"data": data, "next_cursor": more})

    @router.post(
        "/resolve",
        summary="Who are these? Up to 200 addresses, answered in their order",
        responses={
            200: lists("PersonView", "One for each address.", cursor=None),
            **problems(413, 415, 422),
        },
        openapi_extra=takes("ResolveBody"),
        response_class=Response,
    )
    async def resolve(request: Request, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        body = read_json(await read_json_body(request), _resolve_bodies)
        emails = [address(one, f"emails/{place}") for place, one in enumerate(body.emails)]
        directory = await directories.fresh(principal.workspace)
        return json_answer({"data": [view_of(directory, one) for one in emails]})

    @router.post(
        "/import",
        summary="Import people from CSV",
        description="The first line names the columns: `email`, and any of `name`, `groups`, "
        "`roles` (several are divided by `;`), `manager`, `time_zone`, `active`, `slack`, "
        "`discord`, `teams`, `webhook`, `apprise`, "
        "and `channels.NAME` for other channels. A column that is not there changes nothing, an "
        "empty cell says that there is none. A line that is wrong stops no other: `data` says "
        f"which, and why. At most {MOST_BYTES // 1024 // 1024} MiB and 100,000 lines. With "
        "`dry_run=true` nothing is written.",
        responses={200: shows("ImportView", "What became of it."), **problems(413, 415, 422)},
        openapi_extra=_TAKES_CSV,
        response_class=Response,
    )
    async def take(
        request: Request, principal: Principal = caller, *, dry_run: bool = False
    ) -> Response:
        require(principal, MANAGE)
        refuse_others(request, "dry_run")
        kind = request.headers.get("content-type", CSV).partition(";")[0].strip().lower()
        if kind != CSV:
            raise Problem(415, "wrong_type", f"Send CSV: Content-Type: {CSV}.")
        body = await read_body(request, MOST_BYTES)
        try:
            # A long file takes a second or two: others are answered meanwhile.
            lines, wrong = await asyncio.to_thread(read_lines, body)
        except NotCsv as error:
            raise Invalid(str(error), code="not_csv") from error
        done = await imports.take(principal.workspace, lines, dry_run=dry_run)
        refused = sorted([*wrong, *done.problems], key=lambda one: one.line)
        return json_answer(
            ImportView(
                created=done.created,
                changed=done.changed,
                unchanged=done.unchanged,
                refused=len(refused),
                dry_run=dry_run,
                data=[LineProblem(line=x.line, problem=x.problem) for x in refused[:MOST_TOLD]],
            )
        )

    @router.get(
        "/{email}",
        summary="One person",
        responses={200: shows("PersonView", "The person."), **problems(404)},
        response_class=Response,
    )
    async def person(email: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        directory = await directories.fresh(principal.workspace)
        view = view_of(directory, email.strip().lower())
        if not view.known:
            raise Problem(404, "not_found", "Nobody is known by this address: see GET /v1/people.")
        return json_answer(view)

    return router


def view_of(directory: Directory, email: str) -> PersonView:
    """Return somebody as callers see them, known or not."""
    member = directory.find(email)
    if member is None:
        return PersonView(
            email=email,
            known=False,
            name=None,
            active=True,
            manager=None,
            groups=(),
            roles=(),
            time_zone=None,
            channels={},
        )
    return PersonView(
        email=email,
        known=True,
        name=member.name,
        active=member.active,
        manager=member.manager,
        groups=sorted(member.groups),
        roles=sorted(member.roles),
        time_zone=member.time_zone,
        channels=member.channels,
    )


def _place(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return bytes.fromhex(place_of(cursor, 1)[0]).decode()
    except ValueError as error:  # BadCursor is one
        raise Invalid(f"cursor: {BadCursor()}", pointer="/cursor") from error
