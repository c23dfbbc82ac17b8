"""Runs a program that is told of a resolution by its environment, and ends it with us."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from services.cli.client import Failed

FIRST_PAUSE_S = 1.0
ENDS_WITHIN_S = 10.0
"""What a program that is told to end is given, before it is killed."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What is run for a resolution, and how."""

    command: Sequence[str]
    prefixes: Sequence[str] = ("PLACET_",)
    concurrency: int = 1
    attempts: int = 5
    time_limit_s: float = 3600.0
    first_pause_s: float = FIRST_PAUSE_S


def environment(approval: Mapping[str, Any], prefixes: Sequence[str]) -> dict[str, str]:
    """Return what a program is told about a resolution, under each prefix."""
    reason = approval["decision_reason"] or approval["withdrawn_reason"]
    links = approval["links"]
    told = {
        "APPROVAL_ID": approval["id"],
        "APPROVAL_STATUS": approval["status"],
        "APPROVAL_CAUSE": approval.get("withdrawn_cause"),
        "APPROVAL_TYPE": approval["type"],
        "APPROVAL_OUTCOME_REASON": reason,
        "LINKED_ISSUE_IDS": ",".join(one["id"] for one in links if one["kind"] == "issue"),
    }
    return {
        # No variable can hold a zero.
        f"{prefix}{name}": str(value or "").replace("\0", "")
        for prefix in prefixes
        for name, value in told.items()
    }


async def ended(runs: Runs, told: Mapping[str, str]) -> int:
    """Run the program and return how it ended; it ends when this is cancelled.

    Raises `Failed` when it cannot be run, or not within its time.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *runs.command,
            env={**os.environ, **told},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(f"{runs.command[0]} cannot be run: {error.strerror}", 126) from error
    try:
        return await asyncio.wait_for(process.wait(), runs.time_limit_s)
    except TimeoutError:
        raise Failed(f"{runs.command[0]} was stopped after {runs.time_limit_s:g} s", 124) from None
    finally:
        if process.returncode is None:
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End a program and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
            return
