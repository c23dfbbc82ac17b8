"""Stands before every form: refuses what another site sent, and shows each refusal as a page."""

import logging
from collections.abc import Awaitable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from events.decider import Refused
from events.store import Unavailable, VersionConflict
from projections.approval_view import ApprovalView
from projections.evolving import Gap
from services.decision.answering import Answering
from services.decision.api import STATUS_OF
from services.decision.forms.ports import Fields, Posting, PostingAsSomebody, Shows
from services.decision.own_accounts import GRANT_NEEDED
from services.web.problems import Problem, unavailable
from services.web.session import Session, Sessions, refuse_cross_site
from services.web.typed import Typed

SIGNED_OUT = "You are signed out: nothing was sent. Sign in and answer again."
AWAY = (
    "Placet cannot reach its store just now, so it is not known whether this was kept. "
    "Load the page again and look."
)
NO_PASSKEY = (
    "You have no passkey here that could confirm it: add one at /passkeys, then answer again."
)
SHOWN_WITH_THE_FORM = frozenset((403, 409, 422))

logger = logging.getLogger(__name__)


class NeedsConfirming(Exception):
    """An answer of somebody who is signed in is to be confirmed by their second factor first."""

    def __init__(self, approval_id: str, typed: Typed, told: str) -> None:
        super().__init__(told)
        self.approval_id = approval_id
        self.typed = typed


class Confirms(Protocol):
    """Who has answers confirmed."""

    async def confirm_answer(
        self, request: Request, me: Session, approval_id: str, fields: Fields
    ) -> Response | None:
        """Return the page that does; None for somebody who cannot."""
        ...


class Guard:
    """Wraps the endpoints of forms; `confirms` has answers confirmed, where somebody does."""

    def __init__(self, pages: Shows, sessions: Sessions) -> None:
        self._pages = pages
        self._sessions = sessions
        self.confirms: Confirms | None = None

    def guarded(self, posting: Posting) -> Posting:
        """Return an endpoint that takes forms of ours only, and whose problems are pages."""

        async def ours(request: Request) -> Response:
            refuse_cross_site(request)
            return await posting(request)

        return self.as_page(ours)

    def as_page(self, posting: Posting) -> Posting:
        """Return an endpoint whose problems are pages, wherever a request of it comes from."""

        async def endpoint(request: Request) -> Response:
            try:
                return await posting(request)
            except Problem as problem:
                return await self._pages.problem(request, problem)
            except (Unavailable, VersionConflict) as error:
                logger.warning("%s", error)
                return await self._pages.problem(request, unavailable(AWAY))

        return endpoint

    def for_somebody(self, posting: PostingAsSomebody) -> Posting:
        """Return an endpoint for whoever is signed in; others are asked who they are."""

        async def endpoint(request: Request) -> Response:
            me = await self._sessions.read(request)
            if me is None:
                approval_id = request.path_params.get("approval_id")
                page = f"/approvals/{approval_id}" if approval_id else _page_of(request.url.path)
                return await self._pages.sign_in(status=401, message=SIGNED_OUT, then=page)
            try:
                return await posting(request, me)
            except NeedsConfirming as needed:
                return await self._confirm(request, me, needed)

        return endpoint

    async def _confirm(self, request: Request, me: Session, needed: NeedsConfirming) -> Response:
        approval_id = needed.approval_id
        if self.confirms is not None:
            fields = needed.typed.fields
            page = await self.confirms.confirm_answer(request, me, approval_id, fields)
            if page is not None:
                return page
        return await self._pages.approval(
            me, approval_id, status=403, alert=f"{needed} {NO_PASSKEY}", typed=needed.typed
        )


def _page_of(path: str) -> str:
    """Return the page on which a form stands that is about no single approval."""
    if path.startswith("/passkeys"):
        return "/passkeys"
    if path == "/preferences":
        return path
    if path.startswith("/grants/"):
        return "/grants"
    return "/inbox" if path.startswith("/inbox/") else "/delegations"


async def granted(
    pages: Shows, me: Session, approval_id: str, typed: Typed, change: Awaitable[ApprovalView]
) -> ApprovalView | Response:
    """Return the approval after a change, or the page that says why not with what was typed."""
    try:
        return await change
    except Gap as error:
        raise Problem(404, "not_found", "There is no such approval.") from error
    except Refused as refused:
        if refused.code == "not_found":
            raise Problem(404, refused.code, str(refused)) from refused
        if refused.code == "assurance_too_low" and "decision" in typed.fields:
            # Whoever is signed in lacks nothing but the second factor.
            raise NeedsConfirming(approval_id, typed, str(refused)) from refused
        problem = Problem(STATUS_OF[refused.code], refused.code, str(refused))
    except Problem as error:
        if error.status not in SHOWN_WITH_THE_FORM:
            raise
        problem = error
    return await pages.approval(
        me,
        approval_id,
        status=problem.status,
        alert=problem.detail,
        connect=problem.code == GRANT_NEEDED,
        seen=typed.fields.get("revision"),
        typed=Typed(form=typed.form, fields=typed.fields, faults=faults_in(problem, typed)),
    )


def faults_in(problem: Problem, typed: Typed) -> Mapping[str, str]:
    """Return what a problem says of the fields that were sent, by their names."""
    faults = {}
    for error in problem.more.get("errors", ()):
        name = error["pointer"].removeprefix("/")
        if name in typed.fields:
            faults[name] = error["detail"].removeprefix(f"{name}: ")
    return faults


async def current(answers: Answering, me: Session, approval_id: str) -> ApprovalView:
    """Return an approval as it stands; raises 404."""
    try:
        return await answers.current(me.workspace, approval_id)
    except Gap as error:
        raise Problem(404, "not_found", "There is no such approval.") from error
