"""The form by which many approvals are answered together, and taken back together."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from events.approval import Outcome, Person
from events.decider import Refused
from projections.approval_view import ApprovalView
from projections.evolving import Gap
from services.decision.answering import ANSWERS, Answer, Answering
from services.decision.api import STATUS_OF
from services.decision.bulk import each
from services.decision.forms.deciding import CHANNEL, NO_REASON
from services.decision.forms.fields import back_in, read_selection, text_in
from services.decision.forms.ports import Shows
from services.web.picked import Picked, Result
from services.web.problems import Invalid, Problem
from services.web.session import Session
from services.web.typed import Typed

NOBODY = "Select at least one approval first."
UNDO = "undo"


class Together:
    """Takes one answer for many: each is checked by itself, against what was shown of it."""

    def __init__(self, answers: Answering, pages: Shows) -> None:
        self._answers = answers
        self._pages = pages

    async def decide(self, request: Request, me: Session) -> Response:
        """Ask once more, and then answer each; nothing is done before the second time."""
        picked, fields = await read_selection(
            request, required=("decision",), optional=("sure", "reason", "back")
        )
        back, reason = back_in(fields), text_in(fields, "reason")
        if not picked:
            raise Invalid(NOBODY, pointer="/pick")
        if fields["decision"] == UNDO:
            return await self._undo(me, picked, back)
        outcome = ANSWERS.get(fields["decision"].strip().lower())
        if outcome is None:
            raise Invalid("decision: send approve, deny or undo.", pointer="/decision")
        if "sure" not in fields:
            return await self._pages.sure(me, picked, outcome, back=back)
        if outcome == "rejected" and not reason:
            typed = Typed(form="sure", fields=fields, faults={"reason": NO_REASON})
            return await self._pages.sure(me, picked, outcome, back=back, status=422, typed=typed)

        def answered(one: Picked) -> Awaitable[ApprovalView]:
            answer = _answer(me, outcome, reason, one)
            return self._answers.decide(me.workspace, one.approval_id, answer)

        return await self._each(me, picked, answered, outcome, back)

    async def _undo(self, me: Session, picked: Sequence[Picked], back: str) -> Response:
        by = Person(email=me.email)

        def undone(one: Picked) -> Awaitable[ApprovalView]:
            return self._answers.undo(me.workspace, one.approval_id, by=by)

        return await self._each(me, picked, undone, UNDO, back)

    async def _each(
        self,
        me: Session,
        picked: Sequence[Picked],
        change: Callable[[Picked], Awaitable[ApprovalView]],
        said: str,
        back: str,
    ) -> Response:
        async def one(pick: Picked) -> ApprovalView:
            return await _or_problem(change(pick))

        came = await each(picked, lambda pick: pick.approval_id, one)
        results = [
            Result(pick, None, found.detail) if isinstance(found, Problem) else Result(pick, found)
            for pick, found in zip(picked, came, strict=True)
        ]
        return await self._pages.results(me, results, said, back)


async def _or_problem(change: Awaitable[ApprovalView]) -> ApprovalView:
    try:
        return await change
    except Gap as error:
        raise Problem(404, "not_found", "There is no such approval.") from error
    except Refused as refused:
        raise Problem(STATUS_OF[refused.code], refused.code, str(refused)) from refused


def _answer(me: Session, outcome: Outcome, reason: str, one: Picked) -> Answer:
    return Answer(
        outcome=outcome,
        by=Person(email=me.email),
        reason=reason or None,
        channel=CHANNEL,
        via=None,
        revision=one.revision,
        assurance=me.assurance,
        shown=one.shown,
        undoable=True,
    )
