"""What an ask becomes under policies: whom it waits for, until when, and what then."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events.approval import Person
from events.commands import RequestApproval
from events.decider import content_changed, decide
from events.observation import Observation, ObservedContent
from events.state import Pending, fold
from services.approval_types import ApprovalTypes
from services.decision.intake import ask_of
from services.decision.request_body import ApprovalBody, AskedBy, ask_command
from services.directory import Directory
from services.policies import Policies, spec_of
from services.web.problems import Problem
from tests.policies.policy_kit import (
    BOT,
    EVERYBODY,
    NOW,
    OFFICE,
    TEXT,
    directory,
    member,
    policies_of,
    short,
)

DAY = timedelta(days=1)


def ask(
    policies: Policies, people: Directory = OFFICE, types: ApprovalTypes | None = None, **body: Any
) -> RequestApproval:
    return ask_command(
        ApprovalBody(**{"type": "expense_report", "title": "Dinner", **body}),
        asked_by=AskedBy(email=BOT),
        now=NOW,
        types=types or ApprovalTypes(),
        directory=people,
        policies=policies,
    )


@pytest.mark.parametrize(
    ("more", "wanted", "days"),
    [
        ("", {}, 30),
        ("", {"expires_in": 86_400}, 1),
        ("expires_in: 10d\n", {}, 10),
        ("expires_in: 10d\n", {"expires_in": 86_400}, 1),
        ("expires_in: 10d\n", {"expires_in": 40 * 86_400}, 10),
        ("expires_in: 10d\non_timeout: reject\n", {"expires_in": 86_400}, 1),
        ("expires_in: 10d\non_timeout: approve\n", {"expires_in": 86_400}, 10),
        ("expires_in: 10d\non_timeout: {policy: other}\n", {"expires_in": 86_400}, 10),
    ],
)
def test_an_ask_may_want_less_time_but_not_choose_when_silence_approves_it(
    tmp_path: Path, more: str, wanted: dict[str, Any], days: int
) -> None:
    other = TEXT.replace("expenses", "other") + "applies_to: {when: false}\n"
    over = [other] if "other" in more else []
    assert ask(policies_of(tmp_path, TEXT + more, *over), **wanted).expires_at == NOW + days * DAY


def test_time_runs_in_working_hours_where_the_policy_has_a_clock(tmp_path: Path) -> None:
    clock = 'clock: {days: mon-fri, hours: "09:00-17:00", time_zone: UTC, holidays: [2026-11-27]}\n'
    command = ask(policies_of(tmp_path, f"{TEXT}expires_in: 5d\n{clock}"))
    # Seven hours of this Monday, eight each of three days, none on the holiday, and of the next
    # week all of Monday and one hour of Tuesday.
    assert command.expires_at == NOW + 8 * DAY
    assert command.policy is not None
    assert command.policy.hours is not None


def test_the_policy_decides_whom_to_ask_unless_it_takes_whom_the_ask_names(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, TEXT)
    command = ask(policies, approvers=["cem@example.com"])
    assert command.policy is not None
    assert [short(seat.person) for seat in command.policy.steps[0].seats] == ["ann", "ben"]
    assert [short(one) for one in command.approvers] == ["cem"]
    named = policies_of(tmp_path, TEXT.replace("group:finance", "record.approvers"))
    command = ask(named, approvers=["cem@example.com"])
    assert command.policy is not None
    assert [short(seat.person) for seat in command.policy.steps[0].seats] == ["cem"]


def test_whom_a_type_names_is_found_when_it_is_asked() -> None:
    types = ApprovalTypes(default_approvers=(spec_of("group:finance"), spec_of("cem@example.com")))
    assert [short(one) for one in ask(Policies(), types=types).approvers] == ["ann", "ben", "cem"]
    others = directory(member("dora", groups=["finance"]), member("cem"))
    assert [short(one) for one in ask(Policies(), others, types).approvers] == ["dora", "cem"]
    managed = ApprovalTypes(default_approvers=(spec_of("requester.manager"),))
    assert [short(one) for one in ask(Policies(), types=managed).approvers] == ["ann"]


def test_nobody_away_and_no_policy_costs_nothing() -> None:
    command = ask(Policies(), approvers=["ann@example.com", BOT])
    assert (command.policy, command.automatic) == (None, None)
    assert [short(one) for one in command.approvers] == ["ann", "bot"]


@pytest.mark.parametrize(
    ("people", "approvers", "said"),
    [
        (OFFICE, [], "approvers: name somebody who decides; neither this type nor placet.yaml"),
        (OFFICE, [BOT], f"approvers: {BOT} asks for this, and nobody decides their own request"),
        (
            directory(member("ann", active=False)),
            ["ann@example.com"],
            "approvers: ann@example.com cannot be asked any more: name somebody else.",
        ),
    ],
)
def test_an_ask_that_nobody_could_decide_is_refused_at_approvers(
    people: Directory, approvers: list[str], said: str
) -> None:
    with pytest.raises(Problem) as refused:
        ask(Policies(), people, approvers=approvers)
    assert refused.value.status == 422
    assert refused.value.detail.startswith(said)
    assert refused.value.more["errors"][0]["pointer"] == "/approvers"


def test_what_a_policy_decides_at_once_is_final_and_says_so(tmp_path: Path) -> None:
    command = ask(policies_of(tmp_path, TEXT + "approve_when: payload == {}\n"))
    events = decide(command, fold(()))
    assert [type(one).__name__ for one in events] == [
        "ApprovalRequested",
        "DecisionSubmitted",
        "ApprovalDecided",
    ]


def seen(amount: int = 100) -> Observation:
    return Observation(
        workspace="acme",
        source="erp",
        record_id="R-1",
        revision="1",
        state="pending",
        read_at=NOW,
        content=ObservedContent(
            type="expense_report",
            title="Dinner",
            payload={"total_amount": amount},
            requester=Person(email=BOT),
            approvers=(Person(email="cem@example.com"),),
        ),
    )


def observed(policies: Policies, people: Directory, amount: int = 100) -> RequestApproval:
    found = ask_of(
        seen(amount), round_=1, now=NOW, expires_after=30 * DAY, directory=people, policies=policies
    )
    assert found is not None
    return found


def test_a_record_that_is_read_again_has_not_changed_when_only_a_group_has(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, TEXT + "expires_in: 3d\non_timeout: reject\n")
    first = observed(policies, OFFICE)
    assert (first.expires_at, first.on_timeout) == (NOW + 3 * DAY, "reject")
    state = fold(decide(first, fold(())))
    assert isinstance(state, Pending)
    others = directory(*EVERYBODY, member("faye", groups=["finance"]))
    again = observed(policies, others)
    assert again.policy is not None
    assert [short(seat.person) for seat in again.policy.steps[0].seats] == ["ann", "ben", "faye"]
    assert not content_changed(again, state)
    assert content_changed(observed(policies, others, amount=7), state)
