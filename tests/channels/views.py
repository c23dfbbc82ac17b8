"""Approvals to draw cards of."""

from datetime import UTC, datetime, timedelta
from typing import Any

from events.approval import Person, SourceRecord
from projections.approval_view import ApprovalView, Approver
from services.channels.card import Card, make_card

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AMARA = "amara@example.com"
EXPENSE = {
    "report_id": "EXP-2025-09-15-001",
    "total_amount": 750.50,
    "currency": "USD",
    "description": "Client dinner and travel for Q3 sales meeting.",
    "submitter": {
        "email_addr": "jane.doe@example.com",
        "full_name": "Jane Doe",
        "record_id": "user_12345",
    },
    "line_items": [
        {"item": "Client Dinner", "category": "Meals & Entertainment", "amount": 250.00},
        {"item": "Flight to NYC", "category": "Travel", "amount": 450.50},
        {"item": "Taxi", "category": "Travel", "amount": 50.00},
    ],
}


def view(**changes: Any) -> ApprovalView:
    shown = ApprovalView(
        verified_at=None,
        id="2Zq4h3bN9tVgmPuVd5sJ8oKcXyL",
        workspace="acme",
        type="expense",
        title="Expense report EXP-1",
        status="pending",
        version=1,
        round=1,
        revision="1",
        payload=EXPENSE,
        payload_digest="0" * 64,
        requester=Person(email="jane.doe@example.com", name="Jane Doe"),
        approvers=[Approver(email=AMARA, name="Amara")],
        reason="Client visit",
        urgency="high",
        source=SourceRecord(
            name="expenses", record_id="EXP-1", revision="1", url="https://acme.example/r/1"
        ),
        subject=None,
        checkpoint_name=None,
        execution_id=None,
        agent_id=None,
        links=(),
        metadata={},
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW + timedelta(days=29, hours=5),
    )
    for name, value in changes.items():
        setattr(shown, name, value)
    return shown


def card_of(shown: ApprovalView | None = None, **given: Any) -> Card:
    return make_card(
        shown or view(),
        given.pop("approver", AMARA),
        public_url="https://placet.example.com/",
        template=given.pop("template", None),
        now=NOW,
        **given,
    )
