"""The policy that an ask is held to, as it stood when it was chosen: its steps and its clocks."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from events.approval.nouns import Assurance, Person

Rule = Literal["any", "all", "count", "percent", "each"]
"""Any one; all; a number of people; a share of them; one from each group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """When a clock runs: on `days` (0 is Monday) from minute `opens` to minute `closes` of the day.

    `time_zone` is a name of the tz database.
    """

    time_zone: str
    days: tuple[int, ...]
    opens: int
    closes: int
    holidays: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One place at a step: the answer of `person`, or of `held_by` for them, counts once.

    `groups` are those that the person sits there for. `time_zone` is that of whoever is asked, and
    `since` when they were, if that was after the step began.
    """

    person: Person
    groups: tuple[str, ...] = ()
    held_by: Person | None = None
    time_zone: str | None = None
    since: datetime | None = None

    @property
    def holder(self) -> Person:
        """Who is asked."""
        return self.held_by or self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who must agree before the next step begins.

    `needed` people must approve, whatever rule it came from; `deny` rejections reject. With the
    rule `each`, one of the people who approve must sit there for each of `groups`.
    """

    name: str
    rule: Rule
    needed: int
    deny: int
    seats: tuple[Seat, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """When whoever has not answered is reminded, in seconds of working hours, and how often."""

    after_s: float
    every_s: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Whom a step is taken to as well when `after_s` seconds brought no end: as the policy said."""

    after_s: float
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPolicy:
    """Who must say yes to one ask, and by when.

    `because` tells why this policy was chosen, `warnings` what went wrong on the way. `hours` are
    when its clocks run; None: always. `fallback_policy` takes over when the time is over, if the
    ask says so. `assurance` is how well it must be known who answers, at the least.
    """

    name: str
    version: int
    steps: tuple[Step, ...]
    because: str = ""
    self_approval: bool = False
    reminders: Reminders | None = None
    ladder: tuple[Rung, ...] = ()
    hours: WorkingHours | None = None
    fallback_policy: str | None = None
    warnings: tuple[str, ...] = ()
    assurance: Assurance | None = None
