"""What the read models must hold of an approval, computed the plain way from its stored JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from events.envelope import Recorded

URGENCIES = {"high": 0, "medium": 1, "low": 2}
Row = tuple[Any, ...]
Tables = dict[str, set[Row]]
SELECTS: Mapping[str, str] = {
    "approval_list": "SELECT approval_id, version, status, type, requester, source, record_id,"
    " round, subject, created_at, expires_at, acknowledged FROM approval_list WHERE workspace = $1",
    "doc": "SELECT approval_id, doc FROM approval_list WHERE workspace = $1",
    "approval_approvers": "SELECT approval_id, approver FROM approval_approvers"
    " WHERE workspace = $1",
    "pending_queue": "SELECT approval_id, approver, urgency FROM pending_queue"
    " WHERE workspace = $1",
    "timers": "SELECT approval_id, kind, due_at FROM timers WHERE workspace = $1",
    "approval_history": "SELECT approval_id, version, type, at FROM approval_history"
    " WHERE workspace = $1",
}


async def actual(database: Any, workspace: str) -> Tables:
    """The rows of every read model for one workspace."""
    found: Tables = {}
    async with database.workspace(workspace) as connection:
        for table, select in SELECTS.items():
            rows = [tuple(row) for row in await connection.fetch(select, workspace)]
            if table == "doc":
                rows = [(row[0], canonical(json.loads(row[1]))) for row in rows]
            assert len(set(rows)) == len(rows), f"{table} holds a row twice"
            found[table] = set(rows)
    return found


def expected(streams: Mapping[str, Sequence[Recorded]]) -> Tables:
    """The rows that the streams of one workspace add up to."""
    tables: Tables = {table: set() for table in SELECTS}
    for approval_id, stream in streams.items():
        if stream:
            _add(tables, approval_id, stream)
    return tables


def canonical(doc: Any) -> str:
    return json.dumps(doc, sort_keys=True)


def _add(tables: Tables, approval_id: str, stream: Sequence[Recorded]) -> None:
    doc: dict[str, Any] = {}
    ever: set[str] = set()
    for recorded in stream:
        body = json.loads(recorded.data)
        _change(doc, recorded, body)
        ever |= {person["email"] for person in body.get("approvers", [])}
        tables["approval_history"].add(
            (
                approval_id,
                recorded.version,
                recorded.type,
                recorded.event.at,
            )
        )
    first: Any = stream[0].event
    source = first.about.source  # a stream stays about the record that it began with
    tables["approval_list"].add(
        (
            approval_id,
            len(stream),
            doc["status"],
            doc["type"],
            doc["requester"]["email"],
            source.name if source else None,
            source.record_id if source else None,
            doc["round"],
            doc["subject"] and doc["subject"].replace("\0", "\N{REPLACEMENT CHARACTER}"),
            first.at,
            first.expires_at,
            doc["acknowledged_at"] is not None,
        )
    )
    tables["doc"].add((approval_id, canonical(doc)))
    tables["approval_approvers"] |= {(approval_id, email) for email in ever}
    if doc["status"] == "pending":
        tables["timers"].add((approval_id, "expire", first.expires_at))
        tables["pending_queue"] |= {
            (approval_id, one["email"], URGENCIES[doc["urgency"]]) for one in doc["approvers"]
        }


def _change(doc: dict[str, Any], recorded: Recorded, body: dict[str, Any]) -> None:
    about = body.get("about")
    match recorded.type:
        case "approval.requested":
            doc.update(_beginning(recorded, body))
        case "approval.revised":
            for name in ("title", "revision", "payload_digest", "source"):
                doc[name] = about[name]
            doc["payload"] = body["payload"]
            doc["approvers"] = _unanswered(body)
        case "approval.decision_submitted":
            doc["status"] = "deciding"
            for one in doc["approvers"]:
                if one["email"] == body["by"]["email"]:
                    one["answer"] = body["outcome"]
        case "approval.write_back_failed":
            doc["status"] = "pending"
            for one in doc["approvers"]:
                one["answer"] = None
        case "approval.decided":
            doc.update(
                status=body["outcome"],
                outcome=body["outcome"],
                decided_by=body["by"]["email"],
                decided_at=body["decided_at"],
                decision_reason=body["reason"],
                decision_channel=body["channel"],
                edited_payload=(body["edited"] or {}).get("payload"),
                edited_payload_digest=(body["edited"] or {}).get("payload_digest"),
            )
        case "approval.withdrawn":
            doc.update(
                status="withdrawn",
                outcome=body["outcome"],
                withdrawn_by=body["by"],
                withdrawn_reason=body["reason"],
                withdrawn_cause=body["cause"],
                superseded_by=body["superseded_by"],
            )
        case "approval.expired":
            doc["status"] = "expired"
        case "approval.acknowledged":
            doc.update(acknowledged_by=body["by"]["email"], acknowledged_at=body["at"])
    if about is not None and recorded.type != "approval.expired":
        doc["verified_at"] = body["at"] if about["source"] else None
    doc["version"] = recorded.version
    doc["updated_at"] = body["at"]


def _beginning(recorded: Recorded, body: dict[str, Any]) -> dict[str, Any]:
    hidden = ("callback_url", "callback_dialect")
    about = {name: value for name, value in body["about"].items() if name not in hidden}
    return {
        **about,
        "id": recorded.approval_id,
        "workspace": recorded.workspace,
        "status": "pending",
        "payload": body["payload"],
        "approvers": _unanswered(body),
        "reason": body["reason"],
        "urgency": body["urgency"],
        "metadata": body["metadata"],
        "created_at": body["at"],
        "expires_at": body["expires_at"],
        "editable": body["editable"],
        "supersede_on_comment": body["supersede_on_comment"],
        **dict.fromkeys(
            (
                "outcome",
                "decided_by",
                "decided_at",
                "decision_reason",
                "decision_channel",
                "withdrawn_by",
                "withdrawn_reason",
                "edited_payload",
                "edited_payload_digest",
                "withdrawn_cause",
                "superseded_by",
                "acknowledged_by",
                "acknowledged_at",
            )
        ),
    }


def _unanswered(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**person, "answer": None} for person in body["approvers"]]
