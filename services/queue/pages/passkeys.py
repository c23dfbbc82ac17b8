"""The page of somebody's passkeys."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.identity.passkeys import Passkeys
from services.queue.pages.rendering import Pages, redirect
from services.web.session import Session


def passkeys_router(pages: Pages, passkeys: Passkeys) -> APIRouter:
    """Return the routes of the page, and of the addresses that its forms leave a browser at."""
    router = APIRouter()

    async def listed(_: Request, me: Session) -> Response:
        return pages.render(
            "passkeys",
            me,
            passkeys=await passkeys.of(me),
            possible=passkeys.possible,
            alert=None,
        )

    async def to_passkeys(_: Request) -> Response:
        return redirect("/passkeys")

    router.add_route(
        "/passkeys", pages.for_somebody(listed), methods=["GET"], include_in_schema=False
    )
    for path in ("/passkeys/new", "/passkeys/confirmed", "/passkeys/{passkey_id}/remove"):
        router.add_route(path, to_passkeys, methods=["GET"], include_in_schema=False)
    return router
