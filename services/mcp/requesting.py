"""The tools of a requester: ask, look, wait, take back."""

import hashlib
import logging
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from services.mcp.arguments import Ask, Cancel, Mine, One, Reply, Wait
from services.mcp.placet_api import Caller, Refused, canonical
from services.mcp.results import RETRY_AFTER_S, Answer, Approval, approval_of, lines_of, standing

logger = logging.getLogger(__name__)

MOST_ALIKE = 20
"""How often the same is asked anew in a day without a key of the caller's own."""
ANSWER_S = 10.0
"""What an answer may take beyond the wait itself."""


async def request_approval(caller: Caller, ask: Ask) -> Answer:
    """Ask; the same again is the same approval, and never yesterday's answer."""
    body: dict[str, Any] = msgspec.to_builtins(ask)
    key = body.pop("idempotency_key", None)
    if key is not None:
        answered = await caller.post("/v1/approvals", body, idempotency_key=key)
        approval = approval_of(answered.body, caller)
    else:
        approval = approval_of(await _ask(caller, body, datetime.now(UTC).date()), caller)
    if approval.final:
        return Answer(f"This was asked before: {standing(approval, caller)}", approval)
    return Answer(
        f"Asked: {standing(approval, caller)} A person decides at {approval.url}. Call "
        f"wait_for_decision, or look again with get_approval after {RETRY_AFTER_S} s; the request "
        "stays if you stop here.",
        approval,
    )


async def _ask(caller: Caller, body: dict[str, Any], today: date) -> Any:
    """Ask under a derived key: a repeated call finds its open request, and no earlier answer."""
    before = ""
    for _ in range(MOST_ALIKE):
        key = _derived(body, today, before)
        answered = await caller.post("/v1/approvals", body, idempotency_key=key)
        approval = approval_of(answered.body, caller)
        # An old "approved" for a new question would be an approval that nobody gave.
        if answered.status == 201 or not approval.final:  # noqa: PLR2004 # created
            return answered.body
        before = approval.id
    raise Refused(
        f"The same was asked and answered {MOST_ALIKE} times today. Nothing was asked; pass an "
        "idempotency_key of your own if it must be asked once more."
    )


def _derived(body: dict[str, Any], today: date, before: str) -> str:
    digest = hashlib.sha256(canonical(body) + f"\n{today.isoformat()}\n{before}".encode())
    return f"mcp:{digest.hexdigest()}"


async def get_approval(caller: Caller, one: One) -> Answer:
    """Show one approval as it is now."""
    view = await caller.get(f"/v1/approvals/{one.approval_id}")
    approval = approval_of(view, caller)
    return Answer(standing(approval, caller), approval)


async def wait_for_decision(caller: Caller, wait: Wait) -> Answer:
    """Wait until an approval is final, for a while; not for who is asked something themselves."""
    path = f"/v1/approvals/{wait.approval_id}"
    approval = approval_of(await caller.get(path), caller)
    if not approval.final and not _is_asked(approval, caller):
        query = {"timeout": wait.timeout_s}
        within_s = wait.timeout_s + ANSWER_S
        approval = approval_of(await caller.get(f"{path}/wait", query, within_s=within_s), caller)
    if not approval.final and _is_asked(approval, caller):
        return Answer(standing(approval, caller), approval)
    if approval.final:
        if approval.requester.email == caller.principal:
            await _acknowledge(caller, approval)
        return Answer(standing(approval, caller), approval)
    return Answer(
        f"{standing(approval, caller)} People may take hours: go on with something else, or stop "
        f"here and look again later; not before {RETRY_AFTER_S} s.",
        approval,
    )


def _is_asked(approval: Approval, caller: Caller) -> bool:
    return approval.asked_back is not None and approval.requester.email == caller.principal


async def answer_question(caller: Caller, reply: Reply) -> Answer:
    """Answer what an approver asked back, and then hand in a changed payload if there is one."""
    path = f"/v1/approvals/{reply.approval_id}"
    # In this order, and again as often as need be: what was answered stays so.
    said = {"text": reply.text, "question_id": reply.question_id}
    answered = await caller.post(f"{path}/answers", said)
    if reply.payload is not None:
        answered = await caller.post(f"{path}/revise", {"payload": reply.payload})
    approval = approval_of(answered.body, caller)
    return Answer(f"Answered: {standing(approval, caller)}", approval)


async def _acknowledge(caller: Caller, approval: Approval) -> None:
    """Note that who asked is being told: otherwise it would stand among the unheard for ever."""
    try:
        await caller.post(f"/v1/approvals/{approval.id}/acknowledge", {})
    except Refused as refused:
        # The answer counts; what nobody acknowledged is listed, and told in other ways.
        logger.warning("%s is not acknowledged: %s", approval.id, refused)


async def cancel_request(caller: Caller, cancel: Cancel) -> Answer:
    """Take a request back; one that was taken back already is as good."""
    body = {} if cancel.reason is None else {"reason": cancel.reason}
    try:
        answered = await caller.post(f"/v1/approvals/{cancel.approval_id}/withdraw", body)
    except Refused as refused:
        approval = refused.approval
        if not isinstance(approval, dict) or approval.get("status") != "withdrawn":
            raise
        found = approval_of(approval, caller)
    else:
        found = approval_of(answered.body, caller)
    return Answer(standing(found, caller), found)


async def list_my_requests(caller: Caller, mine: Mine) -> Answer:
    """List what the caller asked for, newest first."""
    page = await caller.get(
        "/v1/approvals",
        {
            "requester": caller.principal,
            "status": mine.status,
            "limit": mine.limit,
            "cursor": mine.cursor,
        },
    )
    lines = lines_of(page, caller)
    more = " There are more: next_cursor leads to them." if lines.next_cursor else ""
    return Answer(f"{len(lines.approvals)} of your requests, newest first.{more}", lines)
