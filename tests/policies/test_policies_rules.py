"""A table of every rule: whom a policy asks, how many must agree, and what it does without them."""

from pathlib import Path
from typing import Any

import pytest

from events.approval import Step
from events.voting import can_be_met
from services.directory import Directory
from services.policies import NobodyToAsk
from tests.policies.policy_kit import (
    BOT,
    EVERYBODY,
    NOW,
    OFFICE,
    TEXT,
    directory,
    facts,
    member,
    policies_of,
    seats,
    with_last_resort,
)


def policy(approvers: str, rule: str = "", **more: str) -> str:
    """A policy of one step."""
    step = f"  - name: finance\n    approvers: {approvers}\n"
    step += f"    rule: {rule}\n" if rule else ""
    step += "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"name: expenses\nversion: 3\nfallback: [operator]\nsteps:\n{step}"


def only_step(folder: Path, text: str, people: Directory = OFFICE, **asked: Any) -> Step:
    choice = policies_of(folder, text).choose(facts(**asked), people, NOW)
    assert choice.policy is not None
    (step,) = choice.policy.steps
    return step


@pytest.mark.parametrize(
    ("approvers", "rule", "needed", "who"),
    [
        ("[group:finance]", "", 1, ["ann", "ben"]),
        ("[group:finance]", "any", 1, ["ann", "ben"]),
        ("[group:finance]", "all", 2, ["ann", "ben"]),
        ("[group:finance, group:legal]", "2", 2, ["ann", "ben", "cem"]),
        ("[group:finance, group:legal]", "60%", 2, ["ann", "ben", "cem"]),
        ("[group:finance, group:legal]", "67%", 3, ["ann", "ben", "cem"]),
        ("[group:finance, group:legal]", "1%", 1, ["ann", "ben", "cem"]),
        ("[group:finance, group:legal]", "100%", 3, ["ann", "ben", "cem"]),
        ("[group:finance, group:legal]", "one from each", 2, ["ann", "ben", "cem"]),
        ("[operator]", "", 1, ["ann", "otto"]),
        ("[role:operator, cleo@example.com]", "all", 3, ["ann", "otto", "cleo"]),
        ("[requester.manager]", "", 1, ["ann"]),
        ("[Eve@Example.com]", "", 1, ["eve"]),
        ("[payload.boss]", "", 1, ["cleo"]),
        ("[payload.team.leads]", "all", 2, ["dora", "emil"]),
        ("[record.approvers]", "", 1, ["cem"]),
        ("[group:Finance, ann@example.com]", "all", 2, ["ann", "ben"]),
    ],
)
def test_a_step_asks_whom_it_names_as_its_rule_says(
    tmp_path: Path, approvers: str, rule: str, needed: int, who: list[str]
) -> None:
    payload = {
        "boss": "Cleo@example.com",
        "team": {"leads": ["dora@example.com", "emil@example.com"]},
    }
    step = only_step(tmp_path, policy(approvers, rule), payload=payload, named=["cem"])
    assert [seat.person.email.partition("@")[0] for seat in step.seats] == who
    assert step.needed == needed
    assert step.deny == 1


def test_one_from_each_seats_people_for_the_groups_they_are_in(tmp_path: Path) -> None:
    step = only_step(tmp_path, policy("[group:finance, group:legal]", "one from each"))
    assert step.groups == ("finance", "legal")
    assert {seat.person.email[:3]: seat.groups for seat in step.seats} == {
        "ann": ("finance",),
        "ben": ("finance", "legal"),
        "cem": ("legal",),
    }


@pytest.mark.parametrize(
    ("deny", "counts"), [("1", 1), ("2", 2), ("3", 2)], ids=["one", "two", "more than sit"]
)
def test_a_deny_threshold_is_never_more_than_sit_there(
    tmp_path: Path, deny: str, counts: int
) -> None:
    assert only_step(tmp_path, policy("[group:finance]", deny=deny)).deny == counts


def test_steps_come_one_after_the_other_and_one_whose_condition_does_not_hold_is_left_out(
    tmp_path: Path,
) -> None:
    text = (
        "name: expenses\nversion: 1\nfallback: [operator]\nsteps:\n"
        "  - {name: manager, approvers: [requester.manager]}\n"
        "  - {name: finance, approvers: [group:finance], when: payload.total_amount > 1000}\n"
        "  - {name: board, approvers: [group:board], when: payload.total_amount > 50}\n"
    )
    policies = policies_of(tmp_path, text)
    assert seats(policies.choose(facts({"total_amount": 100}), OFFICE, NOW)) == [
        ["ann"],
        ["dora", "emil"],
    ]
    all_three = policies.choose(facts({"total_amount": 1001}), OFFICE, NOW)
    assert seats(all_three) == [["ann"], ["ann", "ben"], ["dora", "emil"]]
    assert all_three.policy is not None
    assert all_three.policy.because == "applies to everything"


def test_where_no_step_is_left_the_fallback_is_asked(tmp_path: Path) -> None:
    text = policy("[group:finance]", when="payload.total_amount > 1000")
    choice = policies_of(tmp_path, text).choose(facts(), OFFICE, NOW)
    assert seats(choice) == [["ann", "otto"]]
    assert choice.policy is not None
    assert choice.policy.warnings == ("No step's condition holds. The fallback is asked.",)


@pytest.mark.parametrize(
    ("approvers", "rule", "warning"),
    [
        ("[group:nobody]", "", "group:nobody: nobody was found."),
        ("[payload.boss]", "", "payload.boss: nobody was found."),
        ("[payload.total_amount]", "", "payload.total_amount: '100' is not an e-mail address."),
        ("[group:finance]", "3", "The step 'finance' needs 3, and found too few: "),
        ("[group:finance, group:nobody]", "one from each", "needs one from each, and found too"),
    ],
)
def test_a_step_that_nobody_can_meet_goes_to_the_fallback_with_a_warning(
    tmp_path: Path, approvers: str, rule: str, warning: str
) -> None:
    choice = policies_of(tmp_path, policy(approvers, rule)).choose(facts(), OFFICE, NOW)
    assert seats(choice) == [["ann", "otto"]]
    assert choice.policy is not None
    assert (choice.policy.steps[0].name, choice.policy.steps[0].rule) == ("finance", "any")
    assert any(warning in one for one in choice.policy.warnings), choice.policy.warnings
    assert "The fallback is asked in place of 'finance'." in choice.policy.warnings


def test_two_groups_that_share_their_only_person_cannot_give_one_each(tmp_path: Path) -> None:
    people = directory(
        member("ben", groups=["finance", "legal"]), member("otto", roles=["operator"])
    )
    text = policy("[group:finance, group:legal]", "one from each")
    choice = policies_of(tmp_path, text).choose(facts(), people, NOW)
    assert seats(choice) == [["otto"]]


def test_nobody_decides_their_own_request(tmp_path: Path) -> None:
    asked = facts(requester="ann@example.com")
    text = policy("[group:finance]")
    assert seats(policies_of(tmp_path, text).choose(asked, OFFICE, NOW)) == [["ben"]]
    allowed = policies_of(tmp_path, text + "self_approval: true\n").choose(asked, OFFICE, NOW)
    assert seats(allowed) == [["ann", "ben"]]
    assert allowed.policy is not None
    assert allowed.policy.self_approval


def test_a_quorum_that_who_asks_would_have_to_fill_goes_to_the_fallback(tmp_path: Path) -> None:
    asked = facts(requester="ann@example.com")
    choice = policies_of(tmp_path, policy("[group:finance]", "2")).choose(asked, OFFICE, NOW)
    assert seats(choice) == [["otto"]]


def test_a_fallback_that_is_only_who_asks_goes_to_the_last_resort_or_is_refused(
    tmp_path: Path,
) -> None:
    policies = policies_of(tmp_path, policy("[group:nobody]").replace("operator", "cfo"))
    asked = facts(requester="cleo@example.com")
    with pytest.raises(NobodyToAsk, match="the policy expenses finds nobody who may decide this"):
        policies.choose(asked, OFFICE, NOW)
    assert seats(with_last_resort(policies, "operator").choose(asked, OFFICE, NOW)) == [
        ["ann", "otto"]
    ]


def test_a_record_that_nobody_may_decide_waits_for_an_administrator_and_says_so(
    tmp_path: Path,
) -> None:
    policies = policies_of(tmp_path, policy("[group:nobody]").replace("operator", "cfo"))
    asked = facts(requester="cleo@example.com", source="erp", named=["cem", "cleo"])
    assert seats(policies.choose(asked, OFFICE, NOW)) == [["cem"]]
    alone = facts(requester="cleo@example.com", source="erp", named=["cleo"])
    choice = policies.choose(alone, OFFICE, NOW)
    assert seats(choice) == [["cleo"]]
    assert choice.policy is not None
    assert any("an administrator passes it on" in one for one in choice.policy.warnings)


def test_somebody_who_is_away_is_stood_in_for_by_who_sits_nowhere_and_did_not_ask(
    tmp_path: Path,
) -> None:
    text = policy("[ann@example.com, cem@example.com]", "all")
    policies = policies_of(tmp_path, text)

    def held(away: dict[str, str]) -> list[list[str]]:
        return seats(policies.choose(facts(), directory(*EVERYBODY, away=away), NOW))

    assert held({"ann": "dora"}) == [["ann<dora", "cem"]]
    assert held({"ann": "cem"}) == [["ann", "cem"]]
    assert held({"ann": "bot"}) == [["ann", "cem"]]
    assert held({"ann": "dora", "cem": "dora"}) == [["ann<dora", "cem"]]
    assert held({"ann": "dora", "dora": "emil"}) == [["ann<emil", "cem"]]
    assert held({"ann": "dora", "dora": "ann"}) == [["ann", "cem"]]


def test_a_seat_has_the_time_zone_of_who_is_asked(tmp_path: Path) -> None:
    people = directory(*EVERYBODY, away={"ann": "cem"})
    step = only_step(tmp_path, policy("[ann@example.com]"), people)
    assert step.seats[0].time_zone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("people", "who"),
    [
        (directory(member("ann", active=False, manager="cleo"), away={"ann": "emil"}), ["emil"]),
        (directory(member("ann", active=False, manager="cleo")), ["cleo"]),
        (
            directory(member("ann", active=False, manager="bot"), member("bot", manager="dora")),
            ["dora"],
        ),
        (directory(member("ann", active=False), member("otto", roles=["operator"])), ["otto"]),
    ],
    ids=["stand-in", "manager", "not who asks", "left out"],
)
def test_somebody_who_is_not_active_any_more_is_routed_around(
    tmp_path: Path, people: Directory, who: list[str]
) -> None:
    choice = policies_of(tmp_path, policy("[ann@example.com]")).choose(facts(), people, NOW)
    assert seats(choice) == [who]
    assert choice.policy is not None
    assert "ann@example.com is not active any more" in choice.policy.warnings[0]


def test_a_step_asks_fifty_people_at_most(tmp_path: Path) -> None:
    many = directory(
        *(member(f"p{number}", groups=["crowd"]) for number in range(60)),
        member("otto", roles=["operator"]),
    )
    assert len(only_step(tmp_path, policy("[group:crowd]"), many).seats) == 50
    everybody = only_step(tmp_path, policy("[group:crowd]", "all"), many)
    assert [seat.person.email for seat in everybody.seats] == ["otto@example.com"]


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        ({"approve_when": "payload.total_amount <= 50"}, None),
        ({"approve_when": "payload.total_amount <= 100"}, "approved"),
        ({"reject_when": "payload.total_amount >= 100"}, "rejected"),
        ({"approve_when": "true", "reject_when": "payload.total_amount >= 100"}, "rejected"),
        ({"approve_when": "true", "reject_when": "payload.total_amount > 100"}, "approved"),
    ],
)
def test_a_policy_decides_at_once_by_condition_and_a_rejection_wins(
    tmp_path: Path, conditions: dict[str, str], outcome: str | None
) -> None:
    text = TEXT + "".join(f"{key}: {value}\n" for key, value in conditions.items())
    choice = policies_of(tmp_path, text).choose(facts(), OFFICE, NOW)
    assert (choice.automatic.outcome if choice.automatic else None) == outcome
    assert seats(choice) == [["ann", "ben"]]
    if choice.automatic is not None:
        assert "at once by the policy expenses (version 3): " in choice.automatic.reason


@pytest.mark.parametrize(
    "where",
    [
        "applies_to: {when: payload.amount > 1}",
        "approve_when: payload.amount > 1",
        "reject_when: payload.amount > 1",
        "approve_when: payload.total_amount > '1'",
        "approve_when: payload.total_amount",
        "approve_when: payload.total_amount.all(one, one)",
    ],
)
def test_a_condition_that_fails_goes_to_the_fallback_with_the_reason(
    tmp_path: Path, where: str
) -> None:
    choice = policies_of(tmp_path, f"{TEXT}{where}\n").choose(facts(), OFFICE, NOW)
    assert seats(choice) == [["ann", "otto"]]
    assert choice.automatic is None
    assert choice.policy is not None
    assert choice.policy.steps[0].name == "fallback"
    (warning,) = choice.policy.warnings
    assert warning.startswith("A condition failed: `payload.")
    assert warning.endswith("The fallback is asked.")


def test_a_step_whose_condition_fails_takes_the_whole_of_it_to_the_fallback(tmp_path: Path) -> None:
    text = policy("[group:finance]", when="payload.nothing > 1") + "approve_when: true\n"
    choice = policies_of(tmp_path, text).choose(facts(), OFFICE, NOW)
    assert seats(choice) == [["ann", "otto"]]
    assert choice.automatic is None
    assert choice.policy is not None
    assert "there is no 'nothing'" in choice.policy.warnings[0]


def test_a_condition_that_fails_does_not_matter_where_another_policy_applied_before(
    tmp_path: Path,
) -> None:
    first = TEXT + "applies_to: {types: [expense_report]}\n"
    second = TEXT.replace("expenses", "others") + "applies_to: {when: payload.nothing > 1}\n"
    choice = policies_of(tmp_path, first, second).choose(facts(), OFFICE, NOW)
    assert choice.policy is not None
    assert (choice.policy.name, choice.policy.warnings) == ("expenses", ())


@pytest.mark.parametrize(
    ("applies_to", "chosen"),
    [
        ("{}", True),
        ("{types: [expense_report]}", True),
        ("{types: [hire_agent]}", False),
        ("{sources: [erp]}", True),
        ("{sources: [other]}", False),
        ("{when: payload.total_amount > 50 && payload.currency == 'USD'}", True),
        ("{when: payload.total_amount > 500}", False),
        ("{types: [expense_report], when: requester.manager == 'ann@example.com'}", True),
        ("{when: source == 'erp' && urgency == 'high' && title.startsWith('Din')}", True),
        ("{when: \"'finance' in requester.groups\"}", False),
        ("{when: metadata.cost_center == 7 && reason != null && agent_id == null}", True),
        ("{when: 'payload.items.exists(one, one.amount > 5)'}", True),
        ("{when: has(payload.nothing) && payload.nothing > 5}", False),
    ],
)
def test_a_policy_applies_where_all_of_it_holds(
    tmp_path: Path,
    applies_to: str,
    chosen: bool,  # noqa: FBT001 - a column of the table
) -> None:
    asked = facts(
        {"total_amount": 100, "currency": "USD", "items": [{"amount": 2}, {"amount": 6.5}]},
        source="erp",
        named=["cem"],
        urgency="high",
        reason="A customer.",
        metadata={"cost_center": 7},
    )
    choice = policies_of(tmp_path, f"{TEXT}applies_to: {applies_to}\n").choose(asked, OFFICE, NOW)
    assert (choice.policy is not None) == chosen
    assert [one.email for one in choice.approvers] == ["cem@example.com"]


def test_the_first_policy_in_the_order_of_the_file_is_chosen(tmp_path: Path) -> None:
    large = TEXT.replace("expenses", "large") + "applies_to: {when: payload.total_amount > 50}\n"
    policies = policies_of(tmp_path, large, TEXT)
    for amount, name in ((51, "large"), (50, "expenses")):
        choice = policies.choose(facts({"total_amount": amount}), OFFICE, NOW)
        assert choice.policy is not None
        assert choice.policy.name == name


def test_without_a_policy_any_one_of_those_named_decides_as_ever(tmp_path: Path) -> None:
    policies = policies_of(tmp_path)
    choice = policies.choose(facts(named=["ann", "ben"]), OFFICE, NOW)
    assert choice.policy is None
    assert [one.email for one in choice.approvers] == ["ann@example.com", "ben@example.com"]


def test_without_a_policy_too_others_are_asked_for_who_is_gone(tmp_path: Path) -> None:
    policies = policies_of(tmp_path)
    away = directory(*EVERYBODY, away={"ann": "dora"})
    choice = policies.choose(facts(named=["ann", "ben"]), away, NOW)
    assert seats(choice) == [["ann<dora", "ben"]]
    assert choice.policy is not None
    assert choice.policy.name == ""
    gone = directory(member("ann", active=False, manager="cleo"))
    assert seats(policies.choose(facts(named=["ann"]), gone, NOW)) == [["cleo"]]


def test_without_a_policy_who_asks_alone_does_not_decide(tmp_path: Path) -> None:
    with pytest.raises(NobodyToAsk, match=r"name somebody else\. A policy can allow it"):
        policies_of(tmp_path).choose(facts(named=["bot"]), OFFICE, NOW)
    gone = directory(member("ann", active=False, manager="bot"))
    policies = policies_of(tmp_path)
    with pytest.raises(NobodyToAsk, match=r"ann@example\.com cannot be asked any more"):
        policies.choose(facts(named=["ann"]), gone, NOW)
    people = directory(member("ann", active=False), member("otto", roles=["operator"]))
    assert seats(
        with_last_resort(policies, "operator").choose(facts(named=["ann"]), people, NOW)
    ) == [["otto"]]


def test_without_a_policy_a_source_says_who_decides_its_records(tmp_path: Path) -> None:
    policies = policies_of(tmp_path)
    choice = policies.choose(facts(named=["bot"], source="erp"), OFFICE, NOW)
    assert choice.policy is None
    away = directory(*EVERYBODY, away={"ann": "bot"})
    assert seats(policies.choose(facts(named=["ann", "bot"], source="erp"), away, NOW)) == [
        ["ann", "bot"]
    ]


def test_every_step_that_is_made_can_be_met(tmp_path: Path) -> None:
    for rule in ("any", "all", "2", "51%", "one from each"):
        step = only_step(tmp_path, policy("[group:finance, group:legal]", rule))
        assert can_be_met(step)
    assert BOT not in {seat.person.email for seat in step.seats}
