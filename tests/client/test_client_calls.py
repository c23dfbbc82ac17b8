"""Every call of the client, against the real server."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from placet import (
    AlreadyResolved,
    Approval,
    ArgumentsChanged,
    Conflict,
    Invalid,
    NotAllowed,
    NotApproved,
    NotDecidedInTime,
    NotFound,
    Rejected,
    StaleRevision,
    Withdrawn,
    WrongKey,
)

from events.digest import payload_digest as digest_of_the_server
from tests.api.api_kit import ANN, BEN, REQUESTER
from tests.client.client_kit import PATIENCE_S, Caller, Office, every

PAYLOAD = {"recipients": ["a@example.com"], "amount": 12.5, "note": "ä\u2028"}


async def asked(agent: Caller, **more: object) -> Approval:
    ask = {"type": "bulk_send", "title": "Send", "payload": PAYLOAD, "approvers": [ANN], **more}
    approval = await agent("create", **ask)
    assert isinstance(approval, Approval)
    return approval


async def test_an_ask_is_read_as_a_mapping_and_as_attributes(agent: Caller) -> None:
    approval = await asked(
        agent,
        reason="Because",
        urgency="high",
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        links=[{"kind": "issue", "id": "7", "url": "https://example.com/7"}],
        subject="plan-7",
        revision=3,
        checkpoint_name="review",
        execution_id="run-1",
        agent_id="writer",
        metadata={"run": {"step": 1}},
        requester={"email": REQUESTER, "name": "The agent"},
        callback_url=None,
    )
    again = await agent("get", approval["id"])
    assert again == approval
    assert (again.id, again.status, again.revision) == (approval["id"], "pending", "3")
    assert again.payload == PAYLOAD
    assert again.payload_digest == digest_of_the_server(PAYLOAD)
    assert (again.effective_payload, again.effective_digest) == (PAYLOAD, again.payload_digest)
    assert [one["email"] for one in again.approvers] == [ANN]
    assert again.requester == {"email": REQUESTER, "name": "The agent"}
    assert again.expires_at - again.created_at < timedelta(hours=1, minutes=1)
    assert (again.decided_at, again.outcome, again.source) == (None, None, None)
    assert (again.urgency, again.subject, again.agent_id) == ("high", "plan-7", "writer")
    assert again.metadata == {"run": {"step": 1}}
    assert (await agent("links", again.id)) == again.links
    assert not again.is_final
    assert not again.approved


async def test_the_same_key_asks_once_and_another_ask_under_it_is_refused(agent: Caller) -> None:
    first = await asked(agent, idempotency_key="confirmation:7:plan:1")
    again = await asked(agent, idempotency_key="confirmation:7:plan:1")
    assert again == first
    assert (await asked(agent)).id != (await asked(agent)).id
    with pytest.raises(Invalid, match="another body") as caught:
        await asked(agent, idempotency_key="confirmation:7:plan:1", title="Other")
    assert caught.value.code == "idempotency_key_reused"


async def test_the_words_of_seed_003_work_as_written(
    office: Office, agent: Caller, ann: Caller
) -> None:
    await asked(agent, checkpoint_name="review_response", agent_id="writer")
    await office.placet.shown()
    approvals = await ann("list", status="pending")
    assert [
        (approval["checkpoint_name"], approval["agent_id"], approval["payload"])
        for approval in approvals["data"]
    ] == [("review_response", "writer", PAYLOAD)]
    decided = await ann(
        "decide",
        approval_id=approvals["data"][0]["id"],
        decision="approved",
        reason="Response looks accurate and appropriate",
    )
    assert decided["status"] == "approved"
    assert decided["decided_by"] == ANN
    assert decided.decision_reason == "Response looks accurate and appropriate"
    assert isinstance(decided.decided_at, datetime)


async def test_iterating_a_page_goes_through_all_of_them(office: Office, agent: Caller) -> None:
    ids = [(await asked(agent, type="one" if n % 2 else "two")).id for n in range(5)]
    await office.placet.shown()
    page = await agent("list", limit=2)
    assert (len(page.data), len(page["data"]), page.next_cursor is not None) == (2, 2, True)
    assert sorted(one.id for one in await every(page)) == sorted(ids)
    # The filters hold on every page.
    ones = await every(await agent("list", type="one", limit=1, approver=ANN, status=None))
    assert sorted(one.id for one in ones) == sorted(ids[1::2])
    second = await agent("list", limit=2, cursor=page["next_cursor"])
    assert {one.id for one in second.data}.isdisjoint({one.id for one in page.data})
    with pytest.raises(KeyError):
        page["other"]


async def test_the_queue_shows_what_waits_for_somebody(
    office: Office, agent: Caller, ann: Caller
) -> None:
    low = await asked(agent, urgency="low")
    high = await asked(agent, urgency="high")
    await asked(agent, approvers=[BEN])
    await office.placet.shown()
    mine = await ann("queue", limit=1)
    assert mine.count == 2
    assert [one.id for one in await every(mine)] == [high.id, low.id]
    assert (await agent("queue", BEN))["count"] == 1


async def test_a_wait_returns_when_it_is_final_on_the_servers_word(
    office: Office, agent: Caller, ann: Caller
) -> None:
    approval = await asked(agent)
    waiting = asyncio.create_task(agent("wait", approval.id))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await office.answered(ann, "denied", reason="Too many")
    async with asyncio.timeout(PATIENCE_S):
        final = await waiting
    assert (final.status, final.is_final, final.approved) == ("rejected", True, False)
    assert (await agent("wait", approval.id, timeout=0)) == final
    with pytest.raises(Rejected, match="Too many") as caught:
        final.require_approved()
    assert caught.value.reason == "Too many"


@pytest.mark.parametrize("timeout", [0, 0.3, 1.2])
async def test_a_wait_ends_in_time_with_the_approval_as_it_is(
    agent: Caller, timeout: float
) -> None:
    approval = await asked(agent)
    began = time.monotonic()
    with pytest.raises(NotDecidedInTime) as caught:
        await agent("wait", approval.id, timeout=timeout)
    assert timeout <= time.monotonic() - began < timeout + PATIENCE_S
    assert caught.value.approval == approval
    assert isinstance(caught.value, NotApproved)


async def test_a_withdrawn_ask_cannot_be_decided_and_the_error_says_how_it_is(
    agent: Caller, ann: Caller
) -> None:
    approval = await asked(agent)
    withdrawn = await agent("withdraw", approval.id, "Not needed any more")
    assert (withdrawn.status, withdrawn.withdrawn_by) == ("withdrawn", REQUESTER)
    assert await agent("withdraw", approval.id) == withdrawn
    with pytest.raises(AlreadyResolved) as caught:
        await ann("decide", approval_id=approval.id, decision="approved")
    assert (caught.value.status, caught.value.code) == (409, "already_resolved")
    assert caught.value.approval == withdrawn
    with pytest.raises(Withdrawn, match="Not needed any more"):
        withdrawn.check(PAYLOAD)


async def test_a_decision_on_what_has_changed_is_refused(agent: Caller, ann: Caller) -> None:
    approval = await asked(agent, subject="plan", revision=2)
    with pytest.raises(StaleRevision) as caught:
        await ann("decide", approval_id=approval.id, decision="approved", revision=1)
    assert caught.value.approval == approval
    decided = await ann("decide", approval_id=approval.id, decision="approved", revision=2)
    # Sent twice, as after a lost answer.
    assert decided == await ann("decide", approval_id=approval.id, decision="approved", revision=2)


async def test_only_what_was_approved_passes_the_check(agent: Caller, ann: Caller) -> None:
    approval = await asked(agent)
    with pytest.raises(NotDecidedInTime):
        approval.check(PAYLOAD)
    approved = await ann("decide", approval_id=approval.id, decision="approved")
    approved.check({**reversed_(PAYLOAD), "recipients": ("a@example.com",)})
    with pytest.raises(ArgumentsChanged, match=approval.id):
        approved.check({**PAYLOAD, "amount": 12.51})


def reversed_(payload: dict[str, object]) -> dict[str, object]:
    return dict(reversed(payload.items()))


async def test_a_comment_stands_in_the_history(agent: Caller) -> None:
    approval = await asked(agent)
    await agent("comment", approval.id, "Please look")
    history = await agent("history", approval.id)
    assert [one["type"] for one in history] == ["approval.requested", "approval.commented"]


async def test_what_is_wrong_is_named(agent: Caller, ann: Caller, office: Office) -> None:
    with pytest.raises(Invalid, match="title") as caught:
        await asked(agent, title="")
    assert [one["pointer"] for one in caught.value.errors] == ["/title"]
    assert caught.value.status == 422
    for name in ("get", "wait", "history", "links", "withdraw"):
        with pytest.raises(NotFound):
            await agent(name, "0" * 27)
    for odd in ("", "../keys", "a b", "x?y=1"):
        with pytest.raises(NotFound, match="is no id"):
            await agent("get", odd)
    approval = await asked(agent)
    with pytest.raises(NotAllowed, match="approvals:decide"):
        await agent("decide", approval_id=approval.id, decision="approved")
    with pytest.raises(NotAllowed, match="approvals:request") as refused:
        await ann("withdraw", approval.id)
    assert refused.value.code == "missing_scope"
    stranger = await office.caller_with("plk_of_nobody_at_all")
    with pytest.raises(WrongKey):
        await stranger("get", approval.id)


async def test_what_is_no_json_is_refused_before_it_is_sent(agent: Caller) -> None:
    for payload, where in (
        ({"when": datetime.now(UTC)}, r"payload\.when: datetime"),
        ({"n": [1, float("nan")]}, r"payload\.n\[1\]"),
        ({"n": 2**53}, r"payload\.n"),
        ({1: "one"}, "key 1"),
    ):
        with pytest.raises(TypeError, match=where):
            await asked(agent, payload=payload)
    with pytest.raises(ValueError, match="zone"):
        await asked(agent, expires_at=datetime(2030, 1, 1))  # noqa: DTZ001 # that is what is wrong


async def test_an_outcome_is_acknowledged_once_it_is_there(agent: Caller, ann: Caller) -> None:
    approval = await asked(agent)
    with pytest.raises(Conflict) as caught:
        await agent("acknowledge", approval.id)
    assert caught.value.code == "not_final"
    await ann("decide", approval_id=approval.id, decision="approved")
    acknowledged = await agent("acknowledge", approval.id)
    assert acknowledged.acknowledged_by == REQUESTER
    assert acknowledged.acknowledged_at is not None
    assert await agent("acknowledge", approval.id) == acknowledged


async def test_what_nobody_acknowledged_is_listed(
    office: Office, agent: Caller, ann: Caller
) -> None:
    heard, unheard, open_ = [await asked(agent) for _ in range(3)]
    for one in (heard, unheard):
        await ann("decide", approval_id=one.id, decision="approved")
    await agent("acknowledge", heard.id)
    await office.placet.shown()
    assert [one.id for one in await every(await agent("list", acknowledged=False))] == [unheard.id]
    assert [one.id for one in await every(await agent("list", acknowledged=True))] == [heard.id]
    assert open_.acknowledged_at is None


async def test_an_edited_payload_is_what_was_approved(agent: Caller, ann: Caller) -> None:
    approval = await asked(agent, editable=True)
    edited = {**PAYLOAD, "amount": 10}
    approved = await ann("decide", approval_id=approval.id, decision="approved", payload=edited)
    assert (approved.payload, approved.edited_payload) == (PAYLOAD, edited)
    assert approved.effective_payload == edited
    assert approved.effective_digest == digest_of_the_server(edited)
    approved.check(edited)
    with pytest.raises(ArgumentsChanged):
        approved.check(PAYLOAD)


async def test_a_newer_revision_of_a_subject_withdraws_the_older_ask(agent: Caller) -> None:
    older = await asked(agent, subject="plan", revision=1)
    newer = await asked(agent, subject="plan", revision=2)
    withdrawn = await agent("wait", older.id, timeout=PATIENCE_S)
    with pytest.raises(Withdrawn) as caught:
        withdrawn.require_approved()
    assert caught.value.superseded_by == newer.id
