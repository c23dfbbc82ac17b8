"""A child is watched, ends when asked, and never outlives us."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from services.embedded import child as child_module
from services.embedded.child import Child, Command
from services.embedded.errors import ChildDied, NotReady

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); {}"


def python(folder: Path, code: str, **more: object) -> Command:
    argv = (sys.executable, "-c", code)
    return Command(name="The test child", argv=argv, log=folder / "log", **more)  # type: ignore[arg-type] # forwards keywords


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become true within 10 s")


async def said(folder: Path, text: str) -> None:
    await until(lambda: text in (folder / "log").read_text())


async def test_an_unasked_end_tells_the_exit_code_and_the_last_lines(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "print('out of luck'); raise SystemExit(3)"))
    death = await asyncio.wait_for(child.died, 10)
    assert death.exit_code == 3
    assert death.last_lines == ("out of luck",)
    assert "The test child died (exit 3)" in str(death)


async def test_a_kill_from_outside_tells_the_signal(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "import time; time.sleep(60)"))
    os.kill(child.pid, signal.SIGKILL)
    death = await asyncio.wait_for(child.died, 10)
    assert death.exit_code == -signal.SIGKILL
    assert "signal 9" in str(death)
    await child.stop()


async def test_a_stop_is_no_death(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "import time; time.sleep(60)"))
    await child.stop()
    assert not child.is_running
    assert not child.died.done()


async def test_a_deaf_child_is_killed_in_the_end(tmp_path: Path) -> None:
    command = python(
        tmp_path,
        STUBBORN.format("time.sleep(60)"),
        stop_with=((signal.SIGTERM, 0.1),),
    )
    child = await Child.start(command)
    await said(tmp_path, "deaf")
    await child.stop()
    assert not child.is_running


async def test_a_cancelled_stop_kills_at_once(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, STUBBORN.format("time.sleep(60)")))
    await said(tmp_path, "deaf")
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0.1)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await until(lambda: not child.is_running)


async def test_waiting_ends_with_the_childs_death(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "raise SystemExit('no luck today')"))

    async def never() -> bool:
        return False

    with pytest.raises(ChildDied, match="no luck today"):
        await child.wait_until_ready(never, timeout=30)


async def test_waiting_is_bounded_and_shows_the_log(tmp_path: Path) -> None:
    code = "import time; print('still thinking', flush=True); time.sleep(60)"
    child = await Child.start(python(tmp_path, code))
    await said(tmp_path, "still thinking")

    async def never() -> bool:
        return False

    with pytest.raises(NotReady, match="still thinking"):
        await child.wait_until_ready(never, timeout=0.1)
    await child.kill()


async def test_a_program_that_never_finishes_is_ended(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(NotReady, match="did not finish"):
        await child.wait(timeout=0.1)
    assert not child.is_running


async def test_a_missing_program_is_a_death_that_names_it(tmp_path: Path) -> None:
    command = Command(name="Nothing", argv=("/no/such/program",), log=tmp_path / "log")
    death = await asyncio.wait_for((await Child.start(command)).died, 10)
    assert death.exit_code == 127
    assert "/no/such/program" in str(death)


async def test_our_environment_does_not_reach_the_child(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LISTENER_URL", "tcp://0.0.0.0:1")
    code = "import os; print(sorted(os.environ), os.environ['MORE'])"
    child = await Child.start(python(tmp_path, code, env={"MORE": "of this"}))
    assert await child.wait(timeout=10) == 0
    line = child.last_lines()[-1]
    assert "PGPORT" not in line
    assert "LISTENER_URL" not in line
    assert line.endswith("of this")


async def test_the_terminals_signals_do_not_reach_the_child(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "import time; print(1, flush=True); time.sleep(60)"))
    await said(tmp_path, "1")
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert os.getpgid(child.pid) != os.getpgid(0)
    await child.stop()


async def test_a_large_log_is_put_aside_and_last_lines_are_this_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_module, "LOG_LIMIT", 5)
    for text in ("first run", "second run"):
        child = await Child.start(python(tmp_path, f"print({text!r})"))
        assert await child.wait(timeout=10) == 0
        assert child.last_lines() == (text,)
    assert (tmp_path / "log").read_text() == "second run\n"
    assert (tmp_path / "log.1").read_text() == "first run\n"


async def test_a_small_log_is_added_to(tmp_path: Path) -> None:
    for text in ("first run", "second run"):
        child = await Child.start(python(tmp_path, f"print({text!r})"))
        assert await child.wait(timeout=10) == 0
        assert child.last_lines() == (text,)
    assert (tmp_path / "log").read_text() == "first run\nsecond run\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
async def test_a_child_whose_parent_is_gone_already_does_not_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    child = await Child.start(python(tmp_path, "print('started')"))
    assert await child.wait(timeout=10) == 125
    assert (tmp_path / "log").read_text() == ""


async def test_idle_watching_costs_no_time(tmp_path: Path) -> None:
    child = await Child.start(python(tmp_path, "import time; time.sleep(60)"))
    before = psutil.Process().cpu_times()
    await asyncio.sleep(0.5)
    after = psutil.Process().cpu_times()
    assert (after.user + after.system) - (before.user + before.system) < 0.1
    await child.stop()
