"""Commands about messages that could not be read."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import NOT_FOUND, fail, out, plain, print_json, run
from services.cli.operating import read_settings_or_fail
from services.settings import Settings

if TYPE_CHECKING:
    from events.kafka.parking import Parked

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
    from rich.table import Table

    table = Table("id", "topic", "partition", "offset", "seen", "reason")
    for one in parked:
        table.add_row(
            str(one.parked_id),
            plain(one.topic),
            str(one.partition),
            str(one.offset),
            str(one.attempts),
            plain(one.reason),
        )
    out.print(table)
    out.print(f"{len(parked)} parked.")


@app.command()
def retry(
    parked_id: Annotated[
        int, typer.Argument(min=1, max=2**63 - 1, help="Which, by the id in the list.")
    ],
) -> None:
    """Send a parked message to its topic again; a source's row is read anew by the next sweep."""
    if not run(_retry(read_settings_or_fail(), parked_id)):
        fail(f"Nothing is parked as {parked_id}.", NOT_FOUND)
    out.print(f"{parked_id} is on its way again; it is parked anew if it still cannot be read.")


async def _list(settings: Settings) -> "Sequence[Parked]":
    from events.kafka.parking import Parking
    from events.store.database import Database

    database = await Database.open(settings.postgres_dsn, "placet_worker", size=1)
    try:
        return await Parking(database).list(None)
    finally:
        await database.close()


async def _retry(settings: Settings, parked_id: int) -> bool:
    from events.kafka.parking import Parking
    from events.kafka.producer import KafkaProducer
    from events.store.database import Database

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


def _plain(one: "Parked") -> dict[str, object]:
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
