"""Reads the figures of a workspace, each a minute old at most, in a few bounded statements."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from ksuid import KsuidMs

from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.queue.figures.histogram import quantile
from services.queue.figures.shapes import (
    AgeFigure,
    DayFigure,
    FiguresView,
    TimeFigure,
    WaitingFigure,
)

MOST_DAYS = 366
FRESH_S = 60.0
KEPT = 200
"""Workspaces and lengths of time whose figures are remembered."""
MOST = 10_000
"""How much of each age is counted."""
OLDEST = 10
NAMES = 20
HOUR, DAY = 3600, 86_400
AGES = (0, HOUR, 4 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY)
"""Where the ages begin by which what waits is told apart, in seconds."""
_AHEAD = timedelta(days=1)
"""Clocks differ: an id may be of a time that is still to come."""


class Figures:
    """The figures of each workspace; raises `Unavailable`."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._sql = statements("services.queue.figures")
        self._known: dict[tuple[str, int], tuple[float, FiguresView]] = {}
        self._reading = asyncio.Lock()

    async def of(self, workspace: str, days: int) -> FiguresView:
        """Return the figures of the last so many days, today among them."""
        key = (workspace, days)
        known = self._fresh(key)
        if known is not None:
            return known
        # One at a time: many who ask at once wait for the one answer.
        async with self._reading:
            known = self._fresh(key)
            if known is not None:
                return known
            found = await self._read(workspace, days)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = (time.monotonic() + FRESH_S, found)
        return found

    def _fresh(self, key: tuple[str, int]) -> FiguresView | None:
        until, found = self._known.get(key, (0.0, None))
        return found if until > time.monotonic() else None

    async def _read(self, workspace: str, days: int) -> FiguresView:
        now = self._clock()
        until = now.astimezone(UTC).date()
        since = until - timedelta(days=days - 1)
        over = (workspace, since, until)
        async with self._database.workspace(workspace) as connection:
            waiting = await self._waiting(connection, workspace, now)
            oldest = await connection.fetch(self._sql["oldest"], workspace, OLDEST)
            by_day = await connection.fetch(self._sql["by_day"], *over)
            by_type = await self._times(connection, over, ["approved", "rejected"])
            by_approver = await self._times(connection, over, ["answered"])
            prevented = await connection.fetch(self._sql["prevented"], *over)
            behind = await connection.fetchval(self._sql["behind"])
        return FiguresView(
            as_of=now,
            behind=behind,
            since=since,
            until=until,
            pending=waiting,
            oldest=[_oldest(row) for row in oldest],
            days=_days(since, days, by_day),
            by_type=by_type,
            by_approver=by_approver,
            prevented={row["name"]: row["count"] for row in prevented},
        )

    async def _waiting(
        self, connection: Connection, workspace: str, now: datetime
    ) -> Sequence[AgeFigure]:
        # Ids sort by time: those of an age are a stretch of the index.
        younger = [_first_id(now + _AHEAD), *(_first_id(now - _s(age)) for age in AGES[1:])]
        older = [*younger[1:], ""]
        rows = await connection.fetch(self._sql["pending"], workspace, older, younger, MOST + 1)
        ends = (*AGES[1:], None)
        return [
            AgeFigure(
                from_s=begin, to_s=end, count=min(row["count"], MOST), at_least=row["count"] > MOST
            )
            for begin, end, row in zip(AGES, ends, rows, strict=True)
        ]

    async def _times(
        self, connection: Connection, over: tuple[str, date, date], what: Sequence[str]
    ) -> Sequence[TimeFigure]:
        rows = await connection.fetch(self._sql["times"], *over, list(what), NAMES)
        of_each: dict[str, dict[int, int]] = {}
        for row in rows:
            of_each.setdefault(row["name"], {})[row["bucket"]] = row["count"]
        return [_time(name, counts) for name, counts in of_each.items()]


def _time(name: str, counts: Mapping[int, int]) -> TimeFigure:
    return TimeFigure(
        name=name,
        count=sum(counts.values()),
        median_s=round(quantile(counts, 0.5) or 0.0, 1),
        p90_s=round(quantile(counts, 0.9) or 0.0, 1),
    )


def _days(since: date, days: int, rows: Sequence[Any]) -> Sequence[DayFigure]:
    found: dict[date, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["day"], {})[row["what"]] = row["count"]
    every = (since + timedelta(days=number) for number in range(days))
    return [DayFigure(day=day, **found.get(day, {})) for day in every]


def _oldest(row: Any) -> WaitingFigure:
    title = msgspec.json.decode(row["title"]) if row["title"] is not None else row["approval_id"]
    return WaitingFigure(
        id=row["approval_id"],
        title=title,
        type=row["type"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _first_id(at: datetime) -> str:
    return str(KsuidMs(at, payload=bytes(KsuidMs.PAYLOAD_LENGTH_IN_BYTES)))


def _s(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)
