"""Where every dialect meets the native commands: it has words of its own, and no rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query

from events.approval import Person
from projections.approval_view import ApprovalView, Status
from projections.cursors import BadCursor
from projections.queries import MOST, Filters, Queries
from services.approval_types import ApprovalTypes
from services.decision.answering import ANSWERS, Answer, Answering
from services.decision.api import submit
from services.decision.asking import Asked, Asking, fingerprint
from services.decision.dialects.records import Key
from services.decision.identifiers import new_approval_id
from services.decision.request_body import ApprovalBody, AskedBy
from services.web.bodies import plain
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

KSUID_CHARS = 27
MAX_ID = 200

Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[str | None, Query(max_length=200)]

_views = msgspec.json.Decoder(list[ApprovalView])


@dataclass(frozen=True, slots=True)
class Native:
    """The commands and the queries that dialects are translated to."""

    asking: Asking
    answering: Answering
    queries: Queries
    types: ApprovalTypes
    clock: Callable[[], datetime]

    def new_id(self) -> str:
        """Return a KSUID for something that a dialect keeps."""
        return new_approval_id(self.clock())

    async def ask(
        self,
        principal: Principal,
        body: ApprovalBody,
        key: Key | None,
        *,
        words: Mapping[str, str],
        callback_dialect: str | None = None,
    ) -> Asked:
        """Keep an ask, once for each key.

        Raises what `Asking.ask` does, with its fields named by the `words` of the dialect.
        """
        try:
            return await self.asking.ask(
                principal.workspace,
                body,
                asked_by=AskedBy(
                    email=principal.email,
                    as_admin=principal.may("admin"),
                    callback_dialect=callback_dialect,
                ),
                idempotency_key=key.text if key else None,
                fingerprint=key.fingerprint if key else "",
            )
        except Problem as problem:
            raise reworded(problem, words) from problem

    async def decide(
        self, principal: Principal, approval_id: str, decision: str, reason: str | None
    ) -> ApprovalView:
        """Answer as the key's own principal; raises `Problem`, with the approval as it is."""
        outcome = ANSWERS.get(decision.strip().lower())
        if outcome is None:
            raise Invalid(
                f"decision: {decision!r} is no answer; send approved or rejected.",
                pointer="/decision",
            )
        answer = Answer(
            outcome=outcome,
            by=Person(email=principal.email),
            reason=reason,
            channel="api",
            via=None,
            revision=None,
        )
        return await submit(self.answering, principal, known(approval_id), answer)

    async def comment(
        self, principal: Principal, approval_id: str, text: str, comment_id: str
    ) -> ApprovalView:
        """Leave a comment, once for each id; a person's may supersede the ask."""
        return await self.answering.comment(
            principal.workspace,
            approval_id,
            by=Person(email=principal.email),
            text=text,
            comment_id=comment_id,
            by_person=not principal.agent,
        )

    async def view(self, principal: Principal, approval_id: str) -> ApprovalView:
        """Return an approval as of now; raises 404."""
        view = await self.queries.view(principal.workspace, known(approval_id))
        if view is None:
            raise Problem(404, "not_found", "There is no such approval.")
        return view

    async def page(
        self, principal: Principal, *, status: Status | None, limit: int, cursor: str | None
    ) -> tuple[list[ApprovalView], str | None]:
        """Return approvals, newest first, and where the next page begins."""
        filters = Filters(status=status)
        try:
            docs = await self.queries.list(principal.workspace, filters, limit=limit, cursor=cursor)
        except BadCursor as error:
            raise Invalid(f"cursor: {error}", pointer="/cursor") from error
        return _views.decode(f"[{docs.json}]"), docs.next_cursor


def reworded(problem: Problem, words: Mapping[str, str]) -> Problem:
    """Return a problem whose fields have a dialect's names; an empty name stands for the body."""
    errors = problem.more.get("errors")
    if not errors:
        return problem
    renamed = [
        {
            "pointer": _pointer(one["pointer"], words),
            "detail": _detail(one["detail"], one["pointer"], words),
        }
        for one in errors
    ]
    detail = _detail(problem.detail, errors[0]["pointer"], words)
    more = {**problem.more, "errors": renamed}
    return Problem(problem.status, problem.code, detail, headers=problem.headers, **more)


def _pointer(pointer: str, words: Mapping[str, str]) -> str:
    first, slash, rest = pointer.removeprefix("/").partition("/")
    word = words.get(first, first)
    return f"/{word}{slash}{rest}" if word else f"{slash}{rest}"


def _detail(detail: str, pointer: str, words: Mapping[str, str]) -> str:
    """Return a sentence whose first word, the field, is the dialect's."""
    first = pointer.removeprefix("/").partition("/")[0]
    if first not in words or not detail.startswith(first):
        return detail
    return f"{words[first]}{detail.removeprefix(first)}".lstrip("/:. ")


def keyed(principal: Principal, address: str, body: bytes, text: str | None) -> Key | None:
    """Return an idempotency key: one address's own, for one principal; None without a text."""
    if text is None:
        return None
    return Key(text=f"{principal.email} {address} {text}", fingerprint=fingerprint(body))


def refuse_reuse(kept: str | None, key: Key | None) -> None:
    """Raise 422 for a key that came before with another body."""
    if key is not None and kept != key.fingerprint:
        raise Problem(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key was used with another body. Use a new key for a new ask.",
        )


def known(identifier: str) -> str:
    """Return an id that may be one of ours; raises 404 for a text that never was one."""
    if not (identifier.isascii() and identifier.isalnum() and len(identifier) == KSUID_CHARS):
        raise Problem(404, "not_found", "There is nothing with this id.")
    return identifier


def foreign(identifier: str, field: str) -> str:
    """Return an id that somebody else gave, from an address; raises 422 for one that is none."""
    if not 1 <= len(identifier) <= MAX_ID:
        raise Invalid(f"{field}: must have 1 to {MAX_ID} characters.", pointer=f"/{field}")
    return plain(identifier, field)


def in_words(name: str) -> str:
    """Return `bulk_send` as `Bulk Send`."""
    return " ".join(part.capitalize() for part in name.replace("-", "_").split("_") if part) or name


def effective(view: ApprovalView) -> Any:
    """Return the payload that holds: the one that was approved, if an approver edited it."""
    return view.payload if view.edited_payload is None else view.edited_payload
