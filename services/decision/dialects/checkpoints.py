"""The approvals of executions as their clients list and decide them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json
from projections.approval_view import ApprovalView, Status
from services.decision.api import refuse_agents
from services.decision.dialects.executions import TYPE
from services.decision.dialects.native import (
    Cursor,
    Limit,
    Native,
    effective,
)
from services.decision.request_body import Text
from services.web.answers import json_answer, lists, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import read_json, read_json_body
from services.web.calls import Call, refuse_others
from services.web.keys import Principal


class DecideBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The answer of the key's own principal."""

    decision: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    reason: Text | None = None


class CheckpointApproval(msgspec.Struct, kw_only=True):
    """An approval: `payload` is the output that waits, `reason` why it was decided so."""

    id: str
    execution_id: str | None
    agent_id: str | None
    workspace_id: str
    checkpoint_name: str | None
    payload: Json
    status: Status
    decided_by: str | None
    decided_at: datetime | None
    expires_at: datetime
    reason: str | None
    created_at: datetime


ANSWERS: Sequence[type] = (CheckpointApproval,)
BODIES: Sequence[type] = (DecideBody,)

_decisions = msgspec.json.Decoder(DecideBody)


def checkpoints_router(native: Native, authenticate: Authenticate) -> APIRouter:
    """Return the routes of approvals."""
    router = APIRouter(prefix="/api/v1", tags=["clients of others: executions"], route_class=Call)
    caller = Depends(authenticate)

    @router.get(
        "/approvals",
        summary="List approvals, newest first",
        responses={
            200: lists("CheckpointApproval", "A page of them."),
            **problems(422),
        },
        response_class=Response,
    )
    async def approvals(
        request: Request,
        principal: Principal = caller,
        *,
        status: Status | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        require(principal, "approvals:read")
        refuse_others(request, "status", "limit", "cursor")
        views, following = await native.page(principal, status=status, limit=limit, cursor=cursor)
        return json_answer({"data": [_approval(view) for view in views], "next_cursor": following})

    @router.get(
        "/approvals/{approval_id}",
        summary="One approval, as of now",
        responses={200: shows("CheckpointApproval", "The approval."), **problems(404)},
        response_class=Response,
    )
    async def approval(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        return json_answer(_approval(await native.view(principal, approval_id)))

    @router.post(
        "/approvals/{approval_id}/decide",
        summary="Decide",
        responses={
            200: shows(
                "CheckpointApproval", "Final; or kept, and still pending: others answer too."
            ),
            202: shows("CheckpointApproval", "The answer is safe and on its way to the source."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("DecideBody"),
    )
    async def decide(request: Request, approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:decide")
        refuse_agents(principal)
        body = read_json(await read_json_body(request), _decisions)
        view = await native.decide(principal, approval_id, body.decision, body.reason)
        return json_answer(_approval(view), 202 if view.status == "deciding" else 200)

    return router


def _approval(view: ApprovalView) -> CheckpointApproval:
    held = effective(view)
    is_output = view.type == TYPE and isinstance(held, dict) and "output" in held
    return CheckpointApproval(
        id=view.id,
        execution_id=view.execution_id,
        agent_id=view.agent_id,
        workspace_id=view.workspace,
        checkpoint_name=view.checkpoint_name,
        payload=held["output"] if is_output else held,
        status=view.status,
        decided_by=view.decided_by,
        decided_at=view.decided_at,
        expires_at=view.expires_at,
        reason=view.decision_reason or view.withdrawn_reason,
        created_at=view.created_at,
    )
