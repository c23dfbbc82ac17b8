"""Starts everything that `placet up` needs, in order, and ends all of it with the process."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from events.kafka.admin import create_topics
from events.store import Unavailable
from events.store.database import Database
from events.store.migrate import migrate
from projections.queries import Change, Changes
from services.bootstrap import running
from services.bootstrap.parts import Parts
from services.config import read_config
from services.embedded.broker import EmbeddedBroker
from services.embedded.data_dir import DataDir
from services.embedded.errors import LocalServerProblem
from services.embedded.ports import claim_port
from services.embedded.postgres import EmbeddedPostgres
from services.settings import SERVICES, Settings, read_settings
from services.up import demo
from services.up.key import kept_key
from services.up.watch import watch

PARTITIONS = 3
"""Topics of a laptop: one process reads them all."""
RESTARTS_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Started:
    """What a newcomer wants to know."""

    parts: Parts
    key: str
    demo_url: str | None
    log_began: int


async def up(directory: Path, environ: Mapping[str, str], say: Say) -> None:
    """Run the product until Ctrl-C; raises `LocalServerProblem` or `HalfConfigured`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _started(directory, environ, say, stop) as started:
        _greet(started, say)
        changes = Changes(started.parts.worker_db)
        watching = asyncio.create_task(watch(changes, started.log_began, say, _describe))
        try:
            await stop.wait()
        finally:
            watching.cancel()
            say("Stopping…")
    say("Stopped; nothing is left running.")


@asynccontextmanager
async def _started(
    directory: Path, environ: Mapping[str, str], say: Say, stop: asyncio.Event
) -> AsyncIterator[Started]:
    async with AsyncExitStack() as stack:
        stack.enter_context(DataDir.claim(directory))
        port = int(environ.get("PLACET_PORT") or "8080")
        claim_port(port, "PLACET_PORT")
        postgres = EmbeddedPostgres(directory / "postgres")
        broker = EmbeddedBroker(directory / "broker")
        say("Postgres and the broker are starting…")
        await asyncio.gather(stack.enter_async_context(postgres), stack.enter_async_context(broker))
        system = await _demo(stack, directory, environ, say)
        applied = await migrate(postgres.dsn, told=lambda name: say(f"  migrating {name}"))
        if applied:
            say(f"The database is ready ({applied} migrations).")
        await create_topics(broker.bootstrap, partitions=PARTITIONS)
        key = environ.get("PLACET_BOOTSTRAP_KEY") or kept_key(directory)
        log_began = await _head(postgres.dsn)
        settings, environment = _settings(environ, postgres.dsn, broker.bootstrap, key, system)
        parts = await stack.enter_async_context(
            running(settings, read_config(settings.config, environment), SERVICES)
        )
        for watched in (_end_when(postgres, stop), _revive(broker, say)):
            task = asyncio.create_task(watched)
            stack.callback(task.cancel)
        await _until_ready(parts, say)
        yield Started(parts, key, system.url if system else None, log_began)
        # Asked after the wait: whatever ended it, a dead Postgres is what the person must know.
        if postgres.died.done():
            raise postgres.died.result()


async def _head(dsn: str) -> int:
    """Return how far the log reached before anything ran, so that what follows is shown."""
    database = await Database.open(dsn, "placet_worker", size=1)
    try:
        return await Changes(database).head()
    finally:
        await database.close()


async def _demo(
    stack: AsyncExitStack, directory: Path, environ: Mapping[str, str], say: Say
) -> demo.Demo | None:
    if not demo.is_there():
        say("The demo system of record is not part of this installation: it needs a checkout.")
        return None
    port = int(environ.get("PLACET_DEMO_PORT") or "8081")
    return await stack.enter_async_context(demo.Demo(directory / "demo", port))


def _settings(
    environ: Mapping[str, str], dsn: str, bootstrap: str, key: str, system: demo.Demo | None
) -> tuple[Settings, Mapping[str, str]]:
    own = {
        "PLACET_POSTGRES_DSN": dsn,
        "PLACET_KAFKA": bootstrap,
        "PLACET_BOOTSTRAP_KEY": key,
        "PLACET_EMBEDDED_BROKER": "1",
        "PLACET_TOPIC_PARTITIONS": str(PARTITIONS),
    }
    if system is not None:
        own["ACME_EXPENSES_URL"] = system.url
    environment = {**environ, **own}
    environment.setdefault("PLACET_DEV_LOGIN", "1")
    environment.setdefault("PLACET_RECONCILE_S", "10")
    if system is not None:
        environment.setdefault("PLACET_CONFIG", str(demo.CONFIG))
    return read_settings(environment), environment


async def _until_ready(parts: Parts, say: Say) -> None:
    for _ in range(120):
        problems = await parts.health.problems()
        if not problems:
            return
        await asyncio.sleep(0.25)
    say(f"Not ready yet: {problems}. See /readyz.")


async def _end_when(postgres: EmbeddedPostgres, stop: asyncio.Event) -> None:
    await asyncio.wait([postgres.died])
    stop.set()


async def _revive(broker: EmbeddedBroker, say: Say) -> None:
    """Start the broker again when it dies: what it held is published again from the store."""
    while True:
        death = await asyncio.shield(broker.died)
        say(f"[red]{death}[/red]")
        say("The broker is started again; what it lost is published again.")
        try:
            await broker.restart()
            await create_topics(broker.bootstrap, partitions=PARTITIONS)
        except (LocalServerProblem, Unavailable) as error:
            say(f"[red]The broker did not come back: {error}[/red]")
            await asyncio.sleep(RESTARTS_S)


def _greet(started: Started, say: Say) -> None:
    url = started.parts.settings.public_url
    say("")
    say("[bold]Placet is ready.[/bold]")
    say(f"  Inbox         {url}/")
    say(f"  API           {url}/docs")
    if started.demo_url:
        say(f"  Acme Expenses {started.demo_url}/   (the demo system of record)")
    say(f"  Mailbox       {url}/mailbox   (what would have been sent)")
    say(f"  Key           {started.key}")
    say("  Ctrl-C stops everything.")
    say("")


def _describe(change: Change) -> str:
    text = change.summary or ""
    return f"[dim]{change.approval_id}[/dim] {escape(text)}"
