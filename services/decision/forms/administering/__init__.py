"""The forms of the pages for administrators: each is written down, and says what it did."""

from collections.abc import Callable

from fastapi import APIRouter

from services.decision.forms.administering.acting import Acting
from services.decision.forms.administering.deeds import Deeds
from services.decision.forms.administering.keys import KeyForms
from services.decision.forms.administering.ports import Desk, ShowsKeys
from services.decision.forms.guarding import Guard
from services.decision.forms.ports import PostingAsSomebody, Shows
from services.web.session import Session, Sessions

__all__ = ["administering_router"]


def administering_router(
    desk: Desk,
    pages: Shows,
    keys: ShowsKeys,
    sessions: Sessions,
    admit: Callable[[Session], None],
) -> APIRouter:
    """Return the routes; `admit` raises for somebody who is no administrator."""
    guard = Guard(pages, sessions)
    acting = Acting(desk.actions, pages, sessions, admit)
    deeds = Deeds(desk, acting)
    making = KeyForms(desk.keys, acting, keys)
    router = APIRouter()

    def at(path: str, posting: PostingAsSomebody) -> None:
        endpoint = guard.guarded(acting.for_admins(posting))
        router.add_route(f"/admin{path}", endpoint, methods=["POST"], include_in_schema=False)

    at("/sources/{source}/pause", deeds.pause)
    at("/sources/{source}/resume", deeds.resume)
    at("/sources/{source}/poll", deeds.poll)
    at("/webhooks/{webhook_id}/enable", deeds.enable)
    at("/webhooks/{webhook_id}/replay", deeds.replay)
    at("/parked/retry", deeds.retry_all)
    at("/parked/{parked_id}/retry", deeds.retry)
    at("/parked/{parked_id}/discard", deeds.discard)
    at("/people/delegations/{delegation_id}/end", deeds.end_delegation)
    at("/keys", making.create)
    at("/keys/{key_id}/revoke", making.revoke)
    return router
