"""The commands of whoever runs Placet, on a real database and a real broker."""

import asyncio
import json
import secrets
import signal
import subprocess
from typing import Any

import asyncpg
import httpx2

from events.kafka.messages import Message
from events.kafka.topics import REQUESTS
from events.store.database import Database
from events.store.log import PostgresLog
from events.store.postgres import PostgresStore
from projections.rebuild import TABLES
from services.embedded.ports import free_port
from tests.cli.command_line import placet, placet_apart
from tests.cli.conftest import Command
from tests.cli.placet_up import PLACET, ROOT, environment
from tests.journey.running_placet import Placet, eventually
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres
from tests.services.service_kit import Clock, mirrored


async def test_a_new_database_is_migrated_once(postgres: TestingPostgres, broker: Broker) -> None:
    async with postgres.database() as dsn:
        settings = {"PLACET_POSTGRES_DSN": dsn, "PLACET_KAFKA": broker.bootstrap}
        too_early = await placet_apart("run", "publisher", **settings)
        assert too_early.code == 2
        assert "Run `placet migrate` first." in too_early.err
        first = await placet("migrate", **settings)
        assert first.code == 0
        assert "0001_events.sql" in first.out
        assert "0 topics made" in first.out
        again = await placet("migrate", **settings)
        assert (again.code, again.out) == (0, "0 migrations applied, 0 topics made.\n")


async def test_a_database_that_was_never_migrated_is_told(
    postgres: TestingPostgres, broker: Broker
) -> None:
    async with postgres.database() as dsn:
        settings = {"PLACET_POSTGRES_DSN": dsn, "PLACET_KAFKA": broker.bootstrap}
        said = await placet("parked", **settings)
    assert said.code == 1
    assert "run `placet migrate`" in said.err


async def test_the_log_is_verified_and_what_was_altered_is_named(
    dsn: str, app_db: Database, worker_db: Database
) -> None:
    settings = {"PLACET_POSTGRES_DSN": dsn, "PLACET_KAFKA": "127.0.0.1:1"}
    for number in range(5):
        await mirrored(PostgresStore(app_db), Clock(), f"R-{number}")
    assert await PostgresLog(worker_db).sequence(100) == 5
    whole = await placet("verify", **settings)
    assert whole.code == 0
    assert "The log holds: 5 events" in whole.out
    superuser = await asyncpg.connect(dsn, timeout=10)
    try:
        altered = await superuser.execute(
            "UPDATE placet.events SET data = replace(data, '100', '999')"
            " WHERE position = (SELECT position FROM placet.log WHERE seq = 3)"
        )
        assert altered == "UPDATE 1"
    finally:
        await superuser.close()
    told = await placet("verify", **settings)
    assert told.code == 1
    assert "Event 3 was altered after it was logged." in told.err
    script = await placet("verify", "--json", **settings)
    assert script.code == 1
    assert script.json == {
        "verified": 2,
        "head": 5,
        "broken": {"seq": 3, "reason": "was altered after it was logged"},
    }


async def test_a_rebuild_shows_how_far_it_is_and_puts_right_what_was_lost(
    dsn: str, app_db: Database, worker_db: Database
) -> None:
    settings = {"PLACET_POSTGRES_DSN": dsn, "PLACET_KAFKA": "127.0.0.1:1"}
    for number in range(5):
        await mirrored(PostgresStore(app_db), Clock(), f"R-{number}")
    assert await PostgresLog(worker_db).sequence(100) == 5
    assert (await placet("rebuild", **settings)).out == "Rebuilt from 5 events.\n"
    superuser = await asyncpg.connect(dsn, timeout=10)
    try:
        before = await _read_models(superuser)
        assert [len(rows) for rows in before.values()] == [5] * len(TABLES)
        await superuser.execute("TRUNCATE " + ", ".join(f"placet.{table}" for table in TABLES))
        said = await placet("rebuild", **settings)
        assert (said.code, said.out) == (0, "Rebuilt from 5 events.\n")
        assert "5/5" in said.err  # the bar
        assert await _read_models(superuser) == before
    finally:
        await superuser.close()


async def _read_models(connection: Any) -> dict[str, list[str]]:
    found = {}
    for table in TABLES:
        rows = await connection.fetch(f"SELECT t::text AS row FROM placet.{table} t")  # noqa: S608 # our own tables
        found[table] = sorted(row["row"] for row in rows)
    return found


async def test_a_message_that_cannot_be_read_is_listed_and_can_be_tried_again(
    running: Placet, operator: Command
) -> None:
    token = secrets.token_hex()
    value = json.dumps({"type": token}).encode()
    message = Message(REQUESTS.name, b"k", value, [("ce_id", token.encode())])
    producer = await running.parts.producer()
    try:
        await producer.send([message])
    finally:
        await producer.close()

    async def parked(other_than: int = 0) -> dict[str, Any] | None:
        for one in (await operator("parked", "--json")).json:
            if token in one["value"] and one["id"] != other_than:
                found: dict[str, Any] = one
                return found
        return None

    found = await eventually(parked, "it is parked")
    assert (found["topic"], found["attempts"]) == (REQUESTS.name, 1)
    assert "title" in found["reason"]
    table = await operator("parked")
    assert table.code == 0
    assert f"│ {found['id']} " in table.out
    retried = await operator("parked", "retry", str(found["id"]))
    assert retried.code == 0
    assert f"{found['id']} is on its way again" in retried.out
    again = await eventually(lambda: parked(other_than=found["id"]), "it is parked anew")
    assert again["offset"] > found["offset"] or again["partition"] != found["partition"]
    once = await operator("parked", "retry", str(found["id"]))
    assert once.code == 4


async def test_what_is_not_parked_cannot_be_tried_again(operator: Command) -> None:
    said = await operator("parked", "retry", "999999999")
    assert said.code == 4
    assert "Nothing is parked as 999999999." in said.err
    for wrong in ("0", "x", str(1 << 70)):
        assert (await operator("parked", "retry", wrong)).code == 2


async def test_a_key_is_made_opens_its_workspace_and_can_be_ended(
    running: Placet, operator: Command
) -> None:
    made = await operator(
        "key", "create", "ops@example.com", "--scope", "approvals:read", "--days", "1", "--json"
    )
    assert made.code == 0
    key, key_id = made.json["key"], made.json["key_id"]
    assert key_id in key
    ask = {"PLACET_URL": running.url, "PLACET_KEY": key}
    assert (await placet("queue", "ops@example.com", **ask)).code == 0
    plain = await operator("key", "create", "ops@example.com", "--scope", "admin")
    assert plain.out.strip().startswith("plk_")  # nothing but the key, to be piped on
    assert len(plain.out.splitlines()) == 1
    elsewhere = await operator("key", "revoke", key_id, "--workspace", "other")
    assert elsewhere.code == 4
    ended = await operator("key", "revoke", key_id)
    assert ended.code == 0
    assert (await operator("key", "revoke", key_id)).code == 4


async def test_a_key_for_nobody_or_for_nothing_is_wrong_use(operator: Command) -> None:
    for wrong, told in (
        (["ops", "--scope", "admin"], "ops"),
        (["ops@example.com", "--scope", "everything"], "everything: no such scope"),
        (["ops@example.com"], "--scope"),
        (["ops@example.com", "--scope", "admin", "--days", "999999999"], "--days"),
    ):
        said = await operator("key", "create", *wrong)
        assert said.code == 2, wrong
        assert told in said.err
        assert said.out == ""


async def test_services_run_until_they_are_told_to_stop(running: Placet) -> None:
    settings = running.parts.settings
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *PLACET,
        "run",
        "queue",
        "poller",
        cwd=ROOT,
        env=environment(
            PLACET_POSTGRES_DSN=settings.postgres_dsn,
            PLACET_KAFKA=settings.kafka,
            PLACET_PORT=str(port),
            PLACET_EMBEDDED_BROKER="1" if settings.embedded_broker else "0",
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                assert process.returncode is None
                try:
                    return (await client.get("/readyz")).status_code == 200
                except httpx2.HTTPError:
                    return False

            await eventually(ready, "it is ready")
            # What decides is another service's.
            assert (await client.post("/v1/approvals", json={})).status_code in {404, 405}
        taken = await placet_apart(
            "run",
            "queue",
            PLACET_POSTGRES_DSN=settings.postgres_dsn,
            PLACET_KAFKA=settings.kafka,
            PLACET_PORT=str(port),
        )
        assert taken.code == 2
        assert f"Port {port} (PLACET_PORT)" in taken.err
        process.send_signal(signal.SIGTERM)
        said = (await asyncio.wait_for(process.communicate(), 30))[1].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said
    assert f"queue, poller: running, on port {port}" in said
    assert "Traceback" not in said
