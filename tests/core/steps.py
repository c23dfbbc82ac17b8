"""Policies, and what happens on their steps, so that a test names only what it is about."""

from datetime import datetime, timedelta
from typing import Any

from events.approval import (
    AnsweredBack,
    AppliedPolicy,
    ApprovalEscalated,
    ApprovalReassigned,
    ApprovalReminded,
    AskedBack,
    OnTimeout,
    Person,
    Reassignment,
    Rule,
    Seat,
    Step,
    Wanted,
)
from events.commands import (
    AnswerBack,
    AskBack,
    EscalateApproval,
    Fallback,
    ReassignApproval,
    RemindApprovers,
    RequestApproval,
    ReviseApproval,
)
from tests.core.examples import ANN, BOB, DAY, NOW, OTHER_PAYLOAD, RITA, ask, minutes

CARL = Person(email="carl@example.com", name="Carl")
DORA = Person(email="dora@example.com", name="Dora, who stands in")
IVAN = Person(email="ivan@example.com", name="Ivan, who administers")
LATER = minutes(60)


def sits(person: Person, *groups: str, held_by: Person | None = None) -> Seat:
    return Seat(person=person, groups=groups, held_by=held_by)


def step(
    *who: Person | Seat,
    rule: Rule = "any",
    needed: int | None = None,
    deny: int = 1,
    name: str = "first",
    groups: tuple[str, ...] = (),
) -> Step:
    """A step; how many are needed follows from the rule, unless it is a number or a share."""
    seats = tuple(one if isinstance(one, Seat) else Seat(person=one) for one in who)
    if needed is None:
        needed = {"any": 1, "all": len(seats), "each": len(groups)}[rule]
    return Step(name=name, rule=rule, needed=needed, deny=deny, seats=seats, groups=groups)


def policy(*steps: Step, name: str = "expenses", **more: Any) -> AppliedPolicy:
    return AppliedPolicy(name=name, version=1, steps=steps, **more)


BOTH = policy(step(ANN, BOB, rule="all"))
"""Ann and Bob must agree."""
LADDER = policy(step(ANN, name="manager"), step(BOB, CARL, rule="all", name="board"))
"""First Ann, then Bob and Carl."""


def asked(one: AppliedPolicy | None = None, **more: Any) -> RequestApproval:
    return ask(policy=one or BOTH, **more)


def remind(
    by: Person | None = RITA,
    *,
    as_admin: bool = False,
    approver: Person | None = None,
    number: int | None = None,
    now: datetime = NOW,
) -> RemindApprovers:
    return RemindApprovers(
        by=by,
        as_admin=as_admin,
        approver=approver.email if approver else None,
        number=number,
        now=now,
    )


def clock_reminds(approver: Person, number: int = 1, *, now: datetime = NOW) -> RemindApprovers:
    return remind(None, approver=approver, number=number, now=now)


def reminded(
    approver: Person, number: int = 1, *, by: Person | None = RITA, now: datetime = NOW
) -> ApprovalReminded:
    return ApprovalReminded(
        approver=approver.email, number=number, by=by.email if by else None, at=now
    )


def reassign(
    person: Person = ANN,
    to: Person = CARL,
    *,
    by: Person | None = ANN,
    cause: Reassignment = "reassigned",
    as_admin: bool = False,
    now: datetime = NOW,
) -> ReassignApproval:
    return ReassignApproval(
        person=person.email,
        to=to,
        cause=cause,
        by=by,
        as_admin=as_admin,
        reason="A holiday",
        time_zone="Europe/Oslo",
        now=now,
    )


def is_away(person: Person = ANN, to: Person = DORA, *, now: datetime = NOW) -> ReassignApproval:
    return reassign(person, to, by=None, cause="delegated", now=now)


def is_gone(person: Person = ANN, to: Person = DORA, *, now: datetime = NOW) -> ReassignApproval:
    return reassign(person, to, by=None, cause="deactivated", now=now)


def reassigned(one: ReassignApproval) -> ApprovalReassigned:
    return ApprovalReassigned(
        person=one.person,
        to=one.to,
        cause=one.cause,
        by=one.by.email if one.by else None,
        reason=one.reason,
        time_zone=one.time_zone,
        at=one.now,
    )


def escalate(
    *who: Person | Seat, at_step: int = 0, rung: int = 1, now: datetime = NOW
) -> EscalateApproval:
    seats = tuple(one if isinstance(one, Seat) else Seat(person=one) for one in who)
    return EscalateApproval(step=at_step, rung=rung, seats=seats, now=now)


def escalated(one: EscalateApproval, *who: Person | Seat) -> ApprovalEscalated:
    """What came of it: these people are asked as well."""
    seats = tuple(one if isinstance(one, Seat) else Seat(person=one) for one in who)
    whom = ", ".join(seat.holder.email for seat in seats)
    return ApprovalEscalated(
        rung=one.rung,
        seats=seats,
        reason=f"Nobody ended it in time: {whom} may answer as well."
        if seats
        else "Nobody ended it in time, and there is nobody else to ask.",
        at=one.now,
    )


def fallback(
    one: AppliedPolicy, *, until: datetime = NOW + 3 * DAY, on_timeout: OnTimeout = "expire"
) -> Fallback:
    return Fallback(policy=one, expires_at=until, on_timeout=on_timeout)


def taken_over(
    one: AppliedPolicy,
    *,
    rung: int = 1,
    until: datetime = NOW + 3 * DAY,
    on_timeout: OnTimeout = "expire",
    now: datetime = NOW + DAY,
) -> ApprovalEscalated:
    return ApprovalEscalated(
        rung=rung,
        seats=(),
        reason=f"Nobody decided in time: the policy {one.name} takes over.",
        policy=one,
        expires_at=until,
        on_timeout=on_timeout,
        at=now,
    )


def ask_back(
    by: Person = ANN,
    *,
    question_id: str = "q1",
    text: str = "Which hotel?",
    wants: Wanted = "answer",
    revision: str | None = None,
    stands_in_for: tuple[Person, ...] = (),
    now: datetime = NOW,
) -> AskBack:
    return AskBack(
        question_id=question_id,
        by=by,
        text=text,
        wants=wants,
        revision=revision,
        stands_in_for=tuple(person.email for person in stands_in_for),
        now=now,
    )


def asked_back(one: AskBack) -> AskedBack:
    return AskedBack(
        question_id=one.question_id, by=one.by, text=one.text, wants=one.wants, at=one.now
    )


def answer_back(
    by: Person = RITA,
    *,
    question_id: str = "q1",
    as_admin: bool = False,
    left: timedelta = DAY,
    now: datetime = LATER,
) -> AnswerBack:
    return AnswerBack(
        question_id=question_id,
        by=by,
        as_admin=as_admin,
        text="The one beside the station.",
        expires_at=now + left,
        now=now,
    )


def answered_back(one: AnswerBack) -> AnsweredBack:
    return AnsweredBack(
        question_id=one.question_id,
        by=one.by,
        text=one.text,
        expires_at=one.expires_at,
        at=one.now,
    )


def revise(
    one: RequestApproval | None = None, *, by: Person = RITA, as_admin: bool = False
) -> ReviseApproval:
    new = one or ask(payload=OTHER_PAYLOAD, revision="2", now=LATER)
    return ReviseApproval(by=by, as_admin=as_admin, ask=new)
