"""Decides many approvals together: each by itself, with a result of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from events.store import Unavailable, VersionConflict
from projections.approval_view import ApprovalView
from services.decision.answering import Answering
from services.decision.api import DecisionBody, answer_one, refuse_agents
from services.web.answers import json_answer, lists, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Problem, document_of, unavailable

MOST = 200
TOGETHER = 32
"""Answers under way at once: one that waits for its source must not hold up the others."""


class DecisionOf(DecisionBody, kw_only=True):
    """An answer and the approval that it is for."""

    approval_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class DecisionsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 200 answers; those for the same approval are given in their order."""

    decisions: Annotated[Sequence[DecisionOf], msgspec.Meta(min_length=1, max_length=MOST)]


class DecisionResult(msgspec.Struct):
    """What became of one answer: as `POST /v1/approvals/{id}/decision` would have said it."""

    approval_id: str
    status: int
    approval: ApprovalView | None
    problem: dict[str, Any] | None


_bodies = msgspec.json.Decoder(DecisionsBody)
_T = TypeVar("_T")


def bulk_router(answering: Answering, authenticate: Authenticate) -> APIRouter:
    """Return the route that takes many answers."""
    router = APIRouter(prefix="/v1", tags=["decide"], route_class=Call)
    caller = Depends(authenticate)

    @router.post(
        "/decisions",
        summary="Decide many",
        description="Each answer is checked and kept by itself: none that fails stops another. "
        "The results come in the order of the answers, each with the status that it would have "
        "had alone, and the approval or the problem.",
        responses={
            200: lists("DecisionResult", "A result for each answer, in their order.", cursor=None),
            **problems(413, 415, 422),
        },
        openapi_extra=takes("DecisionsBody"),
    )
    async def decisions(request: Request, principal: Principal = caller) -> Response:
        require(principal, "approvals:decide")
        refuse_agents(principal)
        body = read_json(await read_json_body(request), _bodies)
        results = await each(
            body.decisions,
            lambda decision: decision.approval_id,
            lambda decision: answer_one(answering, principal, decision.approval_id, decision),
        )
        told = map(_result, body.decisions, results)
        return json_answer({"data": [*told]})

    return router


async def each(
    items: Sequence[_T],
    approval_of: Callable[[_T], str],
    one: Callable[[_T], Awaitable[ApprovalView]],
) -> list[ApprovalView | Problem]:
    """Do one thing for each of many, and return what came of each in their order.

    None that fails stops another. What is for the same approval is done in its order.
    """
    places = asyncio.Semaphore(TOGETHER)
    results: dict[int, ApprovalView | Problem] = {}
    by_approval: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        by_approval.setdefault(approval_of(item), []).append(place)

    async def in_order(of_one: Sequence[int]) -> None:
        for place in of_one:
            async with places:
                results[place] = await _tried(one(items[place]))

    await asyncio.gather(*(in_order(of_one) for of_one in by_approval.values()))
    return [results[place] for place in range(len(items))]


async def _tried(change: Awaitable[ApprovalView]) -> ApprovalView | Problem:
    try:
        return await change
    except Problem as problem:
        return problem
    except Unavailable as error:
        return unavailable(str(error))
    except VersionConflict:
        return unavailable("Others change this approval at the same moment. Try again.")


def _result(decision: DecisionOf, came: ApprovalView | Problem) -> DecisionResult:
    if isinstance(came, Problem):
        document: Mapping[str, Any] = document_of(came)
        return DecisionResult(decision.approval_id, came.status, None, dict(document))
    status = 202 if came.status == "deciding" else 200
    return DecisionResult(decision.approval_id, status, came, None)
