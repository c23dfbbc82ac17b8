"""Every way of a small approval is gone: one end on each, and from everywhere a way to an end.

`PLACET_MODEL=large` goes every way of larger ones too: some minutes.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from events.approval import ApprovalEvent, FinalEvent
from events.decider import Refused
from events.state import State, Withdrawn, evolve
from tests.model.exploring import World, explore
from tests.model.worlds import LARGER, RULES, WORLDS, everything

MOST = 20_000
ENOUGH = 400
"""How many places are looked at where something wrong stands near the beginning."""
LARGE = os.environ.get("PLACET_MODEL") == "large"


def found_wrong(name: str, **how: Any) -> str:
    found = explore(WORLDS[name], most=ENOUGH, **how)
    return "\n".join(found.wrong)


@pytest.mark.parametrize("name", WORLDS)
def test_every_way_has_one_end_and_from_everywhere_there_is_one(name: str) -> None:
    found = explore(WORLDS[name], most=MOST)
    print(f"{name}: {found}")  # noqa: T201 # the size of the search, for who asks with -rP
    assert found.whole
    assert found.finals > 1
    assert found.wrong == []


@pytest.mark.skipif(not LARGE, reason="set PLACET_MODEL=large to go every way of larger ones")
@pytest.mark.parametrize("name", LARGER)
def test_every_way_of_a_larger_one_has_one_end_too(name: str) -> None:
    found = explore(LARGER[name], most=2_000_000)
    print(f"{name}: {found}")  # noqa: T201 # the size of the search, for who asks with -rP
    assert found.whole
    assert found.wrong == []


def test_a_search_that_is_cut_short_says_so() -> None:
    assert not explore(WORLDS["all"], most=50).whole


def test_without_versions_in_the_store_a_slow_writer_ends_it_twice() -> None:
    assert "cannot be fact" in found_wrong("writers who come at the same time", versions=False)


def test_a_fold_that_takes_a_second_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(state: State, fact: ApprovalEvent) -> State:
        if isinstance(state, Withdrawn) and isinstance(fact, FinalEvent):
            return replace(state, version=state.version + 1)
        return evolve(state, fact)

    monkeypatch.setattr("tests.model.exploring.evolve", lenient)
    wrong = found_wrong("writers who come at the same time", versions=False)
    assert "it ended twice" in wrong
    assert "something followed the end" in wrong


def test_somebody_who_counts_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_every_seat(step: Any, number: int, votes: Any) -> Mapping[int, Any]:
        return {
            place: one
            for place, seat in enumerate(step.seats)
            for one in votes
            if one.by.email in (seat.person.email, seat.holder.email)
        }

    def one_for_each_seat(filled: Any) -> Mapping[str, Any]:
        return {
            f"{email} {number}": frozenset(seat.groups)
            for number, (email, seat) in enumerate(filled)
        }

    monkeypatch.setattr("events.voting.answers_at", in_every_seat)
    monkeypatch.setattr("events.voting._groups_of_people", one_for_each_seat)
    assert "approved by too few people" in found_wrong("one who stands in for two")


def test_an_approval_that_nobody_can_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody_may(*_: object) -> None:
        raise Refused("not_an_approver", "Nobody may.")

    monkeypatch.setattr("events.decider.answering.refuse_late", nobody_may)
    assert "no answer ends it any more: asked" in found_wrong("any")
    monkeypatch.setattr("events.decider.lapsing._ran_out", lambda *_: [])
    world = everything(*RULES["any"])
    moves = {name: move for name, move in world.moves.items() if name != "rita withdraws"}
    wrong = explore(World(world.first, moves), most=MOST).wrong
    assert any(line.startswith("nothing ends it any more") for line in wrong)


def test_a_question_after_which_nothing_is_heard_any_more_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("events.course._resumed", lambda course, _: course)
    monkeypatch.setattr("events.decider.asking_back.answer_back", lambda *_: [])
    world = everything(*RULES["any"])
    moves = {name: move for name, move in world.moves.items() if name != "rita changes it"}
    wrong = explore(replace(world, moves=moves), most=MOST).wrong
    assert any("bob returns it" in line for line in wrong)
