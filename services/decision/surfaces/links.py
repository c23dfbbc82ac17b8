"""Where the links of e-mails lead: looking decides nothing, and only a person's answer does."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from events.approval import ApprovalEvent, ApprovalRequested, ApprovalRevised, Outcome, Person
from events.decider import Refused
from events.store import EventStore, Unavailable, VersionConflict
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from services.approval_types import ApprovalTypes
from services.channels.card import Card, make_card
from services.channels.email.visits import Visit, judged, looks_scanned
from services.channels.mustache import CardTemplate
from services.decision.answering import ANSWERS, Answer, Answering
from services.decision.api import STATUS_OF
from services.decision.forms.fields import read_form, text_in
from services.decision.forms.ports import Fields
from services.decision.surfaces.cards import Cards
from services.decision.surfaces.link_page import (
    AWAY,
    HEADERS,
    STATUS,
    UNKNOWN,
    LinkPage,
    link_page,
    wrong,
)
from services.decision.surfaces.link_records import Link, Links
from services.decision.surfaces.link_standing import Standing, standing
from services.directory import Directories
from services.web.problems import Invalid, Problem
from services.web.session import Session, Sessions
from services.web.typed import Typed

NO_REASON = "Say why: a request is not denied without a reason."
NOT_TYPED = "Type this word: programs open the links of this mail, and none of them is to answer."
TOO_LATE = "It is too late to take this back, or it is not yours to take back."
GONE = 410
NOT_FOUND = 404

logger = logging.getLogger(__name__)

Look = Callable[[ApprovalView], tuple[CardTemplate | None, Sequence[str]]]
"""Returns with which template an approval is drawn, and what of its payload is left out."""


class Draws(Protocol):
    """Who renders pages; the composition root knows one that does."""

    def render(
        self,
        name: str,
        me: Session | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Return a template as a page."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A link as it was opened: by whom, what it is about, and how that stands."""

    link: Link
    me: Session | None
    view: ApprovalView
    card: Card
    standing: Standing
    visit: Visit
    scanned: bool


class LinkPages:
    """The page of a link."""

    def __init__(
        self,
        *,
        answering: Answering,
        store: EventStore,
        links: Links,
        cards: Cards,
        types: ApprovalTypes,
        directories: Directories,
        sessions: Sessions,
        draws: Draws,
        look: Look,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._answering = answering
        self._store = store
        self._links = links
        self._cards = cards
        self._types = types
        self._directories = directories
        self._sessions = sessions
        self._draws = draws
        self._look = look
        self._public_url = public_url
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """Show what a link is for; changes nothing."""
        opened = await self._opened(request)
        if opened is None:
            return self._page(UNKNOWN, NOT_FOUND)
        status = GONE if opened.standing.kind == "expired" else 200
        return self._page(self._drawn(opened), status)

    async def answer(self, request: Request) -> Response:
        """Take an answer, or take one back."""
        _refuse_other_sites(request)
        fields = await read_form(request, optional=("decision", "reason", "confirm", "undo"))
        opened = await self._opened(request)
        if opened is None:
            return self._page(UNKNOWN, NOT_FOUND)
        if "undo" in fields:
            return await self._undo(request, opened)
        if opened.standing.kind != "open":
            return self._page(self._drawn(opened), STATUS[opened.standing.kind])
        return await self._decide(request, opened, fields)

    async def _decide(self, request: Request, opened: _Opened, fields: Fields) -> Response:
        outcome = ANSWERS.get(fields.get("decision", "").strip().lower())
        if outcome is None:
            raise Invalid("decision: send approve or deny.", pointer="/decision")
        reason = text_in(fields, "reason")
        faults = self._faults(opened, outcome, reason, fields)
        typed = Typed(form=_form(outcome), fields=fields, faults=faults)
        if faults:
            return self._page(self._drawn(opened, typed=typed), 422)
        link, me = opened.link, opened.me
        shown = await self._cards.sent(
            link.workspace, link.approval_id, link.approver, link.channel
        )
        answer = Answer(
            outcome=outcome,
            by=Person(email=link.approver),
            reason=reason or None,
            channel=link.channel,
            via=None,
            revision=link.revision,
            assurance=me.assurance if me is not None else "link",
            shown=shown.get(link.revision),
            undoable=True,
            command_id=link.command_id,
        )
        refusal: str | None = None
        status = 200
        try:
            await self._answering.decide(link.workspace, link.approval_id, answer)
        except Refused as refused:
            refusal, status = str(refused), STATUS_OF[refused.code]
        except Problem as problem:
            refusal, status = problem.detail, problem.status
        return await self._again(request, opened, alert=refusal, status=status, typed=typed)

    def _faults(
        self, opened: _Opened, outcome: Outcome, reason: str, fields: Fields
    ) -> Mapping[str, str]:
        faults = {}
        if outcome == "rejected" and not reason:
            faults["reason"] = NO_REASON
        word = fields.get("confirm", "").strip().lower()
        if self._must_type(opened) and ANSWERS.get(word) != outcome:
            faults["confirm"] = NOT_TYPED
        return faults

    async def _undo(self, request: Request, opened: _Opened) -> Response:
        if not opened.standing.may_undo:
            return self._page(self._drawn(opened, alert=TOO_LATE), 409)
        alert: str | None = None
        status = 200
        link = opened.link
        try:
            await self._answering.undo(
                link.workspace, link.approval_id, by=Person(email=link.approver)
            )
        except Refused as refused:
            alert, status = str(refused), STATUS_OF[refused.code]
        return await self._again(request, opened, alert=alert, status=status)

    async def _again(
        self,
        request: Request,
        opened: _Opened,
        *,
        alert: str | None,
        status: int,
        typed: Typed | None = None,
    ) -> Response:
        """Show how things stand after an answer."""
        now_is = await self._stands(request, opened.link, opened.visit, scanned=opened.scanned)
        return self._page(self._drawn(now_is, alert=alert, typed=typed), status)

    async def _opened(self, request: Request) -> _Opened | None:
        """Return what a link opens, and keep that somebody came; None for no link of ours."""
        link = await self._links.find(request.path_params["token"])
        if link is None:
            return None
        now = self._clock()
        earlier = await self._links.visits(link)
        headers = {name.lower(): value for name, value in request.headers.items()}
        visit = Visit(
            at=now,
            method=request.method,
            user_agent=headers.get("user-agent", ""),
            verdict=judged(request.method, headers, now=now, sent_at=link.sent_at, earlier=earlier),
            same_link=True,
        )
        await self._links.visited(link, visit)
        return await self._stands(request, link, visit, scanned=looks_scanned((*earlier, visit)))

    async def _stands(
        self, request: Request, link: Link, visit: Visit, *, scanned: bool
    ) -> _Opened:
        me = await self._sessions.read(request)
        stream = (await self._store.read(link.workspace, [link.approval_id]))[link.approval_id]
        facts = [recorded.event for recorded in stream]
        view = view_of(link.workspace, link.approval_id, facts)
        kind = self._types.within(link.workspace).find(view.type)
        now = self._clock()
        stands = standing(
            link,
            stream,
            view,
            me,
            now=now,
            decide_from_link=kind is not None and kind.decide_from_link,
            active=self._directories.of(link.workspace).is_active(link.approver),
        )
        template, sensitive = self._look(view)
        before = None
        if view.revision != link.revision:
            before = view_of(link.workspace, link.approval_id, _as_sent(link, facts))
        card = make_card(
            view,
            link.approver,
            public_url=self._public_url,
            template=template,
            now=now,
            before=before,
            sensitive=sensitive,
        )
        return _Opened(
            link=link,
            me=me,
            view=view,
            card=card,
            standing=stands,
            visit=visit,
            scanned=scanned,
        )

    def _must_type(self, opened: _Opened) -> bool:
        """Tell whether a click is not enough: nobody is signed in, and programs came by."""
        return opened.standing.by_link and opened.scanned

    def _drawn(
        self, opened: _Opened, *, alert: str | None = None, typed: Typed | None = None
    ) -> LinkPage:
        return link_page(
            opened.link,
            opened.standing,
            opened.view,
            opened.card,
            confirm=self._must_type(opened),
            scanned=opened.scanned,
            reader=opened.me.email if opened.me is not None else None,
            alert=alert,
            typed=typed,
        )

    def _page(self, shown: LinkPage, status: int) -> Response:
        return self._draws.render("link", None, status=status, headers=HEADERS, it=shown)

    def guarded(self, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """Return an endpoint whose every answer is a page of a link: nothing tells its address."""

        async def guarded(request: Request) -> Response:
            try:
                response: Response = await endpoint(request)
            except Problem as problem:
                return self._page(wrong(problem.detail), problem.status)
            except (Unavailable, VersionConflict) as error:
                logger.warning("a link cannot be opened: %s", error)
                return self._page(AWAY, 503)
            except Exception:
                # Not left to the application, which tells the log at which address it was.
                logger.exception("a link cannot be opened")
                return self._page(AWAY, 500)
            return response

        return guarded


def links_router(pages: LinkPages) -> APIRouter:
    """Return the routes of links."""
    router = APIRouter()
    show, answer = pages.guarded(pages.show), pages.guarded(pages.answer)
    router.add_route("/l/{token}", show, methods=["GET"], include_in_schema=False)
    router.add_route("/l/{token}", answer, methods=["POST"], include_in_schema=False)
    return router


def _refuse_other_sites(request: Request) -> None:
    """Raise 403 for a form that another site sent.

    This page tells nobody its address, and so browsers send `null` as the origin of its form:
    where they say nothing more, knowing the token has to do.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin", "null")
        allowed = origin == "null" or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise Problem(
            403, "cross_site", "This was sent by another site. Open the link in the mail itself."
        )


def _as_sent(link: Link, facts: Sequence[ApprovalEvent]) -> Sequence[ApprovalEvent]:
    """Return the facts up to the one with which the revision of a link began."""
    end = 1
    for place, fact in enumerate(facts, start=1):
        if isinstance(fact, ApprovalRequested | ApprovalRevised):
            end = place if fact.about.revision == link.revision else end
    return facts[:end]


def _form(outcome: Outcome) -> str:
    return "deny" if outcome == "rejected" else "approve"
