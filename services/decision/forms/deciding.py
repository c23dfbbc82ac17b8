"""The forms of an approver: answers, answers with changes, and comments."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from events.approval import Outcome, Person
from projections.approval_view import ApprovalView
from services.decision.answering import ANSWERS, Answer, Answering
from services.decision.forms.fields import (
    MAX_REVISION,
    approval_in,
    back_in,
    bounded,
    once,
    read_form,
    shown_in,
    text_in,
)
from services.decision.forms.guarding import current, granted
from services.decision.forms.payloads import by_field, changed_payload
from services.decision.forms.ports import Fields, Shows
from services.web.problems import Invalid, Problem
from services.web.session import Session
from services.web.typed import Typed

CHANNEL = "inbox"
NO_REASON = "Say why: a request is not denied without a reason."
NO_TEXT = "Write something first."


class Deciding:
    """Takes answers and comments."""

    def __init__(self, answers: Answering, pages: Shows) -> None:
        self._answers = answers
        self._pages = pages

    async def decide(self, request: Request, me: Session) -> Response:
        """Take an answer, and with `edited` the payload that is approved instead."""
        approval_id = approval_in(request)
        fields = await read_form(
            request,
            required=("decision", "revision"),
            optional=("reason", "next", "back", "edited", "shown"),
            with_payload=True,
        )
        outcome = ANSWERS.get(fields["decision"].strip().lower())
        if outcome is None:
            raise Invalid("decision: send approve or deny.", pointer="/decision")
        revision = bounded(fields["revision"], "revision", MAX_REVISION)
        reason, shown = text_in(fields, "reason"), shown_in(fields)
        to_inbox, back = _place(fields)
        typed = Typed(form=_form(outcome, fields), fields=fields)
        if outcome == "rejected" and not reason:
            typed = Typed(form=typed.form, fields=fields, faults={"reason": NO_REASON})
            return await self._pages.approval(
                me, approval_id, status=422, seen=revision, typed=typed
            )
        answer = Answer(
            outcome=outcome,
            by=Person(email=me.email),
            reason=reason or None,
            channel=CHANNEL,
            via=None,
            revision=revision,
            assurance=me.assurance,
            shown=shown,
            undoable=True,
        )
        if typed.form == "edit":
            change = self._decide_with_changes(me, approval_id, answer, fields)
        else:
            change = self._answers.decide(me.workspace, approval_id, answer)
        view = await granted(self._pages, me, approval_id, typed, change)
        if isinstance(view, Response):
            return view
        return self._pages.answered(view, to_inbox=to_inbox, back=back)

    async def undo(self, request: Request, me: Session) -> Response:
        """Take an answer back that is held."""
        approval_id = approval_in(request)
        fields = await read_form(request, optional=("next", "back"))
        to_inbox, back = _place(fields)
        change = self._answers.undo(me.workspace, approval_id, by=Person(email=me.email))
        typed = Typed(form="undo", fields=fields)
        view = await granted(self._pages, me, approval_id, typed, change)
        if isinstance(view, Response):
            return view
        return self._pages.answered(view, to_inbox=to_inbox, back=back, told="undone")

    async def _decide_with_changes(
        self, me: Session, approval_id: str, answer: Answer, fields: Fields
    ) -> ApprovalView:
        shown = await current(self._answers, me, approval_id)
        changed = replace(answer, payload=changed_payload(shown, fields))
        try:
            return await self._answers.decide(me.workspace, approval_id, changed)
        except Problem as problem:
            raise by_field(problem, shown.payload) from problem

    async def comment(self, request: Request, me: Session) -> Response:
        """Take a comment."""
        approval_id = approval_in(request)
        fields = await read_form(request, required=("text", "comment_id"))
        text = text_in(fields, "text")
        # As over the API: whoever sends the same key twice has commented once.
        comment_id = f"{me.email} {once(fields, 'comment_id')}"
        if not text:
            typed = Typed(form="comment", fields=fields, faults={"text": NO_TEXT})
            return await self._pages.approval(me, approval_id, status=422, typed=typed)
        change = self._answers.comment(
            me.workspace,
            approval_id,
            by=Person(email=me.email),
            text=text,
            comment_id=comment_id,
        )
        typed = Typed(form="comment", fields=fields)
        view = await granted(self._pages, me, approval_id, typed, change)
        return view if isinstance(view, Response) else self._pages.done(approval_id, "commented")


def _form(outcome: Outcome, fields: Fields) -> str:
    if outcome == "rejected":
        return "deny"
    return "edit" if "edited" in fields else "approve"


def _place(fields: Fields) -> tuple[bool, str]:
    """Return whether to go on in the inbox, and with which of its parameters: never an address.

    Whoever has parameters of the inbox comes from there.
    """
    following = fields.get("next", "inbox" if fields.get("back") else "approval")
    if following not in ("approval", "inbox"):
        raise Invalid("next: approval or inbox.", pointer="/next")
    return following == "inbox", back_in(fields)
