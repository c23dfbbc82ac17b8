"""`placet up` as a person runs it, with all that it starts, for tests that kill all of it."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import psutil

from services.embedded.ports import HOST, free_port
from tests.faults.processes import KEY, PLACET

READY_S = 90.0
GONE_S = 20.0
LOOK_EVERY_S = 0.1
_BROKER = re.compile(r"tcp://(127\.0\.0\.1:\d+)")


class Up:
    """One data folder, and the process that works on it; used as `async with`."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.port, self.demo_port = free_port(), free_port()
        self.url, self.demo_url = f"http://{HOST}:{self.port}", f"http://{HOST}:{self.demo_port}"
        self._data = folder / "data"
        self._log = folder / "up.log"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PLACET_")},
            "PLACET_DATA_DIR": str(self._data),
            "PLACET_PORT": str(self.port),
            "PLACET_DEMO_PORT": str(self.demo_port),
            "PLACET_BOOTSTRAP_KEY": KEY,
            "PLACET_RECONCILE_S": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """Where its Postgres is now, as the superuser."""
        running = (self._data / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        password = (self._data / "postgres" / "password").read_text().strip()
        return f"postgresql://placet:{password}@{HOST}:{running[3]}/placet?sslmode=disable"

    @property
    def bootstrap(self) -> str:
        """Where its broker is now."""
        for one in self.tree():
            with contextlib.suppress(psutil.Error):
                found = _BROKER.search(" ".join(one.cmdline()))
                if found is not None:
                    return found[1]
        raise AssertionError(f"no broker runs\n{self.said()}")

    def tree(self) -> list[psutil.Process]:
        """Return the process and all below it, those that ended left out."""
        assert self._process is not None, "it was never started"
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(PLACET), "up"],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    async def ready(self) -> None:
        """Wait until it can do its work."""
        assert self._process is not None, "it was never started"
        async with asyncio.timeout(READY_S), httpx2.AsyncClient() as client:
            while True:
                assert self._process.poll() is None, f"it ended\n{self.said()}"
                with contextlib.suppress(httpx2.HTTPError):
                    if (await client.get(f"{self.url}/readyz", timeout=5)).status_code == 200:
                        return
                await asyncio.sleep(LOOK_EVERY_S)

    async def kill(self) -> None:
        """SIGKILL everything at once, and see that nothing is left."""
        tree = self.tree()
        for one in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        assert self._process is not None
        await asyncio.to_thread(self._process.wait, GONE_S)
        _, alive = await asyncio.to_thread(psutil.wait_procs, tree, GONE_S)
        left = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        assert not left, f"still running: {left}"

    async def stop(self) -> int:
        """Ctrl-C, and return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return await asyncio.to_thread(self._process.wait, GONE_S)

    def said(self) -> str:
        """Return the end of what it told."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.ready()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            error.add_note(self.said())
        if self._process is not None and self._process.poll() is None:
            await self.kill()
