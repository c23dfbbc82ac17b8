"""A gated function runs what was approved, once, and nothing else; against the real server."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from placet import (
    AlreadyCarriedOut,
    ArgumentsChanged,
    AsyncPlacet,
    Expired,
    Invalid,
    NotDecidedInTime,
    Rejected,
    Withdrawn,
)

from tests.api.api_kit import ANN, REQUESTER
from tests.client.client_kit import PATIENCE_S, Caller, Office

MANY = [f"{n}@example.com" for n in range(101)]


class Mailer:
    """What must not run by itself."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[str], str]] = []

    def send_bulk(self, recipients: list[str], text: str = "Hello") -> int:
        self.sent.append((list(recipients), text))
        return len(recipients)


@pytest.fixture
def mailer() -> Mailer:
    return Mailer()


async def begun(call: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """A call that is under way."""
    task = asyncio.ensure_future(call(*args, **kwargs))
    await asyncio.sleep(0)
    return task


async def end_of(task: asyncio.Task[Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return await task


async def test_it_runs_once_it_is_approved_and_then_says_that_it_did(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, reason="A campaign", urgency="high")
    task = await begun(guarded, MANY)
    approval = await office.pending(agent)
    assert approval.payload == {"recipients": MANY, "text": "Hello"}
    assert (approval.title, approval.reason, approval.urgency) == (
        "Send bulk",
        "A campaign",
        "high",
    )
    assert not task.done()
    assert mailer.sent == []
    await office.answered(ann, "approved")
    assert await end_of(task) == len(MANY)
    assert mailer.sent == [(MANY, "Hello")]
    assert (await agent("get", approval.id)).acknowledged_by == REQUESTER


async def test_it_does_not_run_when_rejected_and_says_why(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    task = await begun(await agent.gated(mailer.send_bulk), MANY)
    await office.answered(ann, "rejected", reason="Not on a Sunday")
    with pytest.raises(Rejected, match="Not on a Sunday") as caught:
        await end_of(task)
    assert caught.value.approval.decided_by == ANN
    assert mailer.sent == []
    assert (await agent("get", caught.value.approval.id)).acknowledged_by == REQUESTER


async def test_nobody_is_asked_where_the_condition_does_not_hold(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, when=lambda call: len(call["recipients"]) > 100)
    assert await end_of(await begun(guarded, MANY[:100])) == 100
    await office.placet.shown()
    assert (await agent("list"))["data"] == []
    task = await begun(guarded, recipients=MANY)
    await office.answered(ann, "approved")
    assert await end_of(task) == 101


async def test_several_gates_one_after_another_each_ask(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    done: list[str] = []

    def upgrade(tier: str) -> None:
        done.append(tier)

    first = await agent.gated(upgrade, type="account_upgrade", title=lambda call: call["tier"])
    second = await agent.gated(mailer.send_bulk)

    async def campaign() -> int:
        await first("growth")
        sent: int = await second(MANY)
        return sent

    task = await begun(campaign)
    upgrade_asked = await office.answered(ann, "approved")
    assert (upgrade_asked.type, upgrade_asked.title) == ("account_upgrade", "growth")
    bulk_asked = await office.answered(ann, "approved")
    assert (bulk_asked.type, await end_of(task), done) == ("bulk_send", 101, ["growth"])


async def test_when_the_time_is_over_it_is_withdrawn_and_then_the_fallback_runs(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    seen: list[tuple[list[str], str]] = []

    def safely(recipients: list[str], text: str = "Hello") -> str:
        seen.append((recipients, text))
        return "sent to nobody"

    guarded = await agent.gated(mailer.send_bulk, timeout=0.5, on_timeout=safely)
    task = await begun(guarded, ["a@example.com"], text="Hi")
    assert await end_of(task) == "sent to nobody"
    await office.placet.shown()
    (approval,) = (await agent("list"))["data"]
    assert (approval.expires_at - approval.created_at).total_seconds() == 61
    assert seen == [(["a@example.com"], "Hi")]
    assert mailer.sent == []
    withdrawn = await agent("get", approval.id)
    assert (withdrawn.status, withdrawn.withdrawn_by) == ("withdrawn", REQUESTER)
    # A late approval cannot be given any more.
    with pytest.raises(Exception, match="already"):
        await ann("decide", approval_id=approval.id, decision="approved")


async def test_when_the_time_is_over_it_raises_without_a_fallback(
    agent: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, timeout=0.2)
    with pytest.raises(NotDecidedInTime) as caught:
        await end_of(await begun(guarded, MANY))
    assert caught.value.approval.status == "withdrawn"
    assert mailer.sent == []


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_decision_just_before_the_withdrawal_counts(
    office: Office, mailer: Mailer, decision: str
) -> None:
    ann_key = await office.placet.key(office.workspace, ANN)
    # The answer falls between the last look and the withdrawal.
    agent = await office.beaten_to_withdrawal(ann_key, decision)
    guarded = await agent.gated(mailer.send_bulk, timeout=0.2, on_timeout=lambda *_, **__: "safe")
    task = await begun(guarded, MANY)
    if decision == "approved":
        assert await end_of(task) == len(MANY)
        assert len(mailer.sent) == 1
    else:
        with pytest.raises(Rejected):
            await end_of(task)
        assert mailer.sent == []


async def test_what_expired_on_the_server_is_not_run(
    office: Office, agent: Caller, mailer: Mailer
) -> None:
    for fallback, result in (("raise", None), (lambda *_: "safe", "safe")):
        guarded = await agent.gated(
            mailer.send_bulk, expires_in=1, timeout=PATIENCE_S, on_timeout=fallback
        )
        task = await begun(guarded, MANY)
        approval = await office.pending(agent)
        await asyncio.sleep(1.1)
        await office.expired(approval.id)
        if result is None:
            with pytest.raises(Expired, match="expired before anybody decided"):
                await end_of(task)
        else:
            assert await end_of(task) == result
    assert mailer.sent == []


async def test_what_was_withdrawn_elsewhere_is_not_run_nor_is_the_fallback(
    office: Office, agent: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, timeout=PATIENCE_S, on_timeout=lambda *_: "never")
    task = await begun(guarded, MANY)
    approval = await office.pending(agent)
    await agent("withdraw", approval.id, "The campaign is off")
    await office.placet.shown()
    with pytest.raises(Withdrawn, match="The campaign is off"):
        await end_of(task)
    assert mailer.sent == []


async def test_a_newer_revision_of_the_subject_ends_the_older_call(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(
        mailer.send_bulk, subject="campaign", revision=lambda call: len(call["recipients"])
    )
    older = await begun(guarded, MANY[:1])
    first = await office.pending(agent)
    newer = await begun(guarded, MANY[:2])
    with pytest.raises(Withdrawn) as caught:
        await office.told(older)
    approval = await office.answered(ann, "approved")
    assert (caught.value.approval.id, caught.value.superseded_by) == (first.id, approval.id)
    assert await end_of(newer) == 2


async def test_arguments_that_changed_while_it_waited_are_refused(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    recipients = list(MANY)
    task = await begun(await agent.gated(mailer.send_bulk), recipients)
    await office.pending(agent)
    recipients.append("everybody@example.com")
    approval = await office.answered(ann, "approved")
    with pytest.raises(ArgumentsChanged, match=approval.id):
        await end_of(task)
    assert mailer.sent == []
    # It was not carried out, and stays to be seen as such.
    assert (await agent("get", approval.id)).acknowledged_at is None


async def test_an_approver_may_edit_the_arguments_where_the_gate_says_so(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, editable=True)
    task = await begun(guarded, MANY)
    edited = {"text": "Good day", "recipients": MANY[:3]}
    await office.answered(ann, "approved", payload=edited)
    assert await end_of(task) == 3
    assert mailer.sent == [(MANY[:3], "Good day")]


async def test_an_edit_that_the_function_cannot_take_is_refused(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, editable=True)
    task = await begun(guarded, MANY)
    await office.answered(ann, "approved", payload={"recipients": MANY[:3], "cc": []})
    with pytest.raises(ArgumentsChanged, match="recipients, text"):
        await end_of(task)
    assert mailer.sent == []


async def test_a_process_started_anew_goes_on_with_the_approval_it_asked_for(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    def name(call: Any) -> str:
        return f"campaign:{len(call['recipients'])}"

    crashed = await agent.gated(mailer.send_bulk, idempotency_key=name, timeout=PATIENCE_S)
    waiting = await begun(crashed, MANY)
    asked = await office.pending(agent)
    if agent.kind is AsyncPlacet:
        waiting.cancel()  # a thread cannot be stopped: it goes on beside its successor
    anew = await agent.gated(mailer.send_bulk, idempotency_key=name, timeout=PATIENCE_S)
    if agent.kind is AsyncPlacet:
        task = await begun(anew, MANY)
        await office.answered(ann, "approved")
        assert await end_of(task) == len(MANY)
        assert len(mailer.sent) == 1
    else:
        await office.answered(ann, "approved")
        await end_of(waiting)
    # One approval, one action; and the same key for another one is refused.
    with pytest.raises(AlreadyCarriedOut, match=asked.id):
        await end_of(await begun(anew, MANY))
    with pytest.raises(Invalid, match="another body"):
        await end_of(await begun(anew, MANY, text="Other"))
    assert len(mailer.sent) == 1
    assert [one["id"] for one in (await agent("list"))["data"]] == [asked.id]


async def test_a_decision_made_while_nobody_waited_is_found(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(mailer.send_bulk, idempotency_key="campaign", title="Campaign")
    # What the process that died had asked, before it could wait.
    await agent(
        "create",
        type="bulk_send",
        title="Campaign",
        approvers=[ANN],
        payload={"recipients": MANY, "text": "Hello"},
        editable=False,
        idempotency_key="campaign",
    )
    await office.answered(ann, "approved")
    assert await end_of(await begun(guarded, MANY)) == len(MANY)


async def test_a_fallback_that_a_crash_prevented_is_made_up_for(
    office: Office, agent: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(
        mailer.send_bulk, idempotency_key="x", timeout=0.2, on_timeout=lambda *_: "safe"
    )
    assert await end_of(await begun(guarded, MANY)) == "safe"
    assert await end_of(await begun(guarded, MANY)) == "safe"
    assert mailer.sent == []


async def test_a_function_that_fails_is_not_acknowledged(
    office: Office, agent: Caller, ann: Caller
) -> None:
    def fail() -> None:
        raise LookupError("no such list")

    task = await begun(await agent.gated(fail))
    approval = await office.answered(ann, "approved")
    with pytest.raises(LookupError, match="no such list"):
        await end_of(task)
    assert (await agent("get", approval.id)).acknowledged_at is None


async def test_the_payload_may_be_made_of_the_arguments(
    office: Office, agent: Caller, ann: Caller, mailer: Mailer
) -> None:
    guarded = await agent.gated(
        mailer.send_bulk, payload=lambda call: {"count": len(call["recipients"])}
    )
    recipients = list(MANY)
    task = await begun(guarded, recipients)
    assert (await office.answered(ann, "approved")).payload == {"count": 101}
    assert await end_of(task) == 101


async def test_a_client_is_made_of_the_environment_when_none_is_given(
    office: Office, ann: Caller, mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await office.caller(REQUESTER)
    monkeypatch.setenv("PLACET_URL", office.placet.url)
    monkeypatch.setenv("PLACET_KEY", agent.client.settings.key)
    task = await begun(await agent.gated(mailer.send_bulk, client=None), MANY)
    await office.answered(ann, "approved")
    assert await end_of(task) == 101
    made = await begun(await agent.gated(mailer.send_bulk, client=lambda: agent.client), MANY[:1])
    await office.answered(ann, "approved")
    assert await end_of(made) == 1
