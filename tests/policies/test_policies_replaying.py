"""A stored approval, lived again under another policy."""

from dataclasses import replace
from datetime import datetime, timedelta

from events.approval import (
    AppliedPolicy,
    ApprovalEvent,
    OnTimeout,
    Person,
    Rule,
    Seat,
    Step,
)
from events.commands import Automatic, Command
from events.decider import decide
from events.state import fold
from services.policies.replaying import Life, Rules, compared, gain, imagined, life_of
from tests.core.examples import ANN, BOB, DAY, EVE, NOW, ask, expire, minutes, recall
from tests.core.examples import answer as answers


def lived(*commands: Command) -> Life:
    facts: list[ApprovalEvent] = []
    for command in commands:
        facts.extend(decide(command, fold(facts)))
    life = life_of(facts)
    assert life is not None
    return life


def step(*people: Person, needed: int = 1, rule: Rule = "count", name: str = "one") -> Step:
    seats = tuple(Seat(person=person) for person in people)
    return Step(name=name, rule=rule, needed=needed, deny=1, seats=seats)


def rules(
    *steps: Step,
    automatic: Automatic | None = None,
    expires_at: datetime = NOW + 30 * DAY,
    on_timeout: OnTimeout = "expire",
) -> Rules:
    policy = AppliedPolicy(name="new", version=2, steps=steps)
    return Rules(
        policy=policy,
        approvers=(),
        automatic=automatic,
        expires_at=expires_at,
        on_timeout=on_timeout,
    )


def test_the_same_policy_ends_in_the_same_way() -> None:
    life = lived(ask(), answers(by=ANN, now=minutes(5)))
    ending = imagined(life, rules(step(ANN, BOB)))
    assert (ending.status, ending.by, ending.at) == ("approved", (ANN.email,), minutes(5))
    assert compared(life, ending) == "same"


def test_what_the_policy_decides_by_itself_is_decided_when_it_was_asked() -> None:
    life = lived(ask(), answers(by=ANN, now=minutes(90)))
    ending = imagined(life, rules(step(ANN), automatic=Automatic(outcome="approved", reason="s")))
    assert compared(life, ending) == "sooner"
    assert gain(life, ending) == timedelta(minutes=90)
    assert ending.by == ("policy new",)


def test_another_outcome_is_told() -> None:
    life = lived(ask(), answers("rejected", by=ANN))
    ending = imagined(life, rules(step(ANN), automatic=Automatic(outcome="approved", reason="s")))
    assert compared(life, ending) == "other"


def test_a_second_person_who_never_answered_is_waited_for() -> None:
    life = lived(ask(), answers(by=ANN))
    ending = imagined(life, rules(step(ANN, BOB, needed=2)))
    assert (ending.status, compared(life, ending)) == ("pending", "waits")
    assert ending.words == "1 of 2; waits for bob@example.com"


def test_an_answer_of_somebody_who_would_not_be_asked_does_not_count() -> None:
    life = lived(ask(), answers(by=ANN))
    assert compared(life, imagined(life, rules(step(EVE)))) == "waits"


def test_an_answer_before_its_step_counts_when_the_step_begins() -> None:
    two_of_two = step(ANN, BOB, needed=2)
    policy = AppliedPolicy(name="old", version=1, steps=(two_of_two,))
    asked = replace(ask(), policy=policy)
    life = lived(asked, answers(by=BOB, now=minutes(1)), answers(by=ANN, now=minutes(9)))
    ending = imagined(life, rules(step(ANN, name="first"), step(BOB, name="then")))
    assert (ending.status, ending.at) == ("approved", minutes(9))
    assert set(ending.by) == {ANN.email, BOB.email}


def test_fewer_people_would_have_been_sooner() -> None:
    policy = AppliedPolicy(name="old", version=1, steps=(step(ANN, BOB, needed=2),))
    life = lived(
        replace(ask(), policy=policy), answers(by=BOB, now=minutes(1)), answers(now=minutes(61))
    )
    ending = imagined(life, rules(step(ANN, BOB)))
    assert (compared(life, ending), gain(life, ending)) == ("sooner", timedelta(hours=1))


def test_an_answer_after_the_new_deadline_comes_too_late() -> None:
    life = lived(ask(), answers(by=ANN, now=minutes(90)))
    ending = imagined(life, rules(step(ANN), expires_at=minutes(60), on_timeout="reject"))
    assert (ending.status, ending.at, compared(life, ending)) == ("rejected", minutes(60), "other")


def test_what_was_recalled_is_recalled_again() -> None:
    life = lived(ask(), recall(now=minutes(3)))
    assert compared(life, imagined(life, rules(step(BOB)))) == "same"


def test_what_expired_may_have_an_end() -> None:
    life = lived(ask(), expire())
    ending = imagined(life, rules(step(ANN), expires_at=minutes(10), on_timeout="approve"))
    assert (ending.status, compared(life, ending)) == ("approved", "other")


def test_what_still_waits_is_told_when_it_would_have_ended() -> None:
    life = lived(ask())
    ending = imagined(life, rules(step(ANN), automatic=Automatic(outcome="rejected", reason="s")))
    assert compared(life, ending) == "ends"


def test_a_stream_that_does_not_begin_with_an_ask_has_no_life() -> None:
    assert life_of([]) is None
