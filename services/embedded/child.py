"""A server process that lives no longer than we do: started, watched and stopped, with its log.

On Linux the kernel signals the child when the *thread* that started it ends, however it ends; so
start children from an event loop that runs in the main thread. Elsewhere a child may outlive a
`kill -9` of its parent, until the next start ends it (see `leftovers`).
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from services.embedded.errors import ChildDied, NotReady
from services.embedded.launcher import HELD_DIRECTORY
from services.embedded.unprivileged import RunAs

LOG_LIMIT = 10 * 1024 * 1024
LAST_LINES = 12
_TAIL_BYTES = 8192
_READY_EVERY = 0.02
_KILL_PATIENCE = 10.0
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

HELD = Path(f"/proc/self/fd/{HELD_DIRECTORY}")
"""Where a child finds the directory of `Command.hold`, whatever lies above it."""

StopSteps = tuple[tuple[signal.Signals, float], ...]
"""Signals to send in turn, each with the seconds to wait for the end before the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start and how to end it.

    `argv[0]` is an absolute path. The environment is almost empty, so that a person's PG*, JAVA_*
    or other variables do not change our servers; `env` adds to it. `user`: whom to run as, None for
    ourselves. `hold`: a directory to pass on as `HELD`. `death_signal`: what the kernel sends when
    we die.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: RunAs | None = None
    hold: Path | None = None
    death_signal: signal.Signals = signal.SIGKILL
    stop_with: StopSteps = ((signal.SIGTERM, 10.0),)


class Child:
    """A running child process.

    `died` becomes done, with a ChildDied as its result, when the process ends unasked. It stays
    pending when `stop` or `kill` ended it.
    """

    def __init__(self, command: Command, process: Process, log_start: int) -> None:
        self.died: asyncio.Future[ChildDied] = asyncio.get_running_loop().create_future()
        self._command = command
        self._process = process
        self._log_start = log_start
        self._asked = False
        self._watch = asyncio.create_task(self._watch_end())

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Start the process; it is not ready yet. Raises OSError when its log cannot be opened."""
        log, log_start = _open_log(command.log)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(Path(__file__).with_name("launcher.py")),
                _order(command),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                cwd="/",  # Tansu reads `.env` in its folder and all above: a person's is not for it
                env=_environment(command.env),
            )
        finally:
            os.close(log)
        return cls(command, process, log_start)

    @property
    def pid(self) -> int:
        """The process id, also after the end."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return not self._watch.done()

    async def wait_until_ready(
        self,
        ready: Callable[[], Awaitable[bool]],
        *,
        timeout: float,
    ) -> None:
        """Ask `ready` until it says yes; at most `timeout` seconds.

        Raises ChildDied as soon as the process ends, NotReady when the time is over.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await ready():
                    await asyncio.wait({self.died}, timeout=_READY_EVERY)
                    if self.died.done():
                        raise self.died.result()
        except TimeoutError:
            said = "".join(f"\n  {line}" for line in self.last_lines())
            raise NotReady(
                f"{self._command.name} was not ready after {timeout:g} s. "
                f"Its log {self._command.log} ends with:{said}",
            ) from None

    async def wait(self, *, timeout: float) -> int:
        """Exit code of a program that ends by itself.

        Ends it and raises NotReady where that takes more than `timeout` seconds.
        """
        self._asked = True
        if not await self._ended_within(timeout):
            await self.kill()
            raise NotReady(
                f"{self._command.name} did not finish within {timeout:g} s; "
                f"see its log {self._command.log}.",
            )
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process by its command's steps, at last by SIGKILL; harmless after its end.

        When cancelled, it kills at once.
        """
        self._asked = True
        try:
            for number, patience in self._command.stop_with:
                self._send(number)
                if await self._ended_within(patience):
                    return
        except asyncio.CancelledError:
            self._send(signal.SIGKILL)
            raise
        await self.kill()

    async def kill(self) -> None:
        """End the process at once by SIGKILL; harmless after its end."""
        self._asked = True
        self._send(signal.SIGKILL)
        await self._ended_within(_KILL_PATIENCE)

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that this process, and none before it, wrote to its log."""
        try:
            with self._command.log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, end - _TAIL_BYTES))
                text = log.read(_TAIL_BYTES).decode(errors="replace")
        except OSError:
            return ()
        return tuple(text.splitlines()[-LAST_LINES:])

    async def _watch_end(self) -> None:
        code = await self._process.wait()
        if not self._asked and not self.died.done():
            self.died.set_result(
                ChildDied(self._command.name, code, self._command.log, self.last_lines()),
            )

    async def _ended_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait({self._watch}, timeout=seconds)
        return bool(done)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


def _order(command: Command) -> str:
    return json.dumps(
        {
            "parent": os.getpid(),
            "argv": command.argv,
            "user": None if command.user is None else [command.user.uid, command.user.gid],
            "hold": None if command.hold is None else str(command.hold),
            "death_signal": int(command.death_signal),
        },
    )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "LC_ALL": "C", "TZ": "UTC", **more}


def _open_log(path: Path) -> tuple[int, int]:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_name(f"{path.name}.1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    log = os.open(path, flags, 0o600)
    return log, os.fstat(log).st_size
