"""What waits for a person, to be answered one by one or many together."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from projections.approval_view import ApprovalView, decode_view
from projections.finding import Found
from services.queue.pages.narrowing import search, wanted_in
from services.queue.pages.notices import Notice, notice
from services.queue.pages.paging import MANY, SHOWN, cursor_in, known_id, rows_in, turning
from services.queue.pages.reading import Finds, Reads, views_in
from services.queue.pages.rendering import Pages
from services.queue.pages.rows import row, rows
from services.web.session import Session

MOST_HELD = MANY
"""Rows that a page may ask about beside its own: those that it shows and are settled."""
_ID = re.compile(r"[0-9A-Za-z]{27}")
_URGENCIES = ("high", "medium", "low")


class Inbox:
    """The page of what a person is to answer, and its rows."""

    def __init__(
        self, pages: Pages, reads: Reads, finds: Finds, clock: Callable[[], datetime]
    ) -> None:
        self._pages = pages
        self._reads = reads
        self._finds = finds
        self._clock = clock

    async def waiting(self, request: Request, me: Session) -> Response:
        """Answer "what do I still need to approve?"."""
        known = await known_id(self._reads, request, me)
        if known is not None:
            return known
        wanted, cursor, most = wanted_in(request.query_params), cursor_in(request), rows_in(request)
        found = await self._finds.waiting(
            me.workspace, me.email, wanted.narrowed(), limit=most, cursor=cursor
        )
        about = await self._about(request, me)
        whole = cursor is None and not wanted.anything
        views, count = _corrected(found, about, me.email, first=whole)
        form = search(
            "/inbox",
            wanted,
            await self._finds.kinds(me.workspace),
            kept=[("show", str(most))] if most != SHOWN else (),
        )
        listed = rows(views, me.email, self._clock())
        return self._pages.render(
            "inbox",
            me,
            rows=listed,
            held=[],
            count=count,
            heading=heading(count),
            lead=lead(count),
            search=form,
            back=form.back(cursor),
            checked=request.query_params.get("select") == "all",
            select_all=form.address(cursor=cursor, select="all"),
            show_many=form.address(show=str(MANY)) if most == SHOWN and found.next_cursor else None,
            selectable=sum(1 for one in listed if one.selectable),
            page=turning(form, found, cursor),
            away=self._pages.away(me),
            notice=self._told(request, about, me),
        )

    async def fragment(self, request: Request, me: Session) -> Response:
        """Answer with the rows alone, and with those that are held but no longer among them."""
        wanted, cursor, most = wanted_in(request.query_params), cursor_in(request), rows_in(request)
        found = await self._finds.waiting(
            me.workspace, me.email, wanted.narrowed(), limit=most, cursor=cursor
        )
        views, now = views_in(found), self._clock()
        listed = {view.id for view in views}
        asked = [one for one in request.query_params.getlist("held") if _ID.fullmatch(one)]
        missing = [one for one in dict.fromkeys(asked) if one not in listed][:MOST_HELD]
        held = await self._reads.approvals(me.workspace, missing) if missing else {}
        return self._pages.render(
            "rows",
            me,
            rows=rows(views, me.email, now),
            held=[row(decode_view(one.doc), me.email, now) for one in held.values()],
            count=found.waiting,
            heading=heading(found.waiting),
            lead=lead(found.waiting),
            back=search("/inbox", wanted).back(cursor),
            checked=False,
        )

    async def _about(self, request: Request, me: Session) -> ApprovalView | None:
        about = request.query_params.get("about", "")
        if not _ID.fullmatch(about):
            return None
        return await self._reads.view(me.workspace, about)

    def _told(self, request: Request, about: ApprovalView | None, me: Session) -> Notice | None:
        code = request.query_params.get("notice")
        return notice(code, about, me.email, self._clock()) if about is not None else None


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


def _corrected(
    found: Found, about: ApprovalView | None, me: str, *, first: bool
) -> tuple[Sequence[ApprovalView], int]:
    """Return a page and how much waits, with what was just done: the queue may not know it yet."""
    views, count = views_in(found), found.waiting
    if about is None:
        return views, count
    others = [view for view in views if view.id != about.id]
    if me not in about.waits_for:
        return others, count - (len(views) - len(others))
    if first and len(others) == len(views):
        back = sorted([*views, about], key=lambda one: (_URGENCIES.index(one.urgency), one.id))
        return back, count + 1
    return views, count
