"""Forms of the pages: what they show, and how they become the bodies that the API takes too."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from acme_expenses.drafts import MAX_LINE_ITEMS
from acme_expenses.faults import KINDS
from acme_expenses.money import form_value
from acme_expenses.records import Report

_MORE_ROWS = 3
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_ROW = re.compile(r"(item|category|amount)-([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Row:
    """One line item as typed."""

    item: str = ""
    category: str = ""
    amount: str = ""


@dataclass(slots=True)
class ReportForm:
    """The form for a new or an edited report, as typed, with the faults found in it."""

    description: str = ""
    submitter: str = ""
    approver: str = ""
    currency: str = "USD"
    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)

    def padded(self) -> list[Row]:
        """The rows, and some empty ones to type into."""
        spare = min(_MORE_ROWS, MAX_LINE_ITEMS - len(self.rows))
        return [*self.rows, *[Row()] * spare]

    def fault(self, name: str) -> str | None:
        """What is wrong with one field."""
        return next((sentence for at, sentence in self.faults if at == name), None)

    def body(self) -> dict[str, Any]:
        """A new report, as the API takes it."""
        return {
            **self.change(),
            "currency": self.currency,
            "submitter": {"email_addr": self.submitter},
        }

    def change(self) -> dict[str, Any]:
        """An edit, as the API takes it."""
        return {
            # A blank text is a fault here; over the API null leaves a part alone.
            "description": self.description,
            "approver": {"email_addr": self.approver},
            "line_items": [
                {"item": row.item, "category": row.category, "amount": typed_number(row.amount)}
                for row in self.rows
            ],
        }


def form_of(report: Report) -> ReportForm:
    """The form that edits this report."""
    return ReportForm(
        description=report.description,
        submitter=report.submitter.email_addr,
        approver=report.approver.email_addr,
        currency=report.currency,
        rows=[
            Row(line.item, line.category, form_value(line.cents, report.currency))
            for line in report.line_items
        ],
    )


def form_from(sent: Mapping[str, str]) -> ReportForm:
    """The form as it was sent; rows with neither item nor amount are left out."""
    cells: dict[int, dict[str, str]] = {}
    for name, value in sent.items():
        if found := _ROW.fullmatch(name):
            cells.setdefault(int(found[2]), {})[found[1]] = value.strip()
    rows = [Row(**cells[index]) for index in sorted(cells)]
    return ReportForm(
        description=sent.get("description", "").strip(),
        submitter=sent.get("submitter", "").strip(),
        approver=sent.get("approver", "").strip(),
        currency=sent.get("currency", "").strip(),
        rows=[row for row in rows if row.item or row.amount],
    )


def faults_from(sent: Mapping[str, str]) -> dict[str, Any]:
    """The faults that were ticked, as `PUT /faults` takes them."""
    found: dict[str, Any] = {}
    for name, kind in KINDS.items():
        if f"{name}.on" not in sent:
            continue
        fields = ["times", "every_n", "probability"]
        fields += [kind.amount.name] if kind.amount else []
        typed = {part: sent.get(f"{name}.{part}", "").strip() for part in fields}
        found[name] = {part: typed_number(value) for part, value in typed.items() if value}
    return found


def typed_number(text: str) -> Decimal | str | None:
    """A number that somebody typed; the text itself when it is none, for the fault to name."""
    compact = text.replace(" ", "").replace("\u00a0", "")
    if not compact:
        return None
    return Decimal(compact) if _DECIMAL.fullmatch(compact) else text
