"""Starts everything that `placet up` needs, in order, and ends all of it with the process."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from events.kafka.admin import create_topics
from events.store import Unavailable
from events.store.database import Database
from events.store.migrate import migrate
from projections.queries import Changes
from services.bootstrap import running
from services.bootstrap.parts import Parts
from services.config import Config, read_config
from services.embedded.broker import EmbeddedBroker
from services.embedded.data_dir import DataDir
from services.embedded.errors import DataDirUnusable, LocalServerProblem
from services.embedded.ports import HOST, claim_port
from services.embedded.postgres import EmbeddedPostgres
from services.settings import SERVICES, Settings, read_settings
from services.up import demo
from services.up.key import kept_key
from services.up.say import Say
from services.up.watch import watch

PARTITIONS = 3
"""Topics of a laptop: one process reads them all."""
RESTARTS_S = 5.0


@dataclass(frozen=True, slots=True)
class Started:
    """What a newcomer wants to know."""

    parts: Parts
    ready: bool
    key: str
    demo_url: str | None
    log_began: int


class _Stop:
    """What ends it: a start is broken off at once, what runs goes down in order."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._starting = asyncio.current_task()

    def ask(self) -> None:
        self.asked.set()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def started(self) -> None:
        self._starting = None


async def up(directory: Path, environ: Mapping[str, str], say: Say) -> None:
    """Run the product until Ctrl-C.

    Raises `LocalServerProblem`, `HalfConfigured` and `Unavailable`; nothing is left running.
    """
    stop = _Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.ask)
    try:
        async with _started(directory, environ, say, stop.asked) as started:
            stop.started()
            _greet(started, say)
            changes = Changes(started.parts.worker_db)
            watching = asyncio.create_task(watch(changes, started.log_began, say))
            try:
                await stop.asked.wait()
            finally:
                watching.cancel()
                say("Stopping…")
    except asyncio.CancelledError:
        if not stop.asked.is_set():
            raise
    except OSError as error:
        raise DataDirUnusable(f"{directory} cannot be used: {error}.") from error
    say("Stopped; nothing is left running.")


@asynccontextmanager
async def _started(
    directory: Path, environ: Mapping[str, str], say: Say, stop: asyncio.Event
) -> AsyncIterator[Started]:
    settings, config = _configured(environ)
    async with AsyncExitStack() as stack:
        stack.enter_context(DataDir.claim(directory))
        claim_port(settings.port, "PLACET_PORT")
        if demo.is_there():
            claim_port(settings.demo_port, "PLACET_DEMO_PORT")
        key = settings.bootstrap_key or kept_key(directory)
        postgres = EmbeddedPostgres(directory / "postgres")
        broker = EmbeddedBroker(directory / "broker")
        say("Postgres and the broker are starting…")
        await _both(stack, postgres, broker)
        system = await _demo(stack, directory, settings.demo_port, say)
        applied = await migrate(postgres.dsn, told=lambda name: say("  migrating {}", name))
        if applied:
            say(f"The database is ready ({applied} migrations).")
        await create_topics(broker.bootstrap, partitions=PARTITIONS)
        log_began = await _head(postgres.dsn)
        settings = replace(
            settings,
            postgres_dsn=postgres.dsn,
            kafka=broker.bootstrap,
            bootstrap_key=key,
            api_url=f"http://{_reached_at(settings.host)}:{settings.port}",
        )
        parts = await stack.enter_async_context(running(settings, config, SERVICES))
        watched = [_end_when(postgres, stop), _revive(broker, say)]
        if system is not None:
            watched.append(_miss(system, say))
        for one in watched:
            task = asyncio.create_task(one)
            stack.callback(task.cancel)
        ready = await _until_ready(parts, say)
        yield Started(parts, ready, key, system.url if system else None, log_began)
        # Asked after the wait: whatever ended it, a dead Postgres is what the person must know.
        if postgres.died.done():
            raise postgres.died.result()


def _configured(environ: Mapping[str, str]) -> tuple[Settings, Config]:
    """Return what is asked for, before anything starts; raises `HalfConfigured`."""
    environment = {
        "PLACET_DEV_LOGIN": "1",
        "PLACET_RECONCILE_S": "10",
        # Whoever tries webhooks here listens here.
        "PLACET_WEBHOOK_ALLOW": "127.0.0.0/8,::1",
        **environ,
        "PLACET_EMBEDDED_BROKER": "1",
        "PLACET_TOPIC_PARTITIONS": str(PARTITIONS),
        # Stand-ins for what is known only when it runs.
        "PLACET_POSTGRES_DSN": "postgresql://placet@127.0.0.1/placet",
        "PLACET_KAFKA": "127.0.0.1:9092",
    }
    if demo.is_there():
        environment.setdefault("PLACET_CONFIG", str(demo.CONFIG))
    settings = read_settings(environment)
    if demo.is_there():
        environment["ACME_EXPENSES_URL"] = demo.url_at(settings.demo_port)
    return settings, read_config(settings.config, environment)


def _reached_at(host: str) -> str:
    """Return where this machine finds what listens on a host: everywhere is here too."""
    return HOST if host in ("0.0.0.0", "::") else host  # noqa: S104 # compared, not bound


async def _both(stack: AsyncExitStack, postgres: EmbeddedPostgres, broker: EmbeddedBroker) -> None:
    """Start both servers side by side; when one cannot be, only after the other has settled."""
    starts = (stack.enter_async_context(postgres), stack.enter_async_context(broker))
    for found in await asyncio.gather(*starts, return_exceptions=True):
        if isinstance(found, BaseException):
            raise found


async def _head(dsn: str) -> int:
    """Return how far the log reached before anything ran, so that what follows is shown."""
    database = await Database.open(dsn, "placet_worker", size=1)
    try:
        return await Changes(database).head()
    finally:
        await database.close()


async def _demo(stack: AsyncExitStack, directory: Path, port: int, say: Say) -> demo.Demo | None:
    if not demo.is_there():
        say("The demo system of record is not part of this installation: it needs a checkout.")
        return None
    return await stack.enter_async_context(demo.Demo(directory / "demo", port))


async def _until_ready(parts: Parts, say: Say) -> bool:
    for _ in range(120):
        problems = await parts.health.problems()
        if not problems:
            return True
        await asyncio.sleep(0.25)
    found = "; ".join(f"{name}: {why}" for name, why in problems.items())
    say("[red]Placet runs, but cannot do all of its work yet: {}. See /readyz.[/red]", found)
    return False


async def _end_when(postgres: EmbeddedPostgres, stop: asyncio.Event) -> None:
    await asyncio.wait([postgres.died])
    stop.set()


async def _revive(broker: EmbeddedBroker, say: Say) -> None:
    """Start the broker again when it dies: what it held is published again from the store."""
    while True:
        death = await asyncio.shield(broker.died)
        say("[red]{}[/red]", death)
        say("The broker is started again; what it lost is published again.")
        while not await _revived(broker, say):  # noqa: ASYNC110 # it is tried, not waited for
            await asyncio.sleep(RESTARTS_S)
        say("The broker is back.")


async def _revived(broker: EmbeddedBroker, say: Say) -> bool:
    try:
        await broker.restart()
        await create_topics(broker.bootstrap, partitions=PARTITIONS)
    except (LocalServerProblem, Unavailable, OSError) as error:
        say("[red]The broker did not come back: {}[/red]", error)
        return False
    return True


async def _miss(system: demo.Demo, say: Say) -> None:
    death = await asyncio.shield(system.died)
    say("[red]{}[/red]", death)
    say("Placet goes on without it: what it mirrors stays as it was until the next start.")


def _greet(started: Started, say: Say) -> None:
    url = started.parts.settings.public_url
    say("")
    if started.ready:
        say("[bold]Placet is ready.[/bold]")
    say("  Inbox         {}/", url)
    say("  API           {}/docs", url)
    say("  Assistants    {}/mcp   (MCP)", url)
    if started.demo_url:
        say("  Acme Expenses {}/   (the demo system of record)", started.demo_url)
    say("  Mailbox       {}/mailbox   (what would have been sent)", url)
    say("  Key           {}", started.key)
    say("  Ctrl-C stops everything.")
    say("")
