"""What a link opens: who came by it, what it is about, and how that stands for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from events.approval import ApprovalEvent, ApprovalRequested, ApprovalRevised
from events.store import EventStore
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from services.approval_types import ApprovalTypes
from services.channels.card import Card, make_card
from services.channels.email.visits import Visit, judged, looks_scanned
from services.channels.mustache import CardTemplate
from services.decision.surfaces.link_records import Link, Links
from services.decision.surfaces.link_standing import Standing, standing
from services.directory import Directories
from services.web.session import Session, Sessions

Look = Callable[[ApprovalView], tuple[CardTemplate | None, Sequence[str]]]
"""Returns with which template an approval is drawn, and what of its payload is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A link as it was opened: by whom, what it is about, and how that stands."""

    link: Link
    me: Session | None
    view: ApprovalView
    card: Card
    standing: Standing
    scanned: bool

    @property
    def must_type(self) -> bool:
        """Whether a click is not enough: nobody is signed in, and programs came by."""
        return self.standing.by_link and self.scanned


class Opening:
    """Opens links; raises `Unavailable`."""

    def __init__(
        self,
        *,
        store: EventStore,
        links: Links,
        types: ApprovalTypes,
        directories: Directories,
        sessions: Sessions,
        look: Look,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._links = links
        self._types = types
        self._directories = directories
        self._sessions = sessions
        self._look = look
        self._public_url = public_url
        self._clock = clock

    async def opened(self, request: Request) -> Opened | None:
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
        return await self._stands(request, link, scanned=looks_scanned((*earlier, visit)))

    async def again(self, request: Request, before: Opened) -> Opened:
        """Return how things stand now, after an answer that came with the same visit."""
        return await self._stands(request, before.link, scanned=before.scanned)

    async def _stands(self, request: Request, link: Link, *, scanned: bool) -> Opened:
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
        return Opened(link=link, me=me, view=view, card=card, standing=stands, scanned=scanned)


def _as_sent(link: Link, facts: Sequence[ApprovalEvent]) -> Sequence[ApprovalEvent]:
    """Return the facts up to the one with which the revision of a link began."""
    end = 1
    for place, fact in enumerate(facts, start=1):
        if isinstance(fact, ApprovalRequested | ApprovalRevised):
            end = place if fact.about.revision == link.revision else end
    return facts[:end]
