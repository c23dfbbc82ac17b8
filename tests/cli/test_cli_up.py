"""`placet up` says where everything is, and refuses clearly what cannot be."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.cli.placet_up import Up, small_disk


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    async with Up(tmp_path_factory.mktemp("up") / "data") as up:
        yield await up.ready()


async def test_it_is_ready_and_prints_its_addresses_and_its_key(running: Up) -> None:
    assert (await running.call("GET", "/readyz")).json()["ready"] is True
    for address in ("/", "/docs", "/mailbox"):
        assert f"{running.url}{address}" in running.said
        answer = await running.call("GET", address)
        assert answer.status_code == 200, address
    acme = f"http://127.0.0.1:{running.demo_port}/"
    assert acme in running.said
    async with httpx2.AsyncClient(follow_redirects=True) as client:
        assert (await client.get(acme)).status_code == 200
    assert (await running.call("GET", "/v1/queue")).status_code == 200


async def test_its_key_is_kept_for_its_owner_alone(running: Up) -> None:
    kept = running.data / "key"
    assert kept.read_text().strip() == running.key
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for process in running.below:
        assert running.key not in " ".join(process.cmdline())


async def test_a_second_start_on_the_same_data_is_refused(running: Up, tmp_path: Path) -> None:
    link = tmp_path / "the same"
    link.symlink_to(running.data)
    async with Up(link) as second:
        assert await second.ended() == 1
    assert f"in use by process {running.process.pid}" in second.said
    assert "Traceback" not in second.said
    assert (await running.call("GET", "/readyz")).status_code == 200


@pytest.mark.parametrize("setting", ["PLACET_PORT", "PLACET_DEMO_PORT"])
async def test_a_port_that_is_taken_is_told_before_anything_starts(
    running: Up, tmp_path: Path, setting: str
) -> None:
    taken = running.port if setting == "PLACET_PORT" else running.demo_port
    async with Up(tmp_path / "data", **{setting: str(taken)}) as second:
        assert await second.ended() == 1
    assert f"Port {taken} ({setting}) is taken by process" in second.said
    assert f"set {setting} to a free port" in second.said
    assert not (tmp_path / "data" / "postgres").exists()


async def test_wrong_settings_are_all_named_before_anything_starts(tmp_path: Path) -> None:
    wrong = {
        "PLACET_PUBLIC_URL": "placet.example.com",
        "PLACET_BOOTSTRAP_KEY": "s3cret",
        "PLACET_RECONCILE_S": "often",
        "PLACET_CONFIG": "/nowhere/placet.yaml",
    }
    async with Up(tmp_path / "data", **wrong) as up:
        assert await up.ended() == 2
    for name in wrong:
        assert name in up.said
    assert "s3cret" not in up.said
    assert not (tmp_path / "data" / "postgres").exists()


async def test_a_wrong_configuration_file_is_named_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "placet.yaml"
    config.write_text("channels: [inbox]\nsourcs: []\n")
    async with Up(tmp_path / "data", PLACET_CONFIG=str(config)) as up:
        assert await up.ended() == 2
    assert f"{config}:2: sourcs is not known here" in up.said


async def test_a_full_disk_is_told_with_what_is_needed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64m") as disk:
        async with Up(disk / "data") as up:
            assert await up.ended() == 1
        assert "MiB are needed" in up.said
        assert str(disk / "data") in up.said
        assert "Traceback" not in up.said
