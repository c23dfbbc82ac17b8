"""The page of figures: plots without script, each with its table beside it."""

from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from services.queue.figures.shapes import AgeFigure, FiguresView, TimeFigure, WaitingFigure
from services.queue.pages.admin.frame import Frame
from services.queue.pages.admin.plots import Columns, columns, ranges
from services.queue.pages.admin.ports import FigureReads
from services.queue.pages.words import seconds_since, span
from services.web.problems import Invalid
from services.web.session import Session

RANGES = (7, 30, 90, 365)
USUAL = 30
OUTCOMES = ("approved", "rejected", "withdrawn", "expired")
FAR_BEHIND = 10_000
"""Events of the log; up to that it is what happened in the last minute."""
_PREVENTED = (
    ("stale_revision", "It had changed since the approver saw it"),
    ("already_resolved", "It was already decided, withdrawn or settled elsewhere"),
)


class FigurePages:
    """Draws the figures."""

    def __init__(self, frame: Frame, figures: FigureReads) -> None:
        self._frame = frame
        self._figures = figures

    async def figures(self, request: Request, me: Session) -> Response:
        """Show the figures of the last days."""
        text = request.query_params.get("days", str(USUAL))
        if text not in [str(one) for one in RANGES]:
            raise Invalid("days: choose one of those above the plots.", pointer="/days")
        found = await self._figures.of(me.workspace, int(text))
        now = self._frame.clock()
        ages = [_age(one) for one in found.pending]
        return await self._frame.render(
            "figures",
            me,
            it=found,
            days=int(text),
            ranges=RANGES,
            outcomes=OUTCOMES,
            behind=found.behind if found.behind > FAR_BEHIND else None,
            ages=list(zip(ages, found.pending, strict=True)),
            pending_plot=_pending(found),
            day_plot=_days(found),
            by_type=ranges([_times(one) for one in found.by_type]),
            by_approver=ranges([_times(one) for one in found.by_approver]),
            span=span,
            oldest=[(one, _waits(one, now)) for one in found.oldest],
            prevented=[(found.prevented.get(code, 0), words) for code, words in _PREVENTED],
            total={name: sum(getattr(one, name) for one in found.days) for name in _COUNTED},
        )


_COUNTED = ("asked", *OUTCOMES, "prevented")


def _pending(found: FiguresView) -> Columns:
    labels = [
        f"{span(one.from_s)} +" if one.from_s else f"< {span(one.to_s or 0)}"
        for one in found.pending
    ]
    return columns(labels, [[one.count] for one in found.pending], ("waiting",), len(labels))


def _days(found: FiguresView) -> Columns:
    labels = [f"{one.day.day} {one.day:%b}" for one in found.days]
    stacks: Sequence[Sequence[int]] = [
        [getattr(one, name) for name in OUTCOMES] for one in found.days
    ]
    return columns(labels, stacks, OUTCOMES, 8)


def _age(one: AgeFigure) -> str:
    if one.to_s is None:
        return f"over {span(one.from_s)}"
    return f"{span(one.from_s)} to {span(one.to_s)}" if one.from_s else f"under {span(one.to_s)}"


def _times(one: TimeFigure) -> tuple[str, int, float, float]:
    return one.name, one.count, one.median_s, one.p90_s


def _waits(one: WaitingFigure, now: datetime) -> str:
    return span(seconds_since(one.created_at, now))
