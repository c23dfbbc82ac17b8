"""`placet up` ends with all that it started, tells what died, and goes on where it ended."""

import asyncio
import secrets
import signal
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from services.embedded.data_dir import LOCK_NAME
from tests.cli.placet_up import Up, small_disk

pytestmark = pytest.mark.faults

ANN = "ann@example.com"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for all tests: most of a first start is making the database."""
    return tmp_path_factory.mktemp("up") / "data"


async def test_each_start_goes_on_where_the_one_before_ended_however_that_was(data: Path) -> None:
    async with Up(data) as first:
        await first.ready()
        names = " ".join(process.name() for process in first.below)
        assert "postgres" in names
        assert "tansu" in names
        approval_id = await first.ask(ANN)
        assert await first.waiting(ANN) == [approval_id]
        assert await first.stop(signal.SIGINT) == 0
        assert "nothing is left running" in first.said
        assert await first.left() == []
        key = first.key
    async with Up(data) as killed:
        await killed.ready()
        assert killed.key == key
        assert await killed.waiting(ANN) == [approval_id]
        assert await killed.stop(signal.SIGKILL) == -signal.SIGKILL
    assert str(killed.process.pid) in (data / LOCK_NAME).read_text()
    async with Up(data) as last:
        await last.ready()
        assert await killed.left() == []
        assert await last.waiting(ANN) == [approval_id]
        assert await last.stop(signal.SIGTERM) == 0
        assert await last.left() == []
    assert "Traceback" not in first.said + killed.said + last.said


async def test_ctrl_c_while_it_starts_ends_the_start(data: Path) -> None:
    async with Up(data) as up:
        await up.says("are starting")
        up.below = psutil.Process(up.process.pid).children(recursive=True)
        assert await up.stop(signal.SIGINT) == 0
        assert "Placet is ready" not in up.said
        assert "Traceback" not in up.said
        assert await up.left() == []


async def test_what_dies_below_it_is_told_and_only_postgres_ends_it(data: Path) -> None:
    async with Up(data) as up:
        await up.ready()
        up.server("acme_expenses").kill()
        await up.says("The demo system of record died (signal 9)")
        up.server("tansu").kill()
        await up.says("The embedded broker died (signal 9)")
        await up.says("The broker is back.")
        approval_id = await up.ask("bob@example.com")
        assert await up.waiting("bob@example.com", within=60) == [approval_id]
        assert up.process.poll() is None
        up.below = psutil.Process(up.process.pid).children(recursive=True)
        up.server("postgres").kill()
        assert await up.ended() == 1
        assert "Postgres died (signal 9)" in up.said
        assert str(data / "postgres" / "postgres.log") in up.said
        assert "Traceback" not in up.said
        assert await up.left() == []


async def test_a_disk_that_fills_up_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    body: dict[str, Any] = {"type": "deploy", "title": "Big", "approvers": [ANN]}
    with small_disk(tmp_path / "disk", "420m") as disk:
        taken: list[str] = []
        async with Up(disk / "data") as up:
            await up.ready()
            fill(disk / "filler", spare=8 << 20)
            refused = None
            for _ in range(200):
                body["payload"] = {"log": secrets.token_hex(100_000)}  # hard to compress
                try:
                    answer = await up.call("POST", "/v1/approvals", json=body)
                except httpx2.HTTPError:
                    refused = "it ended"
                    break
                if answer.status_code != 201:
                    refused = answer.json()["code"]
                    break
                taken.append(answer.json()["id"])
            assert taken
            assert refused in {"unavailable", "it ended"}
            (disk / "filler").unlink()
            assert await takes_asks_again(up) or "No space left" in up.said
        async with Up(disk / "data") as again:
            await again.ready()
            for approval_id in taken:
                answer = await again.call("GET", f"/v1/approvals/{approval_id}")
                assert answer.status_code == 200
            assert await again.stop(signal.SIGTERM) == 0


async def takes_asks_again(up: Up) -> bool:
    """Whether it does within a while, or else has ended."""
    body = {"type": "deploy", "title": "Small", "approvers": [ANN]}
    for _ in range(60):
        if up.process.poll() is not None:
            return False
        try:
            answer = await up.call("POST", "/v1/approvals", json=body)
        except httpx2.HTTPError:
            answer = None
        if answer is not None and answer.status_code == 201:
            return True
        await asyncio.sleep(0.5)
    raise AssertionError(f"it neither works nor ends:\n{up.said}")


def fill(file: Path, *, spare: int) -> None:
    """Take the room that is left on a disk, but for `spare` bytes."""
    block = b"\0" * (1 << 20)
    with file.open("wb", buffering=0) as rest:
        try:
            while True:
                rest.write(block)
        except OSError:
            rest.truncate(max(rest.tell() - spare, 0))
