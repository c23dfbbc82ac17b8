"""The calls around a decision: pass on, remind, ask back, answer, revise, take an answer back."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json, Person, Wanted
from services.decision.answering import Answering
from services.decision.api import (
    IDEMPOTENCY_KEY,
    changed,
    idempotency_key,
    known,
    refuse_agents,
    shown,
)
from services.decision.changing import Changing
from services.decision.identifiers import new_command_id
from services.decision.request_body import Name
from services.decision.revising import Changes
from services.web.answers import shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, plain, read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Invalid

Address = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Reason = Annotated[str, msgspec.Meta(max_length=10_000)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
QuestionId = Annotated[str, msgspec.Meta(min_length=1, max_length=600)]


class ReassignBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom to ask instead of `person`, who is the one that answers where it is left out.

    `approver` only from a key that answers for others.
    """

    to: Address
    person: Address | None = None
    reason: Reason | None = None
    approver: Address | None = None


class UndoBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose answer is taken back; `approver` only from a key that answers for others."""

    approver: Address | None = None


class RemindBody(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing more than that they are to be reminded."""


class QuestionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What an approver wants to know of the requester, or what is to be changed.

    `approver` only from a key that answers for others.
    """

    text: Words
    wants: Wanted = "answer"
    approver: Address | None = None
    revision: Name | None = None


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the requester answers; `question_id` left out stands for the open question."""

    text: Words
    question_id: QuestionId | None = None


class ReviseBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What changes; what is left out stays. `revision` is the name of the new one."""

    payload: dict[str, Json] | None = None
    title: Title | None = None
    reason: Reason | None = None
    revision: Name | None = None


BODIES = (ReassignBody, UndoBody, RemindBody, QuestionBody, AnswerBody, ReviseBody)
"""The shapes that these calls take, for the OpenAPI document."""

_reassignments = msgspec.json.Decoder(ReassignBody)
_undos = msgspec.json.Decoder(UndoBody)
_reminders = msgspec.json.Decoder(RemindBody)
_questions = msgspec.json.Decoder(QuestionBody)
_answers = msgspec.json.Decoder(AnswerBody)
_revisions = msgspec.json.Decoder(ReviseBody)


def lifecycle_router(
    changing: Changing, answering: Answering, authenticate: Authenticate
) -> APIRouter:
    """Return the routes of what happens before a decision."""
    router = APIRouter(prefix="/v1", tags=["decide"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/approvals/{approval_id}/reassign",
        summary="Pass it on to somebody else",
        responses={200: shows("Approval", "Passed on."), **problems(404, 409, 413, 415, 422)},
        openapi_extra=takes("ReassignBody"),
    )
    async def reassign(
        request: Request, approval_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:decide")
        refuse_agents(principal)
        body = read_json(await read_json_body(request), _reassignments)
        change = changing.reassign(
            principal.workspace,
            known(approval_id),
            by=_answering_as(principal, body.approver),
            as_admin=principal.may("admin"),
            to=address(body.to, "to"),
            person=address(body.person, "person") if body.person is not None else None,
            reason=body.reason,
            via=principal.key_id if body.approver is not None else None,
        )
        return shown(await changed(answering, principal, approval_id, change))

    @router.post(
        "/approvals/{approval_id}/undo",
        summary="Take back an answer that is held",
        description="An answer that was given in the inbox or on a channel is held for as long as "
        "its type says: `held_until`. Until then whoever gave it can take it back.",
        responses={
            200: shows("Approval", "Taken back; it waits again. Nothing held: as it is."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("UndoBody", required=False),
    )
    async def undo(request: Request, approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:decide")
        refuse_agents(principal)
        body = read_json(await read_json_body(request) or b"{}", _undos)
        change = answering.undo(
            principal.workspace,
            known(approval_id),
            by=_answering_as(principal, body.approver),
        )
        return shown(await changed(answering, principal, approval_id, change))

    @router.post(
        "/approvals/{approval_id}/remind",
        summary="Remind those who have not answered",
        responses={200: shows("Approval", "Reminded."), **problems(404, 409, 413, 415, 422)},
        openapi_extra=takes("RemindBody", required=False),
    )
    async def remind(request: Request, approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        read_json(await read_json_body(request) or b"{}", _reminders)
        change = changing.remind(
            principal.workspace,
            known(approval_id),
            by=Person(email=principal.email),
            as_admin=principal.may("admin"),
        )
        return shown(await changed(answering, principal, approval_id, change))

    @router.post(
        "/approvals/{approval_id}/questions",
        status_code=201,
        summary="Ask the requester, or return it for changes",
        responses={
            201: shows("Approval", "Asked; the clock stands still until it is answered."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("QuestionBody", [IDEMPOTENCY_KEY]),
    )
    async def ask_back(
        request: Request, approval_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:decide")
        refuse_agents(principal)
        key = idempotency_key(request)
        body = read_json(await read_json_body(request), _questions)
        change = changing.ask_back(
            principal.workspace,
            known(approval_id),
            by=_answering_as(principal, body.approver),
            text=body.text,
            wants=body.wants,
            question_id=f"{principal.email} {key}" if key else new_command_id(),
            revision=body.revision,
            via=principal.key_id if body.approver is not None else None,
        )
        return shown(await changed(answering, principal, approval_id, change), status=201)

    @router.post(
        "/approvals/{approval_id}/answers",
        summary="Answer what an approver asked",
        responses={
            200: shows("Approval", "Answered; it waits for its approvers again."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("AnswerBody"),
    )
    async def answer(request: Request, approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        body = read_json(await read_json_body(request), _answers)
        change = changing.answer_back(
            principal.workspace,
            known(approval_id),
            by=Person(email=principal.email),
            as_admin=principal.may("admin"),
            text=body.text,
            question_id=body.question_id,
        )
        return shown(await changed(answering, principal, approval_id, change))

    @router.post(
        "/approvals/{approval_id}/revise",
        summary="Change what is asked",
        responses={
            200: shows("Approval", "The new revision; earlier answers do not count for it."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("ReviseBody"),
    )
    async def revise(request: Request, approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        body = read_json(await read_json_body(request), _revisions)
        change = changing.revise(
            principal.workspace,
            known(approval_id),
            by=Person(email=principal.email),
            as_admin=principal.may("admin"),
            changes=_changes(body),
        )
        return shown(await changed(answering, principal, approval_id, change))

    return router


def _answering_as(principal: Principal, approver: str | None) -> Person:
    """Return who acts: the key's own principal, or the person whom the key answers for."""
    email = principal.email if approver is None else address(approver, "approver")
    return Person(email=email)


def _changes(body: ReviseBody) -> Changes:
    if body.payload is None and body.title is None and body.reason is None:
        raise Invalid("body: say what changes: payload, title or reason.", pointer="/payload")
    if body.revision is not None:
        plain(body.revision, "revision")
    return Changes(
        payload=body.payload, title=body.title, reason=body.reason, revision=body.revision
    )
