"""Servers that an earlier run left behind are ended, and nothing else is."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.embedded import leftovers
from services.embedded.errors import LeftoverAlive
from services.embedded.leftovers import Trace, end_leftovers, tag_of

WAIT = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(15, signal.SIG_IGN);" + WAIT
STEPS = ((signal.SIGTERM, 0.3),)


@contextmanager
def running(code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def trace(tag: str) -> Trace:
    return Trace(program="python", tag=tag, mark=f"--tag={tag}")


def test_each_directory_has_its_own_tag(tmp_path: Path) -> None:
    assert tag_of(tmp_path / "a") != tag_of(tmp_path / "b")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert tag_of(tmp_path / "link") == tag_of(tmp_path / "a")


async def test_a_tagged_process_is_ended_and_others_are_not(tmp_path: Path) -> None:
    tag, other = tag_of(tmp_path), tag_of(tmp_path / "other")
    with running(WAIT, f"--tag={tag}") as ours, running(WAIT, f"--tag={other}") as theirs:
        assert await end_leftovers(trace(tag), STEPS) == 1
        assert ours.wait(5) == -signal.SIGTERM
        assert theirs.poll() is None


async def test_a_deaf_process_is_killed(tmp_path: Path) -> None:
    tag = tag_of(tmp_path)
    with running(DEAF, f"--tag={tag}") as ours:
        assert await end_leftovers(trace(tag), STEPS) == 1
        assert ours.wait(5) == -signal.SIGKILL


async def test_another_program_that_mentions_the_tag_is_spared(tmp_path: Path) -> None:
    tag = tag_of(tmp_path)
    with running(WAIT, f"--tag={tag}") as reader:
        other = Trace(program="postgres", tag=tag, mark=f"--tag={tag}")
        assert await end_leftovers(other, STEPS) == 0
        assert reader.poll() is None


async def test_a_survivor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = tag_of(tmp_path)
    monkeypatch.setattr(leftovers, "_KILL_STEP", (signal.SIGTERM, 0.1))
    with running(DEAF, f"--tag={tag}") as ours, pytest.raises(LeftoverAlive) as refused:
        await end_leftovers(trace(tag), ())
    assert str(ours.pid) in str(refused.value)
