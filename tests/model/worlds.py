"""The small approvals that are explored: three people, a stand-in, and all that may befall them."""

from collections.abc import Mapping
from dataclasses import replace

from events.approval import AppliedPolicy, Outcome, Person, Seat
from events.commands import Command, ConfirmWriteBack, ExpireApproval, FailWriteBack
from events.state import Deciding, Pending, State
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EVE,
    NOW,
    OTHER_PAYLOAD,
    acknowledge,
    answer,
    ask,
    minutes,
    pending,
    recall,
)
from tests.core.steps import (
    CARL,
    DORA,
    answer_back,
    ask_back,
    asked,
    clock_reminds,
    escalate,
    is_away,
    policy,
    reassign,
    revise,
    sits,
    step,
)
from tests.model.exploring import Move, World

LONG_AFTER = NOW + 365 * DAY
GROUPS = ("finance", "legal")


def always(command: Command) -> Move:
    return lambda _: command


def votes(*people: Person) -> dict[str, Move]:
    outcomes: tuple[Outcome, ...] = ("approved", "rejected")
    return {
        f"{person.email.partition('@')[0]} {outcome}": always(answer(outcome, person))
        for person in people
        for outcome in outcomes
    }


def joins(*who: Person | Seat) -> Move:
    def move(state: State) -> Command | None:
        if not isinstance(state, Pending) or state.asked.course.rungs:
            return None
        return escalate(*who, at_step=state.asked.course.step, now=minutes(30))

    return move


def written_back(state: State) -> Command | None:
    if isinstance(state, Deciding):
        return ConfirmWriteBack(decision_version=state.decision_version, now=minutes(9))
    return None


def not_written_back(state: State) -> Command | None:
    if isinstance(state, Deciding):
        return FailWriteBack(
            decision_version=state.decision_version, cause="refused", reason="No.", now=minutes(9)
        )
    return None


CLOCK: dict[str, Move] = {"time over": always(ExpireApproval(now=LONG_AFTER))}
WITHDRAWS: dict[str, Move] = {"rita withdraws": always(recall())}
AWAY: dict[str, Move] = {"ann is away": always(is_away(ANN, DORA))}
PASSED: dict[str, Move] = {"bob passes it on": always(reassign(BOB, EVE, by=BOB))}
QUESTION: dict[str, Move] = {
    "bob asks back": always(ask_back(BOB, now=minutes(10))),
    "rita answers": always(answer_back(now=minutes(70))),
}
RETURNED: dict[str, Move] = {
    "bob returns it": always(ask_back(BOB, question_id="q2", wants="changes", now=minutes(10))),
    "rita explains": always(answer_back(question_id="q2", now=minutes(70))),
}
REMINDED: dict[str, Move] = {"ann is reminded": always(clock_reminds(ANN))}
HEARD: dict[str, Move] = {"rita has heard": always(acknowledge())}
ENDS = frozenset((*CLOCK, *WITHDRAWS))


def changes(one: AppliedPolicy) -> dict[str, Move]:
    again = ask(payload=OTHER_PAYLOAD, revision="2", policy=one, now=minutes(60))
    return {"rita changes it": always(revise(again))}


def life(one: AppliedPolicy, enough: int, *more: Mapping[str, Move], late: bool = False) -> World:
    """Somebody's own ask under a policy, with everything that may befall it."""
    moves = dict(CLOCK | WITHDRAWS | HEARD)
    for some in more:
        moves |= some
    slow = frozenset(name for name in moves if late and name != "rita has heard")
    return World(asked(one), moves, slow=slow, clocks=ENDS, enough=enough)


THREE = (ANN, BOB, CARL)
RULES: Mapping[str, tuple[AppliedPolicy, int]] = {
    "any": (policy(step(*THREE)), 1),
    "all": (policy(step(*THREE, rule="all", deny=2)), 3),
    "two of three": (policy(step(*THREE, rule="count", needed=2, deny=2)), 2),
    "a share of three": (policy(step(*THREE, rule="percent", needed=2)), 2),
    "one from each of two groups": (
        policy(
            step(
                sits(ANN, "finance"),
                sits(BOB, "legal"),
                sits(CARL, *GROUPS),
                rule="each",
                groups=GROUPS,
                deny=2,
            )
        ),
        2,
    ),
    "two steps, and somebody who sits at both": (
        policy(step(ANN, CARL, name="manager"), step(ANN, BOB, rule="all", name="board")),
        2,
    ),
    "one who stands in for two": (
        policy(
            step(sits(ANN, held_by=DORA), sits(BOB, held_by=DORA), CARL, rule="count", needed=2)
        ),
        2,
    ),
}
"""Each rule as a small policy, and how many people must agree however they sit."""
TWO_OF_THREE, _ = RULES["two of three"]


def everything(one: AppliedPolicy, enough: int) -> World:
    return life(
        one,
        enough,
        votes(*THREE, DORA, EVE),
        AWAY,
        PASSED,
        QUESTION,
        RETURNED,
        REMINDED,
        changes(one),
        {"eve joins": joins(EVE)},
    )


def much(one: AppliedPolicy, enough: int) -> World:
    """As `everything`, with what is seldom left out."""
    eve: dict[str, Move] = {"eve approved": always(answer(by=EVE)), "eve joins": joins(EVE)}
    return life(one, enough, votes(*THREE, DORA), eve, AWAY, QUESTION, changes(one))


WORLDS: Mapping[str, World] = {
    **{name: much(one, enough) for name, (one, enough) in RULES.items()},
    "any, and everything that may befall it": everything(*RULES["any"]),
    "a record, answered and written back": World(
        pending(ask(mirrored=True, policy=TWO_OF_THREE)),
        {
            **votes(*THREE, DORA),
            **AWAY,
            **CLOCK,
            **QUESTION,
            "written back": written_back,
            "not written back": not_written_back,
        },
        clocks=ENDS,
        enough=2,
    ),
    "writers who come at the same time": life(
        TWO_OF_THREE, 2, votes(ANN, BOB, DORA), AWAY, QUESTION, late=True
    ),
}
"""Everything that the search goes through in the suite, by what it is about."""


LARGER: Mapping[str, World] = {
    **{name: everything(one, enough) for name, (one, enough) in RULES.items()},
    "writers who come at the same time, at two steps": replace(
        (two_steps := much(*RULES["two steps, and somebody who sits at both"])),
        slow=frozenset(two_steps.moves),
    ),
}
"""For a search of minutes."""
