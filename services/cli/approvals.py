"""Commands about approvals: queue, show, request, approve, deny, wait."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.cli.client import call
from services.cli.console import FAILED, MISUSED, fail, out, plain, print_json

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Id = Annotated[str, typer.Argument(help="The approval's id.")]
Approver = Annotated[str | None, typer.Option(help="Answer for this person; needs a key that may.")]
Reason = Annotated[str | None, typer.Option(help="Why; shown to the requester.")]
Revision = Annotated[
    str | None, typer.Option(help="The revision that was looked at; refused if it changed since.")
]
EXIT_OF = {"approved": 0, "rejected": 10, "withdrawn": 11, "expired": 12}
"""How `wait` ends; 1 when it is still open."""


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
    approval = call("GET", _path(approval_id))
    history = call("GET", _path(approval_id, "/history"))["data"]
    if as_json:
        print_json({"approval": approval, "history": history})
        return
    out.print(f"[bold]{plain(approval['title'])}[/bold]  {approval['status']}")
    out.print_json(json.dumps(approval["payload"]))
    for entry in history:
        out.print(f"[dim]{entry['at']}[/dim]  {plain(entry['summary'])}")


def request(
    file: Annotated[
        Path, typer.Argument(help="The body of POST /v1/approvals as JSON; - reads it.")
    ],
    *,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key again: the same approval.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask for an approval."""
    text = sys.stdin.read() if str(file) == "-" else _text(file)
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"{file} is not JSON: {error}", MISUSED)
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    _tell(call("POST", "/v1/approvals", json=body, headers=headers), as_json=as_json)


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


def wait(
    approval_id: Id,
    *,
    timeout: Annotated[int, typer.Option(min=0, help="Seconds.")] = 300,
    as_json: Json = False,
) -> None:
    """Wait for the outcome.

    Ends with 0 approved, 10 rejected, 11 withdrawn, 12 expired, 1 still open.
    """
    left = timeout
    while True:
        step = min(left, 30)
        path = _path(approval_id, "/wait")
        approval = call("GET", path, params={"timeout": step}, timeout=step + 10)
        left -= step
        if approval["status"] in EXIT_OF or left <= 0:
            break
    _tell(approval, as_json=as_json)
    raise SystemExit(EXIT_OF.get(approval["status"], FAILED))


def _decide(approval_id: str, decision: str, body: dict[str, Any], *, as_json: bool) -> None:
    given = {name: value for name, value in body.items() if value is not None}
    path = _path(approval_id, "/decision")
    _tell(call("POST", path, json={"decision": decision, **given}), as_json=as_json)


def _path(approval_id: str, call: str = "") -> str:
    return f"/v1/approvals/{quote(approval_id, safe='')}{call}"


def _tell(approval: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(approval)
    else:
        out.print(f"{approval['id']}  {approval['status']}  {plain(approval['title'])}")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}", MISUSED)


def span(seconds: int) -> str:
    """Return a span of time as people say it: its largest unit, rounded down."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
