"""The calls about absences: who answers for whom, from when until when."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from projections.cursors import BadCursor
from services.directory import Delegation
from services.directory.delegations import Delegations, NotDelegated
from services.people.listing import MANAGE, MOST_ROWS, PAGE
from services.people.shapes import DelegationBody
from services.web.answers import json_answer, lists, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, plain, read_json, read_json_body
from services.web.calls import Call, refuse_others
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

CONFLICTS = ("delegation_circle", "too_many_delegations")

Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Text = Annotated[str | None, Query(max_length=254)]
Cursor = Annotated[str | None, Query(max_length=200)]
_bodies = msgspec.json.Decoder(DelegationBody)


def delegations_router(
    delegations: Delegations, authenticate: Authenticate, clock: Callable[[], datetime]
) -> APIRouter:
    """Return the routes of delegations."""
    router = APIRouter(prefix="/v1/delegations", tags=["people"], route_class=Call)
    caller = Depends(authenticate)

    @router.get(
        "",
        summary="List delegations that hold now or later, the first to begin first",
        responses={200: lists("DelegationView"), **problems(422)},
        response_class=Response,
    )
    async def every(
        request: Request,
        principal: Principal = caller,
        *,
        person: Text = None,
        to: Text = None,
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> Response:
        require(principal, "approvals:read")
        refuse_others(request, "person", "to", "limit", "cursor")
        try:
            page, more = await delegations.list(
                principal.workspace,
                person=address(person, "person") if person is not None else None,
                to=address(to, "to") if to is not None else None,
                limit=limit,
                cursor=cursor,
            )
        except BadCursor as error:
            raise Invalid(f"cursor: {error}", pointer="/cursor") from error
        return json_answer({"data": page, "next_cursor": more})

    @router.post(
        "",
        status_code=201,
        summary="Let somebody answer for a person who is away",
        description="Left out, `person` is the caller. One's own needs the scope "
        "`approvals:decide`, another's `people:manage`. It holds from `begins` up to, and not "
        "including, `ends`; of several the one that began last counts. Whoever answers may be "
        "away as well: it goes on to whom they named. A circle is refused.",
        responses={
            201: shows("DelegationView", "It is kept."),
            **problems(409, 413, 415, 422),
        },
        openapi_extra=takes("DelegationBody"),
    )
    async def add(request: Request, principal: Principal = caller) -> Response:
        _require_one(principal)
        body = read_json(await read_json_body(request), _bodies)
        person = address(body.person, "person") if body.person is not None else principal.email
        _require_for(principal, person)
        wanted = Delegation(
            id="",
            person=person,
            to=address(body.to, "to"),
            begins=_in_utc(body.begins, "begins"),
            ends=_in_utc(body.ends, "ends"),
            reason=plain(body.reason, "reason") if body.reason is not None else None,
        )
        try:
            made = await delegations.add(
                principal.workspace, wanted, by=principal.email, now=clock()
            )
        except NotDelegated as error:
            if error.code in CONFLICTS:
                raise Problem(409, error.code, str(error)) from error
            pointer = f"/{error.field}" if error.field else ""
            raise Invalid(str(error), pointer=pointer, code=error.code) from error
        return json_answer(made, 201)

    @router.delete(
        "/{delegation_id}",
        summary="End a delegation now",
        description="One that is over already stays as it was.",
        responses={200: shows("DelegationView", "The delegation, ended."), **problems(404)},
        response_class=Response,
    )
    async def end(delegation_id: str, principal: Principal = caller) -> Response:
        _require_one(principal)
        if not delegation_id.isascii() or not delegation_id.replace("_", "").isalnum():
            raise _not_found()
        there = await delegations.find(principal.workspace, delegation_id)
        if there is None:
            raise _not_found()
        _require_for(principal, there.person)
        ended = await delegations.end(principal.workspace, delegation_id, by=principal.email)
        return json_answer(ended)

    return router


def _require_one(principal: Principal) -> None:
    if not principal.may(MANAGE):
        require(principal, "approvals:decide")


def _require_for(principal: Principal, person: str) -> None:
    """Raise 403 unless the key may hand over for somebody."""
    require(principal, "approvals:decide" if person == principal.email else MANAGE)


def _in_utc(time: datetime, field: str) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise Invalid(f"{field}: is out of any calendar.", pointer=f"/{field}") from error


def _not_found() -> Problem:
    return Problem(404, "not_found", "There is no such delegation: see GET /v1/delegations.")
