"""The calls that tell a caller who it is, and which approval types there are."""

from typing import Any

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.approval_types import ApprovalType, ApprovalTypes
from services.web.answers import json_answer, lists, shows
from services.web.app import Authenticate, problems, require
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Problem

ASKED_FOR = "What is asked for."


class Me(msgspec.Struct):
    """Whom a key opens for, and what it may."""

    workspace: str
    principal: str
    key_id: str
    agent: bool
    scopes: list[str]


class TypeView(msgspec.Struct):
    """An approval type as callers see it; `expires_in` is in seconds, null for the general time.

    `requesters` are the roles that may ask, none of them meaning anybody; `approvers` are the
    addresses that are asked when an ask names nobody.
    """

    name: str
    version: int
    title: str
    payload_schema: dict[str, Any]
    requesters: list[str]
    approvers: list[str]
    expires_in: int | None
    on_timeout: str
    editable: bool
    decide_over_mcp: bool


def directory_router(types: ApprovalTypes, authenticate: Authenticate) -> APIRouter:
    """Return the routes about the caller and about approval types."""
    router = APIRouter(prefix="/v1", tags=["read"], route_class=Call)
    caller = Depends(authenticate)

    @router.get(
        "/me",
        summary="Who am I, and what may I?",
        responses={200: shows("Me", ASKED_FOR), **problems()},
        response_class=Response,
    )
    async def me(principal: Principal = caller) -> Response:
        return json_answer(
            Me(
                workspace=principal.workspace,
                principal=principal.email,
                key_id=principal.key_id,
                agent=principal.agent,
                scopes=sorted(principal.scopes),
            )
        )

    @router.get(
        "/types",
        summary="The approval types, by name",
        responses={200: lists("TypeView", ASKED_FOR, cursor=None), **problems()},
        response_class=Response,
    )
    async def every_type(principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        return json_answer(
            {"data": [_view(one) for one in types.within(principal.workspace).listed()]}
        )

    @router.get(
        "/types/{name}",
        summary="One approval type",
        responses={200: shows("TypeView", ASKED_FOR), **problems(404)},
        response_class=Response,
    )
    async def one_type(name: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        found = types.within(principal.workspace).find(name)
        if found is None:
            raise Problem(404, "not_found", "There is no such approval type: see GET /v1/types.")
        return json_answer(_view(found))

    return router


def _view(one: ApprovalType) -> TypeView:
    return TypeView(
        name=one.name,
        version=one.version,
        title=one.title,
        payload_schema=dict(one.payload_schema),
        requesters=list(one.requesters),
        approvers=[person.email for person in one.approvers],
        expires_in=int(one.expires_after.total_seconds()) if one.expires_after else None,
        on_timeout=one.on_timeout,
        editable=one.editable,
        decide_over_mcp=one.decide_over_mcp,
    )
