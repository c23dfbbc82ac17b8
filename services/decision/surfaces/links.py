"""Where the links of e-mails lead: looking decides nothing, and only a person's answer does."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from events.approval import Outcome, Person
from events.decider import Refused
from events.store import Unavailable, VersionConflict
from services.decision.answering import ANSWERS, Answer, Answering
from services.decision.api import STATUS_OF
from services.decision.forms.deciding import NO_REASON
from services.decision.forms.fields import read_form, text_in
from services.decision.forms.ports import Fields
from services.decision.surfaces.cards import Cards
from services.decision.surfaces.link_opening import Opened, Opening
from services.decision.surfaces.link_page import (
    AWAY,
    HEADERS,
    STATUS,
    UNKNOWN,
    LinkPage,
    link_page,
    wrong,
)
from services.web.problems import Invalid, Problem
from services.web.session import Session, is_cross_site
from services.web.typed import Typed

NOT_TYPED = "Type this word: programs open the links of this mail, and none of them is to answer."
TOO_LATE = "It is too late to take this back, or it is not yours to take back."
GONE = 410
NOT_FOUND = 404

logger = logging.getLogger(__name__)


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


class LinkPages:
    """The page of a link."""

    def __init__(
        self,
        *,
        answering: Answering,
        opening: Opening,
        cards: Cards,
        draws: Draws,
    ) -> None:
        self._answering = answering
        self._opening = opening
        self._cards = cards
        self._draws = draws

    async def show(self, request: Request) -> Response:
        """Show what a link is for; changes nothing."""
        opened = await self._opening.opened(request)
        if opened is None:
            return self._page(UNKNOWN, NOT_FOUND)
        status = GONE if opened.standing.kind == "expired" else 200
        return self._page(self._drawn(opened), status)

    async def answer(self, request: Request) -> Response:
        """Take an answer, or take one back."""
        _refuse_other_sites(request)
        fields = await read_form(request, optional=("decision", "reason", "confirm", "undo"))
        opened = await self._opening.opened(request)
        if opened is None:
            return self._page(UNKNOWN, NOT_FOUND)
        if "undo" in fields:
            return await self._undo(request, opened)
        if opened.standing.kind != "open":
            return self._page(self._drawn(opened), STATUS[opened.standing.kind])
        return await self._decide(request, opened, fields)

    async def _decide(self, request: Request, opened: Opened, fields: Fields) -> Response:
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
        self, opened: Opened, outcome: Outcome, reason: str, fields: Fields
    ) -> Mapping[str, str]:
        faults = {}
        if outcome == "rejected" and not reason:
            faults["reason"] = NO_REASON
        word = fields.get("confirm", "").strip().lower()
        if opened.must_type and ANSWERS.get(word) != outcome:
            faults["confirm"] = NOT_TYPED
        return faults

    async def _undo(self, request: Request, opened: Opened) -> Response:
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
        opened: Opened,
        *,
        alert: str | None,
        status: int,
        typed: Typed | None = None,
    ) -> Response:
        """Show how things stand after an answer."""
        now_is = await self._opening.again(request, opened)
        return self._page(self._drawn(now_is, alert=alert, typed=typed), status)

    def _drawn(
        self, opened: Opened, *, alert: str | None = None, typed: Typed | None = None
    ) -> LinkPage:
        return link_page(
            opened.link,
            opened.standing,
            opened.view,
            opened.card,
            confirm=opened.must_type,
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
    """Raise 403 for a form that another site sent."""
    # Where a browser says nothing but `null`, knowing the token has to do.
    if is_cross_site(request, without_origin=True):
        raise Problem(
            403, "cross_site", "This was sent by another site. Open the link in the mail itself."
        )


def _form(outcome: Outcome) -> str:
    return "deny" if outcome == "rejected" else "approve"
