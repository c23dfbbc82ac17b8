"""Takes in records that a system of record pushes: `POST /v1/sources/{source}/webhook`."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from events.store import Unavailable
from services.poller.intake import Intake, Outlets
from services.poller.replays import Replays
from services.sources import Malformed, Source, SourceRefused, SourceUnavailable
from services.sources.definition import SourceDefinition, Webhook
from services.sources.expressions import Inapplicable
from services.sources.mapping import MAX_ROW_BYTES, RecordMapper, Unmappable
from services.sources.signature import TOLERANCE_S, NotSigned, verify

MAX_BODY_BYTES = 256 * 1024
RETRY_AFTER_S = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """A source that may push, and the way to read its records."""

    definition: SourceDefinition
    source: Source


class _Problem(Exception):
    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.retry_after: int | None = None


class _TooLarge(Exception):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """One source with all that is needed to take a push in."""

    webhook: Webhook
    secret: str
    mapper: RecordMapper
    intake: Intake


def webhook_router(pushing: Sequence[Pushing], outlets: Outlets) -> APIRouter:
    """Return the route; it answers for sources whose file has a `webhook` with its secret set.

    Workspaces may name their sources alike: the signature tells whose message it is.
    """
    doors: dict[str, list[_Door]] = {}
    for one in pushing:
        webhook = one.definition.file.webhook
        if webhook is not None and webhook.secret is not None:
            door = _Door(
                webhook=webhook,
                secret=webhook.secret.reveal(),
                mapper=RecordMapper(one.definition),
                intake=Intake(one.source, outlets),
            )
            doors.setdefault(one.definition.name, []).append(door)
    # A signature is good for the tolerance before and after its time.
    replays = Replays(2.0 * TOLERANCE_S)
    router = APIRouter()

    @router.post(
        "/v1/sources/{source}/webhook",
        status_code=HTTPStatus.ACCEPTED,
        summary="Push a record of a system of record",
        description="Signed by the rules of Standard Webhooks (webhook-id, webhook-timestamp, "
        "webhook-signature). The body holds the record as the source's file maps it.",
        tags=["sources"],
        responses=_RESPONSES,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    )
    async def receive(source: str, request: Request) -> Response:
        """Take a record in; 202 means that it is durable."""
        try:
            return await _receive(doors.get(source, []), request, outlets, replays)
        except _Problem as problem:
            return _answer(problem)

    return router


async def _receive(
    doors: Sequence[_Door], request: Request, outlets: Outlets, replays: Replays
) -> Response:
    if not doors:
        raise _Problem(
            HTTPStatus.NOT_FOUND, "unknown_source", "No source of this name takes pushed records."
        )
    try:
        body = await _body(request)
    except _TooLarge:
        raise _Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"Send at most {MAX_BODY_BYTES // 1024} KiB.",
        ) from None
    door, message_id = _sender(doors, request, body, outlets)
    source = door.intake.source
    if replays.seen(source.workspace, source.name, message_id):
        return JSONResponse({"status": "seen"}, HTTPStatus.OK)
    try:
        record_id = await _take(door, body, outlets)
    except Unmappable as error:
        await _parked(door, error.row, outlets)
        raise _Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "record_malformed", f"{error}. It was set aside."
        ) from error
    except Unavailable as error:
        log.warning("%s: a pushed record was not taken in: %s", source.name, error)
        raise _later(error) from error
    replays.remember(source.workspace, source.name, message_id)
    return JSONResponse({"status": "accepted", "record_id": record_id}, HTTPStatus.ACCEPTED)


async def _body(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 9 or int(announced) > MAX_BODY_BYTES):  # noqa: PLR2004 - so many digits are too many
        raise _TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _TooLarge
    return bytes(body)


def _sender(
    doors: Sequence[_Door], request: Request, body: bytes, outlets: Outlets
) -> tuple[_Door, str]:
    problem = ""
    for door in doors:
        try:
            return door, verify(door.secret, request.headers, body, outlets.clock())
        except NotSigned as error:
            problem = str(error)
    raise _Problem(HTTPStatus.UNAUTHORIZED, "signature_invalid", f"{problem}.")


async def _take(door: _Door, body: bytes, outlets: Outlets) -> str:
    """Return the id of the record, once it is durable; raises `Unmappable`, `Unavailable`."""
    read_at = outlets.clock()
    try:
        record = door.webhook.record.of(json.loads(body))
    except (ValueError, RecursionError, Inapplicable) as error:
        sentence = str(error) if isinstance(error, Inapplicable) else "the body is not JSON"
        raise Unmappable(
            Malformed(record_id=None, reason=sentence, row=body[:MAX_ROW_BYTES])
        ) from error
    observation = door.mapper.alone(record, None, read_at)
    try:
        await door.intake.pushed(observation)
    except SourceRefused as error:
        row = Malformed(
            record_id=observation.record_id, reason=str(error), row=body[:MAX_ROW_BYTES]
        )
        raise Unmappable(row) from error
    return observation.record_id


async def _parked(door: _Door, row: Malformed, outlets: Outlets) -> None:
    source = door.intake.source
    try:
        await outlets.parking.park(source.workspace, source.name, [row])
    except Unavailable as error:
        raise _later(error) from error


def _later(error: Unavailable) -> _Problem:
    problem = _Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "The record could not be taken in just now. Send it again.",
    )
    told = error.retry_after if isinstance(error, SourceUnavailable) else None
    problem.retry_after = max(1, round(told)) if told is not None else RETRY_AFTER_S
    return problem


def _answer(problem: _Problem) -> Response:
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return JSONResponse(
        {
            "type": "about:blank",
            "title": problem.status.phrase,
            "status": problem.status.value,
            "code": problem.code,
            "detail": str(problem),
        },
        problem.status,
        headers,
        media_type="application/problem+json",
    )


def _described(description: str) -> dict[str, Any]:
    names = ("type", "title", "code", "detail")
    schema = {
        "type": "object",
        "required": [*names, "status"],
        "properties": {
            **{name: {"type": "string"} for name in names},
            "status": {"type": "integer"},
        },
    }
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "This message was taken in before."},
    202: {"description": "The record is durable."},
    401: _described("The signature is missing, wrong or too old."),
    404: _described("No source of this name takes pushed records."),
    413: _described("The body is larger than 256 KiB."),
    422: _described("The record cannot be mapped; it was set aside with its reason."),
    503: _described("Send it again, after the time in Retry-After."),
}
