"""Questions in the thread of an issue: a confirmation of a plan, and the comments that end it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.approval import Json
from projections.approval_view import ApprovalView, Status
from services.decision.api import IDEMPOTENCY_KEY, idempotency_key
from services.decision.asking import MAX_KEY
from services.decision.dialects.companies import ISSUE, Addresses
from services.decision.dialects.native import (
    Native,
    foreign,
    in_words,
    keyed,
)
from services.decision.dialects.records import Records
from services.decision.identifiers import new_command_id
from services.decision.request_body import ApprovalBody, LinkBody, Name, Text
from services.web.answers import json_answer, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import plain, read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

KIND: Literal["request_confirmation"] = "request_confirmation"
WORDS = {"subject": "target/key", "revision": "target/revisionId", "type": "kind"}
MAX_TITLE = 500
MAX_SUBJECT = 200
SUPERSEDE = "supersedeOnUserComment"

_KEY = re.compile(
    r"confirmation:(?P<issue>[^:]+):(?P<key>[^:]{1,100}):(?P<revision>.{1,200})", re.DOTALL
)
Kind = Literal["request_confirmation"]
InteractionStatus = Literal["pending", "accepted", "rejected", "expired"]

STATUS: Mapping[Status, InteractionStatus] = {
    "pending": "pending",
    "deciding": "pending",
    "approved": "accepted",
    "rejected": "rejected",
    "expired": "expired",
    "withdrawn": "expired",
}


class Target(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What is to be confirmed: a revision of one of the issue's documents, such as its plan."""

    revision_id: Name
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "plan"


class InteractionBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A yes or no; without a `target`, the idempotency key says which revision is meant."""

    kind: Kind
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)] | None = None
    supersede_on_user_comment: bool = False
    target: Target | None = None
    prompt: Annotated[str, msgspec.Meta(min_length=1, max_length=5_000)] | None = None
    payload: Mapping[str, Json] = {}
    reason: Text | None = None
    approvers: Addresses = ()


class IssueCommentBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A comment on an issue."""

    body: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


class Interaction(msgspec.Struct, kw_only=True, rename="camel"):
    """A confirmation; go on when it is `accepted`, ask again when it is `expired`."""

    id: str
    issue_id: str
    kind: Kind
    status: InteractionStatus
    idempotency_key: str | None
    supersede_on_user_comment: bool
    target: Target | None
    prompt: str | None
    payload: Json
    resolved_by: str | None
    resolved_at: datetime | None
    reason: str | None
    superseded_by: str | None
    expires_at: datetime
    created_at: datetime


class IssueComment(msgspec.Struct, kw_only=True, rename="camel"):
    """Where the comment stands now: in the history of these approvals; and which it ended."""

    issue_id: str
    author: str
    body: str
    approval_ids: list[str]
    superseded_ids: list[str]


ANSWERS: Sequence[type] = (Interaction, IssueComment, Target)
BODIES: Sequence[type] = (InteractionBody, IssueCommentBody)

_interactions = msgspec.json.Decoder(InteractionBody)
_comments = msgspec.json.Decoder(IssueCommentBody)


def issues_router(native: Native, records: Records, authenticate: Authenticate) -> APIRouter:
    """Return the routes of issues."""
    router = APIRouter(
        prefix="/api/issues", tags=["clients of others: companies"], route_class=Call
    )
    caller = Depends(authenticate)

    @router.post(
        "/{issue_id}/interactions",
        status_code=201,
        summary="Ask for a confirmation in an issue's thread",
        responses={
            201: shows("Interaction", "Asked; the ask is durable."),
            200: shows("Interaction", "The same key and body, or what waits already, again."),
            **problems(409, 413, 415, 422),
        },
        openapi_extra=takes("InteractionBody", [IDEMPOTENCY_KEY]),
    )
    async def interact(request: Request, issue_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        foreign(issue_id, "issue_id")
        text = idempotency_key(request)
        raw = await read_json_body(request)
        body = read_json(raw, _interactions)
        if body.idempotency_key is not None:
            text = _printable(body.idempotency_key)
        asked = await native.ask(
            principal,
            _native_body(body, issue_id),
            keyed(principal, request.url.path, raw, text),
            words=WORDS,
        )
        await records.link_issues(principal.workspace, [issue_id], asked.view.id)
        return json_answer(_interaction(asked.view), 201 if asked.created else 200)

    @router.get(
        "/{issue_id}/interactions/{interaction_id}",
        summary="One confirmation, as of now",
        responses={200: shows("Interaction", "The confirmation."), **problems(404, 422)},
        response_class=Response,
    )
    async def interaction(
        issue_id: str, interaction_id: str, principal: Principal = caller
    ) -> Response:
        require(principal, "approvals:read")
        foreign(issue_id, "issue_id")
        view = await native.view(principal, interaction_id)
        if view.type != KIND or _issue_of(view) != issue_id:
            raise Problem(404, "not_found", "This issue has no such confirmation.")
        return json_answer(_interaction(view))

    @router.post(
        "/{issue_id}/comments",
        status_code=201,
        summary="Comment on an issue; a person's comment ends the confirmations that want it so",
        responses={
            201: shows("IssueComment", "It stands in the history of the issue's approvals."),
            **problems(404, 413, 415, 422),
        },
        openapi_extra=takes("IssueCommentBody", [IDEMPOTENCY_KEY]),
    )
    async def comment(request: Request, issue_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:request")
        foreign(issue_id, "issue_id")
        text = idempotency_key(request)
        body = read_json(await read_json_body(request), _comments)
        comment_id = f"{principal.email} {text}" if text else new_command_id()
        said = [
            await native.comment(principal, approval_id, body.body, comment_id)
            async for approval_id in records.open_of_issue(principal.workspace, issue_id)
        ]
        if not said:
            latest = await records.latest_of_issue(principal.workspace, issue_id)
            if latest is None:
                raise Problem(
                    404,
                    "not_found",
                    "Nothing was ever asked about this issue here, so there is no history that "
                    "could hold the comment: Placet keeps no issues. Ask first, or comment where "
                    "the issue lives.",
                )
            said.append(await native.comment(principal, latest, body.body, comment_id))
        told = IssueComment(
            issue_id=issue_id,
            author=principal.email,
            body=body.body,
            approval_ids=[view.id for view in said],
            superseded_ids=[view.id for view in said if _ended_by(view, principal)],
        )
        return json_answer(told, 201)

    return router


def _printable(key: str) -> str:
    if not key.isprintable():
        raise Invalid(
            "idempotencyKey: control characters are not allowed.", pointer="/idempotencyKey"
        )
    return key


def _native_body(body: InteractionBody, issue_id: str) -> ApprovalBody:
    target = _target(body, issue_id)
    payload = {**body.payload, **({"prompt": body.prompt} if body.prompt else {})}
    prompt = payload.get("prompt")
    about = f"the {in_words(target.key).lower()} of " if target else ""
    title = prompt if isinstance(prompt, str) and prompt.strip() else f"Confirm {about}{issue_id}"
    return ApprovalBody(
        type=KIND,
        title=title[:MAX_TITLE],
        payload=payload,
        approvers=body.approvers,
        reason=body.reason,
        links=[LinkBody(kind=ISSUE, id=issue_id)],
        subject=_subject(issue_id, target.key) if target else None,
        revision=target.revision_id if target else None,
        # Some clients say it beside the prompt, within the payload.
        supersede_on_comment=body.supersede_on_user_comment or body.payload.get(SUPERSEDE) is True,
        editable=False,
        metadata={
            "issue": issue_id,
            "idempotency_key": body.idempotency_key,
            "target": msgspec.to_builtins(target) if target else None,
        },
    )


def _target(body: InteractionBody, issue_id: str) -> Target | None:
    """Return which revision of what is meant, as it is said or as the key says it."""
    if body.target is not None:
        plain(body.target.key, "target/key")
        return body.target
    found = _KEY.fullmatch(body.idempotency_key or "")
    if found is None or found["issue"] != issue_id:
        return None
    return Target(key=found["key"], revision_id=found["revision"])


def _subject(issue_id: str, key: str) -> str:
    subject = f"{issue_id}:{key}"
    if len(subject) > MAX_SUBJECT:
        raise Invalid(
            f"target/key: issue and key may have {MAX_SUBJECT - 1} characters together.",
            pointer="/target/key",
        )
    return subject


def _issue_of(view: ApprovalView) -> str | None:
    return next((one.id for one in view.links if one.kind == ISSUE), None)


def _ended_by(view: ApprovalView, principal: Principal) -> bool:
    """Tell whether a comment of this principal took the approval away."""
    return (
        view.withdrawn_cause == "superseded"
        and view.superseded_by is None
        and view.withdrawn_by == principal.email
    )


def _interaction(view: ApprovalView) -> Interaction:
    kept: Mapping[str, Any] = view.metadata
    prompt = view.payload.get("prompt") if isinstance(view.payload, dict) else None
    return Interaction(
        id=view.id,
        issue_id=_issue_of(view) or "",
        kind=KIND,
        status=STATUS[view.status],
        idempotency_key=_text(kept.get("idempotency_key")),
        supersede_on_user_comment=view.supersede_on_comment,
        target=_read_target(kept.get("target")),
        prompt=_text(prompt),
        payload=view.payload,
        resolved_by=view.decided_by or view.withdrawn_by,
        resolved_at=view.decided_at,
        reason=view.decision_reason or view.withdrawn_reason,
        superseded_by=view.superseded_by,
        expires_at=view.expires_at,
        created_at=view.created_at,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_target(value: Any) -> Target | None:
    # Anybody may ask natively about an issue, with metadata of their own.
    try:
        return msgspec.convert(value, Target | None)
    except msgspec.ValidationError:
        return None
