"""Starts the processes that are measured, and reads what they cost from the kernel."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from services.embedded.ports import HOST, free_port

KEY = "bench-key-of-one-run-only"
ROOT = Path(__file__).resolve().parent.parent
PLACET = Path(sys.executable).with_name("placet")
READY_S = 60.0
STOP_S = 15.0
LIMIT = 64 * 1024 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """A process did not start, or ended with an error: its output says why."""


class Running:
    """A process under measurement, and the port that it serves."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


@asynccontextmanager
async def placet(
    services: Sequence[str],
    *,
    dsn: str,
    kafka: str,
    embedded_broker: bool,
    folder: Path,
    more: Mapping[str, str] | None = None,
    command: Sequence[str] = (str(PLACET),),
) -> AsyncIterator[Running]:
    """Run `placet run SERVICES` while the context lasts, ready when it begins.

    `command` stands in place of `placet`.
    """
    port = free_port()
    environ = {
        **unset(),
        "PLACET_POSTGRES_DSN": dsn,
        "PLACET_KAFKA": kafka,
        "PLACET_PORT": str(port),
        "PLACET_BOOTSTRAP_KEY": KEY,
        "PLACET_EMBEDDED_BROKER": "1" if embedded_broker else "0",
        **(more or {}),
    }
    log = folder / f"placet-{'-'.join(services)}-{port}.log"
    async with program([*command, "run", *services], port, log, environ) as running:
        await ready(running, log, "/readyz")
        yield running


def unset() -> dict[str, str]:
    """Return our environment without what a person has set for a Placet of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}


@asynccontextmanager
async def bare(name: str, *arguments: str, folder: Path) -> AsyncIterator[Running]:
    """Run one of the bare servers of `benchmarks.bare` while the context lasts."""
    port = free_port()
    log = folder / f"bare-{name}-{port}.log"
    command = [sys.executable, "-m", "benchmarks.bare", name, str(port), *arguments]
    async with program(command, port, log, os.environ) as running:
        await ready(running, log, "/healthz")
        yield running


@asynccontextmanager
async def program(
    command: Sequence[str], port: int, log: Path, environ: Mapping[str, str]
) -> AsyncIterator[Running]:
    """Run a program while the context lasts, and end it by SIGTERM, in the end by SIGKILL."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=output, stderr=output, env=dict(environ), cwd=ROOT
        )
    try:
        yield Running(process, port)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def ready(running: Running, log: Path, path: str) -> None:
    """Wait until a server answers 200; raises `Failed` with the end of its output."""
    url = f"http://{HOST}:{running.port}{path}"
    async with httpx2.AsyncClient() as client:
        for _ in range(int(READY_S / 0.1)):
            if running.process.returncode is not None:
                break
            try:
                answer = await client.get(url, timeout=5)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return
            await asyncio.sleep(0.1)
    output = await asyncio.to_thread(log.read_text, errors="replace")
    raise Failed(f"{url} never answered 200:\n{output[-2000:]}")


async def told(module: str, plan: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """Run a program that reads a plan from its input and prints what it measured, as JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=LIMIT, cwd=ROOT
    )
    try:
        async with asyncio.timeout(timeout_s):
            said, errors = await process.communicate(msgspec.json.encode(plan))
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise Failed(f"{module} failed:\n{errors.decode(errors='replace')[-3000:]}")
    measured: dict[str, Any] = msgspec.json.decode(said)
    return measured


def cpu_seconds(pid: int) -> float:
    """Processor time of one process so far, without its children; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """Memory of one process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found
