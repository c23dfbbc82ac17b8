"""Renders the pages that reading and answering share, each with a message where there is one."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from events.approval import Outcome
from events.store import Unavailable
from projections.approval_view import ApprovalView, decode_view
from projections.cursors import BadCursor
from services.directory.admins import administers
from services.queue.opened import Opened
from services.queue.pages.absences import Absence, absence, delegations
from services.queue.pages.detail import detail
from services.queue.pages.notices import ANSWERED, notice
from services.queue.pages.reading import People, Reads, entries_in
from services.queue.pages.selection import chosen, title_of, together
from services.queue.pages.templating import Templates, page
from services.settings import DEFAULT_WORKSPACE
from services.web.picked import Picked, Result
from services.web.problems import Problem, unavailable
from services.web.session import Session, Sessions
from services.web.typed import Typed

_RETURN_TO = re.compile(
    r"/(inbox|inbox/shared|inbox/decided|requests|shortcuts"
    r"|delegations|preferences|passkeys|grants|mailbox|admin/[a-z]{1,20}|approvals/[0-9A-Za-z]{27})"
)
_HEADINGS: Mapping[int, str] = {
    401: "Sign in first",
    403: "That is not possible",
    404: "There is nothing here",
    409: "That is over",
    413: "That is too much",
    429: "Not so fast",
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
        opened: Opened,
    ) -> None:
        self._reads = reads
        self._people = people
        self._sessions = sessions
        self._templates = templates
        self._clock = clock
        self._opened = opened

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
        html = self._templates.render(
            name,
            me=me,
            dev_login=self._sessions.dev_login,
            admin=self._administers(me),
            **context,
        )
        return page(html, status, headers)

    def _administers(self, me: Session | None) -> bool:
        if me is None:
            return False
        return self._sessions.dev_login or administers(self._people.of(me.workspace), me.email)

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
            oidc=self._sessions.oidc,
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
        connect: bool = False,
        seen: str | None = None,
        typed: Typed | None = None,
        told: str | None = None,
    ) -> Response:
        """Return the page of one approval as it is now; raises 404.

        `alert` says what went wrong, and `connect` that they have to connect an account first;
        `seen` is the revision that the person answered; `typed` is what they sent by one of its
        forms, to be shown again; `told` is the code of a notice.
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
            connect=connect,
            typed=typed,
            once=secrets.token_hex(12),
            notice=notice(told, view, me.email, self._clock()),
            by_programs=await self._opened.by_programs(me.workspace, approval_id),
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

    def shortcuts(self, me: Session, *, on: bool) -> Response:
        """Return the page of the keyboard shortcuts, and whether they are on."""
        return self.render("shortcuts", me, on=on)

    def away(self, me: Session) -> Absence | None:
        """Return who answers for `me` just now, if somebody does."""
        return absence(self._people.of(me.workspace), me.email, self._clock())

    def answered(
        self, view: ApprovalView, *, to_inbox: bool, back: str = "", told: str = ANSWERED
    ) -> Response:
        """Send a person on to the page that tells what came of an answer.

        `back` are the parameters of the inbox from where they came.
        """
        if not to_inbox:
            return redirect(f"/approvals/{view.id}", notice=told)
        return redirect("/inbox", notice=told, about=view.id, **dict(parse_qsl(back)))

    async def sure(
        self,
        me: Session,
        picked: Sequence[Picked],
        outcome: Outcome,
        *,
        back: str = "",
        status: int = 200,
        typed: Typed | None = None,
    ) -> Response:
        """Return the page that asks once more before several are answered together."""
        views = await self._views(me, picked)
        found = chosen(picked, views, me.email, self._clock())
        able = sum(1 for one in found if one.obstacle is None)
        return self.render(
            "sure",
            me,
            status=status,
            chosen=found,
            able=able,
            outcome=outcome,
            heading=title_of(outcome, able),
            back=back,
            typed=typed,
        )

    async def results(
        self, me: Session, results: Sequence[Result], said: str, back: str
    ) -> Response:
        """Return the page that says what became of each of several; `said` is what was done."""
        views = await self._views(me, [one.picked for one in results if one.view is None])
        told = [
            replace(one, view=views.get(one.picked.approval_id)) if one.view is None else one
            for one in results
        ]
        it = together(told, me.email, self._clock())
        return self.render("results", me, it=it, said=said, back=back)

    async def _views(self, me: Session, picked: Sequence[Picked]) -> Mapping[str, ApprovalView]:
        ids = [one.approval_id for one in picked]
        docs = await self._reads.approvals(me.workspace, ids) if ids else {}
        return {approval_id: decode_view(one.doc) for approval_id, one in docs.items()}

    def done(self, approval_id: str, told: str) -> Response:
        """Send a person back to an approval, which tells what was done."""
        return redirect(f"/approvals/{approval_id}", notice=told)

    async def problem(self, request: Request, problem: Problem) -> Response:
        """Return a problem as a page."""
        me = None
        with suppress(Unavailable):
            me = await self._sessions.read(request)
        return self.render(
            "problem",
            me,
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
                return await self.problem(request, Problem(422, "invalid", str(error)))
            except Problem as problem:
                return await self.problem(request, problem)
            except Unavailable as error:
                logger.warning("%s", error)
                return await self.problem(request, unavailable(AWAY))

        return endpoint

    def for_somebody(self, reading: ReadingAsSomebody) -> Reading:
        """Return an endpoint for whoever is signed in; others are asked who they are."""

        async def endpoint(request: Request) -> Response:
            me = await self._sessions.read(request)
            if me is None:
                return await self.sign_in(status=401, then=request.url.path)
            return await reading(request, me)

        return self.open_to_all(endpoint)


def redirect(path: str, **parameters: str | None) -> Response:
    """Send somebody on by a GET to a page of ours."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    headers = {"Cache-Control": "no-store"}
    return RedirectResponse(f"{path}?{query}" if query else path, 303, headers)
