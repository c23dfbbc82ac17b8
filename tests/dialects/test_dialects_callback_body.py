"""The callback of an agent that notified its operator: two spellings of the same few words."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from events.approval import (
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalWithdrawn,
    Outcome,
    Person,
)
from events.codec import encode
from events.envelope import Recorded
from services.webhooks.bodies import MAX_BYTES, body_of, native
from services.webhooks.messages import Message
from tests.core.examples import NOW, ask, requested

ID = "2Qz5ZyV3dT8mYw6kR1bXn4cJ0Lp"
URL = "https://placet.example.com"
ABOUT = replace(
    requested(ask()).about,
    type="bulk_send",
    source=None,
    callback_url="https://my-agent.com/webhook/approval",
    callback_dialect="operator",
)
EXPIRED = ApprovalExpired(about=ABOUT, at=NOW)
SUPERSEDED = ApprovalWithdrawn(
    about=ABOUT,
    cause="superseded",
    by="agent@example.com",
    reason="Superseded by revision 2.",
    outcome=None,
    superseded_by="2" * 27,
    at=NOW,
)


def decided(outcome: Outcome, reason: str | None = None) -> ApprovalDecided:
    return ApprovalDecided(
        about=ABOUT,
        outcome=outcome,
        by=Person(email="otto@example.com"),
        reason=reason,
        channel="api",
        via=None,
        decided_at=NOW,
        at=NOW,
    )


def message(event: ApprovalEvent) -> Message:
    name, schema_version, data = encode(event)
    recorded = Recorded(
        workspace="acme",
        approval_id=ID,
        version=3,
        event=event,
        type=name,
        schema_version=schema_version,
        data=data,
        command_id="c",
        recorded_at=NOW,
    )
    return Message(name, recorded)


def told(event: ApprovalEvent) -> dict[str, Any]:
    body = body_of(message(event), URL, is_callback=True)
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize(
    ("event", "name", "status"),
    [
        (decided("approved"), "approval.granted", "approved"),
        (decided("rejected"), "approval.denied", "denied"),
        (EXPIRED, "approval.expired", "expired"),
        (SUPERSEDED, "approval.expired", "expired"),
    ],
)
def test_every_end_has_one_of_three_names(event: ApprovalEvent, name: str, status: str) -> None:
    body = told(event)
    assert (body["type"], body["event"], body["status"]) == (name, name, status)
    assert body["requestId"] == body["request_id"] == ID
    assert body["action"] == "bulk_send"
    assert datetime.fromisoformat(body["timestamp"]) == NOW


@pytest.mark.parametrize("event", [decided("approved", "ok"), decided("rejected", "no"), EXPIRED])
def test_both_spellings_say_the_same(event: ApprovalEvent) -> None:
    body = told(event)
    for camel, snake in (
        ("requestId", "request_id"),
        ("approvedBy", "approved_by"),
        ("approvedAt", "approved_at"),
        ("denialReason", "denial_reason"),
        ("decidedBy", "decided_by"),
        ("decidedAt", "decided_at"),
        ("contextDigest", "context_digest"),
        ("withdrawnCause", "withdrawn_cause"),
        ("supersededBy", "superseded_by"),
    ):
        assert body[camel] == body[snake], camel


def test_an_approval_says_who_and_when() -> None:
    body = told(decided("approved", "Go ahead"))
    assert body["approved_by"] == "otto@example.com"
    assert datetime.fromisoformat(body["approved_at"]) == NOW
    assert (body["reason"], body["denial_reason"]) == ("Go ahead", None)
    assert body["context_digest"] == ABOUT.payload_digest


def test_a_denial_says_who_answered_and_never_when_it_was_approved() -> None:
    body = told(decided("rejected", "Not this week"))
    assert body["approved_by"] == "otto@example.com", "the seed's agent reads it of a denial"
    assert body["approved_at"] is None
    assert body["denial_reason"] == "Not this week"


def test_nobody_answered_what_expired() -> None:
    body = told(EXPIRED)
    assert (body["approved_by"], body["approved_at"], body["denial_reason"]) == (None, None, None)
    superseded = told(SUPERSEDED)
    assert superseded["withdrawn_cause"] == "superseded"
    assert superseded["superseded_by"] == "2" * 27
    assert superseded["reason"] == "Superseded by revision 2."


def test_a_receiver_of_standard_webhooks_finds_what_it_orders_by() -> None:
    data = told(decided("approved"))["data"]
    assert (data["event_id"], data["ordering_key"], data["sequence"]) == (f"{ID}.3", ID, 3)
    assert data["url"] == f"{URL}/approvals/{ID}"
    assert data["status"] == "approved"


@pytest.mark.parametrize("character", ["a", "\N{OWL}", "\0", '"'])
@pytest.mark.parametrize("outcome", ["approved", "rejected"])
def test_the_longest_reason_does_not_make_it_too_long(character: str, outcome: Outcome) -> None:
    event = replace(
        decided(outcome, character * 10_000),
        about=replace(ABOUT, type=character * 200),
        by=Person(email="a" * 254),
    )
    body = body_of(message(event), URL, is_callback=True)
    assert len(body) < MAX_BYTES
    found = json.loads(body)
    reason = found["reason"] if outcome == "approved" else found["denial_reason"]
    assert reason.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert len(reason) > 300


def test_a_subscription_is_told_in_our_own_words() -> None:
    one = message(decided("approved"))
    assert body_of(one, URL, is_callback=False) == native(one, URL)


def test_what_is_no_outcome_has_no_callback() -> None:
    asked = replace(requested(ask()), about=ABOUT)
    with pytest.raises(ValueError, match="no outcome"):
        body_of(message(asked), URL, is_callback=True)
