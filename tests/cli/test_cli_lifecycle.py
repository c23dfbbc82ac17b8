"""The commands on the way to a decision, and how far an approval is: on a server of the tests."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command_line import Said, placet
from tests.client.stub_server import Answer, Stub, stub

ID = "2" + "a" * 26
PATH = f"/v1/approvals/{ID}"
KEY = "plk_key_of_the_tests_0123456789"
ANN, BEN, BOT = "ann@example.com", "ben@example.com", "bot@example.com"


def seat(email: str, **more: Any) -> dict[str, Any]:
    """Somebody who is asked."""
    return {
        "email": email,
        "name": None,
        "answer": None,
        "step": 1,
        "groups": [],
        "asked": True,
        "on_behalf_of": None,
        "answered_by": None,
        **more,
    }


def approval(**more: Any) -> dict[str, Any]:
    """An approval under a policy, of which two of three have to approve."""
    return {
        "id": ID,
        "title": "Deploy [bold]1.2[/bold]",
        "status": "pending",
        "revision": "2",
        "payload": {"version": "1.2"},
        "requester": {"email": BOT, "name": None},
        "approvers": [
            seat(BEN, on_behalf_of=ANN, groups=["finance"]),
            seat("cleo@example.com", answer="approved", asked=False, answered_by="dan@example.com"),
        ],
        "expires_at": (datetime.now(UTC) + timedelta(days=2, hours=1)).isoformat(),
        "progress": {"words": "1 of 2, finance missing"},
        "asked_back": None,
        "urgency": "medium",
        "age_seconds": 70,
        "time_left_seconds": 7_200,
        **more,
    }


def asked_back(wants: str = "answer", **more: Any) -> dict[str, Any]:
    """The same while its requester is asked something."""
    asked = {
        "question_id": "q1",
        "by": {"email": ANN, "name": None},
        "text": "Why [red]now[/red]?",
        "wants": wants,
        "at": "2030-01-01T00:00:00Z",
    }
    return approval(asked_back=asked, approvers=[seat(ANN, asked=False)], **more)


def refused(status: int, code: str, detail: str) -> Answer:
    return Answer(status=status, body={"status": status, "code": code, "detail": detail})


async def said_by(server: Stub, *arguments: str, given: str = "") -> Said:
    return await placet(*arguments, given=given, PLACET_URL=server.url, PLACET_KEY=KEY)


def sent(server: Stub) -> tuple[str, Any]:
    """The only request that was made: its address, and its body."""
    (asked,) = server.asked
    return f"{asked.method} {asked.path}", json.loads(asked.body)


async def test_an_answer_that_does_not_settle_it_is_kept_and_says_who_is_missing() -> None:
    async with stub(Answer(body=approval())) as server:
        said = await said_by(server, "approve", ID)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"{ID}  pending  Deploy [bold]1.2[/bold]",
        "Your approval is kept: 1 of 2, finance missing",
    ]
    async with stub(Answer(body=approval(progress=None))) as server:
        said = await said_by(server, "deny", ID)
    assert "Your rejection is kept." in said.out
    async with stub(Answer(body=approval(status="approved"))) as server:
        said = await said_by(server, "approve", ID)
    assert "is kept" not in said.out
    async with stub(Answer(body=approval())) as server:
        assert (await said_by(server, "approve", ID, "--json")).json["status"] == "pending"


async def test_a_queue_shows_progress_and_in_whose_place_somebody_is_asked() -> None:
    page = {"data": [approval()], "count": 1, "next_cursor": None}
    async with stub(Answer(body=page)) as server:
        said = await said_by(server, "queue", "Ben@Example.com")
    [row] = [line for line in said.out.splitlines() if ID in line]
    assert ANN in row
    assert "1 of 2, finance missing" in row
    assert "2 h" in row


async def test_a_queue_of_plain_asks_has_no_empty_columns() -> None:
    plain = approval(progress=None, approvers=[seat(BEN)])
    page = {"data": [plain], "count": 1, "next_cursor": None}
    async with stub(Answer(body=page)) as server:
        said = await said_by(server, "queue", BEN)
    assert "progress" not in said.out
    assert " for " not in said.out.splitlines()[1]


async def test_what_its_requester_is_asked_stands_in_their_queue_without_a_clock() -> None:
    page = {"data": [asked_back()], "count": 1, "next_cursor": None}
    async with stub(Answer(body=page)) as server:
        said = await said_by(server, "queue", BOT)
    [row] = [line for line in said.out.splitlines() if ID in line]
    assert f"{ANN} asks: Why [red]now[/red]?" in row
    assert "2 h" not in row


async def test_an_approval_is_shown_with_who_is_missing_and_the_time_that_is_left() -> None:
    async with stub(Answer(body=approval()), Answer(body={"data": []})) as server:
        said = await said_by(server, "show", ID)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[1:4] == [
        "1 of 2, finance missing",
        f"Waits for {BEN} (for {ANN}).",
        "2 d left.",
    ]
    [cleo] = [line for line in lines if "cleo@example.com" in line]
    assert "approved by dan@example.com" in cleo
    [ben] = [line for line in lines if BEN in line and "│" in line]
    assert ANN in ben
    assert "finance" in ben


@pytest.mark.parametrize(("wants", "words"), [("answer", "asks"), ("changes", "returns it")])
async def test_a_question_is_shown_with_how_to_answer_it(wants: str, words: str) -> None:
    async with stub(Answer(body=asked_back(wants)), Answer(body={"data": []})) as server:
        said = await said_by(server, "show", ID)
    assert f"{ANN} {words}" in said.out
    assert "Why [red]now[/red]?" in said.out
    assert f"placet answer {ID} TEXT" in said.out
    assert (f"placet revise {ID}" in said.out) == (wants == "changes")
    assert "clock stands still" in said.out
    assert " left." not in said.out


async def test_a_final_approval_waits_for_nobody() -> None:
    done = approval(status="approved", approvers=[seat(ANN, asked=False, answer="approved")])
    async with stub(Answer(body=done), Answer(body={"data": []})) as server:
        said = await said_by(server, "show", ID)
    assert "Waits for" not in said.out
    assert " left." not in said.out
    assert "missing" not in said.out


@pytest.mark.parametrize(("options", "wants"), [([], "answer"), (["--changes"], "changes")])
async def test_an_approver_asks_back(options: list[str], wants: str) -> None:
    async with stub(Answer(status=201, body=asked_back(wants))) as server:
        said = await said_by(server, "ask-back", ID, "Why now?", *options, "--approver", ANN)
        assert sent(server) == (
            f"POST {PATH}/questions",
            {"text": "Why now?", "wants": wants, "approver": ANN},
        )
        assert server.asked[0].headers["idempotency-key"]
    assert said.code == 0
    assert said.out.splitlines()[-1] == f"{'Returned to' if options else 'Asked'} {BOT}."


async def test_a_requester_answers_and_it_waits_again() -> None:
    async with stub(Answer(body=approval())) as server:
        said = await said_by(server, "answer", ID, "Because of the leak", "--question", "q1")
        assert sent(server) == (
            f"POST {PATH}/answers",
            {"text": "Because of the leak", "question_id": "q1"},
        )
    assert "Answered. It waits for ben@example.com: 1 of 2, finance missing." in said.out


async def test_a_requester_changes_what_is_asked_from_a_file_or_from_stdin(tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"version": "1.3"}')
    for source in (str(file), "-"):
        async with stub(Answer(body=approval())) as server:
            options = ("--payload", source, "--title", "Deploy 1.3")
            said = await said_by(server, "revise", ID, *options, given='{"version": "1.3"}')
            assert sent(server) == (
                f"POST {PATH}/revise",
                {"payload": {"version": "1.3"}, "title": "Deploy 1.3"},
            )
        assert "This is revision 2 now." in said.out


async def test_a_revision_that_changes_nothing_is_not_sent() -> None:
    async with stub(Answer(body=approval())) as server:
        said = await said_by(server, "revise", ID)
        assert (said.code, server.asked) == (2, [])
        assert "--payload" in said.err
        wrong = await said_by(server, "revise", ID, "--payload", "-", given="[]")
        assert (wrong.code, server.asked) == (2, [])


async def test_it_is_passed_on_and_says_whom_it_waits_for() -> None:
    async with stub(Answer(body=approval())) as server:
        options = ("--to", BEN, "--person", ANN, "--reason", "Away")
        said = await said_by(server, "reassign", ID, *options)
        assert sent(server) == (
            f"POST {PATH}/reassign",
            {"to": BEN, "person": ANN, "reason": "Away"},
        )
    assert f"Passed on. It waits for {BEN}" in said.out


async def test_whoever_has_not_answered_is_reminded() -> None:
    async with stub(Answer(body=approval())) as server:
        said = await said_by(server, "remind", ID)
        assert sent(server) == (f"POST {PATH}/remind", {})
    assert f"Reminded. It waits for {BEN}" in said.out


async def test_an_answer_is_taken_back_while_it_is_held() -> None:
    async with stub(Answer(body=approval())) as server:
        said = await said_by(server, "undo", ID, "--approver", BEN)
        assert sent(server) == (f"POST {PATH}/undo", {"approver": BEN})
    assert f"{ID}  pending" in said.out
    assert f"Nothing came of it. It waits for {BEN}" in said.out


@pytest.mark.parametrize(
    ("command", "answer", "code"),
    [
        (["undo", ID], refused(409, "too_late_to_undo", "It is too late."), 5),
        (["remind", ID], refused(409, "too_often", "Come again in 40 minutes."), 5),
        (["answer", ID, "x"], refused(409, "not_asked_back", "Nobody has asked this."), 5),
        (["approve", ID], refused(409, "already_answered", "You have answered."), 5),
        (["approve", ID], refused(403, "own_request", "You asked for this."), 5),
        (["ask-back", ID, "x"], refused(409, "returned", "ann has asked already."), 5),
        (["reassign", ID, "--to", BEN], refused(422, "cannot_reassign", "ben is asked."), 2),
        (["remind", ID], refused(404, "not_found", "There is no such approval."), 4),
    ],
)
async def test_a_refusal_is_told_and_ends_with_its_code(
    command: list[str], answer: Answer, code: int
) -> None:
    async with stub(answer) as server:
        said = await said_by(server, *command)
    assert (said.code, said.out) == (code, "")
    assert answer.body["detail"] in said.err


@pytest.mark.parametrize(
    "command",
    [
        ["ask-back", ID, "Why?"],
        ["answer", ID, "So"],
        ["revise", ID, "--title", "T"],
        ["reassign", ID, "--to", BEN],
        ["remind", ID],
        ["undo", ID],
    ],
)
async def test_each_command_gives_scripts_the_approval(command: list[str]) -> None:
    async with stub(Answer(body=approval())) as server:
        said = await said_by(server, *command, "--json")
    assert (said.code, said.json["id"]) == (0, ID)


async def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\x07 [bold]x"
    one = approval(
        title=evil,
        progress={"words": evil},
        approvers=[seat(evil, on_behalf_of=evil, groups=[evil])],
        asked_back={
            "question_id": "q1",
            "by": {"email": evil},
            "text": evil,
            "wants": "answer",
            "at": "",
        },
    )
    page = {"data": [one], "count": 1, "next_cursor": None}
    for command, answers in (
        (["queue", BEN], [Answer(body=page)]),
        (["show", ID], [Answer(body=one), Answer(body={"data": []})]),
        (["approve", ID], [Answer(body=one)]),
        (["remind", ID], [Answer(body=one)]),
        (["wait", ID, "--timeout", "0"], [Answer(body=one)]),
    ):
        async with stub(*answers) as server:
            said = await said_by(server, *command)
        assert "\x1b" not in said.out + said.err, command
        assert "\x07" not in said.out + said.err, command


async def test_a_wait_says_what_is_asked_back_once_and_waits_on() -> None:
    final = approval(status="approved")
    waits = [Answer(body=one) for one in (asked_back(), asked_back(), approval(), final)]
    async with stub(*waits) as server:
        async with asyncio.timeout(30):
            said = await said_by(server, "wait", ID, "--timeout", "60")
    assert said.code == 0
    assert said.out == f"{ID}  approved  Deploy [bold]1.2[/bold]\n"
    assert said.err.count("asks: Why [red]now[/red]?") == 1
    assert f"placet answer {ID} TEXT" in said.err


async def test_policies_are_a_table_for_people_and_json_for_scripts() -> None:
    expense = {"types": ["expense"], "sources": ["erp"], "when": "payload.amount > 1000"}
    finance = {"name": "finance", "approvers": ["group:finance"], "rule": "2", "when": None}
    page = {
        "data": [
            {
                "name": "large_expenses",
                "version": 3,
                "applies_to": expense,
                "approve_when": None,
                "reject_when": "payload.amount > 1000000",
                "steps": [{**finance, "name": "manager", "rule": "any"}, finance],
                "assurance": "step_up",
            },
            {
                "name": "rest",
                "version": 1,
                "applies_to": {"types": [], "sources": [], "when": None},
                "steps": [],
            },
        ]
    }
    async with stub(Answer(body=page)) as server:
        said = await said_by(server, "policy", "list")
        assert (await said_by(server, "policy", "list", "--json")).json == page
    assert said.code == 0
    [first] = [line for line in said.out.splitlines() if "large_expenses" in line]
    assert "expense from erp when payload.amount > 1000" in first
    assert "reject when payload.amount > 1000000" in first
    assert "1. manager: any of group:finance" in said.out
    assert "2. finance: 2 of group:finance" in said.out
    assert "assurance: step_up" in said.out
    [rest] = [line for line in said.out.splitlines() if "rest" in line]
    assert "everything" in rest
    assert said.out.splitlines()[-1] == "2 policies."
