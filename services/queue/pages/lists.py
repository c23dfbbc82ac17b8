"""What a person shares with others, asked for, and was asked: lists to read."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from projections.approval_view import ApprovalView, Status
from projections.finding import Found, Narrowed
from projections.queries import Filters
from services.queue.pages.narrowing import Search, address, search, wanted_in
from services.queue.pages.paging import SHOWN, cursor_in, known_id, turning
from services.queue.pages.reading import Finds, Reads, views_in
from services.queue.pages.rendering import Pages
from services.queue.pages.rows import rows
from services.web.problems import Invalid
from services.web.session import Session

RECENT = 20
QUESTIONS = "question"
MINE = "mine"
_OPEN: tuple[Status, ...] = ("pending", "deciding")
_SETTLED: tuple[Status, ...] = ("approved", "rejected", "withdrawn", "expired", "deciding")
_ANSWERED: tuple[Status, ...] = ("approved", "rejected", "deciding")
Tabs = Mapping[str, tuple[str, tuple[Status, ...]]]
_ENDS: Tabs = {
    "approved": ("Approved", ("approved",)),
    "rejected": ("Rejected", ("rejected",)),
    "withdrawn": ("Withdrawn", ("withdrawn",)),
    "expired": ("Expired", ("expired",)),
}
_DECIDED: Tabs = {
    "": ("Recent", _SETTLED),
    MINE: ("Answered by you", _ANSWERED),
    **_ENDS,
    "deciding": ("On their way", ("deciding",)),
}
_SHARED: Tabs = {"": ("", _OPEN)}
_REQUESTS: Tabs = {
    "": ("All", ()),
    QUESTIONS: ("Questions", ("pending",)),
    "pending": ("Waiting", _OPEN),
    **_ENDS,
}


class Lists:
    """The pages of what others are to answer, and of what is answered."""

    def __init__(
        self, pages: Pages, reads: Reads, finds: Finds, clock: Callable[[], datetime]
    ) -> None:
        self._pages = pages
        self._reads = reads
        self._finds = finds
        self._clock = clock

    async def shared(self, request: Request, me: Session) -> Response:
        """Show what a person is asked together with others, and how far it has come."""
        look = await self._look(request, me, "/inbox/shared", _SHARED)
        return look if isinstance(look, Response) else await self._asked_of(look, "shared")

    async def settled(self, request: Request, me: Session) -> Response:
        """Show what a person was asked for and that no longer waits."""
        look = await self._look(request, me, "/inbox/decided", _DECIDED)
        if isinstance(look, Response):
            return look
        if look.chosen == "" and look.cursor is None and not look.form.wanted.anything:
            return self._page(look, "decided", await self._recent(me), None)
        return await self._asked_of(look, "decided")

    async def requests(self, request: Request, me: Session) -> Response:
        """Show what a person asked for, what became of it, and what they are asked back."""
        look = await self._look(request, me, "/requests", _REQUESTS, by_requester=False)
        if isinstance(look, Response):
            return look
        mine = replace(look.narrowed, requester=me.email, statuses=())
        only = look.chosen == QUESTIONS
        questions = await self._finds.waiting(
            me.workspace, me.email, mine, limit=SHOWN, cursor=look.cursor if only else None
        )
        # What they are asked, and not what they are to decide of their own.
        asked_back = [
            one
            for one in views_in(questions)
            if one.asked_back is not None and one.requester.email == me.email
        ]
        if only:
            return self._page(look, "requests", asked_back, questions, asked_back=len(asked_back))
        found = await self._finds.found(
            me.workspace, "requester", me.email, look.narrowed, limit=SHOWN, cursor=look.cursor
        )
        return self._page(look, "requests", views_in(found), found, asked_back=len(asked_back))

    async def _look(
        self,
        request: Request,
        me: Session,
        path: str,
        tabs: Tabs,
        *,
        by_requester: bool = True,
    ) -> "_Look | Response":
        """Return what a list is looked at for, or the way to the one approval that was named."""
        known = await known_id(self._reads, request, me)
        if known is not None:
            return known
        chosen = request.query_params.get("status", "")
        if chosen not in tabs:
            raise Invalid("status: choose one of those above the list.", pointer="/status")
        wanted = wanted_in(request.query_params)
        form = search(
            path,
            wanted,
            await self._finds.kinds(me.workspace),
            kept=[("status", chosen)] if chosen else (),
            by_requester=by_requester,
            by_urgency=False,
        )
        narrowed = replace(form.wanted.narrowed(), statuses=tabs[chosen][1])
        if chosen == MINE:
            narrowed = replace(narrowed, answered_by=me.email)
        if tabs is _SHARED:
            narrowed = replace(narrowed, shared_by=me.email)
        return _Look(
            me=me,
            form=form,
            tabs=tabs,
            chosen=chosen,
            narrowed=narrowed,
            cursor=cursor_in(request),
        )

    async def _asked_of(self, look: "_Look", name: str) -> Response:
        found = await self._finds.found(
            look.me.workspace,
            "approver",
            look.me.email,
            look.narrowed,
            limit=SHOWN,
            cursor=look.cursor,
        )
        return self._page(look, name, views_in(found), found)

    def _page(
        self,
        look: "_Look",
        name: str,
        views: Sequence[ApprovalView],
        found: Found | None,
        **more: Any,
    ) -> Response:
        return self._pages.render(
            name,
            look.me,
            rows=rows(views, look.me.email, self._clock()),
            search=look.form,
            tabs=[
                (address(look.form.action, [("status", tab)] if tab else []), said, tab)
                for tab, (said, _) in look.tabs.items()
            ],
            chosen=look.chosen,
            page=turning(look.form, found, look.cursor) if found is not None else None,
            **more,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a list is looked at for: by whom, which of its tabs, and narrowed to what."""

    me: Session
    form: Search
    tabs: Tabs
    chosen: str
    narrowed: Narrowed
    cursor: str | None
