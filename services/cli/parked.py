"""Commands about messages that could not be read."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from events.kafka.parking import Parked, Parking
from events.kafka.producer import KafkaProducer
from events.store.database import Database
from services.cli.console import NOT_FOUND, fail, out, print_json, run
from services.cli.operating import read_settings_or_fail
from services.settings import Settings

app = typer.Typer(
    invoke_without_command=True, help="Messages that could not be read, and why; retry them."
)


@app.callback()
def list_parked(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """List what is parked, oldest first."""
    if context.invoked_subcommand is not None:
        return
    parked = run(_list(read_settings_or_fail()))
    if as_json:
        print_json([_plain(one) for one in parked])
        return
    table = Table("id", "topic", "partition", "offset", "seen", "reason")
    for one in parked:
        table.add_row(
            str(one.parked_id),
            escape(one.topic),
            str(one.partition),
            str(one.offset),
            str(one.attempts),
            escape(one.reason),
        )
    out.print(table)
    out.print(f"{len(parked)} parked.")


@app.command()
def retry(
    parked_id: Annotated[int, typer.Argument(help="Which, by the id in the list.")],
) -> None:
    """Send a parked message to its topic again; a source's row is read anew by the next sweep."""
    if not run(_retry(read_settings_or_fail(), parked_id)):
        fail(f"Nothing is parked as {parked_id}.", NOT_FOUND)
    out.print(f"{parked_id} is on its way again; it is parked anew if it still cannot be read.")


async def _list(settings: Settings) -> Sequence[Parked]:
    database = await Database.open(settings.postgres_dsn, "placet_worker", size=1)
    try:
        return await Parking(database).list(None)
    finally:
        await database.close()


async def _retry(settings: Settings, parked_id: int) -> bool:
    database = await Database.open(settings.postgres_dsn, "placet_worker", size=1)
    try:
        parking = Parking(database)
        message = await parking.message(parked_id)
        if message is not None:
            producer = await KafkaProducer.open(
                settings.kafka, idempotent=not settings.embedded_broker
            )
            try:
                await producer.send([message])
            finally:
                await producer.close()
        return await parking.resolve(parked_id)
    finally:
        await database.close()


def _plain(one: Parked) -> dict[str, object]:
    return {
        "id": one.parked_id,
        "workspace": one.workspace,
        "consumer": one.consumer,
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
        "reason": one.reason,
        "parked_at": one.parked_at,
        "attempts": one.attempts,
        "value": (one.value or b"").decode(errors="replace"),
    }
