"""Runs the demo system of record beside the product, as the foreign program that it is."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Self

import services
from services.embedded.child import Child, Command
from services.embedded.errors import LocalServerProblem
from services.embedded.ports import HOST, claim_port

FOLDER = Path(services.__file__).resolve().parent.parent / "deploy" / "demo"
CONFIG = FOLDER / "placet.yaml"
NAME = "The demo system of record"
READY_TIMEOUT_S = 20.0


def is_there() -> bool:
    """Tell whether the demo came with this installation: it does with a checkout only."""
    return (FOLDER / "acme_expenses").is_dir() and CONFIG.is_file()


def url_at(port: int) -> str:
    """Return where a person finds it."""
    return f"http://{HOST}:{port}"


class Demo:
    """Acme Expenses on a loopback port; its records are kept in `directory`."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self._port = port
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where a person finds it."""
        return url_at(self._port)

    @property
    def died(self) -> "asyncio.Future[LocalServerProblem]":
        """Done when it ended unasked."""
        if self._child is None:
            raise LocalServerProblem(f"{NAME} has not been started.")
        return self._child.died  # type: ignore[return-value]  # ChildDied is such a problem

    async def __aenter__(self) -> Self:
        claim_port(self._port, "PLACET_DEMO_PORT")
        self._directory.mkdir(parents=True, exist_ok=True)
        data = self._directory / "acme-expenses.sqlite3"
        arguments = ["--port", str(self._port), "--data", str(data)]
        command = Command(
            name=NAME,
            argv=(sys.executable, str(FOLDER / "acme_expenses"), *arguments),
            log=self._directory / "acme-expenses.log",
            stop_with=((signal.SIGTERM, 5.0),),
        )
        self._child = await Child.start(command)
        try:
            await self._child.wait_until_ready(self._answers, timeout=READY_TIMEOUT_S)
        except BaseException:
            await self._child.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            await self._child.stop()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            return False
        writer.close()
        return True
