"""The form by which people choose how they are told of what waits for them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.decision.forms.fields import read_form, text_in
from services.decision.forms.guarding import Guard
from services.decision.forms.ports import Shows
from services.directory.kept_preferences import TooManyPreferences
from services.directory.preference_form import NotInForm, chosen, fields_of
from services.directory.preferences import Defaults, Preferences
from services.web.problems import Problem
from services.web.session import Session, Sessions
from services.web.typed import Typed

INBOX = "inbox"
MAX_FIELD = 200


class Keeps(Protocol):
    """Who keeps what people say of how they are told; raises `Unavailable`."""

    async def put(
        self, workspace: str, email: str, preferences: Preferences, *, by: str, now: datetime
    ) -> Preferences:
        """Keep these; raises `TooManyPreferences`."""
        ...


class ShowsPreferences(Protocol):
    """Who renders the page."""

    async def preferences(
        self, me: Session, *, status: int = 200, typed: Typed | None = None
    ) -> Response:
        """Return the page, with what was typed and what is wrong with it."""
        ...


def preferring_router(
    kept: Keeps,
    page: ShowsPreferences,
    shows: Shows,
    sessions: Sessions,
    defaults: Defaults,
    channels: Sequence[str],
    clock: Callable[[], datetime],
) -> APIRouter:
    """Return the route that takes the form."""
    guard = Guard(shows, sessions)
    out = [one for one in channels if one != INBOX]

    async def keep(request: Request, me: Session) -> Response:
        fields = await read_form(request, optional=fields_of(out))
        typed = {name: text_in(fields, name, MAX_FIELD) for name in fields}
        try:
            wanted = chosen(typed, out, defaults.within(me.workspace).preferences)
        except NotInForm as error:
            again = Typed(form="preferences", fields=typed, faults=error.faults)
            return await page.preferences(me, status=422, typed=again)
        try:
            await kept.put(me.workspace, me.email, wanted, by=me.email, now=clock())
        except TooManyPreferences as error:
            raise Problem(
                409, "too_many_preferences", "This workspace keeps as many as it can."
            ) from error
        headers = {"Cache-Control": "no-store"}
        return RedirectResponse("/preferences?notice=kept", 303, headers)

    router = APIRouter()
    endpoint = guard.guarded(guard.for_somebody(keep))
    router.add_route("/preferences", endpoint, methods=["POST"], include_in_schema=False)
    return router
