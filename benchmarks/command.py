"""Measures what Placet is held to, row by row, beside the limits of this machine and its peers.

Needs `make .venv/.bench` once. Starts a Postgres and a broker of its own and ends all that it
started; on a terminal it shows what runs now and how far it is.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks import (
    report,
    row_cards,
    row_growth,
    row_http,
    row_idle,
    row_inbox,
    row_intake,
    row_lives,
    row_projector,
    row_reads,
    row_timers,
    row_waits,
    row_webhooks,
)
from benchmarks.bench import Bench, Row
from benchmarks.measure import Figure
from benchmarks.processes import PLACET, ROOT, Failed
from benchmarks.report import Report
from benchmarks.seeds import sizes
from benchmarks.servers import Servers, servers
from events.store import Unavailable
from services.embedded.errors import LocalServerProblem

ROW_S = 1800.0
"""The most that one row may take, a large store to fill included."""
INTERRUPTED = 130
MISUSED = 2


@dataclass(frozen=True, slots=True)
class _Known:
    """A row by name; `about` is how long it takes by default, in seconds."""

    name: str
    what: str
    measure: Row
    about: int


KNOWN = (
    _Known("http", "1  durable requests over HTTP", row_http.row, 45),
    _Known("intake", "2  durable requests by Kafka", row_intake.row, 90),
    _Known("lives", "3  whole lives of approvals, beside peers", row_lives.row, 150),
    _Known("latency", "4  waits at low load", row_lives.calm_row, 60),
    _Known("reads", "5  queue and list, few and many stored", row_reads.row, 170),
    _Known("projector", "6  catching up by Kafka, rebuilding", row_projector.row, 90),
    _Known("idle", "7  idle `placet up`", row_idle.row, 65),
    _Known("growth", "8  cost an event as the store grows, replicas", row_growth.row, 75),
    _Known("webhooks", "9  outcomes to endpoints of which some hang", row_webhooks.row, 120),
    _Known("waits", "10 open waits, answered when it is decided", row_waits.row, 120),
    _Known("timers", "11 requests while 100,000 timers are due", row_timers.row, 150),
    _Known("cards", "12 a decision until the card on every channel says so", row_cards.row, 120),
    _Known("inbox", "13 the inbox of somebody for whom 10,000 wait", row_inbox.row, 45),
)


def main() -> int:
    """Run the rows that the command line names, and return 1 when one could not be measured."""
    arguments = _arguments(sys.argv[1:])
    say = Console(stderr=True)
    if not PLACET.exists():
        say.print("There is no `placet` beside this Python: run `make .venv/.bench` first.")
        return MISUSED
    try:
        found = asyncio.run(_measured(arguments, say))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say.print("Interrupted; what was started is stopped.")
        return INTERRUPTED
    except LocalServerProblem as problem:
        say.print(f"[red]{problem}[/red]")
        return 1
    if arguments.json:
        sys.stdout.buffer.write(report.as_json(found) + b"\n")
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(report.table(found))
    if arguments.write:
        report.write(found)
        say.print(f"The figures stand in {report.PAGE.relative_to(ROOT)}.")
    return min(1, len(found.failed))


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    rows = "\n".join(f"  {one.name:<10} {one.what}, about {one.about} s" for one in KNOWN)
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        description=__doc__,
        epilog=f"rows:\n{rows}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [one.name for one in KNOWN]
    parser.add_argument(
        "--rows", nargs="+", metavar="NAME", choices=names, default=names, help="only these"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke of each row, 2 minutes")
    parser.add_argument("--json", action="store_true", help="for scripts, each round included")
    parser.add_argument(
        "--write", action="store_true", help="put the figures of all rows into docs/benchmarks.md"
    )
    parser.add_argument("--rounds", type=int, help="of each side (3)")
    parser.add_argument("--seconds", type=float, help="of each round of each side (3)")
    parser.add_argument(
        "--stored",
        type=sizes,
        metavar="N",
        help="approvals in the large store, such as 5M (300k; a million takes about 2 minutes and"
        " 5 GiB)",
    )
    found = parser.parse_args(given)
    if found.write and (found.quick or found.rows != names):
        parser.error("--write wants all rows, and not --quick: the page shows one whole run")
    found.rounds = found.rounds or (1 if found.quick else 3)
    found.seconds = found.seconds or (1.0 if found.quick else 3.0)
    found.stored = found.stored or (20_000 if found.quick else 300_000)
    if found.rounds < 1 or found.seconds <= 0 or found.stored < 20_000:
        parser.error("--rounds is at least 1, --seconds above 0, --stored at least 20000")
    return found


async def _measured(arguments: argparse.Namespace, say: Console) -> Report:
    task = asyncio.current_task()
    if task is not None:
        # As Ctrl-C: end what was started, then go.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    begun, load_before = time.monotonic(), os.getloadavg()[0]
    figures: list[Figure] = []
    failed: list[str] = []
    chosen = [one for one in KNOWN if one.name in arguments.rows]
    with _progress(say, sum(one.about for one in chosen)) as shown:
        async with servers(shown.step) as running:
            bench = _bench(arguments, running, shown)
            for one in chosen:
                try:
                    await running.fresh_topics()
                    await running.checkpoint()
                    async with asyncio.timeout(ROW_S):
                        figures += await one.measure(bench)
                except (Failed, TimeoutError, OSError, Unavailable) as error:
                    failed.append(f"{one.name}: {type(error).__name__}: {error}")
                    say.print(f"{one.name}: {error}", markup=False, style="red")
                shown.done(one.about)
            return Report(
                broker=running.broker,
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                stored=arguments.stored,
                took_s=time.monotonic() - begun,
                load_before=load_before,
                figures=figures,
                failed=failed,
            )


def _bench(arguments: argparse.Namespace, running: Servers, shown: "_Shown") -> Bench:
    return Bench(
        servers=running,
        quick=arguments.quick,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        events=6_000 if arguments.quick else 60_000,
        stored=arguments.stored,
        few=10_000,
        step=shown.step,
    )


class _Shown:
    """Says what runs now: in a bar on a terminal, else line by line."""

    def __init__(self, progress: Progress, task: TaskID, say: Console) -> None:
        self._progress = progress
        self._task = task
        self._say = say
        self._begun = time.monotonic()

    def step(self, what: str) -> None:
        """Say what begins."""
        self._progress.update(self._task, description=what)
        if not self._say.is_terminal:
            self._say.print(f"{time.monotonic() - self._begun:6.0f} s  {what}", highlight=False)

    def done(self, weight: int) -> None:
        """Count a row as done."""
        self._progress.advance(self._task, weight)


@contextlib.contextmanager
def _progress(say: Console, total: int) -> Iterator[_Shown]:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        console=say,
        disable=not say.is_terminal,
    )
    with progress:
        yield _Shown(progress, progress.add_task("starting", total=total), say)
