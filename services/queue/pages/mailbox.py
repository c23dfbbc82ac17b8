"""The dev mailbox: what a channel would have sent, shown so that it can do no harm."""

import re
from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response

from projections.queries import PAGE
from services.channels.card import Shown
from services.channels.outbox import Message
from services.queue.pages.paging import cursor_in
from services.queue.pages.reading import Mail
from services.queue.pages.rendering import Pages
from services.queue.pages.templating import FRAMING
from services.queue.pages.words import safe_url
from services.settings import DEFAULT_WORKSPACE
from services.web.problems import Problem
from services.web.session import Sessions

WORDS: Mapping[Shown, str] = {"open": "Open", "superseded": "Superseded", "settled": "Settled"}
MESSAGE_HEADERS: Mapping[str, str] = {
    # The frame gets an origin of its own, and neither scripts nor anything from elsewhere.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_URL = re.compile(r"https?://[^\s<>\"']+")


class MailboxPages:
    """The pages of the mailbox: only where anybody may sign in as anybody."""

    def __init__(self, pages: Pages, mail: Mail, sessions: Sessions) -> None:
        self._pages = pages
        self._mail = mail
        self._sessions = sessions

    async def list(self, request: Request) -> Response:
        """Show the messages, newest first."""
        workspace = await self._workspace(request)
        cursor = cursor_in(request)
        found = await self._mail.list(workspace, None, limit=PAGE, cursor=cursor)
        return self._pages.render(
            "mailbox",
            await self._sessions.read(request),
            messages=found.messages,
            words=WORDS,
            cursor=cursor,
            older=found.next_cursor,
        )

    async def message(self, request: Request) -> Response:
        """Show one message."""
        message = await self._message(request)
        return self._pages.render(
            "message",
            await self._sessions.read(request),
            headers=FRAMING,
            message=message,
            parts=linked(message.body_text),
            words=WORDS,
        )

    async def html(self, request: Request) -> Response:
        """Answer with the message's own document, for the frame."""
        message = await self._message(request)
        return Response(message.body_html, headers=MESSAGE_HEADERS, media_type="text/html")

    async def _message(self, request: Request) -> Message:
        workspace = await self._workspace(request)
        message_id = request.path_params["message_id"]
        message = None
        if _ID.fullmatch(message_id):
            message = await self._mail.get(workspace, message_id)
        if message is None:
            raise Problem(404, "not_found", "There is no such message.")
        return message

    async def _workspace(self, request: Request) -> str:
        if not self._sessions.dev_login:
            raise Problem(404, "not_found", "The mailbox is there only with PLACET_DEV_LOGIN=1.")
        me = await self._sessions.read(request)
        return me.workspace if me else DEFAULT_WORKSPACE


def linked(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a text, and for those that are web addresses where they lead."""
    end = 0
    for found in _URL.finditer(text):
        address = found.group().rstrip(".,;:!?)")
        yield text[end : found.start()], None
        yield address, safe_url(address)
        end = found.start() + len(address)
    yield text[end:], None
