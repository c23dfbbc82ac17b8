"""What people send from the pages: who they are, their answers, their comments."""

import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from events.approval import Outcome, Person
from events.decider import Refused
from events.store import Unavailable, VersionConflict
from projections.approval_view import ApprovalView
from projections.queries import Docs, Filters
from services.decision.answering import ANSWERS, Answer
from services.settings import DEFAULT_WORKSPACE
from services.web.bodies import read_body
from services.web.emails import NotAnAddress, email
from services.web.problems import Invalid, Problem, unavailable
from services.web.session import Session, Sessions, refuse_cross_site

CHANNEL = "inbox"
MAX_TEXT = 10_000
MAX_REVISION = 1_000
MAX_FIELDS = 20
FORM = "application/x-www-form-urlencoded"

_APPROVAL_ID = re.compile(r"[0-9A-Za-z]{27}")
_COMMENT_ID = re.compile(r"[0-9a-f]{24}")
_CURSOR = re.compile(r"[0-9A-Za-z_-]{1,200}")

NO_REASON = "Say why: a request is not denied without a reason."
NO_TEXT = "Write something first."
SIGNED_OUT = "You are signed out: nothing was sent. Sign in and answer again."
AWAY = (
    "Placet cannot reach its store just now, so it is not known whether this was kept. "
    "Load the page again and look."
)

logger = logging.getLogger(__name__)

Fields = Mapping[str, str]
Posting = Callable[[Request], Awaitable[Response]]
PostingAsSomebody = Callable[[Request, Session], Awaitable[Response]]


class Answers(Protocol):
    """Who takes answers; `services.decision.answering.Answering` does."""

    async def decide(self, workspace: str, approval_id: str, answer: Answer) -> ApprovalView:
        """Submit an answer; raises `Refused` and `Unavailable`."""
        ...

    async def comment(
        self, workspace: str, approval_id: str, *, by: Person, text: str, comment_id: str
    ) -> ApprovalView:
        """Leave a comment, once for each id; raises `Refused` and `Unavailable`."""
        ...


class Asked(Protocol):
    """Who knows what somebody was asked."""

    async def list(
        self, workspace: str, filters: Filters, *, limit: int, cursor: str | None
    ) -> Docs:
        """Return approvals, newest first."""
        ...


class Shows(Protocol):
    """Who renders pages; the composition root knows one that does."""

    async def sign_in(
        self, *, status: int = 200, message: str | None = None, then: str | None = None
    ) -> Response:
        """Return the choice of people."""
        ...

    def return_to(self, path: str | None) -> str | None:
        """Return a path if it is one of our pages."""
        ...

    async def approval(
        self,
        me: Session,
        approval_id: str,
        *,
        status: int = 200,
        alert: str | None = None,
        seen: str | None = None,
        typed: tuple[Outcome, str, str | None] | None = None,
        comment: tuple[str, str] | None = None,
    ) -> Response:
        """Return an approval's page with what went wrong, and with what was typed."""
        ...

    def answered(self, view: ApprovalView, *, to_inbox: bool, cursor: str | None) -> Response:
        """Send somebody who answered on."""
        ...

    def commented(self, approval_id: str) -> Response:
        """Send somebody who commented on."""
        ...

    def problem(self, request: Request, problem: Problem) -> Response:
        """Return a problem as a page."""
        ...


def forms_router(answers: Answers, asked: Asked, pages: Shows, sessions: Sessions) -> APIRouter:
    """Return the routes that take forms: each refuses what another site sent."""
    forms = _Forms(answers, asked, pages, sessions)
    router = APIRouter()
    for path, posting in (
        ("/login", forms.login),
        ("/logout", forms.logout),
        ("/approvals/{approval_id}/decision", forms.for_somebody(forms.decide)),
        ("/approvals/{approval_id}/comments", forms.for_somebody(forms.comment)),
    ):
        endpoint = forms.guarded(posting)
        router.add_route(path, endpoint, methods=["POST"], include_in_schema=False)
    return router


class _Forms:
    def __init__(self, answers: Answers, asked: Asked, pages: Shows, sessions: Sessions) -> None:
        self._answers = answers
        self._asked = asked
        self._pages = pages
        self._sessions = sessions

    def guarded(self, posting: Posting) -> Posting:
        async def endpoint(request: Request) -> Response:
            try:
                refuse_cross_site(request)
                return await posting(request)
            except Problem as problem:
                return self._pages.problem(request, problem)
            except (Unavailable, VersionConflict) as error:
                logger.warning("%s", error)
                return self._pages.problem(request, unavailable(AWAY))

        return endpoint

    def for_somebody(self, posting: PostingAsSomebody) -> Posting:
        async def endpoint(request: Request) -> Response:
            me = self._sessions.read(request)
            if me is None:
                page = f"/approvals/{request.path_params['approval_id']}"
                return await self._pages.sign_in(status=401, message=SIGNED_OUT, then=page)
            return await posting(request, me)

        return endpoint

    async def login(self, request: Request) -> Response:
        if not self._sessions.dev_login:
            raise Problem(404, "not_found", "Sign-in is not set up: see the start page.")
        fields = await read_form(request, required=("email",), optional=("next",))
        following = self._pages.return_to(fields.get("next"))
        address = _address(fields["email"])
        filters = Filters(approver=address)
        docs = await self._asked.list(DEFAULT_WORKSPACE, filters, limit=1, cursor=None)
        if not docs.rows:
            message = f"{address} was never asked for an approval. Choose one of the people below."
            return await self._pages.sign_in(status=422, message=message, then=following)
        response = _redirect(following or "/inbox")
        self._sessions.start(response, Session(DEFAULT_WORKSPACE, address))
        return response

    async def logout(self, request: Request) -> Response:
        await read_form(request)
        response = _redirect("/")
        self._sessions.end(response)
        return response

    async def decide(self, request: Request, me: Session) -> Response:
        approval_id = _known(request)
        fields = await read_form(
            request, required=("decision", "revision"), optional=("reason", "next", "cursor")
        )
        outcome = ANSWERS.get(fields["decision"].strip().lower())
        if outcome is None:
            raise Invalid("decision: send approve or deny.", pointer="/decision")
        revision = _bounded(fields["revision"], "revision", MAX_REVISION)
        reason = _bounded(fields.get("reason", ""), "reason", MAX_TEXT).strip()
        to_inbox, cursor = _place(fields)
        if outcome == "rejected" and not reason:
            typed = (outcome, reason, NO_REASON)
            return await self._pages.approval(
                me, approval_id, status=422, seen=revision, typed=typed
            )
        answer = Answer(
            outcome=outcome,
            by=Person(email=me.email),
            reason=reason or None,
            channel=CHANNEL,
            via=None,
            revision=revision,
        )
        try:
            view = await self._answers.decide(me.workspace, approval_id, answer)
        except Refused as refused:
            if refused.code == "not_found":
                raise Problem(404, refused.code, str(refused)) from refused
            return await self._pages.approval(
                me,
                approval_id,
                status=403 if refused.code == "not_an_approver" else 409,
                alert=str(refused),
                seen=revision,
                typed=(outcome, reason, None),
            )
        return self._pages.answered(view, to_inbox=to_inbox, cursor=cursor)

    async def comment(self, request: Request, me: Session) -> Response:
        approval_id = _known(request)
        fields = await read_form(request, required=("text", "comment_id"))
        text = _bounded(fields["text"], "text", MAX_TEXT).strip()
        comment_id = fields["comment_id"]
        if not _COMMENT_ID.fullmatch(comment_id):
            raise Invalid("comment_id: load the page again.", pointer="/comment_id")
        if not text:
            comment = (text, NO_TEXT)
            return await self._pages.approval(me, approval_id, status=422, comment=comment)
        try:
            await self._answers.comment(
                me.workspace,
                approval_id,
                by=Person(email=me.email),
                text=text,
                # As over the API: whoever sends the same key twice has commented once.
                comment_id=f"{me.email} {comment_id}",
            )
        except Refused as refused:
            raise Problem(404, refused.code, str(refused)) from refused
        return self._pages.commented(approval_id)


async def read_form(
    request: Request, *, required: Collection[str] = (), optional: Collection[str] = ()
) -> Fields:
    """Return a form's fields; raises 413, 415, or 422 naming a field that is unknown or missing."""
    body = await read_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise Problem(415, "wrong_type", f"Send a form: {FORM}.")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:  # also bytes that are no UTF-8
        raise Invalid("This is no form of ours: load the page again.") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in (*required, *optional):
            raise Invalid(f"{name[:100]}: there is no such field.", pointer=f"/{name[:100]}")
        if name in fields:
            raise Invalid(f"{name}: sent twice.", pointer=f"/{name}")
        fields[name] = value.replace("\r\n", "\n")
    for name in required:
        if name not in fields:
            raise Invalid(f"{name}: is missing.", pointer=f"/{name}")
    return fields


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})


def _known(request: Request) -> str:
    approval_id: str = request.path_params["approval_id"]
    if not _APPROVAL_ID.fullmatch(approval_id):
        raise Problem(404, "not_found", "There is no such approval.")
    return approval_id


def _address(text: str) -> str:
    try:
        return email(text)
    except NotAnAddress as error:
        raise Invalid(f"email: {error}", pointer="/email") from error


def _bounded(text: str, field: str, most: int) -> str:
    if len(text) > most:
        raise Invalid(f"{field}: at most {most:,} characters.", pointer=f"/{field}")
    return text


def _place(fields: Fields) -> tuple[bool, str | None]:
    """Return whether to go on in the inbox, and at which of its pages: never an address."""
    following = fields.get("next", "approval")
    if following not in ("approval", "inbox"):
        raise Invalid("next: approval or inbox.", pointer="/next")
    cursor = fields.get("cursor")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise Invalid("cursor: this is none that we gave.", pointer="/cursor")
    return following == "inbox", cursor
