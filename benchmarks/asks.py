"""The asks that are sent: events of about 600 bytes, as in the figures of the limits."""

from typing import Any

import msgspec

APPROVER = "ana.approver@example.com"
REQUESTER = "rio.requester@example.com"


def ask(number: int, approver: str = APPROVER) -> dict[str, Any]:
    """Return the body of an ask; no two numbers give the same."""
    return {
        "type": "expense",
        "title": f"Taxi to the airport, {number}",
        "approvers": [approver],
        "requester": REQUESTER,
        "reason": "over the limit of the travel policy",
        "payload": {
            "amount": "84.20",
            "currency": "EUR",
            "date": "2026-11-21",
            "merchant": "City Taxi GmbH",
            "number": number,
        },
    }


def ask_json(number: int, approver: str = APPROVER) -> bytes:
    """Return the JSON of an ask."""
    return msgspec.json.encode(ask(number, approver))
