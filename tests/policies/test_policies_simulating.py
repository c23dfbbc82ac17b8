"""What a changed policy would have made of what was asked."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from events.approval import ApprovalEvent, Person, Subject
from events.commands import Command, RequestApproval, SubmitDecision
from events.decider import decide
from events.digest import payload_digest
from events.handling import Order, handle
from events.state import fold
from events.store.database import Database
from events.store.postgres import PostgresStore
from services.decision.identifiers import new_approval_id, new_command_id
from services.policies import Policies, facts_of
from services.policies.past import Past
from services.policies.simulating import Simulator
from tests.cli.command_line import placet
from tests.policies.policy_kit import BOT, NOW, OFFICE, policies_of

SMALL = """
name: expenses
version: 4
applies_to: {types: [expense]}
approve_when: payload.amount <= 50
steps:
  - {name: finance, approvers: [group:finance], rule: 2}
fallback: [operator]
"""
ANN, BEN = Person(email="ann@example.com"), Person(email="ben@example.com")
DAY = timedelta(days=1)


def asked(amount: int, *, kind: str = "expense", days_ago: float = 1) -> RequestApproval:
    payload = {"amount": amount}
    now = NOW - days_ago * DAY
    return RequestApproval(
        about=Subject(
            type=kind,
            title=f"{amount} EUR",
            requester=Person(email=BOT),
            revision="1",
            round=1,
            payload_digest=payload_digest(payload),
        ),
        payload=payload,
        approvers=(ANN,),
        reason=None,
        urgency="medium",
        metadata={},
        expires_at=now + 30 * DAY,
        now=now,
    )


def approved(ask: RequestApproval, by: Person = ANN, *, after_h: float = 3) -> SubmitDecision:
    return SubmitDecision(
        outcome="approved",
        by=by,
        reason=None,
        channel="inbox",
        via=None,
        revision=None,
        now=ask.now + timedelta(hours=after_h),
    )


def lived(*commands: Command) -> list[ApprovalEvent]:
    facts: list[ApprovalEvent] = []
    for command in commands:
        facts.extend(decide(command, fold(facts)))
    return facts


def simulator(folder: Path, text: str = SMALL) -> Simulator:
    (changed,) = policies_of(folder, text).policies
    return Simulator(Policies(workspace="acme"), changed, OFFICE)


def test_it_counts_what_would_have_gone_another_way_and_how_much_sooner(tmp_path: Path) -> None:
    one = simulator(tmp_path)
    small, large = asked(20), asked(900)
    one.add("A-1", lived(small, approved(small)))
    one.add("A-2", lived(large, approved(large)))
    one.add("A-3", lived(asked(20, kind="other")))
    found = one.result
    assert (found.seen, found.touched, found.at_once) == (3, 2, 1)
    assert dict(found.kinds) == {"sooner": 1, "waits": 1}
    assert found.median_gain_s == 3 * 3600
    assert [(each.approval_id, each.kind) for each in found.differences] == [
        ("A-1", "sooner"),
        ("A-2", "waits"),
    ]
    assert found.differences[1].would.words == "1 of 2; waits for ben@example.com"


def test_it_tells_who_would_be_asked_more_and_who_less(tmp_path: Path) -> None:
    one = simulator(tmp_path)
    for amount in (20, 30, 900):
        one.add(f"A-{amount}", lived(asked(amount)))
    assert one.result.shifts() == [("ben@example.com", 0, 1), ("ann@example.com", 3, 1)]


def test_what_its_policy_decided_at_once_asked_nobody(tmp_path: Path) -> None:
    one = simulator(tmp_path)
    ask = asked(20)
    choice = one._policies.choose(facts_of(ask), OFFICE, ask.now)
    one.add("A-1", lived(replace(ask, policy=choice.policy, automatic=choice.automatic)))
    assert (one.result.shifts(), dict(one.result.kinds)) == ([], {"same": 1})


def test_what_was_under_the_policy_and_would_not_be_any_more_is_told(tmp_path: Path) -> None:
    before = simulator(tmp_path, SMALL.replace("rule: 2", "rule: any"))
    ask = asked(900)
    choice = before._policies.choose(facts_of(ask), OFFICE, ask.now)
    held = lived(replace(ask, policy=choice.policy), approved(ask))
    narrowed = SMALL.replace("types: [expense]", "types: [travel]")
    one = simulator(tmp_path, narrowed)
    one.add("A-1", held)
    assert one.result.touched == 1


def test_a_condition_that_fails_is_counted_as_a_warning(tmp_path: Path) -> None:
    one = simulator(tmp_path, SMALL.replace("payload.amount", "payload.total"))
    one.add("A-1", lived(asked(20)))
    assert one.result.warned == 1


async def test_the_command_reads_what_is_stored_and_changes_nothing(
    dsn: str, app_db: Database, tmp_path: Path
) -> None:
    store = PostgresStore(app_db)
    old, recent = asked(20, days_ago=200), asked(900, days_ago=1)
    for ask in (old, recent):
        now = ask.now
        approval_id = new_approval_id(now)
        for command in (ask, approved(ask)):
            order = Order(approval_id=approval_id, command=command, command_id=new_command_id())
            await handle(store, "default", order)
    past = Past(app_db, "default", NOW - 90 * DAY)
    assert await past.count() == 1
    assert [len(events) async for _, events in past.approvals()] == [3]
    assert await Past(app_db, "another", NOW - 90 * DAY).count() == 0

    (tmp_path / "new.yaml").write_text(SMALL)
    (tmp_path / "placet.yaml").write_text(
        "people:\n"
        "  - {email: ann@example.com, groups: [finance], roles: [operator]}\n"
        "  - {email: ben@example.com, groups: [finance]}\n"
    )
    settings = {
        "PLACET_POSTGRES_DSN": dsn,
        "PLACET_CONFIG": str(tmp_path / "placet.yaml"),
    }
    arguments = ("policy", "simulate", str(tmp_path / "new.yaml"), "--since", "3650d")
    said = await placet(*arguments, "--json", **settings)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert (found["seen"], found["touched"]) == (2, 2)
    assert found["kinds"] == {"same": 0, "sooner": 1, "later": 0, "other": 0, "waits": 1, "ends": 0}
    shown = await placet(*arguments, **settings)
    assert "1  would still wait" in shown.out
    assert "waits for ben@example.com" in shown.out.replace("\n", " ")


async def test_a_policy_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(SMALL.replace("payload.amount <= 50", "payload.amount <"))
    said = await placet("policy", "check", str(tmp_path / "new.yaml"))
    assert said.code == 2
    assert "new.yaml:5:" in said.err.replace("\n", "")


async def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text(SMALL.replace("[operator]", "[ann@example.com]"))
    said = await placet(
        "policy", "simulate", str(tmp_path / "new.yaml"), PLACET_DATA_DIR=str(tmp_path)
    )
    assert said.code == 2
    assert "set PLACET_POSTGRES_DSN, or run `placet up`" in said.err.replace("\n", " ")
