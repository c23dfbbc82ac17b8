"""Runs services as the processes that they are in production, so that they can be killed.

Each service has a process, a port and a log of its own. The kernel ends them with the test run,
however that ends.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from services.embedded.child import Child, Command
from services.embedded.ports import HOST, free_port

KEY = "plk_faults_000000000000000000000000000000"
"""The bootstrap key of every deployment: any text will do."""
PLACET = Path(sys.executable).with_name("placet")
READY_S = 25.0
LOOK_EVERY_S = 0.1


class Service:
    """One process of `placet run`; it keeps its port and its settings through every start."""

    def __init__(
        self, name: str, environ: Mapping[str, str], folder: Path, program: Sequence[str] = ()
    ) -> None:
        self.name = name
        kind = name.partition("-")[0]  # "publisher-2" is a second publisher
        self._program = tuple(program) or (str(PLACET), "run", kind)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._log = folder / f"{name}.log"
        self._environ = {**environ, "PLACET_PORT": str(self.port)}
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._started().pid

    @property
    def said(self) -> str:
        """Its whole log, of every start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def start(self) -> Self:
        """Start the process; it is not ready yet."""
        self._child = await Child.start(
            Command(
                name=self.name,
                argv=(sys.executable, *self._program),
                log=self._log,
                env=self._environ,
            )
        )
        return self

    async def ready(self, timeout: float = READY_S) -> None:
        """Wait until it says that it can do its work; raises `AssertionError` with why not."""
        why = "it never answered"
        try:
            async with asyncio.timeout(timeout), httpx2.AsyncClient() as client:
                while True:
                    try:
                        answer = await client.get(f"{self.url}/readyz", timeout=5)
                    except httpx2.HTTPError as error:
                        why = f"{type(error).__name__}: {error}"
                    else:
                        if answer.status_code == 200:
                            return
                        why = answer.text
                    if not self._started().is_running:
                        raise AssertionError(f"{self.name} ended.\n{self.tail()}")
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(
                f"{self.name} is not ready after {timeout:g} s: {why}\n{self.tail()}"
            ) from None

    async def kill(self) -> None:
        """SIGKILL, now."""
        await self._started().kill()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        if self._child is not None:
            await self._child.stop()

    async def restart(self) -> None:
        """End it if it runs, and start it again; see `ready`."""
        await self.stop()
        await self.start()

    def tail(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.said.splitlines()[-15:])

    def _started(self) -> Child:
        assert self._child is not None, f"{self.name} was never started"
        return self._child


class Deployment:
    """Services on one Postgres and one Kafka, used as `async with`: ready inside, ended after.

    `programs` are what to run instead of `placet run`, by the service's name. What a test raises is
    told together with the end of each log.
    """

    def __init__(
        self,
        names: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        programs: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        others = programs or {}
        self._services = {
            name: Service(name, environ, folder, others.get(name, ())) for name in names
        }

    def __getitem__(self, name: str) -> Service:
        return self._services[name]

    async def ready(self) -> None:
        """Wait until every service can do its work."""
        await asyncio.gather(*(service.ready() for service in self._services.values()))

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(service.start() for service in self._services.values()))
            await self.ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            error.add_note(self.logs())
        await self._stop()

    def logs(self) -> str:
        """Return the end of each log."""
        tails = (f"--- {one.name}\n{one.tail()}" for one in self._services.values())
        return "\n".join(tails)

    async def _stop(self) -> None:
        await asyncio.gather(*(service.stop() for service in self._services.values()))


def environment(dsn: str, bootstrap: str, *, is_real: bool, **more: str) -> dict[str, str]:
    """Return the settings of services in tests."""
    return {
        "PLACET_POSTGRES_DSN": dsn,
        "PLACET_KAFKA": bootstrap,
        "PLACET_BOOTSTRAP_KEY": KEY,
        "PLACET_DEV_LOGIN": "1",
        "PLACET_RECONCILE_S": "1",
        "PLACET_EMBEDDED_BROKER": "0" if is_real else "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }
