"""The addresses of the pages for administrators: GET and HEAD, which change nothing."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.queue.pages.admin.figures import FigurePages
from services.queue.pages.admin.frame import Frame
from services.queue.pages.admin.keys import KeyPages
from services.queue.pages.admin.listings import Listings
from services.queue.pages.admin.ports import Office
from services.queue.pages.reading import People
from services.queue.pages.rendering import Pages, ReadingAsSomebody, redirect
from services.web.session import Session, Sessions

FORMS = (
    ("sources", "/{one}/pause"),
    ("sources", "/{one}/resume"),
    ("sources", "/{one}/poll"),
    ("webhooks", "/{one}/enable"),
    ("webhooks", "/{one}/replay"),
    ("parked", "/retry"),
    ("parked", "/{one}/retry"),
    ("parked", "/{one}/discard"),
    ("people", "/delegations/{one}/end"),
    ("keys", "/{one}/revoke"),
)
"""Where forms are sent: whoever asks for such an address afterwards goes to the page."""


def make_frame(
    pages: Pages,
    people: People,
    sessions: Sessions,
    office: Office,
    clock: Callable[[], datetime],
) -> Frame:
    """Return what renders the pages, for the routes here and for the forms of `decision`."""
    return Frame(pages, people, sessions, office.actions, clock)


def admin_router(frame: Frame, office: Office) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    listings = Listings(frame, office)
    keys = KeyPages(frame, office.keys)
    figures = FigurePages(frame, office.figures)

    def at(path: str, reading: ReadingAsSomebody) -> None:
        endpoint = frame.for_admins(reading)
        router.add_route(path, endpoint, methods=["GET"], include_in_schema=False)

    async def first(_: Request, __: Session) -> Response:
        return redirect("/admin/sources")

    at("/admin", first)
    at("/admin/sources", listings.sources)
    at("/admin/channels", listings.channels)
    at("/admin/webhooks", listings.webhooks)
    at("/admin/parked", listings.parked)
    at("/admin/people", listings.people)
    at("/admin/keys", keys.keys)
    at("/admin/figures", figures.figures)
    for area, form in FORMS:
        at(f"/admin/{area}{form}", _back_to(f"/admin/{area}"))
    at("/admin/webhooks/{webhook_id}", listings.webhook)
    return router


def _back_to(path: str) -> ReadingAsSomebody:
    async def back(_: Request, __: Session) -> Response:
        return redirect(path)

    return back
