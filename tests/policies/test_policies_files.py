"""Files of policies: what could never be satisfied or chosen is refused at start, with its line."""

from pathlib import Path
from typing import Any

import pytest

from events.approval import Reminders, Rung
from services.config import read_config
from services.policies import load_policy
from services.policies.conditions import condition
from services.settings import HalfConfigured
from services.yaml_files.faults import FileInvalid
from tests.policies.policy_kit import OFFICE, TEXT, errors_of, policies_of

WHOLE = """name: expenses
version: 3
applies_to: {types: [expense_report], sources: [acme], when: 'payload.total_amount > 50'}
approve_when: 'payload.total_amount <= 50'
reject_when: 'payload.total_amount < 0'
steps:
  - name: manager
    approvers: [requester.manager]
  - name: finance
    when: 'payload.total_amount > 1000'
    approvers: [group:finance, group:legal]
    rule: one from each
    deny: 2
fallback: [operator]
self_approval: false
remind: {after: 1d, every: 4h, most: 2}
escalate:
  - {after: 2d, to: [role:cfo, approver.manager]}
  - {after: 4d, to: [ada@example.com]}
expires_in: 10d
on_timeout: reject
clock: {days: mon-fri, hours: "09:00-17:00", time_zone: Europe/Berlin, holidays: [2026-12-25]}
"""


def test_a_whole_policy_is_read(tmp_path: Path) -> None:
    (policy,) = policies_of(tmp_path, WHOLE).policies
    assert (policy.name, policy.version, policy.on_timeout) == ("expenses", 3, "reject")
    assert policy.applies_to.words == (
        "applies to type expense_report, source acme when payload.total_amount > 50"
    )
    assert [(step.name, step.rule_words, step.deny) for step in policy.steps] == [
        ("manager", "any", 1),
        ("finance", "one from each", 2),
    ]
    assert policy.hours is not None
    assert (policy.hours.days, policy.hours.opens, policy.hours.closes) == (
        (0, 1, 2, 3, 4),
        540,
        1020,
    )
    assert [one.isoformat() for one in policy.hours.holidays] == ["2026-12-25"]


def test_a_day_of_a_clock_is_a_working_day_and_an_hour_is_an_hour(tmp_path: Path) -> None:
    (policy,) = policies_of(tmp_path, WHOLE).policies
    day = 8 * 3600.0
    assert policy.expires_s == 10 * day
    assert policy.reminders == Reminders(after_s=day, every_s=4 * 3600.0, most=2)
    assert policy.ladder == (
        Rung(after_s=2 * day, to=("role:cfo", "approver.manager")),
        Rung(after_s=4 * day, to=("ada@example.com",)),
    )
    (always,) = policies_of(tmp_path, WHOLE[: WHOLE.index("clock:")]).policies
    assert always.expires_s == 10 * 86400


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("version: 3", "version: none", "2: version: must be a whole number"),
        ("version: 3\n", "", "1: version: is missing"),
        ("name: expenses", "name: Expenses!", "1: name: may hold a-z"),
        ("self_approval", "self_aproval", "15: self_aproval: is not known here; did you mean"),
        ("deny: 2", "denies: 2", "13: steps[1].denies: is not known here; did you mean `deny`?"),
        ("sources: [acme]", "source: [acme]", "3: applies_to.source: is not known here"),
        ("> 50'}", "> '}", "3: applies_to.when: is no CEL: at character 24: mismatched input"),
        ("<= 50'", "== 50 &&'", "4: approve_when: is no CEL: "),
        ("< 0'", "< nope'", "5: reject_when: nope is not known here; known are payload, type"),
        ("payload.total_amount > 1000", "payload.total_amount >", "10: steps[1].when: is no CEL"),
        (
            "'payload.total_amount > 1000'",
            "lower(title)",
            "10: steps[1].when: lower() is not known",
        ),
        ("'payload.total_amount > 1000'", "7", "10: steps[1].when: must be a text"),
        ("'payload.total_amount > 1000'", "1 + 1", "10: steps[1].when: `1 + 1` is neither true"),
        (
            "group:finance,",
            "group:finance, ann@example.com,",
            "11: steps[1].approvers[1]: is no gr",
        ),
        ("[group:finance, group:legal]", "[group:legal]", "12: steps[1].rule: takes 2 to 10"),
        ("[requester.manager]", "[boss]", "8: steps[0].approvers[0]: nobody has the role 'boss'"),
        ("[requester.manager]", "[a@b@c]", "8: steps[0].approvers[0]: 'a@b@c' is not an e-mail"),
        ("[requester.manager]", "[The Boss]", "8: steps[0].approvers[0]: 'The Boss' names nobody"),
        ("[requester.manager]", "[approver.manager]", "8: steps[0].approvers[0]: is only known"),
        ("[requester.manager]", "[]", "8: steps[0].approvers: must hold at least one value"),
        ("one from each", "0", "12: steps[1].rule: must be from 1 to 50 people"),
        ("one from each", "0%", "12: steps[1].rule: must be from 1% to 100%"),
        ("one from each", "101%", "12: steps[1].rule: must be from 1% to 100%"),
        ("one from each", "most", "12: steps[1].rule: must be any, all, a number"),
        ("deny: 2", "deny: 0", "13: steps[1].deny: "),
        ("name: finance", "name: manager", "9: steps[1].name: there are two steps named 'manager'"),
        ("fallback: [operator]", "", "1: fallback: is missing, and a condition could fail"),
        ("[operator]", "[]", "14: fallback: must hold at least one value"),
        ("[operator]", "[group:x]", "14: fallback: could find nobody: name an address"),
        ("[operator]", "[approver.manager, operator]", "14: fallback[0]: is only known"),
        ("after: 1d", "after: 0s", "16: remind.after: must be from 1s to 366d"),
        ("after: 1d", "after: 10", "16: remind.after: needs a unit"),
        ("most: 2", "most: 51", "16: remind.most: "),
        ("after: 4d", "after: 2d", "19: escalate[1].after: must come later than the rung before"),
        ("after: 4d", "after: 10d", "19: escalate[1].after: never comes: it expires after"),
        ("role:cfo", "role:ceo", "18: escalate[0].to[0]: nobody has the role 'ceo'"),
        ("on_timeout: reject", "on_timeout: shrug", "21: on_timeout: must be expire, approve,"),
        (
            "on_timeout: reject",
            "on_timeout: {policy: x}",
            "21: on_timeout: no policy 'x'; known are",
        ),
        ("on_timeout: reject", "on_timeout: {policy: expenses}", "21: on_timeout: these take over"),
        ("expires_in: 10d\non_timeout: reject", "on_timeout: approve", "20: on_timeout: needs"),
        ("mon-fri", "fri-mon", "22: clock.days: 'fri-mon' runs backwards"),
        ("mon-fri", "weekdays", "22: clock.days: 'weekdays' is no day of the week"),
        ("09:00-17:00", "17:00-09:00", "22: clock.hours: must end after it begins"),
        ("09:00-17:00", "9 to 5", "22: clock.hours: must be such as 09:00-17:00"),
        ("09:00-17:00", "09:00-24:01", "22: clock.hours: must end after it begins, and at 24:00"),
        ("Europe/Berlin", "Berlin", "22: clock.time_zone: 'Berlin' is no time zone"),
        ("2026-12-25", "2026-13-25", "22: clock.holidays[0]: '2026-13-25' is no day"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert line in WHOLE
    found = errors_of(tmp_path, WHOLE.replace(line, instead, 1))
    assert any(one.startswith(f"policy.yaml:{said}") for one in found), found


def test_every_fault_of_several_files_is_told_at_once(tmp_path: Path) -> None:
    wrong = WHOLE.replace("deny: 2", "deny: 0").replace("most: 2", "most: 0")
    other = TEXT.replace("version: 3", "version: 0")
    found = errors_of(tmp_path, wrong, other)
    assert [one.partition(" ")[0] for one in found] == [
        "policy.yaml:13:",
        "policy.yaml:16:",
        "policy1.yaml:3:",
    ]


STEP = "name: small\nversion: 1\nsteps:\n  - name: one\n    approvers: {}\n"


@pytest.mark.parametrize(
    ("approvers", "more", "said"),
    [
        ("[ann@example.com, ben@example.com]", "", None),
        ("[operator]", "", None),
        ("[ann@example.com]", "", "1: fallback: is missing, and the step 'one' could lack"),
        ("[ann@example.com]", "self_approval: true\n", None),
        ("[ann@example.com, ann@example.com]", "", "1: fallback: is missing, and the step 'one'"),
        ("[group:finance]", "", "1: fallback: is missing, and the step 'one' could find nobody"),
        ("[payload.boss, ann@example.com]", "", "1: fallback: is missing, and the step 'one'"),
        ("[operator]", "approve_when: payload.x\n", "1: fallback: is missing, and a condition"),
        ("[operator]", "approve_when: false\n", None),
        ("[operator]\n    rule: 3", "", "6: steps[0].rule: 3 must approve, but only 2 are named"),
        ("[operator]\n    rule: 2", "", "1: fallback: is missing, and the step 'one' could lack"),
        ("[operator]\n    deny: 3", "", "6: steps[0].deny: 3 must reject, but only 2 are named"),
        ("[group:finance]\n    rule: 9\nfallback: [operator]", "", None),
    ],
)
def test_a_policy_that_could_find_nobody_needs_a_fallback(
    tmp_path: Path, approvers: str, more: str, said: str | None
) -> None:
    found = errors_of(tmp_path, STEP.format(approvers) + more)
    if said is None:
        assert found == []
    else:
        assert any(one.startswith(f"policy.yaml:{said}") for one in found), found


def named(name: str, applies_to: str = "{}", more: str = "") -> str:
    return f"name: {name}\napplies_to: {applies_to}{TEXT.partition('name: expenses')[2]}{more}"


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ("{}", "{types: [a]}", True),
        ("{when: true}", "{types: [a]}", True),
        ("{types: [a, b]}", "{types: [a]}", True),
        ("{types: [a]}", "{types: [a, b]}", False),
        ("{types: [a]}", "{}", False),
        ("{types: [a]}", "{types: [a], when: payload.x}", True),
        ("{types: [a], when: payload.x}", "{types: [a]}", False),
        ("{types: [a], when: payload.x}", "{types: [a], when: payload.x}", True),
        ("{sources: [s]}", "{types: [a]}", False),
        ("{sources: [s]}", "{types: [a], sources: [s]}", True),
    ],
)
def test_a_policy_that_can_never_be_chosen_is_refused(
    tmp_path: Path,
    first: str,
    second: str,
    refused: bool,  # noqa: FBT001 - a column of the table
) -> None:
    found = errors_of(tmp_path, named("one", first), named("two", second))
    said = "policy1.yaml:2: applies_to: can never be chosen: 'one', before it, applies to all of"
    assert (found != []) == refused
    assert all(one.startswith(said) for one in found)


def test_a_policy_that_never_applies_is_for_taking_over_only(tmp_path: Path) -> None:
    never = named("board", "{when: false}")
    (alone,) = errors_of(tmp_path, never)
    assert alone.startswith("policy.yaml:2: applies_to.when: never holds, and no policy goes over")
    over = named("one", "{}", "expires_in: 1d\non_timeout: {policy: board}\n")
    assert errors_of(tmp_path, over, never) == []


def test_two_policies_of_one_name_are_refused(tmp_path: Path) -> None:
    found = errors_of(tmp_path, named("one", "{types: [a]}"), named("one", "{types: [b]}"))
    assert found == ["policy1.yaml:1: name: there are two named 'one'"]


def test_policies_that_take_over_in_a_circle_are_refused_once(tmp_path: Path) -> None:
    texts = [
        named(name, f"{{types: [{name}]}}", f"expires_in: 1d\non_timeout: {{policy: {to}}}\n")
        for name, to in (("a", "b"), ("b", "c"), ("c", "b"))
    ]
    found = errors_of(tmp_path, *texts)
    assert found == ["policy1.yaml:9: on_timeout: these take over in a circle: b → c → b"]


def test_one_file_can_be_read_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(TEXT)
    assert load_policy(file, OFFICE).name == "expenses"
    with pytest.raises(FileInvalid, match="the file cannot be read"):
        load_policy(tmp_path / "none.yaml", OFFICE)


def configured(folder: Path, more: str = "", **replaced: str) -> Any:
    text = TEXT
    for old, new in replaced.items():
        text = text.replace(old, new)
    (folder / "expenses.yaml").write_text(text)
    (folder / "placet.yaml").write_text(
        "workspace: acme\npolicies: [expenses.yaml]\napprovers: [operator]\n"
        f"people: [{{email: otto@example.com, roles: [operator]}}]\n{more}"
    )
    return read_config(folder / "placet.yaml", {})


def test_policies_stand_in_placet_yaml_and_hold_in_its_workspace_only(tmp_path: Path) -> None:
    policies = configured(tmp_path).policies
    assert [one.name for one in policies.within("acme").listed()] == ["expenses"]
    assert [spec.text for spec in policies.last_resort] == ["operator"]
    assert list(policies.within("other").listed()) == []


def test_a_fault_of_a_policy_keeps_placet_from_starting(tmp_path: Path) -> None:
    with pytest.raises(HalfConfigured) as refused:
        configured(tmp_path, "types: [gone.yaml]\n", operator="nobody")
    errors = [one.replace(f"{tmp_path}/", "") for one in refused.value.errors]
    assert any(
        one.startswith("expenses.yaml:7: fallback[0]: nobody has the role") for one in errors
    )
    assert any(one.startswith("gone.yaml: the file cannot be read") for one in errors)


def test_the_policy_of_the_how_to_holds_no_fault(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/write-a-policy.md").read_text("utf-8")
    _, _, begun = page.partition("```yaml\nname:")
    assert errors_of(tmp_path, f"name:{begun.partition('```')[0]}") == []
    _, _, conditions = page.partition("```\npayload")
    for line in f"payload{conditions.partition('```')[0]}".splitlines():
        condition(line)
