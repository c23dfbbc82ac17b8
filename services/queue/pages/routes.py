"""The addresses of the pages: GET and HEAD, which change nothing."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.queue.opened import NobodyOpened, Opened
from services.queue.pages.assets import Assets
from services.queue.pages.inbox import Inbox
from services.queue.pages.lists import Lists
from services.queue.pages.mailbox import MailboxPages
from services.queue.pages.reading import Finds, Mail, People, Reads
from services.queue.pages.rendering import Pages, Reading, redirect
from services.queue.pages.templating import Connects, IsPaused, Templates
from services.queue.streams import MEDIA_TYPE, Streams
from services.web.problems import Problem
from services.web.session import Session, Sessions

APPROVAL_ID_CHARS = 27
SHORTCUTS = "placet_shortcuts"
"""The cookie that says whether keyboard shortcuts are on."""


FORMS = (
    "decision",
    "comments",
    "questions",
    "answers",
    "revise",
    "reassign",
    "remind",
    "withdraw",
    "undo",
)
"""Where the forms of an approval are sent."""


def make_pages(
    reads: Reads,
    people: People,
    sessions: Sessions,
    clock: Callable[[], datetime],
    is_paused: IsPaused = lambda *_: False,
    opened: Opened | None = None,
    connects: Connects = lambda _: False,
) -> Pages:
    """Return what renders pages, for `pages_router` here and for the forms of `decision`."""
    templates = Templates(Assets(), is_paused, connects)
    return Pages(reads, people, sessions, templates, clock, opened or NobodyOpened())


def pages_router(
    pages: Pages,
    reads: Reads,
    finds: Finds,
    mail: Mail,
    streams: Streams,
    sessions: Sessions,
    clock: Callable[[], datetime],
) -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter()
    inbox = Inbox(pages, reads, finds, clock)
    lists = Lists(pages, reads, finds, clock)
    mailbox = MailboxPages(pages, mail, sessions)

    async def start(request: Request) -> Response:
        return redirect("/inbox") if await sessions.read(request) else await pages.sign_in()

    async def approval(request: Request, me: Session) -> Response:
        approval_id = known(request.path_params["approval_id"])
        return await pages.approval(me, approval_id, told=request.query_params.get("notice"))

    async def delegations(request: Request, me: Session) -> Response:
        return await pages.delegations(me, told=request.query_params.get("notice"))

    async def shortcuts(request: Request, me: Session) -> Response:
        return pages.shortcuts(me, on=request.cookies.get(SHORTCUTS) != "off")

    async def stream(request: Request) -> Response:
        me = await sessions.read(request)
        if me is None:
            raise Problem(401, "signed_out", "Sign in to see what changes.")
        if request.method == "HEAD":
            return Response(media_type=MEDIA_TYPE)
        return streams.response(me.workspace, request)

    async def to_start(_: Request) -> Response:
        return redirect("/")

    async def to_inbox(_: Request) -> Response:
        return redirect("/inbox")

    async def to_delegations(_: Request) -> Response:
        return redirect("/delegations")

    async def to_approval(request: Request) -> Response:
        return redirect(f"/approvals/{known(request.path_params['approval_id'])}")

    def at(path: str, reading: Reading) -> None:
        router.add_route(path, reading, methods=["GET"], include_in_schema=False)

    at("/", pages.open_to_all(start))
    at("/inbox", pages.for_somebody(inbox.waiting))
    at("/inbox/rows", pages.for_somebody(inbox.fragment))
    at("/inbox/shared", pages.for_somebody(lists.shared))
    at("/inbox/decided", pages.for_somebody(lists.settled))
    at("/requests", pages.for_somebody(lists.requests))
    at("/shortcuts", pages.for_somebody(shortcuts))
    at("/inbox/stream", pages.open_to_all(stream))
    at("/approvals/{approval_id}", pages.for_somebody(approval))
    at("/delegations", pages.for_somebody(delegations))
    at("/mailbox", pages.open_to_all(mailbox.list))
    at("/mailbox/{message_id}", pages.open_to_all(mailbox.message))
    at("/mailbox/{message_id}/html", pages.open_to_all(mailbox.html))
    at("/assets/{etag}/{name}", Assets().serve)
    # Where a form that was refused leaves the browser, whose user then asks for the same address.
    at("/login", to_start)
    at("/logout", to_start)
    at("/inbox/decisions", pages.open_to_all(to_inbox))
    at("/delegations/{delegation_id}/end", to_delegations)
    for form in FORMS:
        at(f"/approvals/{{approval_id}}/{form}", pages.open_to_all(to_approval))
    return router


def known(approval_id: str) -> str:
    """Return an id that may exist; raises 404 for a text that never was one."""
    if not (
        approval_id.isascii() and approval_id.isalnum() and len(approval_id) == APPROVAL_ID_CHARS
    ):
        raise Problem(404, "not_found", "There is no such approval.")
    return approval_id
