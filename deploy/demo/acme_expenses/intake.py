"""Turns the body of a request into a draft, an edit, a decision, a note or a cancellation."""

from typing import Any

from acme_expenses.drafts import SERVICE_ACCOUNT, Change, Draft, NoteDraft, Settlement
from acme_expenses.fields import Fields
from acme_expenses.money import MAX_CENTS, display
from acme_expenses.records import Status

_DECISIONS = {
    "approve": Status.APPROVED.value,
    "approved": Status.APPROVED.value,
    "deny": Status.REJECTED.value,
    "denied": Status.REJECTED.value,
    "reject": Status.REJECTED.value,
    "rejected": Status.REJECTED.value,
}
_MAX_DESCRIPTION = 2000
_MAX_REASON = 2000
_MAX_NOTE = 4000


def draft_from(body: Any) -> Draft:
    """A new report; raises CorrectInputError. A `total_amount` must be the sum of the items."""
    fields = Fields(
        body,
        (
            "report_id",
            "total_amount",
            "currency",
            "description",
            "submitter",
            "approver",
            "line_items",
        ),
    )
    currency = fields.currency("currency")
    draft = Draft(
        report_id=fields.report_id("report_id"),
        currency=currency,
        description=fields.text("description", _MAX_DESCRIPTION),
        submitter=fields.person("submitter"),
        approver=fields.person("approver"),
        line_items=fields.line_items("line_items", currency),
    )
    if fields.given("total_amount"):
        _check_total(fields, fields.cents("total_amount", currency), draft.line_items, currency)
    fields.check()
    return draft


def change_from(body: Any, currency: str) -> Change:
    """An edit of a report in this currency; raises CorrectInputError."""
    fields = Fields(body, ("total_amount", "description", "approver", "line_items"))
    description = (
        fields.text("description", _MAX_DESCRIPTION) if fields.given("description") else None
    )
    approver = fields.person("approver") if fields.given("approver") else None
    lines = fields.line_items("line_items", currency) if fields.given("line_items") else None
    total = fields.cents("total_amount", currency) if fields.given("total_amount") else None
    if total is not None and lines is not None:
        _check_total(fields, total, lines, currency)
    elif total is not None and not 0 < total <= MAX_CENTS:
        fields.fault("total_amount", "must be more than 0")
    fields.check()
    return Change(description, approver, lines, total)


def decision_from(body: Any) -> Settlement:
    """An answer to a report; raises CorrectInputError."""
    fields = Fields(body, ("decision", "reason", "decided_by"))
    outcome = fields.choice("decision", _DECISIONS)
    if fields.blank("decision"):
        fields.fault("decision", f"is missing; send one of {', '.join(_DECISIONS)}")
    reason = fields.text_or_none("reason", _MAX_REASON)
    decided_by = fields.email("decided_by") if fields.given("decided_by") else SERVICE_ACCOUNT
    fields.check()
    return Settlement(Status(outcome or Status.REJECTED), decided_by, reason)


def cancellation_from(body: Any) -> Settlement:
    """A cancellation; raises CorrectInputError."""
    fields = Fields(body, ("reason", "cancelled_by"))
    reason = fields.text_or_none("reason", _MAX_REASON)
    by = fields.email("cancelled_by") if fields.given("cancelled_by") else SERVICE_ACCOUNT
    fields.check()
    return Settlement(Status.CANCELLED, by, reason)


def note_from(body: Any) -> NoteDraft:
    """A note; raises CorrectInputError."""
    fields = Fields(body, ("text", "author"))
    text = fields.text("text", _MAX_NOTE)
    author = fields.text_or_none("author", 254) or SERVICE_ACCOUNT
    fields.check()
    return NoteDraft(text, author)


def _check_total(fields: Fields, total: int, lines: tuple[Any, ...], currency: str) -> None:
    added = sum(line.cents for line in lines)
    if not fields.faults and added != total:
        fields.fault(
            "total_amount", f"must be the sum of the line items, {display(added, currency)}"
        )
