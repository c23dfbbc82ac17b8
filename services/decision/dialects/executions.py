"""Agents' runs that stop at a checkpoint: versions of agents, and their executions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json
from projections.approval_view import Status
from services.decision.api import IDEMPOTENCY_KEY, idempotency_key
from services.decision.dialects.native import (
    Native,
    effective,
    foreign,
    keyed,
    known,
    refuse_reuse,
)
from services.decision.dialects.records import Action, Key, Records, Version
from services.decision.request_body import (
    MAX_APPROVERS,
    ApprovalBody,
    Name,
    Seconds,
    Text,
    digest_of,
)
from services.web.answers import json_answer, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import plain, read_json, read_json_body
from services.web.calls import Call
from services.web.emails import NotAnAddress, email
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

TYPE = "execution_checkpoint"
WORDS = {"payload": ""}
"""The payload is the execution's input and output, which are fields of the body here."""

Addresses = Annotated[
    Sequence[Annotated[str, msgspec.Meta(min_length=3, max_length=254)]],
    msgspec.Meta(max_length=MAX_APPROVERS),
]
ExecutionStatus = Literal["awaiting_approval", "completed", "rejected", "expired", "withdrawn"]

STATUS: Mapping[Status, ExecutionStatus] = {
    "pending": "awaiting_approval",
    "deciding": "awaiting_approval",
    "approved": "completed",
    "rejected": "rejected",
    "expired": "expired",
    "withdrawn": "withdrawn",
}


class AgentConfig(msgspec.Struct, kw_only=True):
    """What Placet reads of an agent's configuration; the rest is kept as it came."""

    approval_required: bool = False
    checkpoint_name: Name | None = None
    approvers: Addresses = ()
    expires_in: Seconds | None = None


class AgentVersionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new version of an agent, which holds from now on."""

    config: AgentConfig
    message: Text | None = None


class ExecutionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an agent made of an input, before anybody gets it."""

    output: Json
    input: Json = None
    reason: Text | None = None
    expires_in: Seconds | None = None
    expires_at: datetime | None = None
    approvers: Addresses = ()


class AgentVersion(msgspec.Struct, kw_only=True):
    """A version of an agent."""

    id: str
    agent_id: str
    workspace_id: str
    version: int
    config: Mapping[str, Json]
    message: str | None
    created_by: str
    created_at: datetime


class Execution(msgspec.Struct, kw_only=True):
    """A run of an agent; `output` is null unless it is completed."""

    id: str
    agent_id: str
    workspace_id: str
    agent_version: int | None
    status: ExecutionStatus
    checkpoint_name: str | None
    approval_id: str | None
    input: Json
    output: Json
    created_at: datetime


ANSWERS: Sequence[type] = (AgentVersion, Execution)
BODIES: Sequence[type] = (AgentVersionBody, ExecutionBody)

_versions = msgspec.json.Decoder(AgentVersionBody)
_executions = msgspec.json.Decoder(ExecutionBody)
_configs = msgspec.json.Decoder(AgentConfig)


class _Completed(msgspec.Struct, kw_only=True):
    """An execution that nobody was asked about, as it is kept."""

    agent_id: str
    agent_version: int
    input: Json
    output: Json


_completed = msgspec.json.Decoder(_Completed)


def executions_router(native: Native, records: Records, authenticate: Authenticate) -> APIRouter:
    """Return the routes of agents and executions."""
    router = APIRouter(prefix="/api/v1", tags=["clients of others: executions"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/agents/{agent_id}/versions",
        status_code=201,
        summary="Configure an agent: do its runs wait for a person?",
        responses={201: shows("AgentVersion", "It holds from now on."), **problems(413, 415, 422)},
        openapi_extra=takes("AgentVersionBody"),
    )
    async def create_version(
        request: Request, agent_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:request")
        _refuse_loosening(principal)
        raw = await read_json_body(request)
        body = read_json(raw, _versions)
        _check(body.config)
        config: Mapping[str, Json] = msgspec.json.decode(raw)["config"]
        digest_of(config, "config")
        version_id = native.new_id()
        number, created_at = await records.add_version(
            principal.workspace,
            foreign(agent_id, "agent_id"),
            version_id=version_id,
            config=msgspec.json.encode(config).decode(),
            message=msgspec.json.encode(body.message).decode(),
            created_by=principal.email,
        )
        made = AgentVersion(
            id=version_id,
            agent_id=agent_id,
            workspace_id=principal.workspace,
            version=number,
            config=config,
            message=body.message,
            created_by=principal.email,
            created_at=created_at,
        )
        return json_answer(made, 201)

    @router.post(
        "/agents/{agent_id}/executions",
        status_code=201,
        summary="Hand over what a run made; it waits where the agent's version says so",
        responses={
            201: shows("Execution", "Kept: it is completed, or awaits approval."),
            200: shows("Execution", "The same key and body again."),
            **problems(404, 413, 415, 422),
        },
        openapi_extra=takes("ExecutionBody", [IDEMPOTENCY_KEY]),
    )
    async def execute(request: Request, agent_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        foreign(agent_id, "agent_id")
        text = idempotency_key(request)
        raw = await read_json_body(request)
        body = read_json(raw, _executions)
        key = keyed(principal, request.url.path, raw, text)
        if key is not None:
            before = await records.action_of_key(principal.workspace, "execution", key)
            if before is not None:
                refuse_reuse(before.fingerprint, key)
                return json_answer(await _execution(native, principal, before))
        version = await records.current_version(principal.workspace, agent_id)
        if version is None:
            raise Problem(
                404,
                "not_found",
                "There is no such agent here: create a version of it first, by "
                "POST /api/v1/agents/{agent_id}/versions.",
            )
        gate = _Gate(native, records, principal, agent_id, version)
        kept = await gate.keep(body, key)
        return json_answer(await _execution(native, principal, kept), 201)

    @router.get(
        "/executions/{execution_id}",
        summary="One execution, as of now",
        responses={200: shows("Execution", "The execution."), **problems(404)},
        response_class=Response,
    )
    async def execution(execution_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        kept = await records.action(principal.workspace, "execution", known(execution_id))
        if kept is None:
            raise Problem(404, "not_found", "There is no such execution.")
        return json_answer(await _execution(native, principal, kept))

    return router


class _Gate:
    """Keeps one execution: completed at once, or behind an approval."""

    def __init__(
        self,
        native: Native,
        records: Records,
        principal: Principal,
        agent_id: str,
        version: Version,
    ) -> None:
        self._native = native
        self._records = records
        self._principal = principal
        self._agent_id = agent_id
        self._version = version

    async def keep(self, body: ExecutionBody, key: Key | None) -> Action:
        """Return the execution as it is kept; one behind an approval is asked for before that."""
        config = _configs.decode(self._version.config)
        if config.approval_required:
            return await self._ask(body, config, key)
        for field in ("input", "output"):
            digest_of(getattr(body, field), field)
        doc = _Completed(
            agent_id=self._agent_id,
            agent_version=self._version.number,
            input=body.input,
            output=body.output,
        )
        return await self._records.keep(
            self._principal.workspace,
            "execution",
            self._native.new_id(),
            doc=msgspec.json.encode(doc).decode(),
            key=key,
        )

    async def _ask(self, body: ExecutionBody, config: AgentConfig, key: Key | None) -> Action:
        where = config.checkpoint_name or "a checkpoint"
        expires_in = body.expires_in
        if expires_in is None and body.expires_at is None:
            expires_in = config.expires_in
        asked = await self._native.ask(
            self._principal,
            ApprovalBody(
                type=TYPE,
                title=f"{self._agent_id} waits at {where}",
                payload={"input": body.input, "output": body.output},
                approvers=body.approvers or config.approvers,
                reason=body.reason,
                expires_in=expires_in,
                expires_at=body.expires_at,
                checkpoint_name=config.checkpoint_name,
                execution_id=self._native.new_id(),
                agent_id=self._agent_id,
                metadata={"agent_version": self._version.number},
            ),
            key,
            words=WORDS,
        )
        # Asked for before, with this key, it has the id that it was given then.
        execution_id = asked.view.execution_id or self._native.new_id()
        return await self._records.keep(
            self._principal.workspace,
            "execution",
            execution_id,
            approval_id=asked.view.id,
            key=key,
        )


def _refuse_loosening(principal: Principal) -> None:
    if principal.agent:
        raise Problem(
            403,
            "agents_do_not_configure",
            "This is an agent's key, and agents do not say whether their runs wait for a person. "
            "Let a person create the version.",
        )


def _check(config: AgentConfig) -> None:
    if config.checkpoint_name is not None:
        plain(config.checkpoint_name, "config/checkpoint_name")
    for place, address in enumerate(config.approvers):
        try:
            email(address)
        except NotAnAddress as error:
            field = f"config/approvers/{place}"
            raise Invalid(f"{field}: {error}", pointer=f"/{field}") from error


async def _execution(native: Native, principal: Principal, kept: Action) -> Execution:
    """Return an execution; how one ended that was asked about is read from its approval."""
    if kept.approval_id is None:
        done = _completed.decode(kept.doc or "")
        return Execution(
            id=kept.action_id,
            agent_id=done.agent_id,
            workspace_id=principal.workspace,
            agent_version=done.agent_version,
            status="completed",
            checkpoint_name=None,
            approval_id=None,
            input=done.input,
            output=done.output,
            created_at=kept.created_at,
        )
    view = await native.view(principal, kept.approval_id)
    status = STATUS[view.status]
    return Execution(
        id=kept.action_id,
        agent_id=view.agent_id or "",
        workspace_id=view.workspace,
        agent_version=view.metadata.get("agent_version"),
        status=status,
        checkpoint_name=view.checkpoint_name,
        approval_id=view.id,
        input=view.payload.get("input"),
        output=effective(view).get("output") if status == "completed" else None,
        created_at=view.created_at,
    )
