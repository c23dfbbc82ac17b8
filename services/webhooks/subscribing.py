"""The calls about webhooks themselves: subscribe, look, change, rotate, unsubscribe."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from projections.cursors import BadCursor
from services.outgoing.guard import NotAllowedUrl
from services.outgoing.signing import BadSecret, check_secret, new_secret
from services.web.answers import json_answer, lists, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, plain, read_json, read_json_body
from services.web.calls import Call, refuse_others
from services.web.keys import Principal
from services.web.problems import Invalid, Problem
from services.webhooks.answers import (
    MOST_ROWS,
    PAGE,
    SCOPE,
    found,
    not_found,
    there,
)
from services.webhooks.endpoints import Kind
from services.webhooks.messages import BY_DEFAULT
from services.webhooks.registry import MOST, Registry
from services.webhooks.shapes import (
    CallbackSecretView,
    SecretBody,
    WebhookBody,
    WebhookChange,
    WebhookView,
)

CheckUrl = Callable[[str], None]
"""Raises `NotAllowedUrl` for a URL that may not be called."""

_bodies = msgspec.json.Decoder(WebhookBody)
_changes = msgspec.json.Decoder(WebhookChange)
_secrets = msgspec.json.Decoder(SecretBody)


def subscriptions_router(
    registry: Registry, check_url: CheckUrl, authenticate: Authenticate
) -> APIRouter:
    """Return the routes of subscriptions and of the callbacks' secret."""
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "",
        status_code=201,
        summary="Subscribe",
        description="Left out, `event_types` are all but `execution.awaiting_approval`, which is "
        "another name for an `approval.requested` that an execution waits for.",
        responses={
            201: shows("NewWebhookView", "Subscribed; the secret is shown this once."),
            **problems(409, 413, 415, 422),
        },
        openapi_extra=takes("WebhookBody"),
    )
    async def add(request: Request, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        body = read_json(await read_json_body(request), _bodies)
        secret = _secret(body.secret)
        made = await registry.add(
            principal.workspace,
            url=_allowed(body.url, check_url),
            event_types=body.event_types or BY_DEFAULT,
            types=[plain(one, f"types/{place}") for place, one in enumerate(body.types)],
            requester=_address(body.requester),
            description=plain(body.description, "description"),
            secret=secret,
        )
        if made is None:
            raise Problem(
                409,
                "too_many_webhooks",
                f"A workspace has at most {MOST} webhooks. Remove one that nobody needs.",
            )
        return json_answer(made, 201)

    @router.get(
        "",
        summary="List webhooks, newest first",
        description="`kind=callback` lists the origins that approvals named as their "
        "`callback_url`: what is delivered there has its attempts as well.",
        responses={200: lists("WebhookView"), **problems(422)},
        response_class=Response,
    )
    async def webhooks(
        request: Request,
        principal: Principal = caller,
        *,
        kind: Kind = "subscription",
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = PAGE,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        require(principal, SCOPE)
        refuse_others(request, "kind", "limit", "cursor")
        try:
            page, more = await registry.list(principal.workspace, kind, limit=limit, cursor=cursor)
        except BadCursor as error:
            raise Invalid(f"cursor: {error}", pointer="/cursor") from error
        return json_answer({"data": page, "next_cursor": more})

    @router.post(
        "/callback-secret",
        summary="Make or rotate what signs the callbacks that approvals name",
        description="An old secret signs beside the new one for 24 hours.",
        responses={
            200: shows("CallbackSecretView", "The secret, shown this once."),
            **problems(413, 415, 422),
        },
        openapi_extra=takes("SecretBody", required=False),
    )
    async def callback_secret(request: Request, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        secret = _secret(read_json(await read_json_body(request) or b"{}", _secrets).secret)
        await registry.rotate_callback_secret(principal.workspace, secret)
        return json_answer(CallbackSecretView(secret=secret))

    @router.get(
        "/{webhook_id}",
        summary="One webhook",
        responses={200: shows("WebhookView", "The webhook."), **problems(404)},
        response_class=Response,
    )
    async def webhook(webhook_id: str, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        return json_answer(await found(registry, principal, webhook_id))

    @router.patch(
        "/{webhook_id}",
        summary="Change a webhook",
        responses={
            200: shows("WebhookView", "The webhook as it is now."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("WebhookChange"),
    )
    async def change(request: Request, webhook_id: str, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        body = read_json(await read_json_body(request), _changes)
        view = await _subscription(registry, principal, webhook_id)
        if body.url is not msgspec.UNSET:
            view.url = _allowed(body.url, check_url)
        if body.event_types is not msgspec.UNSET:
            view.event_types = body.event_types
        if body.types is not msgspec.UNSET:
            view.types = [plain(one, f"types/{place}") for place, one in enumerate(body.types)]
        if body.requester is not msgspec.UNSET:
            view.requester = _address(body.requester)
        if body.description is not msgspec.UNSET:
            view.description = plain(body.description, "description")
        return json_answer(there(await registry.change(principal.workspace, view)))

    @router.delete(
        "/{webhook_id}",
        summary="Unsubscribe",
        responses={
            200: shows("WebhookView", "The webhook as it was."),
            **problems(404, 409),
        },
        response_class=Response,
    )
    async def remove(webhook_id: str, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        view = await _subscription(registry, principal, webhook_id)
        if not await registry.remove(principal.workspace, view.id):
            raise not_found()
        return json_answer(view)

    @router.post(
        "/{webhook_id}/rotate-secret",
        summary="Rotate the secret",
        description="The old secret signs beside the new one for 24 hours.",
        responses={
            200: shows("NewWebhookView", "The secret, shown this once."),
            **problems(404, 409, 413, 415, 422),
        },
        openapi_extra=takes("SecretBody", required=False),
    )
    async def rotate(request: Request, webhook_id: str, principal: Principal = caller) -> Response:
        require(principal, SCOPE)
        secret = _secret(read_json(await read_json_body(request) or b"{}", _secrets).secret)
        view = await _subscription(registry, principal, webhook_id)
        return json_answer(there(await registry.rotate(principal.workspace, view.id, secret)))

    return router


async def _subscription(registry: Registry, principal: Principal, webhook_id: str) -> WebhookView:
    view = await found(registry, principal, webhook_id)
    if view.kind != "subscription":
        raise Problem(
            409,
            "is_a_callback",
            "This endpoint is there because approvals name it as their callback_url. It can be "
            "enabled and replayed; POST /v1/webhooks/callback-secret rotates what signs.",
        )
    return view


def _secret(given: str | None) -> str:
    if given is None:
        return new_secret()
    try:
        check_secret(given)
    except BadSecret as error:
        raise Invalid(f"secret: {error}", pointer="/secret") from error
    return given


def _allowed(url: str, check_url: CheckUrl) -> str:
    try:
        check_url(url)
    except NotAllowedUrl as error:
        raise Invalid(f"url: {error}", pointer="/url") from error
    return url


def _address(text: str | None) -> str | None:
    return address(text, "requester") if text is not None else None
