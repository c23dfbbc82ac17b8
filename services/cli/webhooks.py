"""Commands about webhooks: who is told, what became of it, and telling again."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.cli.client import call
from services.cli.console import MISUSED, fail, out, plain, print_json

app = typer.Typer(no_args_is_help=True, help="Who is told of approvals, and what became of it.")

REPLAY_TIMEOUT_S = 60.0
SECRET_CHARS = 1000
_AGO = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Id = Annotated[str, typer.Argument(help="The webhook's id.")]
SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read a secret of your own; one is made otherwise.")
]


@app.command("list")
def list_webhooks(
    *,
    callbacks: Annotated[
        bool, typer.Option("--callbacks", help="The origins that approvals name as callbacks.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List webhooks, newest first."""
    kind = "callback" if callbacks else "subscription"
    page = call("GET", "/v1/webhooks", params={"kind": kind, "limit": 200})
    if as_json:
        print_json(page)
        return
    from rich.table import Column, Table

    table = Table(Column("id", no_wrap=True), "url", "status", "failing since", "tells of")
    for one in page["data"]:
        table.add_row(
            one["id"],
            plain(one["url"]),
            one["status"],
            one["failing_since"] or "",
            ", ".join(one["event_types"]),
        )
    out.print(table)
    first = f"; these are the first {len(page['data'])}" if page["next_cursor"] else ""
    out.print(f"{len(page['data'])} listed{first}.")


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to.")],
    *,
    event: Annotated[
        list[str] | None, typer.Option(help="Type of event, repeatable; all by default.")
    ] = None,
    of_type: Annotated[
        list[str] | None, typer.Option("--type", help="Type of approval, repeatable.")
    ] = None,
    requester: Annotated[str | None, typer.Option(help="Only what this person asked for.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    secret_stdin: SecretStdin = False,
    as_json: Json = False,
) -> None:
    """Subscribe, and print the secret: the only time that it can be seen."""
    body: dict[str, Any] = {"url": url, "description": description, "types": of_type or []}
    if event:
        body["event_types"] = event
    if requester is not None:
        body["requester"] = requester
    _tell_secret(call("POST", "/v1/webhooks", json=body | _secret(secret_stdin)), as_json=as_json)


@app.command()
def show(webhook_id: Id, *, as_json: Json = False) -> None:
    """Show one webhook."""
    webhook = call("GET", _path(webhook_id))
    if as_json:
        print_json(webhook)
        return
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in webhook.items():
        shown = ", ".join(value) if isinstance(value, list) else str(value or "")
        table.add_row(name, plain(shown))
    out.print(table)


@app.command()
def attempts(
    webhook_id: Id,
    *,
    state: Annotated[
        str | None, typer.Option(help="waiting, delivered, failed (given up) or held.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many messages.")] = 20,
    as_json: Json = False,
) -> None:
    """Show what a webhook was to be told, newest first, with every attempt."""
    params = {"state": state, "limit": limit}
    page = call("GET", _path(webhook_id, "/deliveries"), params=params)
    if as_json:
        print_json(page)
        return
    from rich.table import Column, Table

    table = Table(Column("message", no_wrap=True), "type", "state", "attempt", "at", "ms", "answer")
    for one in page["data"]:
        name: list[str] = [one["id"], one["type"], _state(one)]
        for attempt in one["attempts"] or [None]:
            table.add_row(*name, *_attempt(attempt))
            name = ["", "", ""]
    out.print(table)


@app.command()
def replay(
    webhook_id: Id,
    *,
    message_id: Annotated[
        list[str] | None, typer.Option("--id", help="A message or an event, repeatable.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="From when on: 2026-11-21T12:00:00Z, or 2h for 2 hours ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Until when; now by default.")] = None,
    as_json: Json = False,
) -> None:
    """Tell again, by ids or for a time; receivers see the ids that they know."""
    if bool(message_id) == bool(since) or (message_id and until):
        fail("Say either --id, or --since with or without --until.", MISUSED)
    path = _path(webhook_id, "/replay")
    if message_id:
        answer = call("POST", path, json={"ids": message_id}, timeout=REPLAY_TIMEOUT_S)
        count = answer["replayed"]
    else:
        count = _replay_time(path, _time(since or "", "--since"), _until(until))
    if as_json:
        print_json({"replayed": count})
    else:
        out.print(f"{count} on their way again.")


@app.command()
def rotate(
    webhook_id: Annotated[str | None, typer.Argument(help="The webhook's id.")] = None,
    *,
    callbacks: Annotated[
        bool, typer.Option("--callbacks", help="The secret of all callbacks instead.")
    ] = False,
    secret_stdin: SecretStdin = False,
    as_json: Json = False,
) -> None:
    """Give another secret, and print it; the old one signs beside it for 24 hours."""
    if callbacks == (webhook_id is not None):
        fail("Say either the webhook's id, or --callbacks.", MISUSED)
    path = "/v1/webhooks/callback-secret"
    if webhook_id is not None:
        path = _path(webhook_id, "/rotate-secret")
    _tell_secret(call("POST", path, json=_secret(secret_stdin)), as_json=as_json)


@app.command()
def enable(webhook_id: Id, *, as_json: Json = False) -> None:
    """Let a disabled webhook be told again; replay what it missed."""
    webhook = call("POST", _path(webhook_id, "/enable"))
    if as_json:
        print_json(webhook)
    else:
        out.print(f"{webhook['id']} is {webhook['status']}.")


@app.command()
def remove(webhook_id: Id, *, as_json: Json = False) -> None:
    """Unsubscribe."""
    webhook = call("DELETE", _path(webhook_id))
    if as_json:
        print_json(webhook)
    else:
        out.print(f"{webhook['id']} is removed.")


def _replay_time(path: str, since: datetime, until: datetime) -> int:
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from services.cli.console import err

    count = 0
    cursor: str | None = None
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("replaying", total=None)
        while True:
            body = {"since": since.isoformat(), "until": until.isoformat()}
            body |= {} if cursor is None else {"cursor": cursor}
            answer = call("POST", path, json=body, timeout=REPLAY_TIMEOUT_S)
            count += int(answer["replayed"])
            cursor = answer["next_cursor"]
            if cursor is None:
                return count
            progress.update(task, description=f"replaying: {count} so far")


def _until(text: str | None) -> datetime:
    return datetime.now(UTC) if text is None else _time(text, "--until")


def _time(text: str, option: str) -> datetime:
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago["unit"]]: int(ago["count"])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option}: {text!r} is no time: write 2026-11-21T12:00:00Z, or 2h.", MISUSED)
    if time.tzinfo is None:
        fail(f"{option}: say the time zone, as in {text}Z.", MISUSED)
    return time


def _secret(from_stdin: bool) -> dict[str, str]:  # noqa: FBT001 # what the option says
    return {"secret": sys.stdin.read(SECRET_CHARS).strip()} if from_stdin else {}


def _tell_secret(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    if "id" in answer:
        out.print(answer["id"], soft_wrap=True)
    out.print(answer["secret"], soft_wrap=True)


def _state(delivery: dict[str, Any]) -> str:
    due = delivery["next_attempt_at"]
    return f"{delivery['state']} until {due}" if due else str(delivery["state"])


def _attempt(attempt: dict[str, Any] | None) -> list[str]:
    if attempt is None:
        return ["", "", "", ""]
    said = f"{attempt['status'] or ''} {attempt['error'] or attempt['answer']}"
    return [
        str(attempt["number"]),
        attempt["at"],
        str(attempt["duration_ms"]),
        plain(" ".join(said.split())[:200]),
    ]


def _path(webhook_id: str, call: str = "") -> str:
    return f"/v1/webhooks/{quote(webhook_id, safe='')}{call}"
