"""A process that runs both servers, as `placet up` does, for tests that end it."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("parent_program.py")


@dataclass(frozen=True)
class Parent:
    """The running process, and what it told: the `pids` of its servers, and the `dsn`."""

    process: subprocess.Popen[bytes]
    facts: dict[str, Any]

    @classmethod
    def start(cls, folder: Path, loop: str = "asyncio") -> Self:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), loop],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            cwd=ROOT,
            process_group=0,
        )
        assert process.stdout is not None
        with process.stdout as output:
            line = output.readline()
        if not line:
            process.wait(30)
        assert line, "the parent ended before its servers were ready"
        return cls(process, json.loads(line))

    def everything_below(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


async def gone(processes: list[psutil.Process], *, within: float = 5.0) -> bool:
    """Whether all end within some seconds; a zombie has ended."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, within)
    return not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
