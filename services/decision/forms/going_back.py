"""The forms between approver and requester: questions, answers, changes, reminders."""

from starlette.requests import Request
from starlette.responses import Response

from events.approval import Person, Wanted
from projections.approval_view import ApprovalView
from services.decision.answering import Answering
from services.decision.changing import Changing
from services.decision.forms.deciding import NO_TEXT
from services.decision.forms.fields import (
    MAX_REVISION,
    approval_in,
    bounded,
    once,
    read_form,
    text_in,
)
from services.decision.forms.guarding import current, granted
from services.decision.forms.payloads import by_field, changed_payload
from services.decision.forms.ports import Shows
from services.decision.revising import Changes
from services.web.bodies import address
from services.web.problems import Invalid, Problem
from services.web.session import Session
from services.web.typed import Typed

MAX_TITLE = 500
MAX_ADDRESS = 254
MAX_QUESTION = 600
NO_TITLE = "Say in a few words what is asked."
NO_CHANGE = "Nothing was changed: change something, or answer without a change."
NOBODY = "Name who is to be asked instead, by e-mail address."

_WANTED: dict[str, Wanted] = {"answer": "answer", "changes": "changes"}


class GoingBack:
    """Takes what happens to an ask before it is decided."""

    def __init__(self, answers: Answering, changing: Changing, pages: Shows) -> None:
        self._answers = answers
        self._changing = changing
        self._pages = pages

    async def question(self, request: Request, me: Session) -> Response:
        """Ask the requester, or return it for changes."""
        approval_id = approval_in(request)
        fields = await read_form(request, required=("text", "wants", "revision", "question_id"))
        wants = _WANTED.get(fields["wants"])
        if wants is None:
            raise Invalid("wants: answer or changes.", pointer="/wants")
        text = text_in(fields, "text")
        question_id = f"{me.email} {once(fields, 'question_id')}"
        typed = Typed(form="question", fields=fields, faults={} if text else {"text": NO_TEXT})
        if not text:
            return await self._pages.approval(me, approval_id, status=422, typed=typed)
        change = self._changing.ask_back(
            me.workspace,
            approval_id,
            by=Person(email=me.email),
            text=text,
            wants=wants,
            question_id=question_id,
            revision=bounded(fields["revision"], "revision", MAX_REVISION),
        )
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "asked")

    async def answer(self, request: Request, me: Session) -> Response:
        """Answer what was asked back."""
        approval_id = approval_in(request)
        fields = await read_form(request, required=("text", "question_id"))
        text = text_in(fields, "text")
        question_id = bounded(fields["question_id"], "question_id", MAX_QUESTION)
        typed = Typed(form="answer", fields=fields, faults={} if text else {"text": NO_TEXT})
        if not text:
            return await self._pages.approval(me, approval_id, status=422, typed=typed)
        change = self._changing.answer_back(
            me.workspace,
            approval_id,
            by=Person(email=me.email),
            as_admin=False,
            text=text,
            question_id=question_id,
        )
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "replied")

    async def revise(self, request: Request, me: Session) -> Response:
        """Change what is asked."""
        approval_id = approval_in(request)
        fields = await read_form(request, required=("title", "revision"), with_payload=True)
        bounded(fields["revision"], "revision", MAX_REVISION)
        title = text_in(fields, "title", MAX_TITLE)
        typed = Typed(form="revise", fields=fields, faults={} if title else {"title": NO_TITLE})
        if not title:
            return await self._pages.approval(me, approval_id, status=422, typed=typed)
        change = self._revised(me, approval_id, title, typed)
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "revised")

    async def _revised(
        self, me: Session, approval_id: str, title: str, typed: Typed
    ) -> ApprovalView:
        shown = await current(self._answers, me, approval_id)
        payload = changed_payload(shown, typed.fields)
        if payload is None and title == shown.title:
            raise Problem(422, "invalid", NO_CHANGE)
        try:
            return await self._changing.revise(
                me.workspace,
                approval_id,
                by=Person(email=me.email),
                as_admin=False,
                changes=Changes(payload=payload, title=title if title != shown.title else None),
            )
        except Problem as problem:
            raise by_field(problem, shown.payload) from problem

    async def reassign(self, request: Request, me: Session) -> Response:
        """Pass it on to somebody else."""
        approval_id = approval_in(request)
        fields = await read_form(request, required=("to",), optional=("reason",))
        reason = text_in(fields, "reason")
        typed = Typed(form="reassign", fields=fields)
        change = self._reassigned(me, approval_id, text_in(fields, "to", MAX_ADDRESS), reason)
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "passed_on")

    async def _reassigned(
        self, me: Session, approval_id: str, to: str, reason: str
    ) -> ApprovalView:
        if not to:
            raise Invalid(NOBODY, pointer="/to")
        return await self._changing.reassign(
            me.workspace,
            approval_id,
            by=Person(email=me.email),
            as_admin=False,
            to=address(to, "to"),
            reason=reason or None,
        )

    async def remind(self, request: Request, me: Session) -> Response:
        """Remind those who have not answered."""
        approval_id = approval_in(request)
        typed = Typed(form="remind", fields=await read_form(request))
        change = self._changing.remind(
            me.workspace, approval_id, by=Person(email=me.email), as_admin=False
        )
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "reminded")

    async def withdraw(self, request: Request, me: Session) -> Response:
        """Take an ask back."""
        approval_id = approval_in(request)
        fields = await read_form(request, optional=("reason",))
        change = self._answers.withdraw(
            me.workspace,
            approval_id,
            by=Person(email=me.email),
            as_admin=False,
            reason=text_in(fields, "reason") or None,
        )
        typed = Typed(form="withdraw", fields=fields)
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "withdrawn")
