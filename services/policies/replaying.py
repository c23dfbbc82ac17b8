"""Lives a stored approval again under another policy: the same answers, counted by other rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from events.approval import (
    AppliedPolicy,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    DecisionSubmitted,
    DecisionUndone,
    OnTimeout,
    Outcome,
    Person,
)
from events.commands import Automatic
from events.course import Course, begin, with_vote
from events.voting import Vote, seat_of
from projections.progress import progress_of
from services.policies.facts import Facts, facts_of

Status = Literal["approved", "rejected", "withdrawn", "expired", "pending"]
Kind = Literal["same", "sooner", "later", "other", "waits", "ends"]
"""The same; the same, sooner or later; another outcome; would still wait; would have an end."""

POLICY_CHANNEL = "policy"
_NO_PERSON = frozenset((POLICY_CHANNEL, "timeout"))
"""The channels of decisions that no person took."""
_AT_ONCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ends: by whom and when, or whom it waits for, in words."""

    status: Status
    at: datetime | None = None
    by: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody really answered, in whose place, and when."""

    by: Person
    seat: str
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One approval as it really was: what was asked last and when, the answers to that, its end.

    `facts` are what a policy is chosen by; `by_itself` tells that one decided it at once.
    """

    first: ApprovalRequested
    facts: Facts
    asked_at: datetime
    answers: tuple[Answer, ...]
    ending: Ending
    by_itself: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a policy makes of one ask: who must agree until when, or what it decides at once."""

    policy: AppliedPolicy | None
    approvers: Sequence[Person]
    automatic: Automatic | None
    expires_at: datetime
    on_timeout: OnTimeout


def life_of(events: Sequence[ApprovalEvent]) -> Life | None:
    """Return the life that events tell of, or None where they do not begin with an ask."""
    first = events[0] if events else None
    if not isinstance(first, ApprovalRequested):
        return None
    facts, asked_at = facts_of(first), first.at
    answers: list[Answer] = []
    ending, by_itself = Ending(status="pending"), False
    for event in events:
        match event:
            case ApprovalRevised():
                facts = replace(
                    facts, about=event.about, payload=event.payload, approvers=event.approvers
                )
                asked_at, answers = event.at, []
            case DecisionSubmitted() if event.channel not in _NO_PERSON:
                seat = event.on_behalf_of or event.by.email
                answers.append(Answer(by=event.by, seat=seat, outcome=event.outcome, at=event.at))
            case DecisionUndone():
                answers = answers[:-1]
            case ApprovalDecided():
                people = dict.fromkeys(
                    one.by.email for one in answers if one.outcome == event.outcome
                )
                by = tuple(people) if event.channel not in _NO_PERSON else (event.by.email,)
                ending = Ending(status=event.outcome, at=event.decided_at, by=by)
                by_itself = event.channel == POLICY_CHANNEL
            case ApprovalWithdrawn():
                ending = Ending(status="withdrawn", at=event.at, words=event.reason)
            case ApprovalExpired():
                ending = Ending(status="expired", at=event.at)
            case _:
                continue
    return Life(
        first=first,
        facts=facts,
        asked_at=asked_at,
        answers=tuple(answers),
        ending=ending,
        by_itself=by_itself,
    )


def imagined(life: Life, rules: Rules) -> Ending:
    """Return how it would have ended under other rules, with the answers that were given.

    Answers of people who would not have been asked do not count. Whoever answered before their
    step would have begun is taken to answer when it begins.
    """
    if rules.automatic is not None:
        by = (f"policy {rules.policy.name}" if rules.policy else "policy",)
        return Ending(status=rules.automatic.outcome, at=life.asked_at, by=by)
    decided, course = _counted(begin(rules.policy, rules.approvers, life.asked_at), life.answers)
    if decided is not None and (decided.at is None or decided.at < rules.expires_at):
        return decided
    ended = life.ending
    if ended.status == "withdrawn" and ended.at is not None and ended.at <= rules.expires_at:
        return ended
    heard_until = max((answer.at for answer in life.answers), default=life.asked_at)
    if max(heard_until, ended.at or heard_until) >= rules.expires_at:
        return _timed_out(rules)
    waiting = ", ".join(dict.fromkeys(seat.holder.email for seat in course.waiting))
    return Ending(status="pending", words=f"{progress_of(course).words}; waits for {waiting}")


def compared(life: Life, ending: Ending) -> Kind:
    """Return how an imagined end differs from the real one."""
    really = life.ending
    if ending.status == "pending":
        return "same" if really.status == "pending" else "waits"
    if really.status == "pending":
        return "ends"
    if ending.status != really.status:
        return "other"
    gained = gain(life, ending)
    if gained is None or abs(gained) <= _AT_ONCE:
        return "same"
    return "sooner" if gained > timedelta() else "later"


def gain(life: Life, ending: Ending) -> timedelta | None:
    """Return how much sooner the imagined end comes; None where one of the two has no time."""
    if life.ending.at is None or ending.at is None:
        return None
    return life.ending.at - ending.at


def _counted(course: Course, answers: Sequence[Answer]) -> tuple[Ending | None, Course]:
    """Count answers in their order; one that comes before its step waits until that begins."""
    early: list[Answer] = []
    for answer in answers:
        waiting = [*early, answer]
        early = []
        now = answer.at
        while waiting:
            one = waiting.pop(0)
            seat = seat_of(course.now_at, one.by.email) or seat_of(course.now_at, one.seat)
            if seat is None:
                early.append(one)
                continue
            vote = Vote(
                step=course.step,
                seat=seat.person.email,
                by=one.by,
                outcome=one.outcome,
                at=now,
            )
            before, course = course.step, with_vote(course, vote)
            verdict = course.tally.verdict
            if verdict is not None:
                return _decided(verdict, course, now), course
            if course.step != before:
                waiting = [*early, *waiting]
                early = []
    return None, course


def _decided(outcome: Outcome, course: Course, at: datetime) -> Ending:
    people = dict.fromkeys(vote.by.email for vote in course.votes if vote.outcome == outcome)
    return Ending(status=outcome, at=at, by=tuple(people))


def _timed_out(rules: Rules) -> Ending:
    match rules.on_timeout:
        case "approve":
            return Ending(status="approved", at=rules.expires_at, by=("nobody in time",))
        case "reject":
            return Ending(status="rejected", at=rules.expires_at, by=("nobody in time",))
        case "expire":
            return Ending(status="expired", at=rules.expires_at)
        case "fallback":
            name = rules.policy.fallback_policy if rules.policy else None
            return Ending(
                status="pending", words=f"the policy {name} would have taken over in the end"
            )
        case _:
            assert_never(rules.on_timeout)
