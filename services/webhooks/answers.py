"""What the calls about webhooks have in common: how they answer, and how that is documented."""

from typing import TypeVar

from services.web.keys import Principal
from services.web.problems import Problem
from services.web.scopes import Scope
from services.webhooks.registry import Registry
from services.webhooks.shapes import WebhookView

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
