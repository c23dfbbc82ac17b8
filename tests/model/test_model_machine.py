"""Whatever is done to an approval in whatever order, the core does what the oracle says."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from events.store.database import Database
from tests.model.driving import Beside, Driver, OnPostgres
from tests.model.machine import Life

ALIVE = settings(
    deadline=None,
    max_examples=120,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
STORED = settings(ALIVE, max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""Who is faster in Postgres differs each time, so there is nothing to be made smaller."""
SEARCHING = settings(
    ALIVE, max_examples=500, phases=[Phase.generate], database=None, report_multiple_bugs=False
)


def live(machine: Callable[[], Life], how: settings) -> None:
    run_state_machine_as_test(machine, settings=how)  # type: ignore[no-untyped-call]  # its own


def test_every_life_of_the_core_is_the_one_that_the_oracle_foretells() -> None:
    live(Life, ALIVE)


@pytest.fixture
def beside(dsn: str) -> Iterator[tuple[Beside, Database]]:
    with Beside() as loop:
        database = loop.run(Database.open(dsn, "placet_app", size=4))
        yield loop, database
        loop.run(database.close())


def test_every_life_on_postgres_is_so_too_with_answers_at_the_same_time(
    beside: tuple[Beside, Database],
) -> None:
    class Stored(Life):
        def begin(self) -> Driver:
            return OnPostgres(*beside, workspace=f"w-{secrets.token_hex(6)}")

    live(Stored, STORED)


def in_every_seat(step: Any, number: int, votes: Any) -> dict[int, Any]:
    """Count an answer wherever its person sits, stands in, or was stood in for."""
    heard = [one for one in votes if one.step == number or one.outcome == "approved"]
    return {
        place: one
        for place, seat in enumerate(step.seats)
        for one in heard
        if one.seat == seat.person.email or one.by.email in (seat.person.email, seat.holder.email)
    }


def whatever_was_left(course: Any, expires_at: Any, event: Any) -> Any:
    """Forget that the clock stood still."""
    return getattr(event, "expires_at", None) or expires_at


GUARDS: dict[str, tuple[str, Callable[..., Any]]] = {
    "one person counts once": ("events.voting.answers_at", in_every_seat),
    "nobody is asked twice": ("events.decider.routing._impossible", lambda *_: None),
    "who comes late is refused": ("events.decider.answering.refuse_late", lambda *_: None),
    "an older revision is refused": ("events.decider.answering.refuse_stale", lambda *_: None),
    "what was left is left": ("events.state.time_over", whatever_was_left),
    "the page shows what is left": ("projections.evolving.time_over", whatever_was_left),
    "what is answered goes on": ("events.course._resumed", lambda course, _: course),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_of_the_core_some_life_is_another_one(
    guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine counts only because it finds what is broken."""
    monkeypatch.setattr(*GUARDS[guard])
    with pytest.raises((AssertionError, LookupError)):
        live(Life, SEARCHING)
