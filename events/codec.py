"""Wire name and schema version of each fact, and the way from JSON to a fact and back."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from events.approval import (
    AnsweredBack,
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    AskedBack,
    DecisionSubmitted,
    DecisionUndone,
    NotificationFailed,
    WriteBackFailed,
)

WIRE_NAMES: Mapping[type[ApprovalEvent], str] = {
    ApprovalRequested: "approval.requested",
    ApproverNotified: "approval.notified",
    NotificationFailed: "approval.notification_failed",
    ApprovalRevised: "approval.revised",
    ApprovalCommented: "approval.commented",
    DecisionSubmitted: "approval.decision_submitted",
    DecisionUndone: "approval.decision_undone",
    ApprovalReminded: "approval.reminded",
    ApprovalReassigned: "approval.reassigned",
    ApprovalEscalated: "approval.escalated",
    AskedBack: "approval.asked_back",
    AnsweredBack: "approval.answered_back",
    WriteBackFailed: "approval.write_back_failed",
    ApprovalDecided: "approval.decided",
    ApprovalWithdrawn: "approval.withdrawn",
    ApprovalExpired: "approval.expired",
    ApprovalAcknowledged: "approval.acknowledged",
}

SCHEMA_VERSIONS: Mapping[str, int] = dict.fromkeys(WIRE_NAMES.values(), 1)
"""The version that is written today. Within one version, fields are only ever added, optional."""

UPCASTERS: Mapping[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""(wire name, version) to the step that turns that version's JSON into the next version's."""

EVENT_TYPES: Mapping[str, type[ApprovalEvent]] = {name: cls for cls, name in WIRE_NAMES.items()}

_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(cls) for name, cls in EVENT_TYPES.items()}


NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for JSON of another shape, texts that are not UTF-8, and endless nesting."""


class Unreadable(Exception):
    """Bytes that are no event we know: park them with this reason, and go on."""


def encode(event: ApprovalEvent) -> tuple[str, int, bytes]:
    """Return wire name, schema version and JSON of a fact."""
    name = WIRE_NAMES[type(event)]
    return name, SCHEMA_VERSIONS[name], _encoder.encode(event)


def decode(name: str, schema_version: int, data: bytes | str) -> ApprovalEvent:
    """Return the fact in `data`; fields that we do not know are left out.

    Raises `Unreadable` for an unknown name, a version from the future or JSON of another shape.
    """
    decoder = _decoders.get(name)
    if decoder is None:
        raise Unreadable(f"unknown event type {name!r}")
    current = SCHEMA_VERSIONS[name]
    if schema_version > current:
        raise Unreadable(f"{name} has schema version {schema_version}; we read up to {current}")
    try:
        if schema_version < current:
            return msgspec.convert(_upcast(name, schema_version, data), EVENT_TYPES[name])
        return decoder.decode(data)
    except (*NOT_JSON, KeyError) as error:
        raise Unreadable(f"{name} version {schema_version}: {error}") from error


def _upcast(name: str, schema_version: int, data: bytes | str) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(data)
    for version in range(schema_version, SCHEMA_VERSIONS[name]):
        body = UPCASTERS[name, version](body)
    return body
