"""Ends servers that an earlier run left behind, told by a tag in their command lines."""

import asyncio
import contextlib
import hashlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.embedded.child import StopSteps
from services.embedded.errors import LeftoverAlive

_LOOK_EVERY = 0.05
_KILL_STEP = (signal.SIGKILL, 5.0)


def tag_of(directory: Path) -> str:
    """A short name for this directory, for a server's command line.

    Unlike a recorded process id it cannot come to mean another process.
    """
    return f"placet-{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How to recognise a server: `program` begins its process name; `tag` is in its command line.

    `mark` is the whole argument with the tag that only its main process has.
    """

    program: str
    tag: str
    mark: str


async def end_leftovers(trace: Trace, stop_with: StopSteps) -> int:
    """End what matches: main processes by the steps, then whatever is left by SIGKILL.

    Returns how many there were. Raises LeftoverAlive when some survive.
    """
    found = await asyncio.to_thread(_matching, trace)
    count = len(found)
    for number, patience in (*stop_with, _KILL_STEP):
        for process in _targets(found, trace, number):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.send_signal(number)
        found = await _left_after(patience, trace, found)
        if not found:
            return count
    pids = ", ".join(str(process.pid) for process in found)
    raise LeftoverAlive(
        f"An earlier {trace.program} still runs (process {pids}) and could not be ended. "
        "End it by hand, then start again.",
    )


async def _left_after(
    patience: float,
    trace: Trace,
    found: list[psutil.Process],
) -> list[psutil.Process]:
    end = time.monotonic() + patience
    while found and time.monotonic() < end:
        await asyncio.sleep(_LOOK_EVERY)
        found = await asyncio.to_thread(_matching, trace)
    return found


def _matching(trace: Trace) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter()
        if any(trace.tag in argument for argument in _command_line(process, trace.program))
    ]


def _targets(
    found: list[psutil.Process],
    trace: Trace,
    number: signal.Signals,
) -> Iterator[psutil.Process]:
    pids = {process.pid for process in found}
    for process in found:
        # A main process ends its own helpers; to them the same signal can mean something else.
        if number is signal.SIGKILL or (
            trace.mark in _command_line(process, trace.program) and _parent(process) not in pids
        ):
            yield process


def _command_line(process: psutil.Process, program: str) -> list[str]:
    try:
        return process.cmdline() if process.name().startswith(program) else []
    except psutil.Error:
        return []  # it has ended, or belongs to someone else


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0
