"""Commands of those who look at approvals and decide: queue, show, approve, deny."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import json
from typing import Annotated, Any

import typer

from services.cli.asking import Id, Json, path_of, tell
from services.cli.client import call
from services.cli.console import out, plain, print_json
from services.cli.standing import (
    answer_of,
    on_behalf_of,
    progress_in,
    question_in,
    span,
    standing,
)

Approver = Annotated[str | None, typer.Option(help="Answer for this person; needs a key that may.")]
Reason = Annotated[str | None, typer.Option(help="Why; shown to the requester.")]
Revision = Annotated[
    str | None, typer.Option(help="The revision that was looked at; refused if it changed since.")
]

COLUMNS = ("id", "title", "from", "for", "progress", "age", "left", "urgency")
"""Of the queue: `for` and `progress` only where there is something to say."""


def queue(
    approver: Annotated[str, typer.Argument(help="Whose queue, by e-mail address.")],
    *,
    as_json: Json = False,
) -> None:
    """List which approvals somebody still needs to complete."""
    page = call("GET", "/v1/queue", params={"approver": approver})
    if as_json:
        print_json(page)
        return
    from rich.table import Column, Table

    rows = [
        {
            "id": one["id"],
            "title": plain(one["title"]),
            "from": plain(one["requester"]["email"]),
            "for": plain(on_behalf_of(one, approver)),
            "progress": plain(question_in(one) or progress_in(one)),
            "age": span(one["age_seconds"]),
            # A clock that stands still runs out of nothing.
            "left": "" if one.get("asked_back") else span(one["time_left_seconds"]),
            "urgency": one["urgency"],
        }
        for one in page["data"]
    ]
    optional = [name for name in ("for", "progress") if not any(row[name] for row in rows)]
    # An id is there to be copied: it is never cut.
    table = Table(Column("id", no_wrap=True, min_width=27))
    shown = [name for name in COLUMNS if name not in optional]
    for name in shown[1:]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(row[name] for name in shown))
    out.print(table)
    first = f"; these are the first {len(page['data'])}" if page["next_cursor"] else ""
    out.print(f"{page['count']} waiting for {plain(approver)}{first}.")


def show(approval_id: Id, *, as_json: Json = False) -> None:
    """Show one approval: how far it is, who is missing, what is asked; and its history."""
    approval = call("GET", path_of(approval_id))
    history = call("GET", path_of(approval_id, "/history"))["data"]
    if as_json:
        print_json({"approval": approval, "history": history})
        return
    out.print(f"[bold]{plain(approval['title'])}[/bold]  {approval['status']}")
    for line in standing(approval):
        out.print(line, soft_wrap=True)
    if approval.get("progress"):
        _print_approvers(approval)
    out.print_json(json.dumps(approval["payload"]))
    for entry in history:
        out.print(f"[dim]{entry['at']}[/dim]  {plain(entry['summary'])}")


def _print_approvers(approval: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("step", "who", "for", "groups", "answer")
    for one in approval["approvers"]:
        table.add_row(
            str(one["step"]),
            plain(one["email"]),
            plain(one["on_behalf_of"] or ""),
            plain(", ".join(one["groups"])),
            plain(answer_of(one)),
        )
    out.print(table)


def approve(
    approval_id: Id,
    *,
    approver: Approver = None,
    reason: Reason = None,
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Approve."""
    body = {"approver": approver, "reason": reason, "revision": revision}
    _decide(approval_id, "approve", body, as_json=as_json)


def deny(
    approval_id: Id,
    *,
    approver: Approver = None,
    reason: Reason = None,
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Deny."""
    body = {"approver": approver, "reason": reason, "revision": revision}
    _decide(approval_id, "deny", body, as_json=as_json)


def _decide(approval_id: str, decision: str, body: dict[str, Any], *, as_json: bool) -> None:
    given = {name: value for name, value in body.items() if value is not None}
    path = path_of(approval_id, "/decision")
    approval = call("POST", path, json={"decision": decision, **given})
    if as_json or approval["status"] != "pending":
        tell(approval, as_json=as_json)
        return
    # Others must answer too: their progress is part of the sentence.
    out.print(f"{approval['id']}  {approval['status']}  {plain(approval['title'])}")
    kept = "approval" if decision == "approve" else "rejection"
    so_far = progress_in(approval)
    out.print(plain(f"Your {kept} is kept: {so_far}" if so_far else f"Your {kept} is kept."))
