"""The commands of those who ask: request, and wait for the outcome."""

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from services.cli import asking
from services.cli.client import Failed
from services.cli.console import UNAVAILABLE
from services.embedded.ports import free_port
from tests.cli.command_line import placet
from tests.cli.conftest import Command
from tests.journey.running_placet import KEY, Placet


def somebody() -> str:
    """An approver that no other test has."""
    return f"ann.{secrets.token_hex(4)}@example.com"


def body(**changes: Any) -> dict[str, Any]:
    """The body of an ask."""
    return {
        "type": "deploy",
        "title": "Deploy [bold]1.2[/bold]",
        "payload": {"version": "1.2"},
        "approvers": [somebody()],
        **changes,
    }


async def asked(running: Placet, **changes: Any) -> tuple[str, str]:
    """A new approval: its id, and its approver."""
    made = await running.ask(**body(**changes))
    return made["id"], made["approvers"][0]["email"]


async def test_an_ask_is_made_of_options(running: Placet, command: Command, tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text('{"version": "1.2"}')
    ann, ben = somebody(), somebody()
    said = await command(
        *("request", "--type", "deploy", "--title", "Deploy 1.2"),
        *("--approver", ann, "--approver", ben, "--payload", str(payload)),
        *("--reason", "Fixes the leak", "--urgency", "high", "--expires-in", "600"),
        *("--subject", f"release:{ann}", "--revision", "7"),
        *("--link", "issue:ACME-1", "--link", "issue:ACME-2:https://issues.example.com/2"),
        "--json",
    )
    assert said.code == 0, said.err
    approval = await running.get(f"/v1/approvals/{said.json['id']}")
    assert [one["email"] for one in approval["approvers"]] == [ann, ben]
    assert (approval["type"], approval["title"]) == ("deploy", "Deploy 1.2")
    assert (approval["payload"], approval["reason"]) == ({"version": "1.2"}, "Fixes the leak")
    assert (approval["urgency"], approval["revision"]) == ("high", "7")
    assert approval["subject"] == f"release:{ann}"
    assert approval["links"] == [
        {"kind": "issue", "id": "ACME-1", "url": None},
        {"kind": "issue", "id": "ACME-2", "url": "https://issues.example.com/2"},
    ]


async def test_an_ask_comes_from_a_file_or_from_stdin_and_is_kept_once(
    command: Command, tmp_path: Path
) -> None:
    text = json.dumps(body())
    file = tmp_path / "ask.json"
    file.write_text(text)
    key = ("--idempotency-key", secrets.token_hex())
    first = await command("request", str(file), *key)
    assert first.code == 0
    again = await command("request", "-", *key, "--json", given=text)
    assert again.code == 0
    assert first.out.split() == [again.json["id"], "pending", "Deploy", "[bold]1.2[/bold]"]
    other = await command("request", "-", *key, given=json.dumps(body()))
    assert other.code == 2
    assert "used with another body" in other.err


async def test_options_add_to_a_file_and_the_payload_may_come_from_stdin(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "ask.json"
    file.write_text(json.dumps(body(title="Of the file")))
    said = await command("request", str(file), "--title", "Of the option", "--json")
    assert (said.json["title"], said.json["type"]) == ("Of the option", "deploy")
    options = ("--type", "deploy", "--title", "T", "--approver", somebody(), "--payload", "-")
    piped = await command("request", *options, "--json", given='{"version": 3}')
    assert piped.json["payload"] == {"version": 3}
    both = await command("request", "-", "--payload", "-", given="{}")
    assert both.code == 2
    assert "Standard input" in both.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "type: "),
        (json.dumps(body(urgency="now")), "urgency"),
        (json.dumps(body(approvers=["?"])), "approvers.0"),
    ],
)
async def test_an_ask_that_is_wrong_names_what_is_wrong(
    command: Command, given: str, told: str
) -> None:
    said = await command("request", "-", given=given)
    assert said.code == 2
    assert told in said.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--type and --title"),
        (["--title", "T"], "type: "),
        (["--title", "T", "--link", "ACME-1"], "kind:id"),
        (["--title", "T", "--payload", "none.json"], "none.json cannot be read"),
        (["none.json"], "none.json cannot be read"),
    ],
)
async def test_options_that_are_wrong_name_what_is_wrong(
    command: Command, arguments: list[str], told: str
) -> None:
    said = await command("request", *arguments)
    assert said.code == 2
    assert told in said.err


async def test_an_ask_can_wait_for_its_outcome(running: Placet, command: Command) -> None:
    ann = somebody()
    options = ("--type", "deploy", "--title", "Now?", "--approver", ann)
    waiting = asyncio.create_task(command("request", *options, "--wait", "--timeout", "60"))
    approval_id = ""
    async with asyncio.timeout(30):
        while not approval_id:
            await asyncio.sleep(0.05)
            approval_id = next((one["id"] for one in await running.queue(ann)), "")
    await running.answer(approval_id, decision="deny", approver=ann, reason="Not now")
    said = await waiting
    assert said.code == 10
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        [approval_id, "pending"],
        [approval_id, "rejected"],
    ]
    late = await command("request", *options, "--wait", "--timeout", "0", "--json")
    assert (late.code, late.json["status"]) == (13, "pending")


@pytest.mark.parametrize(("decision", "code"), [("approve", 0), ("deny", 10)])
async def test_a_wait_ends_with_the_outcome(
    running: Placet, command: Command, decision: str, code: int
) -> None:
    approval_id, ann = await asked(running)
    waiting = asyncio.create_task(command("wait", approval_id, "--timeout", "60"))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    answer = await running.answer(approval_id, decision=decision, approver=ann, reason="So")
    assert answer.status_code == 200
    assert (await waiting).code == code


async def test_a_wait_tells_a_recall_an_expiry_and_an_open_one_apart(
    running: Placet, command: Command
) -> None:
    recalled, _ = await asked(running)
    assert (await running.http.post(f"/v1/approvals/{recalled}/withdraw")).status_code == 200
    short, _ = await asked(running, expires_in=2)
    still_open, _ = await asked(running)
    ends = [
        await command("wait", recalled),
        await command("wait", short, "--timeout", "60"),
        await command("wait", still_open, "--timeout", "1", "--json"),
    ]
    assert [said.code for said in ends] == [11, 12, 13]
    assert ends[2].json["status"] == "pending"


def answers(*given: str) -> Callable[..., dict[str, Any]]:
    """A server that answers at once with one status after the other, or is away."""
    left = list(given)

    def attempt(*_: object, **__: object) -> dict[str, Any]:
        status = left.pop(0) if len(left) > 1 else left[0]
        if status == "away":
            raise Failed("it is away", UNAVAILABLE)
        return {"id": "a1", "title": "T", "status": status}

    return attempt


async def test_a_wait_outlasts_a_server_that_goes_and_comes_back() -> None:
    with patch.object(asking, "attempt", answers("pending", "away", "away", "approved")):
        said = await placet("wait", "a1", "--timeout", "60")
    assert said.code == 0


@pytest.mark.parametrize("given", [("away",), ("pending", "away")])
async def test_a_wait_for_a_server_that_is_away_ends(given: tuple[str, ...]) -> None:
    with patch.object(asking, "attempt", answers(*given)):
        said = await placet("wait", "a1", "--timeout", "1")
    assert (said.code, said.err.strip()) == (6, "placet: it is away")


async def test_a_wait_where_nobody_answers_says_so_at_once() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    said = await placet("wait", "a1", "--timeout", "3600", PLACET_URL=url, PLACET_KEY=KEY)
    assert said.code == 6
    assert "cannot be reached" in said.err
