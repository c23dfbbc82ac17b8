"""The one call by which an agent notifies its operator; the outcome goes to its callback."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json, Urgency
from projections.approval_view import ApprovalView, Status
from services.decision.api import IDEMPOTENCY_KEY, idempotency_key
from services.decision.dialects.native import Native, in_words, keyed
from services.decision.request_body import MAX_APPROVERS, ApprovalBody, Name, Seconds, Text, Url
from services.web.answers import json_answer, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Invalid

DIALECT = "operator"
"""How the webhooks service knows in which words the callback is to be sent."""
WORDS = {"type": "action", "payload": "context"}

T = TypeVar("T")
Address = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Outcome = Literal["pending", "approved", "denied", "expired"]

STATUS: Mapping[Status, Outcome] = {
    "pending": "pending",
    "deciding": "pending",
    "approved": "approved",
    "rejected": "denied",
    "expired": "expired",
    "withdrawn": "expired",
}


class NotifyOperatorBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An ask in either spelling; `action` is the approval type, `context` the payload.

    `approvers` may be left out where the type, or `placet.yaml`, says whom to ask.
    """

    type: Literal["approval_request"]
    action: Name
    context: Mapping[str, Json] = {}
    reason: Text | None = None
    urgency: Urgency = "medium"
    callback_url: Url | None = None
    callback_url_: Url | None = msgspec.field(name="callbackUrl", default=None)
    expires_in: Seconds | None = None
    expires_in_: Seconds | None = msgspec.field(name="expiresIn", default=None)
    approvers: Annotated[Sequence[Address], msgspec.Meta(max_length=MAX_APPROVERS)] = ()


class OperatorRequest(msgspec.Struct, kw_only=True):
    """What was asked, in both spellings."""

    request_id: str
    request_id_: str = msgspec.field(name="requestId")
    status: Outcome
    action: str
    urgency: Urgency
    approvers: list[str]
    context_digest: str
    context_digest_: str = msgspec.field(name="contextDigest")
    expires_at: datetime
    expires_at_: datetime = msgspec.field(name="expiresAt")
    created_at: datetime
    created_at_: datetime = msgspec.field(name="createdAt")


ANSWERS: Sequence[type] = (OperatorRequest,)
BODIES: Sequence[type] = (NotifyOperatorBody,)

_bodies = msgspec.json.Decoder(NotifyOperatorBody)


def operator_router(native: Native, authenticate: Authenticate) -> APIRouter:
    """Return the route of this dialect."""
    router = APIRouter(prefix="/v1", tags=["clients of others: operator"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/notify-operator",
        status_code=201,
        summary="Ask the operator for an approval",
        responses={
            201: shows("OperatorRequest", "Asked; the ask is durable."),
            200: shows("OperatorRequest", "The same key and body again."),
            **problems(413, 415, 422),
        },
        openapi_extra=takes("NotifyOperatorBody", [IDEMPOTENCY_KEY]),
    )
    async def notify_operator(request: Request, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        text = idempotency_key(request)
        raw = await read_json_body(request)
        body = read_json(raw, _bodies)
        asked = await native.ask(
            principal,
            _native_body(body),
            keyed(principal, request.url.path, raw, text),
            words=WORDS,
            callback_dialect=DIALECT,
        )
        return json_answer(_request(asked.view), 201 if asked.created else 200)

    return router


def _native_body(body: NotifyOperatorBody) -> ApprovalBody:
    return ApprovalBody(
        type=body.action,
        title=f"Agent Approval Required: {in_words(body.action)}",
        payload=body.context,
        reason=body.reason,
        urgency=body.urgency,
        callback_url=_either(body.callback_url, body.callback_url_, "callbackUrl"),
        expires_in=_either(body.expires_in, body.expires_in_, "expiresIn"),
        approvers=body.approvers,
        # These clients act on the context that they remember, and would not see an edited one.
        editable=False,
    )


def _either(one: T | None, other: T | None, field: str) -> T | None:
    """Return a field that has two spellings; raises 422 when they differ."""
    if one is not None and other is not None and one != other:
        raise Invalid(
            f"{field}: is there in two spellings that differ. Send one of them.",
            pointer=f"/{field}",
        )
    return other if one is None else one


def _request(view: ApprovalView) -> OperatorRequest:
    return OperatorRequest(
        request_id=view.id,
        request_id_=view.id,
        status=STATUS[view.status],
        action=view.type,
        urgency=view.urgency,
        approvers=[one.email for one in view.approvers],
        context_digest=view.payload_digest,
        context_digest_=view.payload_digest,
        expires_at=view.expires_at,
        expires_at_=view.expires_at,
        created_at=view.created_at,
        created_at_=view.created_at,
    )
