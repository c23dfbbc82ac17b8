"""The figures as `GET /v1/figures` and the page of figures show them."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec


class AgeFigure(msgspec.Struct, kw_only=True):
    """How much waits since at least `from_s` and less than `to_s` seconds.

    `at_least`: there is more, and it was not counted on. `to_s` is null for the oldest.
    """

    from_s: int
    to_s: int | None
    count: int
    at_least: bool


class WaitingFigure(msgspec.Struct, kw_only=True):
    """One of those that wait the longest."""

    id: str
    title: str
    type: str
    created_at: datetime
    expires_at: datetime


class DayFigure(msgspec.Struct, kw_only=True):
    """What happened on one day, in UTC; `prevented` counts answers that were refused as stale."""

    day: date
    asked: int = 0
    approved: int = 0
    rejected: int = 0
    withdrawn: int = 0
    expired: int = 0
    prevented: int = 0


class TimeFigure(msgspec.Struct, kw_only=True):
    """How long people took, from the ask on: in half of the cases at most `median_s` seconds."""

    name: str
    count: int
    median_s: float
    p90_s: float


class FiguresView(msgspec.Struct, kw_only=True):
    """The figures of some days, the last one being today in UTC.

    What waits is of `as_of`. The days and times follow the log about a minute behind: `behind` is
    how many events, of all workspaces, are still to be counted. `prevented` is by code of refusal.
    Of types and approvers there are those with most.
    """

    as_of: datetime
    behind: int
    since: date
    until: date
    pending: Sequence[AgeFigure]
    oldest: Sequence[WaitingFigure]
    days: Sequence[DayFigure]
    by_type: Sequence[TimeFigure]
    by_approver: Sequence[TimeFigure]
    prevented: dict[str, int]


ANSWERS: Sequence[type] = (FiguresView,)
