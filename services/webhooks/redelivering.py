"""The calls about what was delivered: look at the attempts, enable again, replay."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.web.answers import json_answer, lists, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import plain, read_json, read_json_body
from services.web.calls import Call, refuse_others
from services.web.keys import Principal
from services.web.problems import Invalid, Problem
from services.webhooks.answers import (
    MOST_ROWS,
    PAGE,
    SCOPE,
    found,
    possible,
    there,
)
from services.webhooks.deliveries import State
from services.webhooks.registry import Registry
from services.webhooks.replay import Replays
from services.webhooks.shapes import ReplayBody, ReplayedView

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


_replays = msgspec.json.Decoder(ReplayBody)


def deliveries_router(
    registry: Registry, replays: Replays, wake: Callable[[], None], authenticate: Authenticate
) -> APIRouter:
    """Return the routes of deliveries; `wake` is called when something became due."""
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/{webhook_id}/enable",
        summary="Let a disabled webhook be told again",
        description="What was held meanwhile stays held: replay what is still wanted.",
        responses={200: shows("WebhookView", "The webhook, active."), **problems(404)},
        response_class=Response,
    )
    async def enable(webhook_id: str, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        return json_answer(there(await registry.enable(principal.workspace, possible(webhook_id))))

    @router.get(
        "/{webhook_id}/deliveries",
        summary="What it was to be told, newest first, each with its attempts",
        responses={200: lists("DeliveryView"), **problems(404, 422)},
        response_class=Response,
    )
    async def deliveries(
        request: Request,
        webhook_id: str,
        principal: Principal = caller,
        *,
        state: State | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = PAGE,
        cursor: Annotated[str | None, Query(pattern=r"^[1-9][0-9]{0,17}$")] = None,
    ) -> Response:
        require(principal, SCOPE)
        refuse_others(request, "state", "limit", "cursor")
        view = await found(registry, principal, webhook_id)
        page, more = await registry.deliveries(
            principal.workspace, view.id, state=state, limit=limit, cursor=cursor
        )
        return json_answer({"data": page, "next_cursor": more})

    @router.post(
        "/{webhook_id}/replay",
        summary="Tell again, by ids or for a time",
        description="Ids are those of messages (`webhook-id`) or of events (`event_id`). A "
        "replay keeps the id of each message, and tells also what happened before the webhook "
        "was there.",
        responses={
            200: shows("ReplayedView", "They are on their way."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("ReplayBody"),
    )
    async def replay(request: Request, webhook_id: str, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        body = read_json(await read_json_body(request), _replays)
        view = await found(registry, principal, webhook_id)
        if view.status == "disabled":
            raise Problem(409, "disabled", "This webhook is disabled. Enable it, then replay.")
        if body.ids is not None:
            _refuse_time(body)
            ids = [plain(one, f"ids/{place}") for place, one in enumerate(body.ids)]
            replayed = await replays.by_ids(principal.workspace, view, ids)
        else:
            since, until = _times(body)
            cursor = int(body.cursor) if body.cursor is not None else None
            replayed = await replays.between(principal.workspace, view, since, until, cursor)
        wake()
        more = None if replayed.cursor is None else str(replayed.cursor)
        return json_answer(ReplayedView(replayed=replayed.count, next_cursor=more))

    return router


def _refuse_time(body: ReplayBody) -> None:
    for name in ("since", "until", "cursor"):
        if getattr(body, name) is not None:
            raise Invalid(f"{name}: send ids or a time, not both.", pointer=f"/{name}")


def _times(body: ReplayBody) -> tuple[datetime, datetime]:
    if body.since is None:
        raise Invalid("since: send ids, or since when to replay.", pointer="/since")
    try:
        since = body.since.astimezone(UTC)
        until = body.until.astimezone(UTC) if body.until is not None else datetime.now(UTC)
    except OverflowError as error:
        raise Invalid("since: this time is out of range.", pointer="/since") from error
    if not EARLIEST <= since < until <= LATEST:
        raise Invalid("until: must come after since.", pointer="/until")
    return since, until
