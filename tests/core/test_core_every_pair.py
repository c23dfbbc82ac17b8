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
    minutes,
    no_card,
    pending,
    recall,
    requested,
    settled,
    submitted,
    supersede,
    undo,
    withdrawn,
)
from tests.core.steps import (
    ANN,
    CARL,
    answer_back,
    ask_back,
    asked,
    asked_back,
    clock_reminds,
    escalate,
    reassign,
    remind,
    revise,
)

STATES: Mapping[str, tuple[ApprovalEvent, ...]] = {
    "unknown": (),
    "own": (OWN,),
    "editable": (EDITABLE,),
    "mirrored": (MIRRORED,),
    "voted": (requested(asked()), submitted(answer(), complete=False)),
    "asked back": (OWN, asked_back(ask_back())),
    "returned": (OWN, asked_back(ask_back(wants="changes"))),
    "held": (OWN, submitted(answer(held_until=minutes(1)))),
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
    "remind": remind(),
    "clock reminds": clock_reminds(ANN),
    "reassign": reassign(),
    "escalate": escalate(CARL),
    "ask back": ask_back(question_id="q2"),
    "answer back": answer_back(),
    "revise": revise(),
    "undo": undo(),
}

ASK, REVISE, END = "ApprovalRequested", "ApprovalRevised", "ApprovalWithdrawn"
CARD, NO_CARD, SAID, FAILED = (
    "ApproverNotified",
    "NotificationFailed",
    "DecisionSubmitted",
    "WriteBackFailed",
)
DONE, NOTE, OVER = "ApprovalDecided", "ApprovalCommented", "ApprovalExpired"
HEARD, BACK = "ApprovalAcknowledged", "DecisionUndone"
LATE = "too_late_to_undo"

REMIND, PASSED_ON, MORE = "ApprovalReminded", "ApprovalReassigned", "ApprovalEscalated"
ASKED, ANSWERED = "AskedBack", "AnsweredBack"
MOVES = ("remind", "reassign", "ask back", "answer back", "revise")
"""What people do to what is pending, and to nothing else."""
NOTED: Mapping[str, str] = {"card": CARD, "no card": NO_CARD, "comment": NOTE}
OPEN: Mapping[str, str] = {
    **NOTED,
    "acknowledge": "not_final",
    "supersede": END,
    "observe a change": REVISE,
    "observe settled": END,
    "withdraw": END,
    "expire": OVER,
    "remind": f"{REMIND} {REMIND}",
    "clock reminds": REMIND,
    "reassign": PASSED_ON,
    "escalate": MORE,
    "ask back": ASKED,
    "answer back": "not_asked_back",
    "revise": REVISE,
}
"""What follows where it is pending, unless the table says otherwise."""
STOPPED: Mapping[str, str] = {
    "expire": "",
    "remind": "reminded_already",
    "clock reminds": "",
    "escalate": "",
    "ask back": "returned",
    "answer back": ANSWERED,
}
"""What is otherwise while the clock stands still."""

RESULTS: Mapping[str, Mapping[str, str]] = {
    "unknown": {
        **dict.fromkeys(MOVES, "not_found"),
        "acknowledge": "not_found",
        "edited answer": "not_found",
        "request": ASK,
        "observe the same": ASK,
        "observe a change": ASK,
        "undo": "not_found",
        "answer": "not_found",
        "same answer": "not_found",
        "withdraw": "not_found",
        "comment": "not_found",
    },
    "own": {
        **OPEN,
        "answer": f"{SAID} {DONE}",
        "same answer": f"{SAID} {DONE}",
        "edited answer": "not_editable",
    },
    "editable": {
        **OPEN,
        "answer": f"{SAID} {DONE}",
        "same answer": f"{SAID} {DONE}",
        "edited answer": f"{SAID} {DONE}",
    },
    "mirrored": {
        **OPEN,
        "answer": SAID,
        "same answer": SAID,
        "edited answer": "not_editable",
        "withdraw": "not_the_requester",
        "revise": "not_the_requester",
    },
    "voted": {
        **OPEN,
        "answer": f"{SAID} {DONE}",
        "edited answer": "not_editable",
        "remind": REMIND,
        "clock reminds": "",
        "reassign": "cannot_reassign",
    },
    "asked back": {
        **OPEN,
        **STOPPED,
        "answer": f"{SAID} {DONE}",
        "same answer": f"{SAID} {DONE}",
        "edited answer": "not_editable",
    },
    "returned": {
        **OPEN,
        **STOPPED,
        "answer": "returned",
        "same answer": "returned",
        "edited answer": "returned",
    },
    "held": {
        **NOTED,
        **dict.fromkeys(MOVES, "already_resolved"),
        "acknowledge": "not_final",
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "confirm": DONE,
        "fail": FAILED,
        "changed": f"{FAILED} {REVISE}",
        "found settled": END,
        "withdraw": "already_resolved",
        "supersede": END,
        "undo": BACK,
    },
    "deciding": {
        **NOTED,
        **dict.fromkeys(MOVES, "already_resolved"),
        "acknowledge": "not_final",
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "confirm": DONE,
        "fail": FAILED,
        "changed": f"{FAILED} {REVISE}",
        "found settled": END,
        "withdraw": "already_resolved",
        "undo": LATE,
    },
    "decided": {
        **dict.fromkeys(MOVES, "already_resolved"),
        "undo": LATE,
        "answer": "already_resolved",
        "edited answer": "already_resolved",
        "withdraw": "already_resolved",
        "comment": NOTE,
        "acknowledge": HEARD,
    },
    "recalled": {
        **dict.fromkeys(MOVES, "already_resolved"),
        "undo": LATE,
        "acknowledge": HEARD,
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "same answer": "already_resolved",
        "comment": NOTE,
    },
    "settled": {
        **dict.fromkeys(MOVES, "already_resolved"),
        "undo": LATE,
        "acknowledge": HEARD,
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "same answer": "already_resolved",
        "withdraw": "already_resolved",
        "comment": NOTE,
    },
    "expired": {
        **dict.fromkeys(MOVES, "already_resolved"),
        "undo": LATE,
        "acknowledge": HEARD,
        "edited answer": "already_resolved",
        "answer": "already_resolved",
        "same answer": "already_resolved",
        "withdraw": "already_resolved",
        "comment": NOTE,
    },
}
"""What follows in each state; what is not named here adds nothing."""


ELSEWHERE = {
    "not_an_approver",
    "stale_revision",
    "source_refused",
    "already_answered",
    "own_request",
    "too_often",
    "assurance_too_low",
}
"""The refusals that need more than one step to be reached: they have sentences of their own."""


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
    codes = set(get_args(RefusalCode)) - ELSEWHERE
    assert named - {""} == {fact.__name__ for fact in get_args(ApprovalEvent)} | codes


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
    "remind": "voted",
    "clock reminds": "mirrored",
    "reassign": "own",
    "escalate": "voted",
    "ask back": "voted",
    "answer back": "returned",
    "revise": "asked back",
    "undo": "held",
}
"""For each command a state in which it does something."""
REPEATED: Mapping[str, str] = {"remind": "reminded_already"}
"""What is refused the second time, because it would be done again otherwise."""


@pytest.mark.parametrize("command", FRUITFUL)
def test_asking_twice_yields_nothing_new(command: str) -> None:
    facts = STATES[FRUITFUL[command]]
    first = decide(COMMANDS[command], fold(facts))
    assert first
    assert result(fold((*facts, *first)), COMMANDS[command]) == REPEATED.get(command, "")


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
