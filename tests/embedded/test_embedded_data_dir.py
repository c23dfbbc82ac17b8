"""A data directory belongs to one process, and says clearly why it cannot be used."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.embedded.data_dir import LOCK_NAME, DataDir
from services.embedded.errors import DataDirInUse, DataDirUnusable, DiskFull

HOLDER = """
import sys
from pathlib import Path
from services.embedded.data_dir import DataDir
held = DataDir.claim(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_holds(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder


def test_a_new_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    with DataDir.claim(tmp_path / "some" / "data") as data:
        assert stat.S_IMODE(data.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((data.path / LOCK_NAME).stat().st_mode) == 0o600


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    with another_process_holds(tmp_path) as holder:
        with pytest.raises(DataDirInUse, match=f"process {holder.pid}") as refused:
            DataDir.claim(tmp_path)
        assert refused.value.pid == holder.pid
        assert str(tmp_path) in str(refused.value)


def test_the_same_process_cannot_claim_twice(tmp_path: Path) -> None:
    with DataDir.claim(tmp_path), pytest.raises(DataDirInUse, match=str(os.getpid())):
        DataDir.claim(tmp_path)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    with another_process_holds(tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(5)
        assert str(holder.pid) in (tmp_path / LOCK_NAME).read_text()
        with DataDir.claim(tmp_path):
            assert str(os.getpid()) in (tmp_path / LOCK_NAME).read_text()


def test_a_released_directory_can_be_claimed_again(tmp_path: Path) -> None:
    held = DataDir.claim(tmp_path)
    held.release()
    held.release()
    DataDir.claim(tmp_path).release()


def test_a_refused_claim_leaves_the_holder_in_place(tmp_path: Path) -> None:
    with DataDir.claim(tmp_path):
        for _ in range(2):
            with pytest.raises(DataDirInUse):
                DataDir.claim(tmp_path)


def test_too_little_room_names_the_directory_and_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="MiB are needed") as refused:
        DataDir.claim(tmp_path, needed=1 << 60)
    assert str(tmp_path) in str(refused.value)
    DataDir.claim(tmp_path).release()


@pytest.mark.parametrize("bad", ["file/data", "file"])
def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, bad: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match=bad):
        DataDir.claim(tmp_path / bad)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataDirUnusable, match="Permission denied"):
        DataDir.claim(tmp_path)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    data = tmp_path / "data"
    data.mkdir()
    (data / LOCK_NAME).symlink_to(victim)
    with pytest.raises(DataDirUnusable):
        DataDir.claim(data)
    assert victim.read_text() == "precious"


def test_an_unsigned_lock_still_refuses(tmp_path: Path) -> None:
    with DataDir.claim(tmp_path):
        (tmp_path / LOCK_NAME).write_text("")
        with pytest.raises(DataDirInUse, match="another process") as refused:
            DataDir.claim(tmp_path)
        assert refused.value.pid is None
