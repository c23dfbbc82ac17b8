"""Sentences about the core: `given(facts).when(command).then(facts)`."""

from dataclasses import dataclass

from events.approval import ApprovalEvent
from events.commands import Command
from events.decider import RefusalCode, Refused, decide
from events.state import State, fold


@dataclass(frozen=True, slots=True)
class Given:
    """What has happened to an approval so far."""

    facts: tuple[ApprovalEvent, ...]

    @property
    def state(self) -> State:
        """What the facts add up to."""
        return fold(self.facts)

    def when(self, command: Command) -> "Answered":
        """Carry out a command; a refusal is kept for `then_refused`."""
        try:
            return Answered(self.facts, tuple(decide(command, self.state)), None)
        except Refused as refused:
            return Answered(self.facts, (), refused)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the core answered to a command."""

    before: tuple[ApprovalEvent, ...]
    added: tuple[ApprovalEvent, ...]
    refused: Refused | None

    def then(self, *facts: ApprovalEvent) -> Given:
        """Hold the answer to these facts, and go on from them."""
        assert self.refused is None, f"refused: {self.refused}"
        assert facts, "say then_nothing() where nothing is expected"
        assert self.added == facts
        return Given((*self.before, *self.added))

    def then_nothing(self) -> Given:
        """Hold the answer to no fact at all, and no refusal."""
        assert self.refused is None, f"refused: {self.refused}"
        assert self.added == ()
        return Given(self.before)

    def then_refused(self, code: RefusalCode, *, saying: str = "") -> None:
        """Hold the answer to a refusal whose message holds a text."""
        assert self.refused is not None, f"not refused, but {self.added}"
        assert self.refused.code == code
        assert saying in str(self.refused)


def given(*facts: ApprovalEvent) -> Given:
    """Begin a sentence with what has happened; nothing at all is a beginning too."""
    return Given(facts)
