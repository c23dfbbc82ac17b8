"""The calls that change something: ask, decide, withdraw, comment."""

from collections.abc import Awaitable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json, Person
from events.decider import RefusalCode, Refused
from projections.approval_view import ApprovalView, encode_view
from services.decision.answering import ANSWERS, Answer, Answering
from services.decision.asking import MAX_KEY, Asking, fingerprint
from services.decision.identifiers import new_command_id
from services.decision.request_body import AskedBy, approval_decoder
from services.web.answers import shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

STATUS_OF: Mapping[RefusalCode, int] = {
    "assurance_too_low": 403,
    "too_late_to_undo": 409,
    "not_found": 404,
    "not_an_approver": 403,
    "not_the_requester": 403,
    "already_resolved": 409,
    "stale_revision": 409,
    "source_refused": 409,
    "not_final": 409,
    "not_editable": 422,
    "already_answered": 409,
    "own_request": 403,
    "returned": 409,
    "not_asked_back": 409,
    "cannot_reassign": 422,
    "reminded_already": 409,
    "too_often": 409,
}


class DecisionBody(msgspec.Struct, forbid_unknown_fields=True):
    """An answer; `approver` only from a key that decides for others.

    `payload` is what is approved instead, where the ask is editable; `channel` is through what the
    approver answered.
    """

    decision: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    reason: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None
    approver: Annotated[str, msgspec.Meta(min_length=3, max_length=254)] | None = None
    revision: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    payload: dict[str, Json] | None = None
    channel: Literal["api", "mcp"] = "api"


class WithdrawBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why an ask is recalled."""

    reason: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None


class AcknowledgeBody(msgspec.Struct, forbid_unknown_fields=True):
    """That the outcome was heard; `effective_payload` is what the requester did in the end."""

    effective_payload: dict[str, Json] | None = None


class CommentBody(msgspec.Struct, forbid_unknown_fields=True):
    """A comment."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


_decisions = msgspec.json.Decoder(DecisionBody)
_withdrawals = msgspec.json.Decoder(WithdrawBody)
_acknowledgements = msgspec.json.Decoder(AcknowledgeBody)
_comments = msgspec.json.Decoder(CommentBody)


def decision_router(asking: Asking, answering: Answering, authenticate: Authenticate) -> APIRouter:
    """Return the routes of the decision service."""
    router = APIRouter(prefix="/v1", tags=["decide"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/approvals",
        status_code=201,
        summary="Ask for an approval",
        responses={
            201: shows("Approval", "Asked; the ask is durable."),
            200: shows("Approval", "The same key and body again."),
            **problems(409, 413, 415, 422),
        },
        openapi_extra=takes("ApprovalBody", [IDEMPOTENCY_KEY]),
    )
    async def ask(request: Request, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        key = idempotency_key(request)
        body = await read_json_body(request)
        asked = await asking.ask(
            principal.workspace,
            read_json(body, approval_decoder),
            asked_by=AskedBy(email=principal.email, as_admin=principal.may("admin")),
            idempotency_key=key,
            fingerprint=fingerprint(body) if key is not None else "",
        )
        return shown(asked.view, status=201 if asked.created else 200)

    @router.post(
        "/approvals/{approval_id}/decision",
        summary="Decide",
        responses={
            200: shows("Approval", "Final; or kept, and `progress` tells who is still missing."),
            202: shows("Approval", "The answer is safe and on its way to the source."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("DecisionBody"),
    )
    async def decide(request: Request, approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:decide")
        refuse_agents(principal)
        body = read_json(await read_json_body(request), _decisions)
        view = await answer_one(answering, principal, approval_id, body)
        return shown(view, status=202 if view.status == "deciding" else 200)

    @router.post(
        "/approvals/{approval_id}/withdraw",
        summary="Recall an ask",
        responses={200: shows("Approval", "Withdrawn."), **problems(404, 409, 413, 415, 422)},
        openapi_extra=takes("WithdrawBody"),
    )
    async def withdraw(
        request: Request, approval_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:request")
        body = read_json(await read_json_body(request) or b"{}", _withdrawals)
        change = answering.withdraw(
            principal.workspace,
            known(approval_id),
            by=Person(email=principal.email),
            as_admin=principal.may("admin"),
            reason=body.reason,
        )
        return shown(await changed(answering, principal, approval_id, change))

    @router.post(
        "/approvals/{approval_id}/comments",
        status_code=201,
        summary="Comment",
        responses={
            201: shows("Approval", "The comment stands in the history."),
            **problems(404, 413, 415, 422),
        },
        openapi_extra=takes("CommentBody", [IDEMPOTENCY_KEY]),
    )
    async def comment(
        request: Request, approval_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:request")
        key = idempotency_key(request)
        body = read_json(await read_json_body(request), _comments)
        change = answering.comment(
            principal.workspace,
            known(approval_id),
            by=Person(email=principal.email),
            text=body.text,
            comment_id=f"{principal.email} {key}" if key else new_command_id(),
            by_person=not principal.agent,
        )
        return shown(await changed(answering, principal, approval_id, change), status=201)

    @router.post(
        "/approvals/{approval_id}/acknowledge",
        summary="Say that the outcome was heard",
        responses={
            200: shows("Approval", "Whoever waited has heard."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("AcknowledgeBody", required=False),
    )
    async def acknowledge(
        request: Request, approval_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:request")
        body = read_json(await read_json_body(request) or b"{}", _acknowledgements)
        change = answering.acknowledge(
            principal.workspace,
            known(approval_id),
            by=Person(email=principal.email),
            as_admin=principal.may("admin"),
            effective=body.effective_payload,
        )
        return shown(await changed(answering, principal, approval_id, change))

    return router


async def answer_one(
    answering: Answering, principal: Principal, approval_id: str, body: DecisionBody
) -> ApprovalView:
    """Submit one answer and return the approval after it; raises `Problem`."""
    outcome = ANSWERS.get(body.decision.strip().lower())
    if outcome is None:
        raise Invalid(
            f"decision: {body.decision!r} is no answer; send approve or deny.",
            pointer="/decision",
        )
    by, via = principal.email, None
    if body.approver is not None:
        by, via = address(body.approver, "approver"), principal.key_id
    answer = Answer(
        outcome=outcome,
        by=Person(email=by),
        reason=body.reason,
        channel=body.channel,
        via=via,
        revision=body.revision,
        payload=body.payload,
    )
    return await submit(answering, principal, known(approval_id), answer)


async def submit(
    answering: Answering, principal: Principal, approval_id: str, answer: Answer
) -> ApprovalView:
    """Submit an answer in whichever words it came; raises `Problem`, with the approval as it is."""
    change = answering.decide(principal.workspace, approval_id, answer)
    return await changed(answering, principal, approval_id, change)


async def changed(
    answering: Answering,
    principal: Principal,
    approval_id: str,
    change: Awaitable[ApprovalView],
) -> ApprovalView:
    """Return an approval after a change; a refusal is a `Problem`, with the approval as it is."""
    try:
        return await change
    except Refused as refused:
        raise await _told(answering, principal, approval_id, refused) from refused


async def _told(
    answering: Answering, principal: Principal, approval_id: str, refused: Refused
) -> Problem:
    """Return the problem for a refusal, with the approval as it is now."""
    if refused.code == "not_found":
        return Problem(404, "not_found", str(refused))
    view = await answering.current(principal.workspace, approval_id)
    return Problem(STATUS_OF[refused.code], refused.code, str(refused), approval=view)


def refuse_agents(principal: Principal) -> None:
    """Raise 403 for an agent's key: whatever it was given, it decides nothing."""
    if principal.agent:
        raise Problem(
            403,
            "agents_do_not_decide",
            "This is an agent's key, and agents do not decide. Ask, and wait for a person: "
            "GET /v1/approvals/{id}/wait.",
        )


def known(approval_id: str) -> str:
    """Return an id that may exist; raises 404 for a text that never was one."""
    if not (approval_id.isascii() and approval_id.isalnum() and len(approval_id) == 27):  # noqa: PLR2004 # a KSUID
        raise Problem(404, "not_found", "There is no such approval.")
    return approval_id


def idempotency_key(request: Request) -> str | None:
    """Return the header `Idempotency-Key`, if any; raises 422 for one that cannot be kept."""
    key = request.headers.get("idempotency-key")
    if key is not None and (not 1 <= len(key) <= MAX_KEY or not key.isprintable()):
        raise Invalid(f"Idempotency-Key: must have 1 to {MAX_KEY} printable characters.")
    return key


def shown(view: ApprovalView, status: int = 200) -> Response:
    """Return an approval as the answer."""
    return Response(encode_view(view), status_code=status, media_type="application/json")


IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Send the same key to repeat a call safely.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
}
