"""Runs `placet` as a person or a script does, and takes down what it says."""

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from services.cli import console
from services.cli.commands import app
from tests.cli.placet_up import PLACET, ROOT, environment

TIMEOUT_S = 60.0
WIDTH = 200
_one_at_a_time = asyncio.Lock()


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for a script."""
        return json.loads(self.out)


async def placet(*arguments: str, given: str = "", **settings: str) -> Said:
    """Run one command with exactly these settings, in a thread beside what it speaks to.

    One at a time, because the streams and the environment are the whole process's.
    """
    cleared: dict[str, str | None] = dict.fromkeys(
        name for name in os.environ if name.startswith("PLACET_")
    )
    async with _one_at_a_time:
        # For tables are as wide as the terminal, and a test has none.
        console.out.width = console.err.width = WIDTH
        ended = await asyncio.to_thread(
            CliRunner().invoke, app, arguments, input=given, env={**cleared, **settings}
        )
    if not isinstance(ended.exception, SystemExit | None):
        raise ended.exception
    return Said(ended.exit_code, ended.stdout, ended.stderr)


async def placet_apart(*arguments: str, **settings: str) -> Said:
    """Run one command as a process of its own, as `run` needs for its signals."""
    done = await asyncio.to_thread(
        subprocess.run,
        [*PLACET, *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    said = Said(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in said.err, said.err
    return said
