"""The client of Placet: ask people for approval, and wait for their answer."""

from placet.approval import Approval
from placet.asynchronous import AsyncPlacet
from placet.blocking import Placet
from placet.digest import payload_digest
from placet.errors import (
    AlreadyCarriedOut,
    AlreadyResolved,
    ArgumentsChanged,
    BadSignature,
    Conflict,
    Expired,
    FieldError,
    Invalid,
    NotAllowed,
    NotApproved,
    NotDecidedInTime,
    NotFound,
    PlacetError,
    Rejected,
    StaleRevision,
    Unavailable,
    Withdrawn,
    WrongAddress,
    WrongKey,
)
from placet.gate import requires_approval
from placet.pages import AsyncPage, Page
from placet.questions import Question
from placet.webhooks import verify_webhook

__all__ = [
    "AlreadyCarriedOut",
    "AlreadyResolved",
    "Approval",
    "ArgumentsChanged",
    "AsyncPage",
    "AsyncPlacet",
    "BadSignature",
    "Conflict",
    "Expired",
    "FieldError",
    "Invalid",
    "NotAllowed",
    "NotApproved",
    "NotDecidedInTime",
    "NotFound",
    "Page",
    "Placet",
    "PlacetError",
    "Question",
    "Rejected",
    "StaleRevision",
    "Unavailable",
    "Withdrawn",
    "WrongAddress",
    "WrongKey",
    "payload_digest",
    "requires_approval",
    "verify_webhook",
]
