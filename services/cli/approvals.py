"""Commands of those who look at approvals and decide: queue, show, approve, deny."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import json
from typing import Annotated, Any

import typer

from services.cli.asking import Id, Json, path_of, tell
from services.cli.client import call
from services.cli.console import out, plain, print_json

Approver = Annotated[str | None, typer.Option(help="Answer for this person; needs a key that may.")]
Reason = Annotated[str | None, typer.Option(help="Why; shown to the requester.")]
Revision = Annotated[
    str | None, typer.Option(help="The revision that was looked at; refused if it changed since.")
]


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

    table = Table(
        # An id is there to be copied: it is never cut.
        Column("id", no_wrap=True, min_width=27),
        "title",
        "from",
        "age",
        "left",
        "urgency",
    )
    for one in page["data"]:
        table.add_row(
            one["id"],
            plain(one["title"]),
            plain(one["requester"]["email"]),
            span(one["age_seconds"]),
            span(one["time_left_seconds"]),
            one["urgency"],
        )
    out.print(table)
    first = f"; these are the first {len(page['data'])}" if page["next_cursor"] else ""
    out.print(f"{page['count']} waiting for {plain(approver)}{first}.")


def show(approval_id: Id, *, as_json: Json = False) -> None:
    """Show one approval and its history."""
    approval = call("GET", path_of(approval_id))
    history = call("GET", path_of(approval_id, "/history"))["data"]
    if as_json:
        print_json({"approval": approval, "history": history})
        return
    out.print(f"[bold]{plain(approval['title'])}[/bold]  {approval['status']}")
    out.print_json(json.dumps(approval["payload"]))
    for entry in history:
        out.print(f"[dim]{entry['at']}[/dim]  {plain(entry['summary'])}")


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
    tell(call("POST", path, json={"decision": decision, **given}), as_json=as_json)


def span(seconds: int) -> str:
    """Return a span of time as people say it: its largest unit, rounded down."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
