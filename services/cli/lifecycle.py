"""Commands around a decision: ask back, answer, revise, pass on, remind, undo."""
# imported when a command runs, so that `--help` and the others start fast

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.approvals import Approver
from services.cli.asking import Id, Json, object_in, path_of
from services.cli.client import call
from services.cli.console import MISUSED, fail, out, plain, print_json
from services.cli.standing import progress_in

Text = Annotated[str, typer.Argument(help="What to say, in quotes.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why; kept in the history.")]


def ask_back(
    approval_id: Id,
    text: Text,
    *,
    changes: Annotated[
        bool, typer.Option("--changes", help="Return it: the requester is to change it.")
    ] = False,
    approver: Approver = None,
    revision: Annotated[
        str | None, typer.Option(help="The revision that was looked at; refused if it changed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the requester something before you decide. The clock stands still until they answer."""
    body = _given(
        text=text, wants="changes" if changes else "answer", approver=approver, revision=revision
    )
    approval = _post(approval_id, "questions", body, key=secrets.token_hex(16))
    what = "Returned to" if changes else "Asked"
    _tell(approval, f"{what} {approval['requester']['email']}.", as_json=as_json)


def answer(
    approval_id: Id,
    text: Text,
    *,
    question: Annotated[
        str | None, typer.Option(help="Which question, by its id; left out: the open one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer what an approver asked you. It waits for its approvers again."""
    approval = _post(approval_id, "answers", _given(text=text, question_id=question))
    _tell(approval, f"Answered. {_waits_for(approval)}", as_json=as_json)


def revise(
    approval_id: Id,
    *,
    payload: Annotated[
        Path | None, typer.Option(help="A file with the new payload, a JSON object; - reads it.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The new title.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is asked, anew.")] = None,
    revision: Annotated[str | None, typer.Option(help="What to call the new revision.")] = None,
    as_json: Json = False,
) -> None:
    """Change what you ask for. It is a new revision, for which everybody answers anew."""
    changed = object_in(payload) if payload is not None else None
    if changed is None and title is None and reason is None:
        fail("Say what changes: --payload, --title or --reason.", MISUSED)
    body = _given(payload=changed, title=title, reason=reason, revision=revision)
    approval = _post(approval_id, "revise", body)
    says = f"This is revision {approval['revision']} now. {_waits_for(approval)}"
    _tell(approval, says, as_json=as_json)


def reassign(
    approval_id: Id,
    *,
    to: Annotated[str, typer.Option(help="Who is asked from now on, by e-mail address.")],
    person: Annotated[
        str | None, typer.Option(help="Instead of whom; left out: instead of you.")
    ] = None,
    reason: Why = None,
    approver: Approver = None,
    as_json: Json = False,
) -> None:
    """Pass it on: somebody else is asked instead of you, or of somebody."""
    body = _given(to=to, person=person, reason=reason, approver=approver)
    approval = _post(approval_id, "reassign", body)
    _tell(approval, f"Passed on. {_waits_for(approval)}", as_json=as_json)


def remind(approval_id: Id, *, as_json: Json = False) -> None:
    """Remind those who have not answered what you asked."""
    approval = _post(approval_id, "remind", {})
    _tell(approval, f"Reminded. {_waits_for(approval)}", as_json=as_json)


def undo(approval_id: Id, *, approver: Approver = None, as_json: Json = False) -> None:
    """Take back an answer given in the inbox or on a channel, while it is held."""
    approval = _post(approval_id, "undo", _given(approver=approver))
    _tell(approval, f"Nothing came of it. {_waits_for(approval)}", as_json=as_json)


def _post(
    approval_id: str, verb: str, body: dict[str, Any], *, key: str | None = None
) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key is not None else {}
    path = path_of(approval_id, f"/{verb}")
    approval: dict[str, Any] = call("POST", path, json=body, headers=headers)
    return approval


def _tell(approval: dict[str, Any], says: str, *, as_json: bool) -> None:
    if as_json:
        print_json(approval)
        return
    out.print(f"{approval['id']}  {approval['status']}  {plain(approval['title'])}")
    out.print(plain(says))


def _waits_for(approval: dict[str, Any]) -> str:
    people = dict.fromkeys(one["email"] for one in approval["approvers"] if one.get("asked"))
    words = progress_in(approval)
    so_far = f": {words}" if words else ""
    return f"It waits for {', '.join(people)}{so_far}." if people else ""


def _given(**body: Any) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
