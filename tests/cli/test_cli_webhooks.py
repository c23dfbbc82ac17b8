"""The commands about webhooks: what people and scripts read, and how they end."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from services.embedded.ports import HOST, free_port
from services.outgoing.signing import new_secret
from tests.cli.command_line import placet
from tests.cli.conftest import Command
from tests.journey.running_placet import KEY, Placet, eventually, placet_running
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres

NEVER = "wh_000000000000000000000000"


@pytest.fixture(scope="module")
async def running(
    postgres: TestingPostgres, migrated: str, broker: Broker
) -> AsyncIterator[Placet]:
    """One that may call this machine."""
    allowed = {"PLACET_WEBHOOK_ALLOW": "127.0.0.0/8"}
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker, allowed) as running,
    ):
        yield running


@pytest.fixture
def command(running: Placet) -> Command:
    return partial(placet, PLACET_URL=running.url, PLACET_KEY=KEY)


def nowhere() -> str:
    """An address where nobody listens."""
    return f"http://{HOST}:{free_port()}/{secrets.token_hex(4)}"


async def added(command: Command, *more: str, url: str | None = None) -> dict[str, Any]:
    said = await command("webhooks", "add", url or nowhere(), "--json", *more)
    assert said.code == 0, said.err
    made: dict[str, Any] = said.json
    return made


async def test_one_is_added_listed_shown_and_removed(command: Command) -> None:
    url = nowhere()
    said = await command("webhooks", "add", url, "--type", "deploy", "--event", "approval.decided")
    assert said.code == 0
    webhook_id, secret = said.out.split()
    assert webhook_id.startswith("wh_")
    assert secret.startswith("whsec_")
    listed = await command("webhooks", "list")
    [row] = [line for line in listed.out.splitlines() if webhook_id in line]
    assert "active" in row
    shown = await command("webhooks", "show", webhook_id)
    assert url in shown.out
    one = (await command("webhooks", "show", webhook_id, "--json")).json
    assert (one["types"], one["event_types"]) == (["deploy"], ["approval.decided"])
    for output in (listed, shown):
        assert secret not in output.out + output.err
    gone = await command("webhooks", "remove", webhook_id)
    assert (gone.code, gone.out.strip()) == (0, f"{webhook_id} is removed.")
    assert (await command("webhooks", "show", webhook_id)).code == 4


async def test_a_secret_of_ones_own_comes_by_stdin_only(command: Command) -> None:
    mine, other = new_secret(), new_secret()
    said = await command("webhooks", "add", nowhere(), "--secret-stdin", given=f"{mine}\n")
    webhook_id, secret = said.out.split()
    assert secret == mine
    rotated = await command("webhooks", "rotate", webhook_id, "--secret-stdin", given=other)
    assert rotated.out.split() == [webhook_id, other]
    made = (await command("webhooks", "rotate", webhook_id)).out.split()[1]
    assert made not in (mine, other)
    callbacks = await command("webhooks", "rotate", "--callbacks", "--secret-stdin", given=mine)
    assert callbacks.out.strip() == mine
    bad = await command("webhooks", "add", nowhere(), "--secret-stdin", given="open-sesame")
    assert bad.code == 2
    assert "whsec_" in bad.err
    assert "open-sesame" not in bad.out + bad.err


async def test_attempts_are_shown_and_told_again(running: Placet, command: Command) -> None:
    url = nowhere()
    made = await added(command, url=url)
    approval = await running.ask(
        type="deploy", title="Deploy", approvers=["ann@example.com"], payload={}
    )
    message_id = f"msg_{approval['id']}_1"

    async def tried() -> Any:
        said = await command("webhooks", "attempts", made["id"], "--json")
        of_it = [one for one in said.json["data"] if one["id"] == message_id]
        return of_it and of_it[0]["attempts"]

    attempts = await eventually(tried, "it was tried")
    assert attempts[0]["status"] is None
    table = await command("webhooks", "attempts", made["id"], "--state", "waiting")
    [row] = [line for line in table.out.splitlines() if message_id in line]
    assert "refused" in row
    reader = asyncio.Event()

    async def receive(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        reader.set()

    port = int(url.rpartition("/")[0].rpartition(":")[2])
    async with await asyncio.start_server(receive, HOST, port):
        said = await command("webhooks", "replay", made["id"], "--id", message_id)
        assert said.out.strip() == "1 on their way again."
        async with asyncio.timeout(20):
            await reader.wait()

        async def delivered() -> Any:
            said = await command(
                "webhooks", "attempts", made["id"], "--state", "delivered", "--json"
            )
            return message_id in [one["id"] for one in said.json["data"]]

        await eventually(delivered, "it is delivered")
        since = await command("webhooks", "replay", made["id"], "--since", "1h", "--json")
        assert since.json["replayed"] >= 1
        past = ("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z")
        assert (await command("webhooks", "replay", made["id"], *past, "--json")).json == {
            "replayed": 0
        }


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", NEVER),
        ("replay", NEVER, "--id", "x", "--since", "1h"),
        ("replay", NEVER, "--id", "x", "--until", "2020-01-01T00:00:00Z"),
        ("replay", NEVER, "--since", "yesterday"),
        ("replay", NEVER, "--since", "2026-01-01T00:00:00"),
        ("rotate",),
        ("rotate", NEVER, "--callbacks"),
        ("add", "ftp://a.example.com"),
        ("add", "http://10.0.0.1/"),
        ("add", "https://a.example.com", "--event", "approval.eaten"),
    ],
)
async def test_wrong_use_is_told_and_does_nothing(
    command: Command, arguments: tuple[str, ...]
) -> None:
    said = await command("webhooks", *arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", NEVER),
        ("attempts", NEVER),
        ("enable", NEVER),
        ("remove", NEVER),
        ("rotate", NEVER),
        ("replay", NEVER, "--id", "x"),
        ("show", "../approvals"),
    ],
)
async def test_what_is_not_there_is_not_found(command: Command, arguments: tuple[str, ...]) -> None:
    said = await command("webhooks", *arguments)
    assert (said.code, said.out) == (4, "")


async def test_an_enabled_one_says_so(command: Command) -> None:
    made = await added(command)
    said = await command("webhooks", "enable", made["id"])
    assert said.out.strip() == f"{made['id']} is active."


async def test_callbacks_are_listed_apart(running: Placet, command: Command) -> None:
    url = nowhere()
    approval = await running.ask(
        type="deploy", title="D", approvers=["ann@example.com"], payload={}, callback_url=url
    )
    await running.answer(approval["id"], decision="approve", approver="ann@example.com")

    async def there() -> Any:
        said = await command("webhooks", "list", "--callbacks", "--json")
        return [one for one in said.json["data"] if url.startswith(one["url"])]

    [origin] = await eventually(there, "the callback's origin is listed")
    assert origin["id"].startswith("cb_")
    listed = (await command("webhooks", "list", "--json")).json["data"]
    assert origin["id"] not in [one["id"] for one in listed]
