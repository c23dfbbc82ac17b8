"""The page of somebody's own accounts at sources that are answered from those only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.grants.grants import Grant
from services.grants.tokens import OVER
from services.queue.pages.rendering import Pages
from services.queue.pages.words import source_label
from services.web.session import Session

NOTICES: Mapping[str, str] = {
    "connected": "It is connected: your answers are written there as yours.",
    "disconnected": "It is forgotten here. What you allowed there ends in your account there.",
}


class Granted(Protocol):
    """Who keeps what people granted; raises `Unavailable`."""

    async def of(self, workspace: str, email: str) -> Mapping[str, Grant]:
        """Return source → what somebody granted there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One source, and how it stands with somebody's account there."""

    source: str
    label: str
    host: str
    since: datetime | None
    why: str | None
    """Why it has to be connected again."""


class GrantPages:
    """Renders the page; `sources` maps those of each workspace to their addresses."""

    def __init__(
        self, pages: Pages, granted: Granted, sources: Mapping[tuple[str, str], str]
    ) -> None:
        self._pages = pages
        self._granted = granted
        self._sources = sources

    async def grants(
        self,
        me: Session,
        *,
        status: int = 200,
        alert: str | None = None,
        told: str | None = None,
    ) -> Response:
        """Return the page; `alert` says what went wrong, `told` is the code of a notice."""
        granted = await self._granted.of(me.workspace, me.email)
        return self._pages.render(
            "grants",
            me,
            status=status,
            accounts=self._accounts(me.workspace, granted),
            alert=alert,
            told=NOTICES.get(told or ""),
        )

    def _accounts(self, workspace: str, granted: Mapping[str, Grant]) -> Sequence[Account]:
        return [
            _account(source, url, granted.get(source))
            for (there, source), url in sorted(self._sources.items())
            if there == workspace
        ]

    def router(self) -> APIRouter:
        """Return the address of the page."""

        async def show(request: Request, me: Session) -> Response:
            return await self.grants(me, told=request.query_params.get("notice"))

        router = APIRouter()
        router.add_route(
            "/grants", self._pages.for_somebody(show), methods=["GET"], include_in_schema=False
        )
        return router


def _account(source: str, url: str, grant: Grant | None) -> Account:
    return Account(
        source=source,
        label=source_label(source),
        host=urlsplit(url).hostname or "",
        since=None if grant is None else grant.granted_at,
        why=None if grant is None else _broken(grant),
    )


def _broken(grant: Grant) -> str | None:
    over = not grant.renewable and grant.left_s is not None and grant.left_s <= 0
    return grant.broken_why or (OVER if over else None)
