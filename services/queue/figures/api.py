"""The call for scripts: `GET /v1/figures`."""

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.queue.figures.reading import MOST_DAYS
from services.queue.figures.shapes import FiguresView
from services.web.answers import json_answer, shows
from services.web.app import Authenticate, problems, require
from services.web.calls import Call, refuse_others
from services.web.keys import Principal

USUAL_DAYS = 30

Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


class Reads(Protocol):
    """Who knows the figures."""

    async def of(self, workspace: str, days: int) -> FiguresView:
        """Return the figures of the last so many days."""
        ...


def figures_router(figures: Reads, authenticate: Authenticate) -> APIRouter:
    """Return the route of the figures."""
    router = APIRouter(prefix="/v1", tags=["read"], route_class=Call)
    caller = Depends(authenticate)

    @router.get(
        "/figures",
        summary="What waits, how long answers take, and what became of what was asked",
        description="Of the last `days` days, today in UTC among them. A minute old at most.",
        responses={200: shows("FiguresView", "The figures."), **problems(422)},
        response_class=Response,
    )
    async def figures_(
        request: Request, principal: Principal = caller, *, days: Days = USUAL_DAYS
    ) -> Response:
        require(principal, "admin")
        refuse_others(request, "days")
        return json_answer(await figures.of(principal.workspace, days))

    return router
