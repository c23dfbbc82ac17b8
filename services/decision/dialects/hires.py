"""Hires of agents: each waits for the board, where there is a type that says so."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from projections.approval_view import ApprovalView, Status
from services.decision.api import IDEMPOTENCY_KEY, idempotency_key
from services.decision.dialects.companies import CompanyApproval, company_approval, own_company
from services.decision.dialects.native import (
    Native,
    keyed,
    known,
    refuse_reuse,
)
from services.decision.dialects.records import Action, Key, Records
from services.decision.request_body import ApprovalBody, LinkBody, Name
from services.web.answers import json_answer, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Problem

HIRE = "hire_agent"
AGENT = "agent"
HIRE_WORDS = {"payload": ""}
"""The payload is the hire itself, whose fields are those of the body here."""

Cents = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
AgentStatus = Literal["pending_approval", "active", "rejected", "expired", "withdrawn"]

STATUS: Mapping[Status, AgentStatus] = {
    "pending": "pending_approval",
    "deciding": "pending_approval",
    "approved": "active",
    "rejected": "rejected",
    "expired": "expired",
    "withdrawn": "withdrawn",
}


class AgentHireBody(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel", omit_defaults=True
):
    """An agent to be hired."""

    name: Name
    role: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    reports_to: Name | None = None
    capabilities: Annotated[str, msgspec.Meta(max_length=5_000)] = ""
    budget_monthly_cents: Cents | None = None


class CompanyAgent(msgspec.Struct, kw_only=True, rename="camel"):
    """A hired agent; it may work when it is `active`."""

    id: str
    company_id: str
    name: str
    role: str
    reports_to: str | None
    capabilities: str
    budget_monthly_cents: int | None
    status: AgentStatus
    approval_id: str | None
    created_at: datetime


class AgentHire(msgspec.Struct, kw_only=True):
    """The agent, and the approval that it waits for, if it needs one."""

    agent: CompanyAgent
    approval: CompanyApproval | None


ANSWERS: Sequence[type] = (CompanyAgent, AgentHire)
BODIES: Sequence[type] = (AgentHireBody,)

_hires = msgspec.json.Decoder(AgentHireBody)


def hires_router(native: Native, records: Records, authenticate: Authenticate) -> APIRouter:
    """Return the routes of hires and agents."""
    router = APIRouter(prefix="/api", tags=["clients of others: companies"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/companies/{company_id}/agent-hires",
        status_code=201,
        summary="Hire an agent; the board is asked where there is a type hire_agent",
        responses={
            201: shows("AgentHire", "The agent is there: active, or pending approval."),
            200: shows("AgentHire", "The same key and body again."),
            **problems(404, 413, 415, 422),
        },
        openapi_extra=takes("AgentHireBody", [IDEMPOTENCY_KEY]),
    )
    async def hire(request: Request, company_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        own_company(principal, company_id)
        text = idempotency_key(request)
        raw = await read_json_body(request)
        body = read_json(raw, _hires)
        key = keyed(principal, request.url.path, raw, text)
        if key is not None:
            before = await records.action_of_key(principal.workspace, "hire", key)
            if before is not None:
                refuse_reuse(before.fingerprint, key)
                return json_answer(await _hired(native, principal, before))
        kept = await _keep_hire(native, records, principal, body, key)
        return json_answer(await _hired(native, principal, kept), 201)

    @router.get(
        "/agents/{agent_id}",
        summary="One hired agent, as of now",
        responses={200: shows("CompanyAgent", "The agent."), **problems(404)},
        response_class=Response,
    )
    async def agent(agent_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        kept = await records.action(principal.workspace, "hire", known(agent_id))
        if kept is None:
            raise Problem(404, "not_found", "No agent with this id was hired here.")
        return json_answer((await _hired(native, principal, kept)).agent)

    return router


async def _keep_hire(
    native: Native,
    records: Records,
    principal: Principal,
    body: AgentHireBody,
    key: Key | None,
) -> Action:
    """Return the hire as it is kept; one behind an approval is asked for before that."""
    agent_id = native.new_id()
    if native.types.within(principal.workspace).find(HIRE) is None:
        doc = msgspec.json.encode(body).decode()
        return await records.keep(principal.workspace, "hire", agent_id, doc=doc, key=key)
    asked = await native.ask(
        principal,
        ApprovalBody(
            type=HIRE,
            title=f"Hire an agent: {body.name}",
            payload=msgspec.to_builtins(body),
            links=[LinkBody(kind=AGENT, id=agent_id)],
            editable=False,
        ),
        key,
        words=HIRE_WORDS,
    )
    # Asked for before, with this key, it has the id that it was given then.
    agent_id = next(one.id for one in asked.view.links if one.kind == AGENT)
    return await records.keep(
        principal.workspace, "hire", agent_id, approval_id=asked.view.id, key=key
    )


async def _hired(native: Native, principal: Principal, kept: Action) -> AgentHire:
    """Return a hire; what became of one that was asked about is read from its approval."""
    view: ApprovalView | None = None
    if kept.approval_id is None:
        body = _hires.decode(kept.doc or "")
    else:
        view = await native.view(principal, kept.approval_id)
        body = msgspec.convert(view.payload, AgentHireBody)
    agent = CompanyAgent(
        id=kept.action_id,
        company_id=principal.workspace,
        name=body.name,
        role=body.role,
        reports_to=body.reports_to,
        capabilities=body.capabilities,
        budget_monthly_cents=body.budget_monthly_cents,
        status=STATUS[view.status] if view else "active",
        approval_id=kept.approval_id,
        created_at=view.created_at if view else kept.created_at,
    )
    return AgentHire(agent=agent, approval=company_approval(view) if view else None)
