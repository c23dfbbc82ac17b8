"""The commands about approvals: what people and scripts read, and how they end."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from services.embedded.ports import free_port
from services.web.keys import Keys, new_key
from tests.cli.command_line import placet
from tests.cli.conftest import Command
from tests.journey.running_placet import KEY, Placet, eventually

NOBODY = "0" * 27


def body(**changes: Any) -> dict[str, Any]:
    """The body of an ask, whose approver no other test has."""
    return {
        "type": "deploy",
        "title": "Deploy [bold]1.2[/bold]",
        "payload": {"version": "1.2"},
        "approvers": [f"ann.{secrets.token_hex(4)}@example.com"],
        **changes,
    }


async def asked(running: Placet, **changes: Any) -> tuple[str, str]:
    """A new approval that waits in the queue: its id, and its approver."""
    made = await running.ask(**body(**changes))
    ann = made["approvers"][0]["email"]
    await eventually(lambda: running.queue(ann), "it waits")
    return made["id"], ann


async def test_a_queue_is_a_table_for_people_and_json_for_scripts(
    running: Placet, command: Command
) -> None:
    approval_id, ann = await asked(running)
    said = await command("queue", ann)
    assert (said.code, said.err) == (0, "")
    [row] = [line for line in said.out.splitlines() if approval_id in line]
    assert "Deploy [bold]1.2[/bold]" in row  # what others wrote is no markup
    assert "29 d" in row
    assert f"1 waiting for {ann}." in said.out
    page = (await command("queue", ann, "--json")).json
    assert (page["count"], page["data"][0]["id"]) == (1, approval_id)
    empty = await command("queue", "nobody@example.com")
    assert (empty.code, empty.out.splitlines()[-1]) == (0, "0 waiting for nobody@example.com.")


async def test_what_others_wrote_cannot_steer_the_terminal(
    running: Placet, command: Command
) -> None:
    approval_id, ann = await asked(running, title="Evil \x1b[2J\x07 one")
    for arguments in (["queue", ann], ["show", approval_id], ["deny", approval_id]):
        said = await command(*arguments)
        assert "\x1b" not in said.out + said.err, arguments
        assert "\x07" not in said.out + said.err, arguments


async def test_an_approval_is_shown_with_its_history(running: Placet, command: Command) -> None:
    approval_id, ann = await asked(running)
    said = await command("show", approval_id)
    assert said.code == 0
    assert "Deploy [bold]1.2[/bold]  pending" in said.out
    assert '"version": "1.2"' in said.out
    assert f"it waits for {ann}" in said.out
    shown = (await command("show", approval_id, "--json")).json
    assert shown["approval"]["id"] == approval_id
    assert shown["history"][0]["type"] == "approval.requested"


async def test_an_answer_by_somebody_is_kept_with_its_reason(
    running: Placet, command: Command
) -> None:
    approval_id, ann = await asked(running)
    said = await command("deny", approval_id, "--approver", ann, "--reason", "Not on Friday")
    assert said.code == 0
    assert said.out.startswith(f"{approval_id}  rejected")
    approval = await running.get(f"/v1/approvals/{approval_id}")
    assert (approval["decided_by"], approval["decision_reason"]) == (ann, "Not on Friday")
    late = await command("approve", approval_id, "--approver", ann)
    assert late.code == 5
    assert "already" in late.err


async def test_a_question_is_asked_shown_and_answered(running: Placet, command: Command) -> None:
    approval_id, ann = await asked(running)
    asks = await command("ask-back", approval_id, "Why [red]now[/red]?", "--approver", ann)
    assert (asks.code, asks.err) == (0, "")
    said = await command("show", approval_id)
    assert f"{ann} asks: Why [red]now[/red]?" in said.out
    assert "The clock stands still" in said.out
    wait = await command("wait", approval_id, "--timeout", "1")
    assert wait.code == 13
    assert "Why [red]now[/red]?" in wait.err
    answer = await command("answer", approval_id, "The leak")
    assert answer.code == 0
    assert f"Answered. It waits for {ann}." in answer.out
    late = await command("answer", approval_id, "The leak")
    assert late.code == 5


async def test_what_was_returned_is_changed_and_passed_on(
    running: Placet, command: Command
) -> None:
    approval_id, ann = await asked(running)
    returned = await command("ask-back", approval_id, "1.3 please", "--changes", "--approver", ann)
    assert returned.code == 0
    early = await command("approve", approval_id, "--approver", ann)
    assert early.code == 5
    revised = await command("revise", approval_id, "--payload", "-", given='{"version": "1.3"}')
    assert (revised.code, revised.err) == (0, "")
    assert "This is revision 2 now." in revised.out
    ben = f"ben.{secrets.token_hex(4)}@example.com"
    passed = await command("reassign", approval_id, "--to", ben, "--person", ann)
    assert f"Passed on. It waits for {ben}." in passed.out
    reminded = await command("remind", approval_id)
    assert reminded.code == 0
    assert (await command("remind", approval_id)).code == 5
    approved = await command("approve", approval_id, "--approver", ben, "--json")
    assert (approved.json["status"], approved.json["payload"]) == ("approved", {"version": "1.3"})


async def test_a_placet_without_policies_lists_none(command: Command) -> None:
    said = await command("policy", "list")
    assert (said.code, said.out.splitlines()[-1]) == (0, "0 policies.")


async def test_an_answer_to_another_revision_is_refused(running: Placet, command: Command) -> None:
    approval_id, ann = await asked(running, revision="r2")
    stale = await command("approve", approval_id, "--approver", ann, "--revision", "r1")
    assert stale.code == 5
    assert "changed" in stale.err
    fresh = await command("approve", approval_id, "--approver", ann, "--revision", "r2", "--json")
    assert (fresh.code, fresh.json["status"]) == (0, "approved")


async def test_whoever_is_not_asked_cannot_answer(running: Placet, command: Command) -> None:
    approval_id, _ = await asked(running)
    said = await command("approve", approval_id, "--approver", "eve@example.com")
    assert said.code == 5
    assert (await running.get(f"/v1/approvals/{approval_id}"))["status"] == "pending"


@pytest.mark.parametrize("arguments", [["show"], ["approve"], ["wait", "--timeout", "0"]])
@pytest.mark.parametrize("approval_id", [NOBODY, "../queue?approver=x"])
async def test_what_is_not_there_is_not_found(
    command: Command, arguments: list[str], approval_id: str
) -> None:
    said = await command(arguments[0], approval_id, *arguments[1:])
    assert (said.code, said.out) == (4, "")
    assert "There is no" in said.err


async def test_a_key_is_needed_and_a_wrong_one_is_refused_without_being_shown(
    running: Placet, tmp_path: Path
) -> None:
    home = {"PLACET_URL": running.url, "PLACET_DATA_DIR": str(tmp_path)}
    none = await placet("queue", "ann@example.com", **home)
    assert none.code == 2
    assert "Set PLACET_KEY" in none.err
    wrong = new_key().text
    refused = await placet("queue", "ann@example.com", PLACET_KEY=wrong, **home)
    assert refused.code == 5
    assert "wrong, revoked or expired" in refused.err
    assert wrong not in refused.out + refused.err
    odd = await placet("queue", "ann@example.com", PLACET_KEY="s3cret\u00e9\n1", **home)
    assert odd.code == 2
    assert "s3cret" not in odd.err
    (tmp_path / "key").write_text(f"{KEY}\n")
    kept = await placet("queue", "ann@example.com", **home)
    assert kept.code == 0


async def test_a_key_that_may_not_is_told_what_it_lacks(running: Placet) -> None:
    keys = Keys(running.parts.app_db, None)
    key = await keys.create(
        "default", principal="ci@example.com", name="", scopes=["approvals:read"], expires_at=None
    )
    approval_id, _ = await asked(running)
    said = await placet("approve", approval_id, PLACET_URL=running.url, PLACET_KEY=key.text)
    assert said.code == 5
    assert "approvals:decide" in said.err
    assert key.text not in said.out + said.err


async def test_an_address_where_nobody_answers_is_not_reachable() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    said = await placet("queue", "ann@example.com", PLACET_URL=url, PLACET_KEY=KEY)
    assert said.code == 6
    assert f"{url} cannot be reached" in said.err
    assert "placet up" in said.err
    assert KEY not in said.err


@pytest.mark.parametrize("url", ["placet.example.com", "ftp://127.0.0.1", "http://[::1", "http://"])
async def test_an_address_that_is_none_is_wrong_use(url: str) -> None:
    said = await placet("queue", "ann@example.com", PLACET_URL=url, PLACET_KEY=KEY)
    assert said.code == 2
    assert "PLACET_URL" in said.err


async def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    url = "http://ann:open-sesame@127.0.0.1:1"
    said = await placet("queue", "ann@example.com", PLACET_URL=url, PLACET_KEY=KEY)
    assert said.code == 2
    assert "PLACET_KEY" in said.err
    assert "open-sesame" not in said.out + said.err


async def test_another_program_at_the_address_is_told(running: Placet) -> None:
    # A path of ours that answers with a page instead of JSON stands for any other program.
    said = await placet("show", NOBODY, PLACET_URL=f"{running.url}/docs?from=", PLACET_KEY=KEY)
    assert said.code == 1
    assert "is that Placet?" in said.err
