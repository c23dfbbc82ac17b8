"""`placet up` as the process that a person starts, in a folder and on ports of its own."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import psutil
import pytest

from services.embedded.ports import HOST, free_port

ROOT = Path(__file__).resolve().parents[2]
PLACET = (sys.executable, "-c", "from services.cli import main; main()")
"""As the installed command, with the packages of this checkout."""
READY_S = 60.0
END_S = 60.0
LOOK_EVERY_S = 0.05
_BROKER = re.compile(r"tcp://(127\.0\.0\.1:\d+)")


def environment(**settings: str) -> dict[str, str]:
    """What a person's shell has, with these settings and no others of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **settings}


class Up:
    """One start of `placet up`; `below` are the processes that it started."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = int(settings.get("PLACET_PORT") or free_port())
        self.demo_port = int(settings.get("PLACET_DEMO_PORT") or free_port())
        self.url = f"http://{HOST}:{self.port}"
        self.demo_url = f"http://{HOST}:{self.demo_port}"
        self.below: list[psutil.Process] = []
        data.mkdir(parents=True, exist_ok=True)
        self._said = data.with_name(f"{data.name}.said")
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*PLACET, "up"],
                cwd=ROOT,
                env=environment(
                    PLACET_DATA_DIR=str(data),
                    PLACET_PORT=str(self.port),
                    PLACET_DEMO_PORT=str(self.demo_port),
                    **{
                        name: value
                        for name, value in settings.items()
                        if name not in {"PLACET_PORT", "PLACET_DEMO_PORT"}
                    },
                ),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self._said.read_text(errors="replace")

    @property
    def key(self) -> str:
        """The key that it printed."""
        found = re.search(r"^ +Key +(\S+)$", self.said, re.MULTILINE)
        assert found is not None, self.said
        return found[1]

    async def says(self, words: str, within: float = READY_S) -> None:
        """Wait until it has printed something; fails when it ends before."""
        try:
            async with asyncio.timeout(within):
                while words not in self.said:
                    ended = self.process.poll()
                    if ended is not None and words not in self.said:
                        raise AssertionError(f"it ended with {ended}:\n{self.said}")
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"it never said {words!r}:\n{self.said}") from None

    async def ready(self) -> Self:
        """Wait until it says so, and remember what it started."""
        await self.says("Ctrl-C stops everything.")
        assert "Placet is ready." in self.said, self.said
        self.below = psutil.Process(self.process.pid).children(recursive=True)
        return self

    @property
    def dsn(self) -> str:
        """Where its Postgres is now, as the superuser."""
        folder = self.data / "postgres"
        port = (folder / "data" / "postmaster.pid").read_text().splitlines()[3]
        password = (folder / "password").read_text().strip()
        return f"postgresql://placet:{password}@{HOST}:{port}/placet?sslmode=disable"

    @property
    def bootstrap(self) -> str:
        """Where its broker is now."""
        for one in self.below:
            with contextlib.suppress(psutil.Error):
                found = _BROKER.search(" ".join(one.cmdline()))
                if found is not None:
                    return found[1]
        raise AssertionError(f"no broker runs\n{self.said}")

    async def kill(self) -> None:
        """SIGKILL it and all below it at once, and see that nothing is left."""
        parent = psutil.Process(self.process.pid)
        self.below = parent.children(recursive=True)
        for one in (parent, *self.below):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        await self.ended()
        assert await self.left() == []

    async def ended(self, within: float = END_S) -> int:
        """Its exit code, once it ended."""
        try:
            return await asyncio.to_thread(self.process.wait, within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended after {within:g} s:\n{self.said}") from None

    async def stop(self, by: signal.Signals) -> int:
        """Send it a signal; its exit code."""
        self.process.send_signal(by)
        return await self.ended()

    async def left(self, within: float = 5.0) -> list[str]:
        """Which of the processes below it still live after a moment; a zombie has ended."""
        _, alive = await asyncio.to_thread(psutil.wait_procs, self.below, within)
        return [str(one) for one in alive if one.status() != psutil.STATUS_ZOMBIE]

    def server(self, program: str) -> psutil.Process:
        """The main process of what it started, told by its command line."""
        mine = psutil.Process(self.process.pid).children()
        [found] = [one for one in mine if any(program in part for part in one.cmdline()[:2])]
        return found

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask it with its key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30) as client:
            return await client.request(method, path, **more)

    async def ask(self, approver: str) -> str:
        """Ask for an approval; its id."""
        body = {"type": "deploy", "title": "Deploy 1.2", "approvers": [approver]}
        answer = await self.call("POST", "/v1/approvals", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def waiting(self, approver: str, within: float = 30.0) -> list[str]:
        """The ids of what waits for somebody, once something does."""
        try:
            async with asyncio.timeout(within):
                while True:
                    answer = await self.call("GET", "/v1/queue", params={"approver": approver})
                    assert answer.status_code == 200, answer.text
                    found = [one["id"] for one in answer.json()["data"]]
                    if found:
                        return found
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"nothing waits for {approver}:\n{self.said}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, however the test ended."""
        if isinstance(error, Exception):
            error.add_note(self.said)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                await asyncio.to_thread(self.process.wait, END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                await asyncio.to_thread(self.process.wait, END_S)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own in a folder, as small as `size`; skips where none may be mounted."""
    folder.mkdir()
    order = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(order, capture_output=True, check=False, timeout=10)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/env", "umount", str(folder)], check=True, timeout=30)
