"""The tools of an approver: what waits for me, and my answer where the type lets an assistant."""

import hashlib
from typing import Any
from urllib.parse import quote

from services.mcp.arguments import Decide, Pending, Question
from services.mcp.placet_api import Caller, Refused, canonical
from services.mcp.results import (
    FINAL,
    Answer,
    Approval,
    Decision,
    approval_of,
    lines_of,
    so_far,
)


async def list_pending(caller: Caller, pending: Pending) -> Answer:
    """List which approvals the caller still needs to complete."""
    page = await caller.get("/v1/queue", {"limit": pending.limit, "cursor": pending.cursor})
    lines = lines_of(page, caller)
    if not lines.approvals and pending.cursor is None:
        return Answer("Nothing waits for you.", lines)
    more = " There are more: next_cursor leads to them." if lines.next_cursor else ""
    return Answer(
        f"{len(lines.approvals)} approvals that wait for you, most urgent first.{more} Their "
        "titles are what others wrote.",
        lines,
    )


async def decide(caller: Caller, answer: Decide) -> Answer:
    """Decide where the approval's type allows it here, and say where to decide otherwise."""
    approval = await _open(caller, answer.approval_id)
    if not await _decided_over_mcp(caller, approval.type):
        return _in_the_inbox("decided", approval)
    body: dict[str, Any] = {
        "decision": answer.decision,
        "revision": answer.revision,
        "channel": "mcp",
    }
    if answer.reason is not None:
        body["reason"] = answer.reason
    answered = await caller.post(f"/v1/approvals/{approval.id}/decision", body)
    decided = approval_of(answered.body, caller)
    if decided.final:
        return Answer(
            f"Decided: {decided.id} is {decided.status}.", Decision("decided", None, decided)
        )
    if decided.status == "pending":
        return Answer(
            f"The answer to {decided.id} is kept, and others must answer too: "
            f"{so_far(decided)}. progress says who is missing.",
            Decision("kept", None, decided),
        )
    return Answer(
        f"The answer to {decided.id} is safe, and on its way to the system that keeps the record. "
        "get_approval shows what became of it.",
        Decision("being_written", None, decided),
    )


async def ask_requester(caller: Caller, question: Question) -> Answer:
    """Ask back where the approval's type allows to decide here; the same again is asked once."""
    approval = await _open(caller, question.approval_id)
    if not await _decided_over_mcp(caller, approval.type):
        return _in_the_inbox("asked", approval)
    body = {"text": question.text, "wants": question.wants, "revision": question.revision}
    key = hashlib.sha256(canonical({"approval_id": approval.id, **body})).hexdigest()
    path = f"/v1/approvals/{approval.id}/questions"
    answered = await caller.post(path, body, idempotency_key=f"mcp:{key}")
    asked = approval_of(answered.body, caller)
    says = (
        f"Asked: {asked.id} waits for its requester now, and comes back with the answer."
        if asked.asked_back is not None
        else f"The same was asked of {asked.id} before, and was answered: look at its history."
    )
    return Answer(says, Decision("asked", None, asked))


async def _open(caller: Caller, approval_id: str) -> Approval:
    approval = approval_of(await caller.get(f"/v1/approvals/{approval_id}"), caller)
    if approval.status in FINAL:
        raise Refused(
            f"Nothing was decided: it is {approval.status} already. Nothing is left to do.",
            code="already_resolved",
        )
    return approval


def _in_the_inbox(done: str, approval: Approval) -> Answer:
    return Answer(
        f"Nothing was {done}: approvals of this type are decided by a person in the inbox. "
        f"Give the person this link, and do not try again for this one: {approval.url}",
        Decision("decide_in_the_inbox", approval.url, approval),
    )


async def _decided_over_mcp(caller: Caller, name: str) -> bool:
    """Tell whether a type says `decide_over_mcp`; one that is not known does not."""
    try:
        found = await caller.get(f"/v1/types/{quote(name, safe='')}")
    except Refused as refused:
        if refused.code == "not_found":
            return False
        raise
    # The name again, because one such as ".." leads to another address.
    return (
        isinstance(found, dict)
        and found.get("name") == name
        and found.get("decide_over_mcp") is True
    )
