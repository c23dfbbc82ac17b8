"""The whole life of an approval as a machine that does anything at any time, beside an oracle."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from events.approval import (
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalEvent,
    FinalEvent,
    OnTimeout,
    Person,
)
from events.commands import (
    Automatic,
    Command,
    ExpireApproval,
    RequestApproval,
)
from events.decider import Refused, decide
from events.decider.answering import place_of
from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn, fold
from projections.approval_view import decode_view, encode_view
from projections.evolving import view_of
from tests.core.examples import (
    NOW,
    acknowledge,
    answer,
    card,
    changed,
    comment,
    confirm,
    fail,
    found_settled,
    pending,
    recall,
    settled,
    supersede,
    undo,
)
from tests.core.examples import ask as asked
from tests.core.making import PEOPLE, policies
from tests.core.steps import (
    answer_back,
    ask_back,
    clock_reminds,
    escalate,
    fallback,
    reassign,
    remind,
    revise,
)
from tests.model.driving import Alone, Driver, Told, as_written
from tests.model.oracle import MONTH, Oracle, oracle_of
from tests.model.prophecy import expected

people = st.sampled_from(PEOPLE)
few_people = st.lists(people, min_size=1, max_size=3, unique=True).map(tuple)
stand_ins = st.lists(people, max_size=2).map(tuple)
outcomes = st.sampled_from(["approved", "approved", "rejected"])
payloads: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{"n": 1}, {"n": 2}])
numbers = st.sampled_from(["q1", "q2", "q3"])
LONG = 6
"""How many facts a life has before it is withdrawn: else few were long."""
timeouts: st.SearchStrategy[OnTimeout] = st.sampled_from(
    ["expire", "approve", "reject", "fallback"]
)


def status_of(state: State) -> str:
    """Return the state in the words of users."""
    match state:
        case Decided():
            return state.outcome
        case Unknown() | Pending() | Deciding() | Withdrawn() | Expired():
            return type(state).__name__.lower()


class Life(RuleBasedStateMachine):
    """One approval: everything that people, clocks and sources may do to it, in any order."""

    driver: Driver
    oracle: Oracle

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.facts: list[ApprovalEvent] = []
        self.done: list[Command] = []
        self.state: State = Unknown()

    def begin(self) -> Driver:
        """Return what carries out the commands of this life."""
        return Alone()

    @initialize(
        policy=st.none() | policies | policies,
        mirrored=st.booleans(),
        who=few_people,
        on_timeout=timeouts,
        by=st.sampled_from([None] * 9 + ["approved"]),
    )
    def somebody_asks(
        self, *, policy: Any, mirrored: bool, who: Any, on_timeout: Any, by: Any
    ) -> None:
        self.driver = self.begin()
        automatic = Automatic(outcome=by, reason="It is small.") if by else None
        if automatic and policy is None:
            automatic = None
        first = self._ask(mirrored=mirrored, approvers=who, on_timeout=on_timeout, policy=policy)
        first = replace(first, automatic=automatic)
        self.oracle = oracle_of(first)
        self.do(pending(first) if mirrored else first)

    def _ask(self, **more: Any) -> RequestApproval:
        return asked(now=self.now, **more)

    def do(self, *commands: Command) -> None:
        """Carry out commands at once, and hold what came of them to the oracle."""
        before = len(self.facts)
        tellings = self.driver.at_once(commands)
        stream = self.driver.stream()
        self.facts = [kept.event for kept in stream]
        order = [kept.command_id for kept in stream[before:]]
        self._each_was_told_the_truth(tellings, order, before)
        self._as_the_oracle_says(
            sorted(
                (told for told in tellings if told.added),
                key=lambda told: order.index(told.command_id),
            ),
            [told for told in tellings if not told.added],
        )
        self.done += commands
        rest = fold(self.facts[before:], self.state)
        self.state = fold(self.facts)
        assert rest == self.state, "folding on from the middle leads elsewhere"
        for fact in self.facts[before:]:
            assert as_written(fact) == fact, "it is read otherwise than it was written"

    def _each_was_told_the_truth(
        self, tellings: Sequence[Told], order: list[str], before: int
    ) -> None:
        new = self.facts[before:]
        for told in tellings:
            kept = tuple(fact for fact, by in zip(new, order, strict=True) if by == told.command_id)
            assert kept == told.added, "a caller was told something else than what was kept"

    def _as_the_oracle_says(self, added: Sequence[Told], others: Sequence[Told]) -> None:
        """The facts came in one order; who added none may have come at any place in it."""
        moments = [deepcopy(self.oracle)]
        for told in added:
            assert expected(self.oracle, told) == "added", told
            moments.append(deepcopy(self.oracle))
        for told in others:
            answer_was = "refused" if told.refused else "nothing"
            foreseen = {expected(deepcopy(one), told) for one in moments}
            assert answer_was in foreseen, (told.command, told.refused, foreseen)

    @rule(by=people, outcome=outcomes, stands_in_for=stand_ins)
    def somebody_answers(self, by: Person, outcome: Any, stands_in_for: Any) -> None:
        self.do(answer(outcome, by, now=self.now, stands_in_for=stands_in_for))

    @precondition(lambda self: self.oracle.status == "pending")
    @rule(data=st.data(), outcome=outcomes)
    def somebody_who_may_answers(self, data: st.DataObject, outcome: Any) -> None:
        if able := [one for one in PEOPLE if self.oracle.may_answer(one.email)]:
            self.do(answer(outcome, data.draw(st.sampled_from(able)), now=self.now))

    @precondition(lambda self: self.oracle.status == "pending" and self.oracle.stopped is None)
    @rule(data=st.data(), question=numbers, days=st.sampled_from([0.5, 1, 31]))
    def a_question_takes_a_while(self, data: st.DataObject, question: str, days: float) -> None:
        if able := [one for one in PEOPLE if self.oracle.may_answer(one.email)]:
            one = data.draw(st.sampled_from(able))
            self.do(ask_back(one, question_id=question, now=self.now))
            self.now += timedelta(days=days)

    @rule(by=people, outcome=outcomes, takes_back=people, days=st.sampled_from([0, 0.001, 0.1]))
    def somebody_answers_and_takes_it_back(
        self, by: Person, outcome: Any, takes_back: Person, days: float
    ) -> None:
        held = self.now + timedelta(days=0.01)
        self.do(answer(outcome, by, now=self.now, held_until=held))
        self.now += timedelta(days=days)
        self.do(undo(takes_back, now=self.now))

    @rule(by=people, revision=st.sampled_from(["1", "2", "7"]))
    def somebody_answers_to_what_they_saw(self, by: Person, revision: str) -> None:
        self.do(answer(by=by, now=self.now, revision=revision))

    @rule(answers=st.lists(st.tuples(people, outcomes), min_size=2, max_size=4), last=st.booleans())
    def several_answer_at_once(self, *, answers: Any, last: bool) -> None:
        votes: list[Command] = [answer(outcome, by, now=self.now) for by, outcome in answers]
        self.do(*votes, *([ExpireApproval(now=self.now), recall(now=self.now)] if last else []))

    @rule(person=people, to=people, cause=st.sampled_from(["delegated", "deactivated"]))
    def somebody_is_away(self, person: Person, to: Person, cause: Any) -> None:
        self.do(reassign(person, to, by=None, cause=cause, now=self.now))

    @rule(person=people, to=people, by=people, as_admin=st.booleans())
    def somebody_passes_it_on(
        self, *, person: Person, to: Person, by: Person, as_admin: bool
    ) -> None:
        self.do(reassign(person, to, by=by, as_admin=as_admin, now=self.now))

    @rule(who=few_people, at_step=st.integers(0, 2), rung=st.integers(1, 2))
    def the_ladder(self, who: Any, at_step: int, rung: int) -> None:
        self.do(escalate(*who, at_step=at_step, rung=rung, now=self.now))

    @precondition(lambda self: isinstance(self.state, Pending))
    @rule(who=few_people)
    def the_next_rung(self, who: Any) -> None:
        assert isinstance(self.state, Pending)
        course = self.state.asked.course
        self.do(escalate(*who, at_step=course.step, rung=course.rungs + 1, now=self.now))

    @rule(by=people, as_admin=st.booleans(), approver=people, number=st.integers(1, 2))
    def reminders(self, *, by: Person, as_admin: bool, approver: Person, number: int) -> None:
        self.do(
            remind(by, as_admin=as_admin, now=self.now),
            clock_reminds(approver, number, now=self.now),
        )

    @rule(by=people, question=numbers, wants=st.sampled_from(["answer", "changes"]))
    def somebody_asks_back(self, by: Person, question: str, wants: Any) -> None:
        self.do(ask_back(by, question_id=question, wants=wants, now=self.now))

    @rule(by=people, question=numbers)
    def somebody_answers_back(self, by: Person, question: str) -> None:
        self.do(answer_back(by, question_id=question, now=self.now))

    @rule(by=people, payload=payloads, policy=st.none() | policies, on_timeout=timeouts)
    def the_requester_changes_it(
        self, by: Person, payload: Any, policy: Any, on_timeout: Any
    ) -> None:
        one = self._ask(payload=payload, policy=policy, on_timeout=on_timeout, revision="2")
        self.do(revise(one, by=by))

    @precondition(lambda self: self.oracle.mirrored)
    @rule(payload=payloads, who=few_people, policy=st.none() | policies)
    def the_source_shows_it(self, payload: Any, who: Any, policy: Any) -> None:
        self.do(pending(self._ask(mirrored=True, payload=payload, approvers=who, policy=policy)))

    @precondition(lambda self: self.oracle.mirrored and len(self.facts) > LONG)
    @rule()
    def the_source_settles_it(self) -> None:
        self.do(settled(now=self.now))

    @precondition(lambda self: isinstance(self.state, Deciding))
    @rule(how=st.sampled_from(["ok", "ok", "failed", "changed", "settled"]), old=st.booleans())
    def the_answer_is_written_back(self, *, how: str, old: bool) -> None:
        assert isinstance(self.state, Deciding)
        version = self.state.decision_version - old
        other = self._ask(mirrored=True, payload={"n": 3}, revision="2")
        ends: dict[str, Command] = {
            "ok": confirm(version, now=self.now),
            "failed": fail(version, now=self.now),
            "changed": changed(version, other),
            "settled": found_settled(version, now=self.now),
        }
        self.do(ends[how if self.oracle.mirrored else "ok"])

    @precondition(lambda self: len(self.facts) > LONG)
    @rule(by=people, as_admin=st.booleans())
    def somebody_withdraws_it(self, *, by: Person, as_admin: bool) -> None:
        self.do(recall(by, as_admin=as_admin, now=self.now))

    @precondition(lambda self: len(self.facts) > LONG)
    @rule()
    def a_newer_ask_takes_its_place(self) -> None:
        self.do(supersede(now=self.now))

    @rule(by=people, note=st.sampled_from(["c1", "c2"]))
    def notes(self, by: Person, note: str) -> None:
        self.do(comment(note, by=by, now=self.now), card(by, now=self.now))
        self.do(acknowledge(by, now=self.now))

    @rule(days=st.sampled_from([0.01, 0.1, 0.5, 1, 31]))
    def time_passes(self, days: float) -> None:
        self.now += timedelta(days=days)

    @rule(to=st.none() | policies, on_timeout=timeouts)
    def the_clock_rings(self, to: Any, on_timeout: Any) -> None:
        over = self.now + timedelta(days=2)
        instead = fallback(to, until=over, on_timeout=on_timeout) if to else None
        self.do(ExpireApproval(now=self.now, fallback=instead))

    @precondition(lambda self: self.done)
    @rule(data=st.data(), times=st.integers(1, 2))
    def an_earlier_command_comes_again(self, data: st.DataObject, times: int) -> None:
        command = data.draw(st.sampled_from(self.done))
        before = len(self.facts)
        last = self.done[-1]
        self.do(*[command] * times)
        if command == last and not _at_once(last, self.facts[:before]):
            assert len(self.facts) == before, f"{command} twice added something"

    @invariant()
    def at_most_one_end_and_only_notes_after_it(self) -> None:
        assert_one_end(self.facts)

    @invariant()
    def the_state_is_what_the_oracle_says(self) -> None:
        if not self.facts:
            return
        assert status_of(self.state) == self.oracle.status
        if not isinstance(self.state, Pending):
            return
        state = self.state
        assert {one.email for one in state.asked.waits_for} == self.oracle.waits_for
        assert state.asked.waits_for, "it waits for nobody"
        assert state.asked.deadline == self.oracle.deadline
        assert state.asked.course.tally.verdict is None, "it is settled and goes on"
        for person in PEOPLE:
            assert may_answer(state, person) == self.oracle.may_answer(person.email)

    @invariant()
    def the_view_says_the_same(self) -> None:
        if not self.facts:
            return
        view = view_of("w", "a", self.facts)
        assert decode_view(encode_view(view)) == view
        assert view.status == self.oracle.status
        assert set(view.waits_for) == self.oracle.waits_for
        assert view.version == self.state.version == len(self.facts)
        if isinstance(self.state, Pending):
            assert view.deadline == self.state.asked.deadline
            assert view.revision == self.state.asked.about.revision

    @invariant()
    def it_is_never_stuck(self) -> None:
        assert_not_stuck(self.state, self.now)


def _at_once(command: Command, facts: Sequence[ApprovalEvent]) -> bool:
    """Tell whether a command may rightly add something anew: the hour or the time is over."""
    return not facts or isinstance(command, ExpireApproval)


def assert_one_end(facts: Sequence[ApprovalEvent]) -> None:
    """Hold a history to one final fact, after which only notes come."""
    ends = [place for place, fact in enumerate(facts) if isinstance(fact, FinalEvent)]
    assert len(ends) <= 1, "it ended twice"
    for end in ends:
        after = facts[end + 1 :]
        assert all(isinstance(one, ApprovalCommented | ApprovalAcknowledged) for one in after)


def may_answer(state: Pending, person: Person) -> bool:
    """Tell whether the core lets somebody answer, apart from the moment and from what they say."""
    try:
        place_of(person, (), state)
    except Refused:
        return False
    return True


def after(state: State, command: Command) -> State:
    """Return the state after a command that is not refused."""
    return fold(decide(command, state), state)


def assert_not_stuck(state: State, now: datetime) -> None:
    """Hold a state to having ways to an end: the clock's, and where it waits for people, theirs."""
    if isinstance(state, Deciding):
        assert isinstance(after(state, confirm(state.decision_version, now=now)), Decided)
    if not isinstance(state, Pending):
        return
    rung = after(state, ExpireApproval(now=state.asked.deadline))
    if isinstance(rung, Deciding):
        rung = after(rung, confirm(rung.decision_version, now=now))
    assert isinstance(rung, Decided | Expired), "the time is over, and it goes on"
    moment = min(now, state.asked.deadline - timedelta(seconds=1))
    if state.asked.course.asked_back is not None:
        question = state.asked.course.asked_back.question_id
        reply = answer_back(
            state.asked.about.requester, question_id=question, now=moment, left=MONTH
        )
        resumed = after(state, reply)
        assert isinstance(resumed, Pending)
        assert resumed.asked.course.asked_back is None
        state = resumed
    if any_barred(state):
        return
    waiting: State = state
    for _ in range(len(PEOPLE) * 3):
        if not isinstance(waiting, Pending):
            break
        person = waiting.asked.waits_for[0]
        added = decide(answer(by=person, now=moment), waiting)
        assert added, f"it waits for {person.email}, who can do nothing"
        waiting = fold(added, waiting)
    assert isinstance(waiting, Decided | Deciding), "everybody agreed, and it goes on"
    if isinstance(waiting, Decided):
        assert waiting.outcome == "approved"


def any_barred(state: Pending) -> bool:
    """Tell whether somebody sits there who may not decide, since they asked."""
    asked_by = state.asked.about.requester.email
    return not state.asked.course.policy.self_approval and any(
        asked_by in (seat.person.email, seat.holder.email)
        for step in state.asked.course.policy.steps
        for seat in step.seats
    )
