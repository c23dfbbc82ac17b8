"""Each command on each state has a result that stands in one table, and asking twice adds none."""

from collections.abc import Mapping
from typing import get_args

import pytest

from events.approval import ApprovalEvent
from events.commands import Command
from events.decider import RefusalCode, Refused, decide
from events.state import State, fold
from tests.core.examples import (
    EDITABLE,
    MIRRORED,
    OTHER_PAYLOAD,
    OWN,
    acknowledge,
    answer,
    ask,
    card,
    changed,
    comment,
    commented,
    confirm,
    decided,
    edit,
    expire,
    expired,
    fail,
    found_settled,
    no_card,
    pending,
    recall,
    settled,
    submitted,
    supersede,
    withdrawn,
)

STATES: Mapping[str, tuple[ApprovalEvent, ...]] = {
    "unknown": (),
    "own": (OWN,),
    "editable": (EDITABLE,),
    "mirrored": (MIRRORED,),
    "deciding": (MIRRORED, submitted(answer())),
    "decided": (OWN, submitted(answer()), decided(answer(), OWN)),
    "recalled": (OWN, withdrawn(OWN, "recalled", "No.")),
    "settled": (MIRRORED, withdrawn(MIRRORED, "settled", "Approved in the source.")),
    "expired": (OWN, expired(OWN)),
}

COMMANDS: Mapping[str, Command] = {
    "request": ask(),
    "observe the same": pending(),
    "observe a change": pending(ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2")),
    "observe settled": settled(),
    "card": card(),
    "no card": no_card(),
    "answer": answer("rejected"),
    "same answer": answer(),
    "confirm": confirm(),
    "fail": fail(),
    "changed": changed(),
    "found settled": found_settled(),
    "withdraw": recall(),
    "comment": comment(),
    "expire": expire(),
    "supersede": supersede(),
    "acknowledge": acknowledge(),
    "edited answer": answer(edited=edit()),
}

ASK, REVISE, END = "ApprovalRequested", "ApprovalRevised", "ApprovalWithdrawn"
CARD, NO_CARD, SAID, FAILED = (
    "ApproverNotified",
    "NotificationFailed",
    "DecisionSubmitted",
    "WriteBackFailed",
)
DONE, NOTE, OVER = "ApprovalDecided", "ApprovalCommented", "ApprovalExpired"
HEARD = "ApprovalAcknowledged"

RESULTS: Mapping[str, Mapping[str, str]] = {
    "unknown": {
        "acknowledge": "not_found",
        "edited answer": "not_found",
        "request": ASK,
        "observe the same": ASK,
        "observe a change": ASK,
        "answer": "not_found",
        "same answer": "not_found",
        "withdraw": "not_found",
        "comment": "not_found",
    },
    "own": {
        "supersede": END,
        "acknowledge": "not_final",
        "edited answer": "not_editable",
        "observe a change": REVISE,
        "observe settled": END,
        "card": CARD,
        "no card": NO_CARD,
        "answer": f"{SAID} {DONE}",
        "same answer": f"{SAID} {DONE}",
        "withdraw": END,
        "comment": NOTE,
        "expire": OVER,
    },
    "editable": {
        "observe a change": REVISE,
        "observe settled": END,
        "card": CARD,
        "no card": NO_CARD,
        "answer": f"{SAID} {DONE}",
        "same answer": f"{SAID} {DONE}",
        "edited answer": f"{SAID} {DONE}",
        "withdraw": END,
        "comment": NOTE,
        "expire": OVER,
        "supersede": END,
        "acknowledge": "not_final",
    },
    "mirrored": {
        "supersede": END,
        "acknowledge": "not_final",
        "edited answer": "not_editable",
        "observe a change": REVISE,
        "observe settled": END,
        "card": CARD,
        "no card": NO_CARD,
        "answer": SAID,
        "same answer": SAID,
        "withdraw": "not_the_requester",
        "comment": NOTE,
        "expire": OVER,
    },
    "deciding": {
        "acknowledge": "not_final",
        "edited answer": "already_resolved",
        "card": CARD,
        "no card": NO_CARD,
        "answer": "already_resolved",
        "confirm": DONE,
        "fail": FAILED,
        "changed": f"{FAILED} {REVISE}",
        "found settled": END,
        "withdraw": "already_resolved",
        "comment": NOTE,
    },
    "decided": {
        "answer": "already_resolved",
        "edited answer": "already_resolved",
        "withdraw": "already_resolved",
        "comment": NOTE,
        "acknowledge": HEARD,
    },
    "recalled": {
        "acknowledge": HEARD,
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "same answer": "already_resolved",
        "comment": NOTE,
    },
    "settled": {
        "acknowledge": HEARD,
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "same answer": "already_resolved",
        "withdraw": "already_resolved",
        "comment": NOTE,
    },
    "expired": {
        "acknowledge": HEARD,
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "same answer": "already_resolved",
        "withdraw": "already_resolved",
        "comment": NOTE,
    },
}
"""What follows in each state; what is not named here adds nothing."""


def result(state: State, command: Command) -> str:
    try:
        return " ".join(type(fact).__name__ for fact in decide(command, state))
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_each_command_on_each_state_has_the_result_that_the_table_names(
    state: str, command: str
) -> None:
    expected = RESULTS[state].get(command, "")
    assert result(fold(STATES[state]), COMMANDS[command]) == expected


def test_the_table_knows_every_state_and_every_command() -> None:
    assert {type(fold(facts)) for facts in STATES.values()} == set(get_args(State))
    assert {type(command) for command in COMMANDS.values()} == set(get_args(Command))
    assert RESULTS.keys() == STATES.keys()
    assert all(row.keys() <= COMMANDS.keys() for row in RESULTS.values())


def test_every_kind_of_fact_and_of_refusal_stands_in_the_table() -> None:
    named = {word for row in RESULTS.values() for cell in row.values() for word in cell.split()}
    codes = set(get_args(RefusalCode)) - {"not_an_approver", "stale_revision", "source_refused"}
    assert named == {fact.__name__ for fact in get_args(ApprovalEvent)} | codes


FRUITFUL: Mapping[str, str] = {
    "request": "unknown",
    "observe the same": "unknown",
    "observe a change": "mirrored",
    "observe settled": "mirrored",
    "card": "deciding",
    "no card": "mirrored",
    "answer": "own",
    "same answer": "mirrored",
    "confirm": "deciding",
    "fail": "deciding",
    "changed": "deciding",
    "found settled": "deciding",
    "withdraw": "own",
    "comment": "expired",
    "expire": "own",
    "supersede": "own",
    "acknowledge": "decided",
    "edited answer": "editable",
}
"""For each command a state in which it does something."""


@pytest.mark.parametrize("command", FRUITFUL)
def test_asking_twice_yields_nothing_new(command: str) -> None:
    facts = STATES[FRUITFUL[command]]
    first = decide(COMMANDS[command], fold(facts))
    assert first
    assert decide(COMMANDS[command], fold((*facts, *first))) == []


def test_no_command_is_left_out_of_asking_twice() -> None:
    assert {type(COMMANDS[name]) for name in FRUITFUL} == set(get_args(Command))
    assert FRUITFUL.keys() == COMMANDS.keys()


def test_a_comment_does_not_change_what_else_may_follow() -> None:
    for state, facts in STATES.items():
        if state == "unknown":
            continue
        noted = (*facts, commented(comment("another")))
        for name, command in COMMANDS.items():
            assert result(fold(noted), command) == RESULTS[state].get(name, "")
