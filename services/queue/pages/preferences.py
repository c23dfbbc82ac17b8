"""The page on which people choose how they are told of what waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.directory import Directory
from services.directory.preference_form import (
    DELAYS,
    EVERY_DAY,
    FIRST,
    NEVER,
    NOW,
    SPANS,
    channel_field,
    filled,
    quiet_fields,
)
from services.directory.preferences import Defaults
from services.directory.preferring import MOST_QUIET
from services.queue.pages.reading import People
from services.queue.pages.rendering import Pages
from services.web.session import Session
from services.web.typed import Typed

INBOX = "inbox"
ROWS = 2
"""How many stretches of quiet hours there is room for at the least."""
_UNITS: Mapping[str, str] = {"m": "minute", "h": "hour", "d": "day"}

Choice = tuple[str, str]
"""What is sent, and what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """A channel, and when it may be used."""

    name: str
    field: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietRow:
    """The fields of one stretch of quiet hours."""

    begins: str
    until: str
    days: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Everything on the page; `values` are what its fields hold, by name."""

    values: Mapping[str, str]
    channels: Sequence[ChannelRow]
    firsts: Sequence[Choice]
    quiet: Sequence[QuietRow]
    zone: str
    clock: str


def chosen(
    directory: Directory, me: str, defaults: Defaults, channels: Sequence[str], now: datetime
) -> Chosen:
    """Return how `me` is told, as the form has it; pure."""
    told = directory.told(me, defaults.preferences)
    values = filled(told, directory.preferences_of(me).time_zone, channels)
    zone = told.time_zone or "UTC"
    rows = min(max(ROWS, len(told.quiet_hours or ()) + 1), MOST_QUIET)
    return Chosen(
        values=values,
        channels=[_channel_row(one, values[channel_field(one)]) for one in channels],
        firsts=[(one, one) for one in _first_first(channels, values[FIRST])],
        quiet=[_quiet_row(row, values) for row in range(1, rows + 1)],
        zone=zone,
        clock=now.astimezone(ZoneInfo(zone) if zone != "UTC" else UTC).strftime("%H:%M"),
    )


def _channel_row(channel: str, held: str) -> ChannelRow:
    delays = DELAYS if held in (*DELAYS, NOW, NEVER) else (*DELAYS, held)
    later = [(one, f"after {_length(one)}, if it still waits") for one in delays]
    return ChannelRow(
        name=channel,
        field=channel_field(channel),
        choices=[(NOW, "at once"), *later, (NEVER, "never")],
    )


def _first_first(channels: Sequence[str], first: str) -> Sequence[str]:
    return sorted(channels, key=lambda one: one != first)


def _quiet_row(row: int, values: Mapping[str, str]) -> QuietRow:
    begins, until, days = quiet_fields(row)
    held = values.get(days, EVERY_DAY)
    spans = SPANS if held in SPANS else {**SPANS, held: held.replace(",", ", ")}
    return QuietRow(begins=begins, until=until, days=days, choices=list(spans.items()))


def _length(text: str) -> str:
    unit = _UNITS.get(text[-1])
    if unit is None or not text[:-1].isdigit():
        return text
    return f"{text[:-1]} {unit}{'' if text[:-1] == '1' else 's'}"


class PreferencePages:
    """Renders the page; raises `Unavailable` when Postgres is away."""

    def __init__(
        self, pages: Pages, people: People, defaults: Defaults, channels: Sequence[str]
    ) -> None:
        self._pages = pages
        self._people = people
        self._defaults = defaults
        self._channels = [one for one in channels if one != INBOX]

    async def preferences(
        self,
        me: Session,
        *,
        status: int = 200,
        typed: Typed | None = None,
        told: str | None = None,
    ) -> Response:
        """Return the page of how `me` is told; `told` is the code of a notice."""
        directory = await self._people.fresh(me.workspace)
        defaults = self._defaults.within(me.workspace)
        return self._pages.render(
            "preferences",
            me,
            status=status,
            it=chosen(directory, me.email, defaults, self._channels, datetime.now(UTC)),
            typed=typed,
            told=told == "kept",
        )

    def router(self) -> APIRouter:
        """Return the address of the page."""

        async def show(request: Request, me: Session) -> Response:
            return await self.preferences(me, told=request.query_params.get("notice"))

        router = APIRouter()
        router.add_route(
            "/preferences",
            self._pages.for_somebody(show),
            methods=["GET"],
            include_in_schema=False,
        )
        return router
