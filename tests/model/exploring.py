"""Explores every way that a small approval can go, breadth first, over the real core.

A `World` is an ask and the moves that people, clocks and sources have in it. Every move comes at a
time of its own and may come again, and a place is known by what it is and not by how long its
history was, so that the ways meet again and the search ends.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from events.approval import ApprovalAcknowledged, ApprovalCommented, ApprovalEvent, FinalEvent
from events.commands import Command
from events.decider import Refused, decide, is_final
from events.state import Decided, Deciding, ImpossibleHistory, Pending, State, Unknown, evolve

Move = Callable[[State], Command | None]
"""What somebody would do now; None for nothing."""
Key = tuple[object, ...]


@dataclass(frozen=True)
class World:
    """A small model: how it begins, and what each of those around it may do, by name.

    `slow` are those who may decide on what they read a while ago; `clocks` the moves that are no
    answer. `enough` people must have approved before it is approved, however they sat.
    """

    first: Command
    moves: Mapping[str, Move]
    slow: frozenset[str] = frozenset()
    clocks: frozenset[str] = frozenset()
    enough: int = 1


@dataclass(frozen=True)
class Place:
    """Where an approval stands, and what somebody slow is about to append to it.

    `unchanged` tells whether nobody was faster than them.
    """

    state: State
    ended: bool = False
    about_to: tuple[ApprovalEvent, ...] = ()
    unchanged: bool = True

    @property
    def key(self) -> Key:
        """What makes two places the same."""
        return (what_it_is(self.state), self.ended, repr(self.about_to), self.unchanged)


@dataclass
class Explored:
    """What a search saw: how much, whether it came to an end, and every way to what may not be."""

    places: int = 0
    steps: int = 0
    finals: int = 0
    whole: bool = True
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        end = "" if self.whole else ", and there were more"
        return f"{self.places} places, {self.steps} steps, {self.finals} ends{end}"


def what_it_is(state: State) -> Key:
    """Return all that matters of a state: no versions, and answers by where they were given."""
    match state:
        case Pending() | Deciding():
            asked = state.asked
            course = asked.course
            votes = tuple(sorted(course.votes, key=lambda vote: (vote.step, vote.seat)))
            return (
                type(state).__name__,
                asked.about.revision,
                course.policy,
                (course.step, course.rungs, course.opened_at, course.pauses, course.reminders),
                votes,
                (course.asked_back, course.questions),
                (asked.expires_at, asked.on_timeout),
                state.answer if isinstance(state, Deciding) else None,
            )
        case Decided():
            return ("Decided", state.outcome, state.by, state.votes, state.acknowledged)
        case _:
            return (type(state).__name__, is_final(state) and state.at, str(state.comments))


def explore(world: World, *, most: int, versions: bool = True) -> Explored:
    """Go every way of a world, up to so many places.

    `versions` is the store's guard: who is slow appends only where nobody was faster.
    """
    search = _Search(world, most, versions=versions)
    search.run()
    return search.found


class _Search:
    def __init__(self, world: World, most: int, *, versions: bool) -> None:
        self.world, self.most, self.versions = world, most, versions
        self.found = Explored()
        self.numbers: dict[Key, int] = {}
        self.way_to: dict[int, tuple[int | None, str]] = {}
        self.leads_to: dict[int, list[tuple[str, int]]] = {}
        self.ends: set[int] = set()

    def run(self) -> None:
        start = self._appended(Place(Unknown()), decide(self.world.first, Unknown()))
        queue = deque([(start, self._number(start))])
        self.way_to[0] = (None, "asked")
        while queue:
            place, here = queue.popleft()
            self.leads_to[here] = []
            if is_final(place.state):
                self.ends.add(here)
            for name, then in self._from(place):
                self.found.steps += 1
                there = self._number(then)
                self.leads_to[here].append((name, there))
                if there not in self.way_to:
                    self.way_to[there] = (here, name)
                    queue.append((then, there))
            if self._number(place) != here:
                self._say(place, "looking", "deciding changed something by itself")
            if len(self.way_to) > self.most:
                self.found.whole = False
                break
        self.found.places, self.found.finals = len(self.way_to), len(self.ends)
        if self.found.whole:
            self._find_the_stuck(frozenset(), "nothing ends it any more")
            self._find_the_stuck(self.world.clocks, "no answer ends it any more")

    def _from(self, place: Place) -> Iterator[tuple[str, Place]]:
        for name, move in self.world.moves.items():
            added = self._decided(place, move)
            if not added:
                continue
            then = self._tried(place, name, place, added)
            if then is not None:
                yield name, then
            if name in self.world.slow and not place.about_to:
                yield (
                    f"{name}: decides",
                    Place(place.state, ended=place.ended, about_to=tuple(added)),
                )
        if place.about_to:
            yield from self._slowly(place)

    def _slowly(self, place: Place) -> Iterator[tuple[str, Place]]:
        free = Place(place.state, ended=place.ended)
        if self.versions and not place.unchanged:
            yield "a conflict: to be decided anew", free
            return
        then = self._tried(place, "appends slowly", free, place.about_to)
        if then is not None:
            yield "appends slowly", then

    def _number(self, place: Place) -> int:
        return self.numbers.setdefault(place.key, len(self.numbers))

    def _decided(self, place: Place, move: Move) -> list[ApprovalEvent]:
        command = move(place.state)
        if command is None:
            return []
        try:
            return decide(command, place.state)
        except Refused:
            return []

    def _tried(
        self, place: Place, name: str, onto: Place, added: Sequence[ApprovalEvent]
    ) -> Place | None:
        try:
            then = self._appended(onto, added)
        except ImpossibleHistory as error:
            self._say(place, name, str(error))
            return None
        if place.ended and not all(
            isinstance(fact, ApprovalCommented | ApprovalAcknowledged) for fact in added
        ):
            self._say(place, name, "something followed the end")
        if sum(isinstance(fact, FinalEvent) for fact in added) + place.ended > 1:
            self._say(place, name, "it ended twice")
        if (isinstance(then.state, Decided) and not place.ended) and not self._agreed(then.state):
            self._say(place, name, "it was approved by too few people")
        return then

    def _agreed(self, state: Decided) -> bool:
        if state.outcome == "rejected" or state.by.email.endswith(".invalid"):
            return True
        people = {vote.by.email for vote in state.votes if vote.outcome == "approved"}
        return len(people) >= self.world.enough

    def _appended(self, place: Place, added: Sequence[ApprovalEvent]) -> Place:
        state, ended = place.state, place.ended
        for fact in added:
            state = evolve(state, fact)
            ended = ended or isinstance(fact, FinalEvent)
        return Place(state, ended=ended, about_to=place.about_to, unchanged=not place.about_to)

    def _find_the_stuck(self, without: frozenset[str], what: str) -> None:
        """Go back from the ends: whoever is not met cannot get there."""
        into: dict[int, list[int]] = {}
        for here, steps in self.leads_to.items():
            for name, then in steps:
                if name not in without:
                    into.setdefault(then, []).append(here)
        met, queue = set(self.ends), deque(self.ends)
        while queue:
            for before in into.get(queue.popleft(), ()):
                if before not in met:
                    met.add(before)
                    queue.append(before)
        for stuck in self.way_to.keys() - met:
            self.found.wrong.append(f"{what}: {self._way(stuck)}")

    def _say(self, place: Place, name: str, what: str) -> None:
        self.found.wrong.append(f"{what}: {self._way(self._number(place))}, {name}")

    def _way(self, place: int) -> str:
        names: list[str] = []
        step: int | None = place
        while step is not None:
            step, name = self.way_to[step]
            names.append(name)
        return ", ".join(reversed(names))
