"""Who is asked later on: on the next rung, in the end, and in the place of who is gone."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events.approval import ApprovalEvent, ApproverNotified, Person, Seat
from events.commands import (
    AskBack,
    EscalateApproval,
    ExpireApproval,
    ReassignApproval,
    SubmitDecision,
)
from events.decider import decide
from events.state import Pending, State, evolve
from services.directory import Directory
from services.policies import Policies
from tests.policies.policy_kit import (
    EVERYBODY,
    NOW,
    OFFICE,
    TEXT,
    asked,
    directory,
    facts,
    member,
    policies_of,
    short,
    with_last_resort,
)

LADDER = TEXT + (
    "escalate:\n"
    "  - {after: 2d, to: [approver.manager, group:legal]}\n"
    "  - {after: 4d, to: [group:legal, dora@example.com, bot@example.com]}\n"
    "  - {after: 6d, to: [dora@example.com]}\n"
)
BOARD = (
    "name: board\nversion: 2\napplies_to: {when: false}\nfallback: [operator]\n"
    "steps:\n  - {name: board, approvers: [group:board], rule: all}\nexpires_in: 5d\n"
    "on_timeout: reject\n"
)
OVER = TEXT + "expires_in: 1d\non_timeout: {policy: board}\n"


def pending(policies: Policies, people: Directory = OFFICE, **more: Any) -> Pending:
    about = facts(**more)
    return asked(policies.choose(about, people, NOW), about)


def after(state: Pending, events: list[ApprovalEvent]) -> Pending:
    assert events
    now: State = state
    for event in events:
        now = evolve(now, event)
    assert isinstance(now, Pending)
    return now


def names(seats: tuple[Seat, ...]) -> list[str]:
    return [
        short(seat.person) + (f"<{short(seat.held_by)}" if seat.held_by else "") for seat in seats
    ]


def escalated(state: Pending, seats: tuple[Seat, ...]) -> Pending:
    course = state.asked.course
    command = EscalateApproval(step=course.step, rung=course.rungs + 1, seats=seats, now=NOW)
    return after(state, decide(command, state))


def test_a_ladder_goes_to_others_each_time_and_never_to_who_asks(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, LADDER)
    state = pending(policies)
    first = policies.rung_seats(state, OFFICE, NOW)
    assert names(first) == ["cleo", "cem"]
    state = escalated(state, first)
    second = policies.rung_seats(state, OFFICE, NOW)
    assert names(second) == ["dora"]
    state = escalated(state, second)
    assert policies.rung_seats(state, OFFICE, NOW) == ()
    state = escalated(state, ())
    assert policies.rung_seats(state, OFFICE, NOW) == ()


def test_a_rung_asks_nobody_who_passed_it_on_before(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, LADDER.replace("group:legal, dora", "ann"))
    state = escalated(pending(policies), ())
    told = ApproverNotified(
        approver="ann@example.com",
        channel="inbox",
        revision="1",
        reference=None,
        card_digest="",
        at=NOW,
    )
    passed_on = ReassignApproval(
        person="ann@example.com",
        to=Person(email="emil@example.com"),
        cause="reassigned",
        by=Person(email="ann@example.com"),
        as_admin=False,
        reason=None,
        now=NOW,
    )
    state = after(state, [told])
    state = after(state, decide(passed_on, state))
    assert policies.rung_seats(state, OFFICE, NOW) == ()


def test_on_a_rung_too_others_stand_in_and_are_routed_around(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, LADDER)
    state = pending(policies)
    away = directory(*EVERYBODY, away={"cem": "emil", "cleo": "ann"})
    assert names(policies.rung_seats(state, away, NOW)) == ["cleo", "cem<emil"]
    gone = [replace(one, active=False) if short(one.person) == "cem" else one for one in EVERYBODY]
    assert names(policies.rung_seats(state, directory(*gone), NOW)) == ["cleo"]


def test_a_rung_is_the_one_that_the_ask_began_with_whatever_the_file_says_now(
    tmp_path: Path,
) -> None:
    state = pending(policies_of(tmp_path, LADDER))
    assert names(Policies().rung_seats(state, OFFICE, NOW)) == ["cleo", "cem"]


def test_another_policy_takes_over_when_the_time_is_over(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, OVER, BOARD)
    state = pending(policies)
    late = NOW + timedelta(days=1)
    assert (state.asked.expires_at, state.asked.on_timeout) == (late, "fallback")
    fallback = policies.fallback_for(state, OFFICE, late)
    assert fallback is not None
    assert (fallback.policy.name, fallback.policy.version) == ("board", 2)
    assert (fallback.expires_at, fallback.on_timeout) == (late + timedelta(days=5), "reject")
    state = after(state, decide(ExpireApproval(now=late, fallback=fallback), state))
    assert [one.email for one in state.asked.waits_for] == ["dora@example.com", "emil@example.com"]
    assert policies.fallback_for(state, OFFICE, late) is None


def test_a_policy_that_is_gone_from_the_file_takes_nothing_over(tmp_path: Path) -> None:
    state = pending(policies_of(tmp_path, OVER, BOARD))
    assert Policies().fallback_for(state, OFFICE, NOW) is None


def test_a_policy_that_takes_over_decides_nothing_by_itself(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, OVER, BOARD + "approve_when: true\n")
    fallback = policies.fallback_for(pending(policies), OFFICE, NOW)
    assert fallback is not None
    assert fallback.policy.warnings == ()


def test_a_policy_that_takes_over_knows_all_that_was_asked(tmp_path: Path) -> None:
    when = "when: \"urgency == 'medium'\""
    policies = policies_of(tmp_path, OVER, BOARD.replace("rule: all", when))
    fallback = policies.fallback_for(pending(policies), OFFICE, NOW)
    assert fallback is not None
    assert fallback.policy.warnings == ()
    assert names(fallback.policy.steps[0].seats) == ["dora", "emil"]


@pytest.mark.parametrize(
    ("people", "to"),
    [
        (OFFICE, None),
        (directory(*EVERYBODY, away={"ann": "dora"}), ("dora", "delegated")),
        (directory(*EVERYBODY, away={"ann": "ben"}), None),
        (directory(*EVERYBODY, away={"ann": "bot"}), None),
        (directory(member("ann", active=False, manager="cleo")), ("cleo", "deactivated")),
        (directory(member("ann", active=False, manager="ben")), None),
        (directory(member("ann", active=False, manager="bot")), None),
        (
            directory(member("ann", active=False), member("otto", roles=["operator"])),
            ("otto", "deactivated"),
        ),
        (
            directory(member("ann", active=False, manager="cleo"), away={"ann": "dora"}),
            ("dora", "deactivated"),
        ),
    ],
    ids=[
        "there",
        "away",
        "to who is asked",
        "to who asks",
        "manager",
        "manager asked",
        "manager asks",
        "fallback",
        "stand-in",
    ],
)
def test_the_seat_of_who_is_gone_goes_to_somebody_else(
    tmp_path: Path, people: Directory, to: tuple[str, str] | None
) -> None:
    policies = policies_of(tmp_path, TEXT)
    state = pending(policies)
    routed = policies.routed("ann@example.com", state, people, NOW)
    assert (None if routed is None else (short(routed[0]), routed[1])) == to
    if routed is not None:
        command = ReassignApproval(
            person="ann@example.com",
            to=routed[0],
            cause=routed[1],
            by=None,
            as_admin=False,
            reason=None,
            now=NOW,
        )
        state = after(state, decide(command, state))
        assert routed[0] in state.asked.waits_for


def test_a_stand_in_who_goes_as_well_is_followed_by_the_next_one(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, TEXT)
    state = pending(policies, directory(*EVERYBODY, away={"ann": "dora"}))
    further = directory(*EVERYBODY, away={"ann": "dora", "dora": "emil"})
    assert policies.routed("dora@example.com", state, further, NOW) == (
        Person(email="emil@example.com", name="Emil"),
        "delegated",
    )
    gone = [replace(one, active=False) if short(one.person) == "dora" else one for one in EVERYBODY]
    people = directory(*gone, away={"ann": "cleo"})
    routed = policies.routed("dora@example.com", state, people, NOW)
    assert routed is not None
    assert short(routed[0]) == "cleo"


def test_nobody_who_has_answered_is_asked_in_the_place_of_somebody_else(tmp_path: Path) -> None:
    steps = "[ben@example.com]\n  - {name: second, approvers: [ann@example.com]}"
    policies = policies_of(tmp_path, TEXT.replace("[group:finance]", steps))
    state = pending(policies)
    people = directory(*EVERYBODY, away={"ann": "ben"})
    yes = SubmitDecision(
        outcome="approved",
        by=Person(email="ben@example.com"),
        reason=None,
        channel="api",
        via=None,
        revision=None,
        now=NOW,
    )
    state = after(state, decide(yes, state))
    assert state.asked.course.step == 1
    assert policies.routed("ann@example.com", state, people, NOW) is None


def test_without_a_policy_the_last_resort_is_asked_for_who_is_gone(tmp_path: Path) -> None:
    policies = with_last_resort(policies_of(tmp_path), "otto@example.com")
    state = pending(policies, named=["ann"])
    people = directory(member("ann", active=False))
    routed = policies.routed("ann@example.com", state, people, NOW)
    assert routed is not None
    assert short(routed[0]) == "otto"


def test_while_the_requester_is_asked_the_seats_stay_known(tmp_path: Path) -> None:
    policies = policies_of(tmp_path, LADDER)
    state = pending(policies)
    question = AskBack(
        question_id="q",
        by=Person(email="ann@example.com"),
        text="Why?",
        wants="answer",
        revision=None,
        now=NOW,
    )
    state = after(state, decide(question, state))
    assert names(policies.rung_seats(state, OFFICE, NOW)) == ["cleo", "cem"]
