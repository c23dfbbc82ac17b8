"""The command line starts fast, and says which services and settings there are."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.settings import SERVICES
from tests.cli.command_line import placet, placet_apart
from tests.cli.placet_up import ROOT, environment

HEAVY = {"fastapi", "aiokafka", "asyncpg", "httpx2", "msgspec", "jinja2", "uvicorn", "uvloop"}
"""Without pydantic, which typer itself imports as soon as a command has an argument."""
LISTS_MODULES = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
from services.cli import main
main()
"""


async def modules(*arguments: str) -> set[str]:
    """What a command has imported at its end."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", LISTS_MODULES, *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["key", "create", "--help"]])
async def test_help_imports_nothing_that_only_the_work_needs(arguments: list[str]) -> None:
    imported = await modules(*arguments)
    assert "typer" in imported
    assert imported & HEAVY == set()
    assert not {one for one in imported if one.startswith(("services.bootstrap", "events."))}


async def test_help_names_every_command_and_exit_code() -> None:
    said = await placet("--help")
    assert said.code == 0
    for name in ("up", "run", "migrate", "rebuild", "verify", "queue", "show", "request"):
        assert f" {name} " in said.out
    for name in ("approve", "deny", "wait", "parked", "source", "key"):
        assert f" {name} " in said.out
    assert "0 done, 1 failed, 2 wrong use or settings, 4 not found, 5 refused" in said.out


@pytest.mark.parametrize("names", [["nonsense"], ["decision", "nonsense"]])
async def test_an_unknown_service_is_answered_with_those_there_are(names: list[str]) -> None:
    said = await placet("run", *names)
    assert said.code == 2
    assert "nonsense: no such service" in said.err
    for name in SERVICES:
        assert name in said.err


@pytest.mark.parametrize("arguments", [["rebuild"], ["migrate"], ["parked"]])
async def test_every_wrong_setting_is_named_at_once(arguments: list[str]) -> None:
    said = await placet(*arguments, PLACET_PORT="0", PLACET_DEV_LOGIN="perhaps")
    assert said.code == 2
    for name in ("PLACET_POSTGRES_DSN", "PLACET_KAFKA", "PLACET_PORT", "PLACET_DEV_LOGIN"):
        assert name in said.err


async def test_a_wrong_configuration_file_stops_a_service(tmp_path: Path) -> None:
    config = tmp_path / "placet.yaml"
    config.write_text("channels: [pigeon]\nsources: [nowhere.yaml]\n")
    said = await placet_apart(
        "run",
        "notifier",
        PLACET_POSTGRES_DSN="postgresql://nobody@127.0.0.1:1/placet",
        PLACET_KAFKA="127.0.0.1:1",
        PLACET_CONFIG=str(config),
    )
    assert said.code == 2
    assert f"{config}:1: channels: 'pigeon' is none of inbox, outbox" in said.err
    assert f"{tmp_path / 'nowhere.yaml'}: the file cannot be read" in said.err


@pytest.mark.parametrize("arguments", [["run", "queue"], ["migrate"], ["rebuild"], ["verify"]])
async def test_an_unreachable_postgres_is_told_without_its_password(arguments: list[str]) -> None:
    start = placet_apart if arguments[0] == "run" else placet
    said = await start(
        *arguments,
        PLACET_POSTGRES_DSN="postgresql://placet:s3cret@127.0.0.1:1/placet",
        PLACET_KAFKA="127.0.0.1:1",
    )
    assert said.code == 6
    assert "Postgres cannot be reached" in said.err
    assert "s3cret" not in said.out + said.err


@pytest.mark.parametrize("wrong", ["host:port", "[::1", "host:99999", "a:s3cret/a@host"])
async def test_a_dsn_that_is_none_is_told_without_its_password(wrong: str) -> None:
    said = await placet(
        "verify", PLACET_POSTGRES_DSN=f"postgresql://u:s3cret@{wrong}/db", PLACET_KAFKA="k:1"
    )
    assert said.code == 2
    assert "PLACET_POSTGRES_DSN is no connection string" in said.err
    assert "s3cret" not in said.out + said.err


async def test_no_command_takes_a_secret_on_its_command_line() -> None:
    for name in ("queue", "request", "up", "run"):
        said = await placet(name, "--key", "plk_x", "something")
        assert said.code == 2, name
        assert "No such option" in said.err, name
