"""What waits for a person, and what no longer does."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import get_args

from starlette.requests import Request
from starlette.responses import Response

from projections.approval_view import ApprovalView, Status
from projections.queries import PAGE, Filters
from services.queue.pages.notices import Notice, notice
from services.queue.pages.reading import Reads, views_in
from services.queue.pages.rendering import Pages
from services.queue.pages.rows import row, rows
from services.web.problems import Invalid
from services.web.session import Session

MOST_HELD = 60
"""Rows that a page may ask about beside its own; it shows `PAGE` and some that are settled."""
RECENT = 20
_ID = re.compile(r"[0-9A-Za-z]{27}")
_CURSOR = re.compile(r"[0-9A-Za-z_-]{1,200}")
_SETTLED: tuple[Status, ...] = ("approved", "rejected", "withdrawn", "expired", "deciding")
_CHOICES = (
    ("", "Recent"),
    ("approved", "Approved"),
    ("rejected", "Rejected"),
    ("withdrawn", "Withdrawn"),
    ("expired", "Expired"),
    ("deciding", "On their way"),
)


class Inbox:
    """The pages of what a person was asked for."""

    def __init__(self, pages: Pages, reads: Reads, clock: Callable[[], datetime]) -> None:
        self._pages = pages
        self._reads = reads
        self._clock = clock

    async def waiting(self, request: Request, me: Session) -> Response:
        """Answer "what do I still need to approve?"."""
        cursor = cursor_in(request)
        docs = await self._reads.queue(me.workspace, me.email, limit=PAGE, cursor=cursor)
        views, count = views_in(docs), docs.waiting
        about = await self._about(request, me)
        if about is not None and me.email not in about.waits_for:
            # Just answered, and the queue may not know it yet.
            remaining = [view for view in views if view.id != about.id]
            count -= len(views) - len(remaining)
            views = remaining
        return self._pages.render(
            "inbox",
            me,
            rows=rows(views, me.email, self._clock()),
            held=[],
            count=count,
            heading=heading(count),
            lead=lead(count),
            cursor=cursor,
            older=docs.next_cursor,
            away=self._pages.away(me),
            notice=self._told(request, about, me),
        )

    async def fragment(self, request: Request, me: Session) -> Response:
        """Answer with the rows alone, and with those that are held but no longer among them."""
        cursor = cursor_in(request)
        docs = await self._reads.queue(me.workspace, me.email, limit=PAGE, cursor=cursor)
        views, now = views_in(docs), self._clock()
        listed = {view.id for view in views}
        asked = [one for one in request.query_params.getlist("held") if _ID.fullmatch(one)]
        missing = [one for one in dict.fromkeys(asked) if one not in listed][:MOST_HELD]
        held = [await self._reads.view(me.workspace, one) for one in missing]
        return self._pages.render(
            "rows",
            me,
            rows=rows(views, me.email, now),
            held=[row(view, me.email, now) for view in held if view is not None],
            count=docs.waiting,
            heading=heading(docs.waiting),
            lead=lead(docs.waiting),
            cursor=cursor,
        )

    async def settled(self, request: Request, me: Session) -> Response:
        """Show what a person was asked for and that no longer waits."""
        status = request.query_params.get("status", "")
        cursor = cursor_in(request)
        older = None
        if status == "":
            views = await self._recent(me)
        elif status in get_args(Status) and status != "pending":
            docs = await self._reads.list(
                me.workspace,
                Filters(status=status, approver=me.email),
                limit=PAGE,
                cursor=cursor,
            )
            views, older = views_in(docs), docs.next_cursor
        else:
            raise Invalid("status: choose one of those above the list.", pointer="/status")
        return self._pages.render(
            "decided",
            me,
            rows=rows(views, me.email, self._clock()),
            choices=_CHOICES,
            chosen=status,
            cursor=cursor if status else None,
            older=older,
        )

    async def _recent(self, me: Session) -> Sequence[ApprovalView]:
        pages = await asyncio.gather(
            *(
                self._reads.list(
                    me.workspace,
                    Filters(status=status, approver=me.email),
                    limit=RECENT,
                    cursor=None,
                )
                for status in _SETTLED
            )
        )
        found = [view for docs in pages for view in views_in(docs)]
        return sorted(found, key=lambda view: view.updated_at, reverse=True)[:RECENT]

    async def _about(self, request: Request, me: Session) -> ApprovalView | None:
        about = request.query_params.get("about", "")
        if not _ID.fullmatch(about):
            return None
        return await self._reads.view(me.workspace, about)

    def _told(self, request: Request, about: ApprovalView | None, me: Session) -> Notice | None:
        code = request.query_params.get("notice")
        return notice(code, about, me.email) if about is not None else None


def cursor_in(request: Request) -> str | None:
    """Return the cursor of a page; raises 422 for what cannot be one."""
    cursor = request.query_params.get("cursor")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise Invalid(
            "cursor: this is none that we gave. Begin at the first page.", pointer="/cursor"
        )
    return cursor


def heading(count: int) -> str:
    """Return how much waits, in words."""
    match count:
        case 0:
            return "Nothing waits for you"
        case 1:
            return "1 approval waits for you"
        case _:
            return f"{count:,} approvals wait for you"


def lead(count: int) -> str:
    """Return the line below the heading."""
    if count:
        return "Most urgent first, then oldest."
    return "You are done. What comes next shows up here by itself."
