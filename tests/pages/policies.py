"""Policies and people for the pages' tests."""

from collections.abc import Sequence

from events.approval import AppliedPolicy, Person, Seat, Step
from services.decision.answering import Answer
from tests.pages.fakes import JANE, JOHN, MARIA, WORKSPACE, Placet

ALICE = Person(email="alice.meyer@example.com", name="Alice Meyer")
BOB = Person(email="bob.tanaka@example.com", name="Bob Tanaka")
LENA = Person(email="lena.novak@example.com", name="Lena Novak")
EVERYBODY = (ALICE, BOB, LENA, JOHN, MARIA, JANE)


def policy(*steps: Step, name: str = "access", warnings: tuple[str, ...] = ()) -> AppliedPolicy:
    return AppliedPolicy(
        name=name,
        version=3,
        because="applies to payload.amount > 500",
        steps=steps,
        warnings=warnings,
    )


def two_of(*people: Person, name: str = "Team") -> Step:
    seats = tuple(Seat(person=one) for one in people)
    return Step(name=name, rule="count", needed=2, deny=1, seats=seats)


def one_each(people: Sequence[tuple[Person, str]]) -> Step:
    groups = tuple(dict.fromkeys(group for _, group in people))
    seats = tuple(Seat(person=one, groups=(group,)) for one, group in people)
    return Step(name="Money", rule="each", needed=len(groups), deny=2, seats=seats, groups=groups)


async def approved(placet: Placet, approval_id: str, by: Person) -> None:
    answer = Answer(outcome="approved", by=by, reason=None, channel="api", via=None, revision=None)
    await placet.answering.decide(WORKSPACE, approval_id, answer)


async def asked_back(
    placet: Placet, approval_id: str, by: Person, text: str, *, changes: bool = False
) -> None:
    await placet.changing.ask_back(
        WORKSPACE,
        approval_id,
        by=by,
        text=text,
        wants="changes" if changes else "answer",
        question_id=f"{by.email} {text}",
    )
