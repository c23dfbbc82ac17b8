"""What the pages for administrators share: who may see them, and what was done there last."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.directory import Directory
from services.directory.admins import administers, whom_to_ask
from services.queue.pages.admin.ports import Done
from services.queue.pages.admin.saying import said
from services.queue.pages.reading import People
from services.queue.pages.rendering import Pages, Reading, ReadingAsSomebody
from services.web.actions import Area
from services.web.problems import Problem
from services.web.session import Session, Sessions

LATEST = 10
"""What was done last, and is shown on the page of its area."""
PLACES = (
    ("sources", "Sources"),
    ("channels", "Channels"),
    ("webhooks", "Webhooks"),
    ("parked", "Parked"),
    ("people", "People"),
    ("keys", "Keys"),
    ("figures", "Figures"),
)

_PLACE_OF: Mapping[str, str] = {"webhook": "webhooks", "key": "keys"}


class Frame:
    """Lets administrators in, and renders their pages."""

    def __init__(
        self,
        pages: Pages,
        people: People,
        sessions: Sessions,
        actions: Done,
        clock: Callable[[], datetime],
    ) -> None:
        self._pages = pages
        self._people = people
        self._sessions = sessions
        self._actions = actions
        self.clock = clock

    def for_admins(self, reading: ReadingAsSomebody) -> Reading:
        """Return an endpoint for administrators; others are told whom to ask, with 403."""

        async def endpoint(request: Request, me: Session) -> Response:
            self.admit(me)
            return await reading(request, me)

        return self._pages.for_somebody(endpoint)

    def admit(self, me: Session) -> None:
        """Raise 403 for somebody who is no administrator."""
        directory = self._people.of(me.workspace)
        if not self._sessions.dev_login and not administers(directory, me.email):
            raise Problem(
                403, "not_admin", f"This page is for administrators. {whom_to_ask(directory)}"
            )

    def people_of(self, me: Session) -> Directory:
        """Return everybody of somebody's workspace."""
        return self._people.of(me.workspace)

    async def render(
        self,
        name: str,
        me: Session,
        *,
        area: Area | None = None,
        told: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Return a page of theirs; `told` is the number of an action that is said at its head."""
        latest = await self._actions.latest(me.workspace, area, LATEST) if area else ()
        mine = next(
            (one for one in latest if str(one.action_id) == told and one.by_email == me.email), None
        )
        return self._pages.render(
            f"admin/{name}",
            me,
            status=status,
            headers=headers,
            places=PLACES,
            place=_PLACE_OF.get(name, name),
            latest=[said(one) for one in latest],
            told=said(mine) if mine else None,
            now=self.clock(),
            **context,
        )


def told_in(request: Request) -> str | None:
    """Return the number of the action that somebody has just done."""
    return request.query_params.get("done")
