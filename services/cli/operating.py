"""Commands for whoever runs Placet: up, run, migrate, rebuild, verify."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import FAILED, MISUSED, err, fail, out, plain, print_json
from services.cli.console import run as run_async
from services.settings import SERVICES, Settings, home, read_settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from events.store.log import Broken

Told = Callable[[int, int], None]

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def _log(level: int) -> None:
    logging.basicConfig(format=LOG_FORMAT, level=level)
    # aiokafka tells at INFO what we tell ourselves, and httpx2 every address that it asks.
    for name in ("aiokafka", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.ERROR)


def up() -> None:
    """Run the whole product here, on its own Postgres and broker, with the demo beside it.

    Everything is kept in PLACET_DATA_DIR (./data). Ctrl-C stops it all; the next start goes on.
    """
    from services.up.run import up as run_up

    _log(logging.ERROR)
    run_async(run_up(home(os.environ), os.environ, _say))


def _say(line: str, *told: object) -> None:
    text = line.format(*(plain(str(one)) for one in told)) if told else line
    out.print(text, soft_wrap=True)


def run(
    services: Annotated[list[str], typer.Argument(help=f"One or more of: {', '.join(SERVICES)}")],
) -> None:
    """Run services in this process, on the Postgres and Kafka that the settings name."""
    _log(logging.INFO)
    unknown = [name for name in services if name not in SERVICES]
    if unknown:
        fail(f"{', '.join(unknown)}: no such service; there are {', '.join(SERVICES)}.", MISUSED)
    run_async(_run(services))


async def _run(services: list[str]) -> None:
    import asyncio
    import signal

    from services.bootstrap import running
    from services.config import read_config

    settings = read_settings(os.environ)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings, read_config(settings.config, os.environ), services):
        err.print(f"{', '.join(services)}: running, on port {settings.port}")
        await stop.wait()


def migrate() -> None:
    """Bring the database to this release, and make the topics that Kafka lacks."""
    run_async(_migrate(read_settings_or_fail()))


async def _migrate(settings: Settings) -> None:
    from events.kafka.admin import create_topics
    from events.store.migrate import migrate as migrate_database

    applied = await migrate_database(settings.postgres_dsn, told=out.print)
    made = await create_topics(
        settings.kafka,
        replication=settings.topic_replication,
        partitions=settings.topic_partitions,
    )
    out.print(f"{applied} migrations applied, {made} topics made.")


def rebuild() -> None:
    """Build the read models anew from the store, beside the old ones, and swap them in."""
    from projections.rebuild import rebuild as rebuild_read_models

    settings = read_settings_or_fail()
    with progress_bar() as progress:
        task = progress.add_task("events", total=None)
        read = run_async(
            rebuild_read_models(
                settings.postgres_dsn,
                told=lambda done, total: progress.update(task, completed=done, total=total),
            )
        )
    out.print(f"Rebuilt from {read} events.")


def verify(
    *, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Compute the log's hash chain again, and say whether anything was altered or removed."""
    settings = read_settings_or_fail()
    with progress_bar() as progress:
        task = progress.add_task("events", total=None)
        seq, head, broken = run_async(
            _verify(
                settings, lambda done, total: progress.update(task, completed=done, total=total)
            )
        )
    if as_json:
        where = {"seq": broken.seq, "reason": broken.reason} if broken else None
        print_json({"verified": seq, "head": head, "broken": where})
    elif broken is None:
        out.print(f"The log holds: {seq} events, each chained to the one before it.")
    if broken is not None:
        if not as_json:
            err.print(f"[red]Event {broken.seq} {broken.reason}.[/red]")
        raise SystemExit(FAILED)


async def _verify(settings: Settings, told: Told) -> "tuple[int, int, Broken | None]":
    from events.store.database import Database
    from events.store.log import Broken, PostgresLog

    database = await Database.open(settings.postgres_dsn, "placet_worker", size=2)
    try:
        log = PostgresLog(database)
        _, head = await log.progress()
        seq = 0
        async for found in log.verify():
            if isinstance(found, Broken):
                return found.seq - 1, head, found
            seq = found
            told(seq, max(seq, head))
        if seq < head:
            return seq, head, Broken(seq + 1, "is missing from the log")
        return seq, head, None
    finally:
        await database.close()


def read_settings_or_fail() -> Settings:
    """Return the settings, or end with every error in them."""
    return run_async(_read_settings())


async def _read_settings() -> Settings:
    return read_settings(os.environ)


def progress_bar() -> "Progress":
    """Return the bar that long work shows, on standard error."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )
