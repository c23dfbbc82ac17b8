"""Plots as plain geometry, to be drawn as SVG without script; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 4, 10, 26
TICKS = 4
_ENDS = (4, 8, 12, 16, 20, 28)


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a column: `series` says by which colour and pattern it is drawn."""

    x: float
    y: float
    width: float
    height: float
    series: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at an axis, with its words."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns over a common ground; `rows` and `marks` are the ticks of the two axes."""

    bars: tuple[Bar, ...]
    rows: tuple[Tick, ...]
    marks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    ground: int = HEIGHT - BOTTOM


def columns(
    labels: Sequence[str], stacks: Sequence[Sequence[int]], series: Sequence[str], marks: int
) -> Columns:
    """Return one column for each label, made of parts that stand upon one another.

    At most `marks` of the labels are written, so that they do not run into each other.
    """
    top = nice(max((sum(stack) for stack in stacks), default=0))
    ground = HEIGHT - BOTTOM
    step = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    width = min(step * 0.78, 48)
    bars = []
    for place, stack in enumerate(stacks):
        x, y = LEFT + place * step + (step - width) / 2, float(ground)
        for value, name in zip(stack, series, strict=True):
            height = value / top * (ground - TOP)
            y -= height
            if value:
                bars.append(Bar(_r(x), _r(y), _r(width), _r(height), name))
    every = math.ceil(len(labels) / marks) if labels else 1
    return Columns(
        bars=tuple(bars),
        rows=tuple(
            Tick(_r(ground - part / TICKS * (ground - TOP)), f"{top * part // TICKS:,}")
            for part in range(TICKS + 1)
        ),
        marks=tuple(
            Tick(_r(LEFT + place * step + step / 2), label)
            for place, label in enumerate(labels)
            if place % every == 0
        ),
    )


def nice(most: int) -> int:
    """Return the end of an axis: at least `most`, round, and divided by the ticks."""
    power = 1
    while True:
        for factor in _ENDS:
            if factor * power >= most:
                return factor * power
        power *= 10


@dataclass(frozen=True, slots=True)
class Range:
    """A line from the median to the ninth tenth, in percent of the common width."""

    name: str
    count: int
    median: float
    p90: float
    median_s: float
    p90_s: float


def ranges(found: Sequence[tuple[str, int, float, float]]) -> list[Range]:
    """Return name, count, median and ninth tenth on one scale, which is that of magnitudes."""
    most = max((p90 for _, _, _, p90 in found), default=1.0)
    least = min((median for _, _, median, _ in found), default=1.0)

    def place(seconds: float) -> float:
        low, high = math.log(max(least, 1.0) / 1.5), math.log(max(most, 2.0) * 1.2)
        return _r(100 * (math.log(max(seconds, 1.0)) - low) / (high - low))

    return [
        Range(name, count, place(median), place(p90), median, p90)
        for name, count, median, p90 in found
    ]


def _r(value: float) -> float:
    return round(value, 1)
