"""Shows what was measured: a table for people, JSON for scripts, a block of the page."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from benchmarks.measure import Figure, Side
from benchmarks.processes import ROOT
from services.embedded.installation import major_version

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- figures: `make bench` with --write puts them here -->"
END = "<!-- end of figures -->"
HEADINGS = ("Row", "What", "Placet", "Beside it", "Ratio", "Held to", "")
VERDICT = {True: "yes", False: "no", None: ""}
GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run: where, how, what came of it, and which rows failed, with their reasons.

    `load_before` is what others did on the machine as it began: above 0.5, think twice.
    """

    broker: str
    rounds: int
    seconds: float
    stored: int
    took_s: float
    load_before: float
    figures: Sequence[Figure]
    failed: Sequence[str]

    @property
    def conditions(self) -> str:
        """Where and how it was measured, in a sentence or two."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
        return (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, {memory:.0f} GiB, "
            f"Python {platform.python_version()}, PostgreSQL {major_version()}, {self.broker}. "
            f"{self.rounds} rounds of {self.seconds:g} s a side; {self.stored:,} approvals in the "
            f"large store; {self.took_s / 60:.0f} minutes in all. "
            f"Load average of the machine before: {self.load_before:.1f}."
        )


def table(report: Report) -> Table:
    """Return the table for a terminal."""
    shown = Table(title="Placet, beside the limits of this machine and its peers")
    shown.caption = report.conditions
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading in {"What", "Beside it"} else "right")
    for figure, cells in zip(report.figures, _lines(report.figures), strict=True):
        style = {True: "green", False: "red", None: "dim"}[figure.holds]
        shown.add_row(*(escape(cell) for cell in cells[:-1]), f"[{style}]{cells[-1]}[/{style}]")
    return shown


def as_json(report: Report) -> bytes:
    """Return everything, each round of each side included."""
    figures = [
        msgspec.to_builtins(figure)
        | {"ratio": msgspec.to_builtins(figure.ratio), "holds": figure.holds}
        for figure in report.figures
    ]
    body: dict[str, Any] = {
        "conditions": report.conditions,
        "took_s": report.took_s,
        "failed": list(report.failed),
        "figures": figures,
    }
    return msgspec.json.format(msgspec.json.encode(body))


def write(report: Report, page: Path = PAGE) -> None:
    """Put the figures into the page, between its marks; raises ValueError where it has none."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks the marks between which the figures stand")
    page.write_text(f"{before}{BEGIN}\n\n{_markdown(report)}\n{END}{after}", "utf-8")


def _markdown(report: Report) -> str:
    rows = [(*HEADINGS[:-1], "Holds"), tuple("---" for _ in HEADINGS), *_lines(report.figures)]
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    # The last line alone says what happened; the lines above it name files of this machine.
    failed = [
        f"- Not measured: {reason.partition(':')[0]}: {reason.strip().splitlines()[-1]}"
        for reason in report.failed
    ]
    return "\n".join([f"Measured {report.conditions}", "", *lines, "", *failed])


def _lines(figures: Sequence[Figure]) -> Iterator[tuple[str, ...]]:
    for figure in figures:
        ratio = figure.ratio
        sign = "≥" if figure.direction == "at least" else "≤"
        bound = ""
        if figure.held_to is not None:
            bound = f"{sign} {_number(figure.held_to)}{' x' if ratio else ''}"
        yield (
            str(figure.row),
            f"{figure.what} ({figure.note})" if figure.note else figure.what,
            f"{_side(figure.ours)} {figure.unit}",
            f"{_side(figure.other)} {figure.unit}: {figure.other.name}" if figure.other else "",
            f"{ratio.median:.2f} x ({ratio.least:.2f} to {ratio.most:.2f})" if ratio else "",
            bound,
            VERDICT[figure.holds],
        )


def _side(side: Side) -> str:
    if len(side.rounds) == 1:
        return _number(side.median)
    return f"{_number(side.median)} ({_number(min(side.rounds))} to {_number(max(side.rounds))})"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
