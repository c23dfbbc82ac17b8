"""The calls that tell a caller who it is, and which approval types and policies there are."""

from typing import Any

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from events.approval import Assurance
from services.approval_types import ApprovalType, ApprovalTypes
from services.directory import Directories, Directory
from services.policies import Policies, Policy, addresses
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
    """An approval type as callers see it; lengths of time are in seconds, null for the general one.

    `requesters` are the roles that may ask, none of them meaning anybody; `approvers` are the
    addresses that are asked when an ask names nobody, or how the file names them where that
    depends on the ask. `undo` is for how long whoever answers may take it back; `assurance` how
    well it must be known who answers, null for as it comes; `sensitive` are JSON pointers to what
    of a payload stays in Placet.
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
    decide_from_link: bool
    undo: float | None
    assurance: Assurance | None
    sensitive: list[str]


class AppliesToView(msgspec.Struct):
    """Which asks a policy is for: all that is given must hold."""

    types: list[str]
    sources: list[str]
    when: str | None


class PolicyStepView(msgspec.Struct):
    """One step of a policy: whom it asks, in the words of its file."""

    name: str
    approvers: list[str]
    rule: str
    deny: int
    when: str | None


class PolicyView(msgspec.Struct):
    """A policy as callers see it; lengths of time are in seconds that its clock counts.

    The first one that applies holds. `takes_over` is the policy that takes over in the end;
    `assurance` how well it must be known who answers, null for as it comes.
    """

    name: str
    version: int
    applies_to: AppliesToView
    approve_when: str | None
    reject_when: str | None
    steps: list[PolicyStepView]
    fallback: list[str]
    self_approval: bool
    expires_in: int | None
    on_timeout: str | None
    takes_over: str | None
    assurance: Assurance | None


def directory_router(
    types: ApprovalTypes,
    policies: Policies,
    directories: Directories,
    authenticate: Authenticate,
) -> APIRouter:
    """Return the routes about the caller, about approval types and about policies."""
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
        directory = directories.of(principal.workspace)
        listed = types.within(principal.workspace).listed()
        return json_answer({"data": [_view(one, directory) for one in listed]})

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
        return json_answer(_view(found, directories.of(principal.workspace)))

    @router.get(
        "/policies",
        summary="The policies, in the order in which they are tried",
        responses={200: lists("PolicyView", ASKED_FOR, cursor=None), **problems()},
        response_class=Response,
    )
    async def every_policy(principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        listed = policies.within(principal.workspace).listed()
        return json_answer({"data": [_policy_view(one) for one in listed]})

    return router


def _policy_view(one: Policy) -> PolicyView:
    return PolicyView(
        name=one.name,
        version=one.version,
        applies_to=AppliesToView(
            types=list(one.applies_to.types),
            sources=list(one.applies_to.sources),
            when=one.applies_to.when.text if one.applies_to.when else None,
        ),
        approve_when=one.approve_when.text if one.approve_when else None,
        reject_when=one.reject_when.text if one.reject_when else None,
        steps=[
            PolicyStepView(
                name=step.name,
                approvers=[spec.text for spec in step.approvers],
                rule=step.rule_words,
                deny=step.deny,
                when=step.when.text if step.when else None,
            )
            for step in one.steps
        ],
        fallback=[spec.text for spec in one.fallback],
        self_approval=one.self_approval,
        expires_in=int(one.expires_s) if one.expires_s is not None else None,
        on_timeout=one.on_timeout,
        takes_over=one.fallback_policy,
        assurance=one.assurance,
    )


def _view(one: ApprovalType, directory: Directory) -> TypeView:
    return TypeView(
        name=one.name,
        version=one.version,
        title=one.title,
        payload_schema=dict(one.payload_schema),
        requesters=list(one.requesters),
        approvers=list(addresses(one.approvers, directory)),
        expires_in=int(one.expires_after.total_seconds()) if one.expires_after else None,
        on_timeout=one.on_timeout,
        editable=one.editable,
        decide_over_mcp=one.decide_over_mcp,
        decide_from_link=one.decide_from_link,
        undo=one.undo_s,
        assurance=one.assurance,
        sensitive=list(one.sensitive),
    )
