"""Commands of those who ask: request, and wait for the outcome."""

import json
import random
import sys
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.cli.client import Failed, attempt, call
from services.cli.console import MISUSED, UNAVAILABLE, err, fail, out, plain, print_json
from services.cli.standing import progress_in, question_in, ways_to_answer

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Id = Annotated[str, typer.Argument(help="The approval's id.")]
Timeout = Annotated[int, typer.Option(min=0, help="Seconds to wait.")]

EXIT_OF = {"approved": 0, "rejected": 10, "withdrawn": 11, "expired": 12}
TIMED_OUT = 13
"""How a wait ends when the time is over and nobody has decided."""

POLL_S = 30
"""How long the server is asked to wait at a time: below what most proxies cut."""
GRACE_S = 10
LONGEST_PAUSE_S = 8.0


def request(
    file: Annotated[
        Path | None,
        typer.Argument(help="The body of POST /v1/approvals as JSON; - reads it. Options add."),
    ] = None,
    *,
    type_: Annotated[str | None, typer.Option("--type", help="The type of approval.")] = None,
    title: Annotated[str | None, typer.Option(help="One line: what is to be approved.")] = None,
    approver: Annotated[
        list[str] | None, typer.Option(help="Whom to ask, by e-mail address. Repeatable.")
    ] = None,
    payload: Annotated[
        Path | None, typer.Option(help="A file with a JSON object; - reads it.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is asked.")] = None,
    urgency: Annotated[str | None, typer.Option(help="low, medium or high.")] = None,
    expires_in: Annotated[int | None, typer.Option(help="Seconds.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="What it is about; a newer revision supersedes.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Which state of the subject.")] = None,
    link: Annotated[
        list[str] | None, typer.Option(help="A linked item, kind:id or kind:id:url. Repeatable.")
    ] = None,
    callback_url: Annotated[
        str | None, typer.Option(help="Where the outcome is posted, signed.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key again: the same approval.")
    ] = None,
    wait_: Annotated[
        bool, typer.Option("--wait", help="Wait for the outcome, and end as `placet wait`.")
    ] = False,
    timeout: Timeout = 300,
    as_json: Json = False,
) -> None:
    """Ask for an approval."""
    if str(file) == str(payload) == "-":
        fail("Standard input cannot be both the body and the payload.", MISUSED)
    body = object_in(file) if file is not None else {}
    given = {
        "type": type_,
        "title": title,
        "approvers": approver or None,
        "payload": object_in(payload) if payload is not None else None,
        "reason": reason,
        "urgency": urgency,
        "expires_in": expires_in,
        "subject": subject,
        "revision": revision,
        "links": [_link(one) for one in link] if link else None,
        "callback_url": callback_url,
    }
    body |= {name: value for name, value in given.items() if value is not None}
    if file is None and not body:
        fail("Say --type and --title, or give a FILE; see `placet request --help`.", MISUSED)
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    asked = call("POST", "/v1/approvals", json=body, headers=headers)
    if not wait_:
        tell(asked, as_json=as_json)
        return
    if not as_json:
        tell(asked, as_json=False)  # now, so that whoever asks can say what is waited for
    _end(_waited_for(asked["id"], timeout), as_json=as_json)


def wait(approval_id: Id, *, timeout: Timeout = 300, as_json: Json = False) -> None:
    """Wait for the outcome.

    Ends with 0 approved, 10 rejected, 11 withdrawn or superseded, 12 expired, 13 when the time
    is over and nobody has decided. Says what an approver asks back meanwhile, and waits on.
    """
    _end(_waited_for(approval_id, timeout), as_json=as_json)


def path_of(approval_id: str, verb: str = "") -> str:
    """Return the path of a call about an approval."""
    return f"/v1/approvals/{quote(approval_id, safe='')}{verb}"


def tell(approval: dict[str, Any], *, as_json: bool) -> None:
    """Print an approval: one line for people, and how far it is; all of it for scripts."""
    if as_json:
        print_json(approval)
        return
    out.print(f"{approval['id']}  {approval['status']}  {plain(approval['title'])}")
    if approval["status"] == "pending" and progress_in(approval):
        out.print(plain(progress_in(approval)))


def object_in(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file, `-` is standard input; ends where there is none."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}", MISUSED)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"{file} is not JSON: {error}", MISUSED)
    if not isinstance(found, dict):
        fail(f"{file} holds no JSON object.", MISUSED)
    return found


def _end(approval: dict[str, Any], *, as_json: bool) -> None:
    tell(approval, as_json=as_json)
    raise SystemExit(EXIT_OF.get(approval["status"], TIMED_OUT))


def _waited_for(approval_id: str, timeout: int) -> dict[str, Any]:
    """Return an approval when it is final or the time is over; says what is asked back meanwhile.

    Ends when Placet cannot be reached at first; once it was, it may be away until then.
    """
    until = time.monotonic() + timeout
    reached, hasty = False, 0
    said: set[str] = set()
    while True:
        left = until - time.monotonic()
        step = max(0, min(POLL_S, round(left)))
        began = time.monotonic()
        try:
            path = path_of(approval_id, "/wait")
            params = {"timeout": step}
            approval: dict[str, Any] = attempt("GET", path, params=params, timeout=step + GRACE_S)
            _say_question(approval, said)
            if approval["status"] in EXIT_OF or time.monotonic() >= until:
                return approval
            reached = True
            # A server that stops ends its waits early: it is not pressed.
            hasty = hasty + 1 if time.monotonic() - began < step / 2 else 0
        except Failed as error:
            if not reached or error.code != UNAVAILABLE or time.monotonic() >= until:
                fail(str(error), error.code)
            hasty += 1
        if hasty or not step:
            longest = min(LONGEST_PAUSE_S, 0.25 * 2 ** min(hasty, 8))
            pause = longest * random.uniform(0.5, 1)  # noqa: S311 # spreads calls, hides nothing
            time.sleep(max(0.0, min(pause, until - time.monotonic())))


def _say_question(approval: dict[str, Any], said: set[str]) -> None:
    """Say what an approver asks back, each question once, beside what scripts read."""
    asked = approval.get("asked_back")
    if not asked or asked["question_id"] in said:
        return
    said.add(asked["question_id"])
    err.print(plain(question_in(approval)), soft_wrap=True)
    for line in ways_to_answer(approval):
        err.print(line, soft_wrap=True)


def _link(text: str) -> dict[str, str]:
    kind, _, rest = text.partition(":")
    identifier, _, url = rest.partition(":")
    if not kind or not identifier:
        fail(f"--link {text}: write it as kind:id or kind:id:url, such as issue:ACME-1.", MISUSED)
    return {"kind": kind, "id": identifier, **({"url": url} if url else {})}
