"""Renders the pages that reading and answering share, each with a message where there is one."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from events.store import Unavailable
from projections.approval_view import ApprovalView
from projections.cursors import BadCursor
from services.queue.pages.absences import Absence, absence, delegations
from services.queue.pages.detail import detail
from services.queue.pages.notices import ANSWERED, notice
from services.queue.pages.reading import People, Reads, entries_in
from services.queue.pages.templating import Templates, page
from services.settings import DEFAULT_WORKSPACE
from services.web.problems import Problem, unavailable
from services.web.session import Session, Sessions
from services.web.typed import Typed

_RETURN_TO = re.compile(r"/(inbox|inbox/decided|delegations|mailbox|approvals/[0-9A-Za-z]{27})")
_HEADINGS: Mapping[int, str] = {
    401: "Sign in first",
    403: "That is not possible",
    404: "There is nothing here",
    409: "That is over",
    413: "That is too much",
    503: "Back in a moment",
}

AWAY = "Placet cannot reach its store just now. Nothing is lost: try again in a moment."

logger = logging.getLogger(__name__)

Reading = Callable[[Request], Awaitable[Response]]
ReadingAsSomebody = Callable[[Request, Session], Awaitable[Response]]


class Pages:
    """Renders pages; raises `Unavailable` when the read side is away."""

    def __init__(
        self,
        reads: Reads,
        people: People,
        sessions: Sessions,
        templates: Templates,
        clock: Callable[[], datetime],
    ) -> None:
        self._reads = reads
        self._people = people
        self._sessions = sessions
        self._templates = templates
        self._clock = clock

    def render(
        self,
        name: str,
        me: Session | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Return a template as a page for `me`."""
        html = self._templates.render(name, me=me, dev_login=self._sessions.dev_login, **context)
        return page(html, status, headers)

    async def sign_in(
        self, *, status: int = 200, message: str | None = None, then: str | None = None
    ) -> Response:
        """Return the choice of people, or how to set up sign-in; `then`: where to go after it."""
        people = []
        if self._sessions.dev_login:
            people = [*await self._reads.people(DEFAULT_WORKSPACE)]
        return self.render(
            "sign_in",
            None,
            status=status,
            people=people,
            message=message,
            next=self.return_to(then),
        )

    def return_to(self, path: str | None) -> str | None:
        """Return a path if it is one of our pages, to which a person may be sent."""
        return path if path is not None and _RETURN_TO.fullmatch(path) else None

    async def approval(
        self,
        me: Session,
        approval_id: str,
        *,
        status: int = 200,
        alert: str | None = None,
        seen: str | None = None,
        typed: Typed | None = None,
        told: str | None = None,
    ) -> Response:
        """Return the page of one approval as it is now; raises 404.

        `alert` says what went wrong; `seen` is the revision that the person answered; `typed` is
        what they sent by one of its forms, to be shown again; `told` is the code of a notice.
        """
        view = await self._reads.view(me.workspace, approval_id)
        if view is None:
            raise Problem(404, "not_found", "There is no such approval.")
        history = entries_in(await self._reads.history(me.workspace, approval_id))
        return self.render(
            "approval",
            me,
            status=status,
            it=detail(view, history, me.email, self._clock(), seen),
            alert=alert,
            typed=typed,
            once=secrets.token_hex(12),
            notice=notice(told, view, me.email),
        )

    async def delegations(
        self,
        me: Session,
        *,
        status: int = 200,
        alert: str | None = None,
        typed: Typed | None = None,
        told: str | None = None,
    ) -> Response:
        """Return the page of who stands in for `me`, and for whom they do."""
        directory = await self._people.fresh(me.workspace)
        return self.render(
            "delegations",
            me,
            status=status,
            it=delegations(directory, me.email, self._clock()),
            alert=alert,
            typed=typed,
            told=told if told in ("added", "ended") else None,
        )

    def away(self, me: Session) -> Absence | None:
        """Return who answers for `me` just now, if somebody does."""
        return absence(self._people.of(me.workspace), me.email, self._clock())

    def answered(self, view: ApprovalView, *, to_inbox: bool, cursor: str | None) -> Response:
        """Send a person who answered on to the page that tells what came of it."""
        if not to_inbox:
            return redirect(f"/approvals/{view.id}", notice=ANSWERED)
        return redirect("/inbox", notice=ANSWERED, about=view.id, cursor=cursor)

    def done(self, approval_id: str, told: str) -> Response:
        """Send a person back to an approval, which tells what was done."""
        return redirect(f"/approvals/{approval_id}", notice=told)

    def problem(self, request: Request, problem: Problem) -> Response:
        """Return a problem as a page."""
        return self.render(
            "problem",
            self._sessions.read(request),
            status=problem.status,
            headers=problem.headers,
            heading=_HEADINGS.get(problem.status, "Something is not right"),
            detail=problem.detail,
        )

    def open_to_all(self, reading: Reading) -> Reading:
        """Return an endpoint whose problems are pages."""

        async def endpoint(request: Request) -> Response:
            try:
                return await reading(request)
            except BadCursor as error:
                return self.problem(request, Problem(422, "invalid", str(error)))
            except Problem as problem:
                return self.problem(request, problem)
            except Unavailable as error:
                logger.warning("%s", error)
                return self.problem(request, unavailable(AWAY))

        return endpoint

    def for_somebody(self, reading: ReadingAsSomebody) -> Reading:
        """Return an endpoint for whoever is signed in; others are asked who they are."""

        async def endpoint(request: Request) -> Response:
            me = self._sessions.read(request)
            if me is None:
                return await self.sign_in(status=401, then=request.url.path)
            return await reading(request, me)

        return self.open_to_all(endpoint)


def redirect(path: str, **parameters: str | None) -> Response:
    """Send somebody on by a GET to a page of ours."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    headers = {"Cache-Control": "no-store"}
    return RedirectResponse(f"{path}?{query}" if query else path, 303, headers)
