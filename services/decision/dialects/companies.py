"""A company's board: formal approvals, and the issues that they belong to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json
from projections.approval_view import ApprovalView, Status
from services.decision.api import IDEMPOTENCY_KEY, idempotency_key
from services.decision.dialects.native import (
    Cursor,
    Limit,
    Native,
    effective,
    in_words,
    keyed,
)
from services.decision.dialects.records import Records
from services.decision.request_body import MAX_APPROVERS, ApprovalBody, LinkBody, Name, Text
from services.web.answers import json_answer, lists, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import plain, read_json, read_json_body
from services.web.calls import Call, refuse_others
from services.web.keys import Principal
from services.web.problems import Problem

ISSUE = "issue"
APPROVAL_WORDS = {"agent_id": "requestedByAgentId", "links": "issueIds"}
Addresses = Annotated[
    Sequence[Annotated[str, msgspec.Meta(min_length=3, max_length=254)]],
    msgspec.Meta(max_length=MAX_APPROVERS),
]


class CompanyApprovalBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A formal approval; `approvers` may be left out where the type says whom to ask."""

    type: Name
    payload: Mapping[str, Json] = {}
    requested_by_agent_id: Name | None = None
    issue_ids: Annotated[Sequence[Name], msgspec.Meta(max_length=50)] = ()
    reason: Text | None = None
    approvers: Addresses = ()


class CompanyApproval(msgspec.Struct, kw_only=True, rename="camel"):
    """An approval in camel case; `status` is Placet's own."""

    id: str
    company_id: str
    type: str
    title: str
    status: Status
    requested_by: str
    requested_by_agent_id: str | None
    payload: Json
    payload_digest: str
    approvers: list[str]
    issue_ids: list[str]
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    withdrawn_reason: str | None
    superseded_by: str | None
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


class LinkedIssue(msgspec.Struct, kw_only=True):
    """An issue of an approval."""

    id: str
    url: str | None


ANSWERS: Sequence[type] = (CompanyApproval, LinkedIssue)
BODIES: Sequence[type] = (CompanyApprovalBody,)

_approvals = msgspec.json.Decoder(CompanyApprovalBody)


def companies_router(native: Native, records: Records, authenticate: Authenticate) -> APIRouter:
    """Return the routes of approvals."""
    router = APIRouter(prefix="/api", tags=["clients of others: companies"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/companies/{company_id}/approvals",
        status_code=201,
        summary="Ask the board",
        responses={
            201: shows("CompanyApproval", "Asked; the ask is durable."),
            200: shows("CompanyApproval", "The same key and body again."),
            **problems(404, 413, 415, 422),
        },
        openapi_extra=takes("CompanyApprovalBody", [IDEMPOTENCY_KEY]),
    )
    async def ask(request: Request, company_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        own_company(principal, company_id)
        text = idempotency_key(request)
        raw = await read_json_body(request)
        body = read_json(raw, _approvals)
        issues = [plain(one, f"issueIds/{place}") for place, one in enumerate(body.issue_ids)]
        asked = await native.ask(
            principal,
            ApprovalBody(
                type=body.type,
                title=_title(native, principal, body.type),
                payload=body.payload,
                approvers=body.approvers,
                reason=body.reason,
                agent_id=body.requested_by_agent_id,
                links=[LinkBody(kind=ISSUE, id=one) for one in issues],
                # These clients have no word for a payload that an approver changed.
                editable=False,
            ),
            keyed(principal, request.url.path, raw, text),
            words=APPROVAL_WORDS,
        )
        await records.link_issues(principal.workspace, issues, asked.view.id)
        return json_answer(company_approval(asked.view), 201 if asked.created else 200)

    @router.get(
        "/companies/{company_id}/approvals",
        summary="List a company's approvals, newest first",
        responses={
            200: lists("CompanyApproval", "A page of them.", cursor="nextCursor"),
            **problems(404, 422),
        },
        response_class=Response,
    )
    async def approvals(
        request: Request,
        company_id: str,
        principal: Principal = caller,
        *,
        status: Status | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        require(principal, "approvals:read")
        own_company(principal, company_id)
        refuse_others(request, "status", "limit", "cursor")
        views, following = await native.page(principal, status=status, limit=limit, cursor=cursor)
        return json_answer(
            {"data": [company_approval(view) for view in views], "nextCursor": following}
        )

    @router.get(
        "/approvals/{approval_id}",
        summary="One approval, as of now",
        responses={200: shows("CompanyApproval", "The approval."), **problems(404)},
        response_class=Response,
    )
    async def approval(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        return json_answer(company_approval(await native.view(principal, approval_id)))

    @router.get(
        "/approvals/{approval_id}/issues",
        summary="The issues that an approval belongs to",
        responses={200: lists("LinkedIssue", "All of them.", cursor=None), **problems(404)},
        response_class=Response,
    )
    async def issues(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        view = await native.view(principal, approval_id)
        linked = [LinkedIssue(id=one.id, url=one.url) for one in view.links if one.kind == ISSUE]
        return json_answer({"data": linked})

    return router


def own_company(principal: Principal, company_id: str) -> None:
    """Raise 404 unless the company is the workspace that the key opens."""
    if company_id != principal.workspace:
        raise Problem(
            404,
            "not_found",
            "This key opens no such company. The id of its company is its workspace: "
            "see GET /v1/me.",
        )


def _title(native: Native, principal: Principal, type_: str) -> str:
    kind = native.types.within(principal.workspace).find(type_)
    return kind.title if kind else in_words(type_)


def company_approval(view: ApprovalView) -> CompanyApproval:
    """Return an approval in the words of this dialect."""
    return CompanyApproval(
        id=view.id,
        company_id=view.workspace,
        type=view.type,
        title=view.title,
        status=view.status,
        requested_by=view.requester.email,
        requested_by_agent_id=view.agent_id,
        payload=effective(view),
        payload_digest=(
            view.payload_digest if view.edited_payload is None else view.edited_payload_digest or ""
        ),
        approvers=[one.email for one in view.approvers],
        issue_ids=[one.id for one in view.links if one.kind == ISSUE],
        reason=view.reason,
        decided_by=view.decided_by,
        decided_at=view.decided_at,
        decision_reason=view.decision_reason,
        withdrawn_reason=view.withdrawn_reason,
        superseded_by=view.superseded_by,
        expires_at=view.expires_at,
        created_at=view.created_at,
        updated_at=view.updated_at,
    )
