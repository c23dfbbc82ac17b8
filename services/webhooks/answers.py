"""What the calls about webhooks have in common: how they answer, and how that is documented."""

from typing import Any, TypeVar

import msgspec
from fastapi import Request
from starlette.responses import Response

from services.web.keys import Principal
from services.web.problems import Invalid, Problem
from services.web.scopes import Scope
from services.webhooks.registry import Registry
from services.webhooks.shapes import WebhookView

JSON = "application/json"
SCOPE: Scope = "webhooks:manage"
PAGE = 50
MOST_ROWS = 200

View = TypeVar("View", bound=WebhookView)


async def found(registry: Registry, principal: Principal, webhook_id: str) -> WebhookView:
    """Return an endpoint of the caller's workspace; raises 404."""
    return there(await registry.show(principal.workspace, possible(webhook_id)))


def there(view: View | None) -> View:
    """Return what was found; raises 404 for nothing."""
    if view is None:
        raise not_found()
    return view


def possible(webhook_id: str) -> str:
    """Return an id that may exist; raises 404 for a text that never was one."""
    if not (webhook_id.isascii() and webhook_id.replace("_", "").isalnum()):
        raise not_found()
    return webhook_id


def not_found() -> Problem:
    """Return the problem of an id that is nobody's."""
    return Problem(404, "not_found", "There is no such webhook.")


def refuse_others(request: Request, *known: str) -> None:
    """Raise 422 for a parameter that is not known: a filter misspelt would show too much."""
    for name in request.query_params:
        if name not in known:
            shown = name[:100]
            raise Invalid(
                f"{shown}: there is no such parameter; there is {', '.join(known)}.",
                pointer=f"/{shown}",
            )


def answer(value: Any, status: int = 200) -> Response:
    """Return a value as the answer."""
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)


def shows(schema: str, description: str) -> dict[str, Any]:
    """Return the documentation of an answer that is one thing."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {JSON: {"schema": reference}}}


def lists(schema: str) -> dict[str, Any]:
    """Return the documentation of an answer that is a page of things."""
    shape = {
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}},
            "next_cursor": {"type": ["string", "null"]},
        },
    }
    return {"description": "A list.", "content": {JSON: {"schema": shape}}}


def takes(body: str, *, required: bool = True) -> dict[str, Any]:
    """Return the documentation of a request body."""
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{body}"}}}
    return {"requestBody": {"required": required, "content": content}}
