"""The calls that read: what waits for whom, one approval, its history, and what changes."""

import json
from collections.abc import Awaitable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from projections.approval_view import Status, decode_view
from projections.cursors import BadCursor
from projections.differences import differences_of
from projections.queries import MOST, PAGE, Docs, Filters, Queries
from services.queue.streams import HEARTBEAT_S, LASTS_S, MEDIA_TYPE, Streams
from services.queue.waits import Waits
from services.web.answers import JSON, lists, shows
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, plain
from services.web.calls import Call, refuse_others
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

LONGEST_WAIT_S = 60

Limit = Annotated[int, Query(ge=1, le=MOST)]
Text = Annotated[str | None, Query(max_length=254)]
Cursor = Annotated[str | None, Query(max_length=200)]
_encoder = msgspec.json.Encoder()
STREAM = (
    "One `changed` event for each change, once the queue shows it: `id` is its place in the log, "
    "`data` a JSON object with the approval's `id`, the event's `type` and its `version`. "
    "`missed` means that something changed that was not told: read everything anew. It comes "
    "first for a reader that sends `Last-Event-ID`, because nothing is told again, and last for "
    "one that fell behind, whose stream then ends. "
    f"A comment comes every {HEARTBEAT_S:.0f} s. The stream ends after {LASTS_S / 60:.0f} minutes "
    "and when the server stops: come again then, and read everything anew."
)


def queue_router(
    queries: Queries, waits: Waits, streams: Streams, authenticate: Authenticate
) -> APIRouter:
    """Return the routes of the queue service."""
    router = APIRouter(prefix="/v1", tags=["read"], route_class=Call)
    caller = Depends(authenticate)

    @router.get(
        "/approvals",
        summary="List approvals, newest first",
        responses={200: lists("Approval"), **problems(422)},
        response_class=Response,
    )
    async def approvals(
        request: Request,
        principal: Principal = caller,
        *,
        status: Status | None = None,
        approver: Text = None,
        requester: Text = None,
        type: Text = None,  # noqa: A002 # the parameter's public name
        source: Text = None,
        subject: Text = None,
        acknowledged: bool | None = None,
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> Response:
        require(principal, "approvals:read")
        refuse_others(request, *Filters.__slots__, "limit", "cursor")
        filters = Filters(
            status=status,
            approver=_address(approver, "approver"),
            requester=_address(requester, "requester"),
            type=_plain(type, "type"),
            source=_plain(source, "source"),
            subject=_plain(subject, "subject"),
            acknowledged=acknowledged,
        )
        page = queries.list(principal.workspace, filters, limit=limit, cursor=cursor)
        docs = await _page(page)
        return _json(f'{{"data":[{docs.json}],"next_cursor":{json.dumps(docs.next_cursor)}}}')

    @router.get(
        "/queue",
        summary="Which approvals do I still need to complete?",
        responses={200: lists("QueuedApproval", counted=True), **problems(422)},
        response_class=Response,
    )
    async def queue(
        request: Request,
        principal: Principal = caller,
        *,
        approver: Text = None,
        limit: Limit = PAGE,
        cursor: Cursor = None,
    ) -> Response:
        require(principal, "approvals:read")
        refuse_others(request, "approver", "limit", "cursor")
        whose = _address(approver, "approver") or principal.email
        docs = await _page(queries.queue(principal.workspace, whose, limit=limit, cursor=cursor))
        return _json(
            f'{{"data":[{docs.json}],"count":{docs.waiting},'
            f'"next_cursor":{json.dumps(docs.next_cursor)}}}'
        )

    @router.get(
        "/approvals/{approval_id}",
        summary="One approval, as of now",
        responses={200: shows("Approval", "The approval."), **problems(404)},
        response_class=Response,
    )
    async def approval(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        return _json(await _doc(queries, principal, approval_id))

    @router.get(
        "/approvals/{approval_id}/history",
        summary="Its events, oldest first",
        responses={200: lists("HistoryEntry", cursor=None), **problems(404)},
        response_class=Response,
    )
    async def history(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        entries = await queries.history(principal.workspace, _possible(approval_id))
        if not entries:
            raise _not_found()
        return _json(_encoder.encode({"data": entries}))

    @router.get(
        "/approvals/{approval_id}/links",
        summary="Its linked items",
        responses={200: lists("Link", cursor=None), **problems(404)},
        response_class=Response,
    )
    async def links(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        view = decode_view(await _doc(queries, principal, approval_id))
        return _json(_encoder.encode({"data": view.links}))

    @router.get(
        "/approvals/{approval_id}/difference",
        summary="What was proposed, what was approved, and what took effect",
        responses={
            200: shows("Differences", "Each place where they differ."),
            **problems(404),
        },
        response_class=Response,
    )
    async def difference(approval_id: str, principal: Principal = caller) -> Response:
        require(principal, "approvals:read")
        view = decode_view(await _doc(queries, principal, approval_id))
        return _json(_encoder.encode(differences_of(view)))

    @router.get(
        "/approvals/{approval_id}/wait",
        summary="Wait until it is final",
        responses={200: shows("Approval", "The approval."), **problems(404, 422)},
        response_class=Response,
    )
    async def wait(
        request: Request,
        approval_id: str,
        principal: Principal = caller,
        *,
        timeout: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S)] = 30,
    ) -> Response:
        require(principal, "approvals:read")
        refuse_others(request, "timeout")
        possible = _possible(approval_id)
        doc = await waits.final(principal.workspace, possible, timeout, request.receive)
        if doc is None:
            raise _not_found()
        return _json(doc)

    @router.get(
        "/stream",
        summary="What changes, as server-sent events",
        responses={
            200: {
                "description": STREAM,
                "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
            },
            **problems(),
        },
        response_class=StreamingResponse,
    )
    async def stream(request: Request, principal: Principal = caller) -> StreamingResponse:
        require(principal, "approvals:read")
        return streams.response(principal.workspace, request)

    return router


async def _doc(queries: Queries, principal: Principal, approval_id: str) -> str:
    doc = await queries.approval(principal.workspace, _possible(approval_id))
    if doc is None:
        raise _not_found()
    return doc


async def _page(page: Awaitable[Docs]) -> Docs:
    try:
        return await page
    except BadCursor as error:
        raise Invalid(f"cursor: {error}", pointer="/cursor") from error


def _possible(approval_id: str) -> str:
    if "\0" in approval_id or not approval_id.isascii():
        raise _not_found()
    return approval_id


def _not_found() -> Problem:
    return Problem(404, "not_found", "There is no such approval.")


def _address(text: str | None, field: str) -> str | None:
    return address(text, field) if text is not None else None


def _plain(text: str | None, field: str) -> str | None:
    return plain(text, field) if text is not None else None


def _json(body: str | bytes) -> Response:
    return Response(body, media_type=JSON)
