"""Medians of rounds, and the ratio of two sides that took turns."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Side:
    """What one side did in each round, in one unit."""

    name: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.rounds)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of the medians, and the least and greatest ratio of a single round."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table: ours, alone or beside another, and what it is held to.

    `held_to` is a bound on the ratio where there is an `other`, else on our own median. Without
    one the line is for orientation.
    """

    row: int
    what: str
    unit: str
    ours: Side
    other: Side | None = None
    held_to: float | None = None
    direction: Direction = "at least"
    note: str = ""
    more: dict[str, float | str] = field(default_factory=dict)

    @property
    def ratio(self) -> Ratio | None:
        """Ours over the other's; None where there is no other."""
        if self.other is None or not self.other.median:
            return None
        pairs = [
            ours / theirs
            for ours, theirs in zip(self.ours.rounds, self.other.rounds, strict=False)
            if theirs
        ]
        return Ratio(self.ours.median / self.other.median, min(pairs), max(pairs))

    @property
    def holds(self) -> bool | None:
        """Whether it is as it should be; None for a line that is held to nothing."""
        if self.held_to is None:
            return None
        ratio = self.ratio
        figure = ratio.median if ratio else self.ours.median
        return figure >= self.held_to if self.direction == "at least" else figure <= self.held_to


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which the share `q` of all values lies; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
