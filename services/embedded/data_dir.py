"""Holds a data directory for one process at a time, and checks that it can be used."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from services.embedded.errors import DataDirInUse, DataDirUnusable, DiskFull

NEEDED_BYTES = 256 * 1024 * 1024
LOCK_NAME = "placet.lock"
_LOCK_LIMIT = 4096


class DataDir:
    """A directory that this process alone uses, until `release` or the end of its `with`.

    The operating system drops the hold of a process that died, however it died.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def claim(cls, path: Path, *, needed: int = NEEDED_BYTES) -> Self:
        """Make the directory (mode 0700) where it is absent, and hold it.

        `needed`: bytes that must be free. Raises DataDirInUse, DataDirUnusable or DiskFull.
        """
        path = path.absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unusable(path, error, needed) from error
        try:
            _hold(path, lock, needed)
            _check_space(path, needed)
            _sign(lock)
        except OSError as error:
            os.close(lock)
            raise _unusable(path, error, needed) from error
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    def release(self) -> None:
        """Let others use the directory; harmless when done twice."""
        if self._lock is None:
            return
        # The file stays: were it removed, two others could each lock a file of that name.
        with contextlib.suppress(OSError):
            os.ftruncate(self._lock, 0)
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _hold(path: Path, lock: int, needed: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _in_use(path, lock) from None
    except OSError as error:
        raise _unusable(path, error, needed) from error


def _sign(lock: int) -> None:
    signature = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(signature).encode(), 0)


def _in_use(path: Path, lock: int) -> DataDirInUse:
    try:
        holder = json.loads(os.pread(lock, _LOCK_LIMIT, 0))
        return DataDirInUse(path, int(holder["pid"]), str(holder["host"]), str(holder["since"]))
    except (ValueError, KeyError, TypeError, OSError):
        # The holder has locked the file but not signed it yet.
        return DataDirInUse(path, None, None, None)


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path).free
    if free < needed:
        raise DiskFull(path, free, needed)


def _unusable(path: Path, error: OSError, needed: int) -> DataDirUnusable | DiskFull:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(path, 0, needed)
    return DataDirUnusable(
        f"{path} cannot be used as a data directory: {error.strerror or error}. "
        "Name a directory on a local disk that this user can write.",
    )
