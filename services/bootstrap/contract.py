"""What the OpenAPI document says of the shapes that every surface shows."""

from typing import Any

from fastapi import FastAPI

from events.approval import Link
from projections.approval_view import ApprovalView
from projections.differences import Differences
from services.decision import dialects, lifecycle
from services.decision.api import AcknowledgeBody, CommentBody, DecisionBody, WithdrawBody
from services.decision.bulk import DecisionResult, DecisionsBody
from services.decision.request_body import ApprovalBody
from services.people.shapes import ANSWERS as PEOPLE_ANSWERS
from services.people.shapes import BODIES as PEOPLE_BODIES
from services.queue.directory import Me, PolicyView, TypeView
from services.queue.figures.shapes import ANSWERS as FIGURE_ANSWERS
from services.web.openapi import describe as describe_shapes
from services.webhooks.shapes import ANSWERS as WEBHOOK_ANSWERS
from services.webhooks.shapes import BODIES as WEBHOOK_BODIES

QUEUED: dict[str, Any] = {
    "allOf": [
        {"$ref": "#/components/schemas/Approval"},
        {
            "type": "object",
            "required": ["age_seconds", "time_left_seconds"],
            "properties": {
                "age_seconds": {"type": "integer"},
                "time_left_seconds": {"type": "integer"},
            },
        },
    ]
}
HISTORY_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["version", "type", "at", "by", "summary", "data"],
    "properties": {
        "version": {"type": "integer"},
        "type": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "by": {"type": ["string", "null"]},
        "summary": {"type": "string"},
        "data": {"type": "object"},
    },
}


def describe(app: FastAPI) -> None:
    """Complete the application's OpenAPI document."""
    describe_shapes(
        app,
        [
            ApprovalView,
            Link,
            Differences,
            DecisionResult,
            Me,
            PolicyView,
            TypeView,
            *dialects.ANSWERS,
            *WEBHOOK_ANSWERS,
            *PEOPLE_ANSWERS,
            *FIGURE_ANSWERS,
        ],
        [
            ApprovalBody,
            DecisionBody,
            WithdrawBody,
            CommentBody,
            AcknowledgeBody,
            DecisionsBody,
            *lifecycle.BODIES,
            *dialects.BODIES,
            *WEBHOOK_BODIES,
            *PEOPLE_BODIES,
        ],
        {
            "Approval": {"$ref": "#/components/schemas/ApprovalView"},
            "QueuedApproval": QUEUED,
            "HistoryEntry": HISTORY_ENTRY,
        },
    )
