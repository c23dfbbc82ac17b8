"""The command that wakes a program at each resolution of what its key asked for."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import asyncio
import re
import shutil
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.client import Failed, address, authorization
from services.cli.console import FAILED, MISUSED, REFUSED, err, fail

if TYPE_CHECKING:
    from services.cli.programs import Runs

PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def wake(
    cmd: Annotated[
        list[str],
        typer.Argument(help="The program and its arguments, after --; no shell reads it."),
    ],
    *,
    prefix: Annotated[
        str | None,
        typer.Option(help="Set the variables under this prefix as well, such as AIMETIER_."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Handle what is there, and end: 1 if CMD kept failing.")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="How many run at a time.")] = 1,
    attempts: Annotated[
        int, typer.Option(min=1, max=100, help="How often a failing CMD is run.")
    ] = 5,
    time_limit: Annotated[
        float, typer.Option(min=1, help="Seconds after which a CMD is stopped, and has failed.")
    ] = 3600,
) -> None:
    """Run CMD at each resolution of what this key's principal asked for.

    CMD finds PLACET_APPROVAL_ID, PLACET_APPROVAL_STATUS (approved, rejected, withdrawn or
    expired), PLACET_APPROVAL_CAUSE (of a withdrawal, such as superseded), PLACET_APPROVAL_TYPE,
    PLACET_APPROVAL_OUTCOME_REASON and PLACET_LINKED_ISSUE_IDS (with commas) in its environment.

    A resolution is acknowledged when CMD ends with 0, and no wake-up is lost: what happened while
    this was not running, and what CMD failed at, comes at the next start. CMD may run twice for
    one approval if this is killed in between.
    """
    if prefix is not None and not PREFIX.fullmatch(prefix):
        fail(f"--prefix {prefix}: a variable's name cannot begin like that.", MISUSED)
    if shutil.which(cmd[0]) is None:
        fail(f"{cmd[0]}: there is no such program.", MISUSED)
    from services.cli.programs import Runs

    runs = Runs(
        command=cmd,
        prefixes=("PLACET_", *([prefix] if prefix else [])),
        concurrency=concurrency,
        attempts=attempts,
        time_limit_s=time_limit,
    )
    try:
        unfinished = asyncio.run(_wake(runs, once=once))
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except Failed as error:
        fail(str(error), error.code)
    if unfinished:
        raise SystemExit(FAILED)


async def _wake(runs: "Runs", *, once: bool) -> int:
    """Wake until told to stop, or once; return how many resolutions were not finished."""
    import httpx2

    from services.cli.wakeups import Wakeups

    async with httpx2.AsyncClient(base_url=address(), headers=authorization(), timeout=30) as http:
        wakeups = Wakeups(http, runs, say=lambda line: err.print(line, soft_wrap=True))
        me = await wakeups.whose()
        if not {"approvals:request", "admin"} & set(me["scopes"]):
            fail(f"This key of {me['principal']} lacks the scope approvals:request.", REFUSED)
        waking = asyncio.create_task(wakeups.once() if once else wakeups.for_ever())
        stopped = asyncio.Event()

        def stop() -> None:
            stopped.set()
            waking.cancel()

        with suppress(RuntimeError, ValueError, NotImplementedError):  # not in the main thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        try:
            await waking
        except asyncio.CancelledError:
            if not stopped.is_set():
                raise
        return wakeups.unfinished
