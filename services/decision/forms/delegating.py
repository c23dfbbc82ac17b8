"""The forms by which people say who answers for them while they are away."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.decision.forms.fields import read_form, text_in
from services.decision.forms.ports import Delegations, Fields, Shows
from services.directory import Delegation, Directories
from services.directory.delegations import NotDelegated
from services.web.emails import NotAnAddress, email
from services.web.problems import Problem
from services.web.session import Session
from services.web.typed import Typed

MAX_FIELD = 254
MAX_REASON = 1_000
NOBODY = "Name who answers for you, by e-mail address."
NO_DAY = "Choose a day, such as 2026-12-24."
BACKWARDS = "The last day is before the first one."
OVER = "That day is over already."

_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
# The name in the store's refusals -> that of our field.
_FIELDS = {"to": "to", "begins": "first", "ends": "last"}


class Delegating:
    """Takes and ends delegations of whoever is signed in."""

    def __init__(
        self,
        delegations: Delegations,
        directories: Directories,
        pages: Shows,
        clock: Callable[[], datetime],
    ) -> None:
        self._delegations = delegations
        self._directories = directories
        self._pages = pages
        self._clock = clock

    async def add(self, request: Request, me: Session) -> Response:
        """Let somebody answer for me, from a first to a last day, both included."""
        fields = await read_form(request, required=("to", "first", "last"), optional=("reason",))
        to = text_in(fields, "to", MAX_FIELD)
        reason = text_in(fields, "reason", MAX_REASON)
        zone = _zone(self._directories, me)
        faults: dict[str, str] = {}
        if not to:
            faults["to"] = NOBODY
        else:
            try:
                to = email(to)
            except NotAnAddress as error:
                faults["to"] = f"{error}."
        first, last = _day(fields, "first", faults), _day(fields, "last", faults)
        if first and last and last < first:
            faults["last"] = BACKWARDS
        elif last and last < self._clock().astimezone(zone).date():
            faults["last"] = OVER
        if faults or first is None or last is None:
            return await self._again(me, fields, faults)
        now = self._clock()
        wanted = Delegation(
            id="",
            person=me.email,
            to=to,
            begins=max(_midnight(first, zone), now),
            ends=_midnight(last + timedelta(days=1), zone),
            reason=reason or None,
        )
        try:
            await self._delegations.add(me.workspace, wanted, by=me.email, now=now)
        except NotDelegated as error:
            field = _FIELDS.get(error.field or "")
            if field is not None:
                return await self._again(me, fields, {field: str(error)})
            return await self._again(me, fields, {}, alert=str(error))
        return _on("added")

    async def end(self, request: Request, me: Session) -> Response:
        """End one of mine now."""
        await read_form(request)
        delegation_id = request.path_params["delegation_id"]
        found = None
        if _ID.fullmatch(delegation_id):
            found = await self._delegations.find(me.workspace, delegation_id)
        if found is None or found.person != me.email:
            raise Problem(404, "not_found", "There is no such delegation of yours.")
        await self._delegations.end(me.workspace, delegation_id, by=me.email)
        return _on("ended")

    async def _again(
        self,
        me: Session,
        fields: Fields,
        faults: dict[str, str],
        alert: str | None = None,
    ) -> Response:
        typed = Typed(form="delegate", fields=fields, faults=faults)
        return await self._pages.delegations(me, status=422, alert=alert, typed=typed)


def _zone(directories: Directories, me: Session) -> tzinfo:
    """Return where somebody's days begin: in UTC where their time zone is not known."""
    name = directories.of(me.workspace).time_zone_of(me.email)
    return ZoneInfo(name) if name else UTC


def _day(fields: Fields, name: str, faults: dict[str, str]) -> date | None:
    try:
        day = date.fromisoformat(text_in(fields, name, MAX_FIELD))
        day + timedelta(days=2)
    except (ValueError, OverflowError):
        faults[name] = NO_DAY
        return None
    return day


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _on(told: str) -> Response:
    return RedirectResponse(f"/delegations?notice={told}", 303, {"Cache-Control": "no-store"})
