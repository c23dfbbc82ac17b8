"""What the read models must hold of an approval, computed the plain way from its stored JSON.

Who votes, who is asked and until when is what the core says of the same facts.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from events.course import vote_of, with_vote
from events.envelope import Recorded
from events.state import Asked, Deciding, Pending, State, Unknown, evolve
from projections.progress import approvers_of, progress_of
from projections.timers import escalation_due, reminders_due

MOVING = frozenset(
    f"approval.{what}"
    for what in ("revised", "reminded", "reassigned", "escalated", "asked_back", "answered_back")
)
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
    state: State = Unknown()
    for recorded in stream:
        body = json.loads(recorded.data)
        state = evolve(state, recorded.event)
        _change(doc, recorded, body)
        if isinstance(state, Pending | Deciding):
            _show(doc, state, body, moved=_moves(recorded.type, body) or doc["course"] is not None)
        else:
            _end(doc)
        ever |= _asked(body)
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
            state.asked.deadline
            if isinstance(state, Pending | Deciding)
            else datetime.fromisoformat(doc["expires_at"]),
            doc["acknowledged_at"] is not None,
        )
    )
    tables["doc"].add((approval_id, canonical(doc)))
    tables["approval_approvers"] |= {(approval_id, email) for email in ever}
    if isinstance(state, Pending):
        _wait(tables, approval_id, state.asked, URGENCIES[doc["urgency"]])


def _wait(tables: Tables, approval_id: str, asked: Asked, urgency: int) -> None:
    tables["pending_queue"] |= {(approval_id, person.email, urgency) for person in asked.waits_for}
    due = {f"remind:{email}": at for email, at in reminders_due(asked.course).items()}
    escalation = escalation_due(asked.course)
    if escalation is not None:
        due["escalate"] = escalation
    tables["timers"] |= {(approval_id, kind, at) for kind, at in due.items() if at < asked.deadline}
    tables["timers"].add((approval_id, "expire", asked.deadline))


def _moves(kind: str, body: dict[str, Any]) -> bool:
    """Whether more has happened than that any one of some people was asked."""
    match kind:
        case "approval.requested":
            return body.get("policy") is not None
        case "approval.decision_submitted":
            return not body["complete"]
        case _:
            return kind in MOVING


def _show(
    doc: dict[str, Any], state: Pending | Deciding, body: dict[str, Any], *, moved: bool
) -> None:
    asked = state.asked
    doc["expires_at"] = _json(asked.expires_at)
    if moved:
        course = asked.course
        counted = course
        if isinstance(state, Deciding):
            counted = with_vote(course, vote_of(course, state.answer))
        doc.update(
            approvers=_json(approvers_of(counted)),
            course=_json(course),
            progress=_json(progress_of(counted)) if course.policy.name else None,
            asked_back=_json(course.asked_back),
        )
    if isinstance(state, Deciding):
        answer = state.answer
        place = answer.on_behalf_of or answer.by.email
        for one in doc["approvers"]:
            one["asked"] = False
            if place in (one["email"], one["on_behalf_of"]) and one["answer"] is None:
                one["answer"] = answer.outcome
                if one["email"] != answer.by.email:
                    one["answered_by"] = answer.by.email


def _end(doc: dict[str, Any]) -> None:
    doc.update(asked_back=None, held_until=None)
    for one in doc["approvers"]:
        one["asked"] = False


def _asked(body: dict[str, Any]) -> set[str]:
    """Everybody whom the JSON of a fact asks."""
    seats = list(body.get("seats", []))
    for one in (body.get("policy") or {}).get("steps", []):
        seats += one["seats"]
    people = [*body.get("approvers", []), *(seat["person"] for seat in seats)]
    people += [seat["held_by"] for seat in seats if seat.get("held_by")]
    people += [body["to"]] if "to" in body else []
    return {person["email"] for person in people}


def _json(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def _change(doc: dict[str, Any], recorded: Recorded, body: dict[str, Any]) -> None:
    about = body.get("about")
    match recorded.type:
        case "approval.requested":
            doc.update(_beginning(recorded, body))
        case "approval.revised":
            for name in ("title", "requester", "revision", "payload_digest", "source"):
                doc[name] = about[name]
            doc["payload"] = body["payload"]
            doc["approvers"] = _unanswered(body)
            doc["reason"] = body.get("reason") or doc["reason"]
        case "approval.decision_submitted" if body["complete"]:
            doc.update(status="deciding", held_until=body["held_until"])
        case "approval.write_back_failed" | "approval.decision_undone":
            doc.update(status="pending", held_until=None)
            for one in doc["approvers"]:
                one.update(answer=None, answered_by=None, asked=True)
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
            if doc["acknowledged_at"] is None:
                doc.update(acknowledged_by=body["by"]["email"], acknowledged_at=body["at"])
            if body.get("effective"):
                doc["effective_payload"] = body["effective"]["payload"]
                doc["effective_payload_digest"] = body["effective"]["payload_digest"]
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
                "effective_payload",
                "effective_payload_digest",
                "progress",
                "asked_back",
                "held_until",
                "course",
            )
        ),
    }


def _unanswered(body: dict[str, Any]) -> list[dict[str, Any]]:
    more = {"answer": None, "step": 1, "groups": [], "asked": True}
    return [
        {**person, **more, "on_behalf_of": None, "answered_by": None}
        for person in body["approvers"]
    ]
