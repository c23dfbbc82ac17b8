"""Approvals to draw cards of."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from events.approval import (
    AnsweredBack,
    AppliedPolicy,
    ApprovalEvent,
    ApprovalRequested,
    AskedBack,
    DecisionSubmitted,
    Person,
    Seat,
    SourceRecord,
    Step,
    Subject,
    Wanted,
)
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from projections.progress import Approver
from services.channels.card import Card, make_card, make_question
from services.channels.questions import Question

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


BO = Person(email="bo@example.com", name="Bo")
JANE = Person(email="jane.doe@example.com", name="Jane Doe")


def course_view(
    *,
    seats: Sequence[Seat] | None = None,
    needed: int = 2,
    steps: int = 1,
    votes: Sequence[Person] | None = None,
    asked_back: bool = False,
    wants: Wanted = "answer",
    question: str = "Who?",
    step_name: str = "managers",
    warning: str = "The condition failed.",
    name: str = "Amara",
) -> ApprovalView:
    """An approval with a policy that waits at its first step, where Amara has answered."""
    amara = Person(email=AMARA, name=name)
    first = tuple(seats or (Seat(person=amara), Seat(person=BO)))
    policy = AppliedPolicy(
        name="expenses",
        version=1,
        steps=tuple(
            Step(name=step_name, rule="count", needed=needed, deny=1, seats=first)
            for _ in range(steps)
        ),
        warnings=(warning,),
    )
    facts: list[ApprovalEvent] = [_requested(policy)]
    facts += [
        DecisionSubmitted(
            outcome="approved",
            by=by,
            reason=None,
            channel="inbox",
            via=None,
            revision="1",
            at=NOW,
            complete=False,
        )
        for by in ([amara] if votes is None else votes)
    ]
    if asked_back:
        facts.append(AskedBack(question_id="q", by=BO, text=question, wants=wants, at=NOW))
    return view_of("acme", "2Zq4h3bN9tVgmPuVd5sJ8oKcXyL", facts)


def _requested(policy: AppliedPolicy) -> ApprovalRequested:
    like = view()
    return ApprovalRequested(
        about=Subject(
            type=like.type,
            title=like.title,
            requester=like.requester,
            revision=like.revision,
            round=like.round,
            payload_digest=like.payload_digest,
            source=like.source,
        ),
        payload=like.payload,
        approvers=(BO,),
        reason=like.reason,
        urgency=like.urgency,
        metadata={},
        expires_at=like.expires_at,
        at=NOW,
        policy=policy,
    )


def said(question: str = "Who?", answer: str = "The client.") -> list[Question]:
    return [
        Question(
            asked=AskedBack(
                question_id="q",
                by=Person(email=AMARA),
                text=question,
                wants="answer",
                at=NOW,
            ),
            answered=AnsweredBack(question_id="q", by=JANE, text=answer, expires_at=NOW, at=NOW),
        )
    ]


def question_card(wants: Wanted, text: str = "Who?") -> Card:
    """The card of a requester of whom something is wanted."""
    shown = course_view(asked_back=True, wants=wants, question=text)
    assert shown.asked_back is not None
    return make_question(
        shown,
        Question(asked=shown.asked_back),
        public_url="https://placet.example.com/",
        template=None,
        now=NOW,
    )
