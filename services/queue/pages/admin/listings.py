"""The pages of sources, channels, webhooks, parked messages and people."""

import re
from datetime import datetime
from typing import get_args

from starlette.requests import Request
from starlette.responses import Response

from events.kafka.parking import NOBODYS, SOURCE_ROW, Parked
from services.directory import Directory
from services.directory.searching import search
from services.queue.pages.admin.frame import Frame, told_in
from services.queue.pages.admin.ports import Office, State, Webhook
from services.queue.pages.paging import cursor_in
from services.queue.pages.words import seconds_since, source_label, span
from services.settings import DEFAULT_WORKSPACE
from services.sources.desk import SourceState
from services.web.bodies import plain
from services.web.problems import Invalid, Problem
from services.web.session import Session

PAGE = 50
DELIVERIES = 25
_NUMBER = re.compile(r"[0-9]{1,18}")
_ENDPOINT = re.compile(r"[0-9A-Za-z_-]{1,100}")
MOST_SEARCHED = 200


class Listings:
    """What administrators look at, and act upon by the forms there."""

    def __init__(self, frame: Frame, office: Office) -> None:
        self._frame = frame
        self._office = office

    async def sources(self, request: Request, me: Session) -> Response:
        """Show how each source fares."""
        names = [name for workspace, name in self._office.source_names if workspace == me.workspace]
        states = await self._office.sources.states(me.workspace, names) if names else {}
        now = self._frame.clock()
        return await self._frame.render(
            "sources",
            me,
            area="sources",
            told=told_in(request),
            sources=[_source(states[name], now) for name in names],
        )

    async def channels(self, _: Request, me: Session) -> Response:
        """Show how each channel fares."""
        found = await self._office.channels.states(me.workspace, self._office.channel_names)
        return await self._frame.render(
            "channels", me, channels=found, rests=await self._office.channels.rests(me.workspace)
        )

    async def webhooks(self, request: Request, me: Session) -> Response:
        """Show who is told of approvals, and who is not any more."""
        kind = request.query_params.get("kind", "subscription")
        if kind not in ("subscription", "callback"):
            raise Invalid("kind: subscription or callback.", pointer="/kind")
        cursor = cursor_in(request)
        found, older = await self._office.webhooks.list(
            me.workspace,
            "callback" if kind == "callback" else "subscription",
            limit=PAGE,
            cursor=cursor,
        )
        counts = await self._office.webhooks.unfinished(me.workspace, [one.id for one in found])
        return await self._frame.render(
            "webhooks",
            me,
            area="webhooks",
            told=told_in(request),
            webhooks=found,
            counts=counts,
            kind=kind,
            cursor=cursor,
            older=older,
        )

    async def webhook(self, request: Request, me: Session) -> Response:
        """Show one endpoint, with what it was to be told."""
        view = await self._webhook(request, me)
        state = request.query_params.get("state", "")
        wanted: State | None = next((one for one in get_args(State) if one == state), None)
        if state and wanted is None:
            raise Invalid("state: choose one of those above the list.", pointer="/state")
        cursor = request.query_params.get("cursor")
        if cursor is not None and not _NUMBER.fullmatch(cursor):
            raise Invalid("cursor: this is none that we gave.", pointer="/cursor")
        found, older = await self._office.webhooks.deliveries(
            me.workspace, view.id, state=wanted, limit=DELIVERIES, cursor=cursor
        )
        return await self._frame.render(
            "webhook",
            me,
            area="webhooks",
            told=told_in(request),
            webhook=view,
            deliveries=found,
            state=state,
            states=("", *get_args(State)),
            cursor=cursor,
            older=older,
        )

    async def _webhook(self, request: Request, me: Session) -> Webhook:
        webhook_id = request.path_params["webhook_id"]
        view = None
        if _ENDPOINT.fullmatch(webhook_id):
            view = await self._office.webhooks.show(me.workspace, webhook_id)
        if view is None:
            raise Problem(404, "not_found", "There is no such webhook.")
        return view

    async def parked(self, request: Request, me: Session) -> Response:
        """Show what could not be read, and why."""
        after = request.query_params.get("after", "0")
        if not _NUMBER.fullmatch(after):
            raise Invalid("after: this is none that we gave.", pointer="/after")
        found = await self._office.parked.preview(
            parked_for(me.workspace), after=int(after), limit=PAGE + 1
        )
        shown = found[:PAGE]
        return await self._frame.render(
            "parked",
            me,
            area="parked",
            told=told_in(request),
            messages=[(one, _preview(one), one.topic.startswith(SOURCE_ROW)) for one in shown],
            cursor=after if after != "0" else None,
            older=str(shown[-1].parked_id) if len(found) > PAGE else None,
        )

    async def people(self, request: Request, me: Session) -> Response:
        """Show who is there and who is away, a bounded part at a time."""
        part = plain(request.query_params.get("q", "")[:MOST_SEARCHED], "q").strip()
        after = plain(request.query_params.get("after", "")[:MOST_SEARCHED], "after")
        cursor = cursor_in(request)
        directory = self._frame.people_of(me)
        found = search(directory, part.lower(), after=after, limit=PAGE + 1)
        absences, later = await self._office.absences.list(me.workspace, limit=PAGE, cursor=cursor)
        now = self._frame.clock()
        return await self._frame.render(
            "people",
            me,
            area="people",
            told=told_in(request),
            people=[
                (directory.members[email], _away(directory, email, now)) for email in found[:PAGE]
            ],
            known=len(directory.members),
            part=part,
            after=after,
            more=found[PAGE - 1] if len(found) > PAGE else None,
            absences=absences,
            cursor=cursor,
            later=later,
        )


def parked_for(workspace: str) -> list[str]:
    """Return whose parked messages an administrator sees.

    Those that do not say whose they are go to the workspace of whoever set Placet up.
    """
    return [workspace, NOBODYS] if workspace == DEFAULT_WORKSPACE else [workspace]


def _source(state: SourceState, now: datetime) -> dict[str, object]:
    return {
        "state": state,
        "label": source_label(state.name),
        "verified": span(seconds_since(state.swept_at, now)) if state.swept_at else None,
        "polled": span(seconds_since(state.polled_at, now)) if state.polled_at else None,
    }


def _preview(one: Parked) -> str:
    return (one.value or b"").decode(errors="replace")


def _away(directory: Directory, email: str, now: datetime) -> str | None:
    """Return who answers for somebody who is away."""
    if not directory.is_away(email, now):
        return None
    stand_in = directory.stand_in(email, now)
    return stand_in.email if stand_in else "nobody"
