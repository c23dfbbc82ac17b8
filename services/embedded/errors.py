"""What can go wrong with the servers that `placet up` runs, told to the person who mends it."""

from pathlib import Path


class LocalServerProblem(Exception):
    """One of our own servers cannot start, or has stopped; the message says what to do next."""


class DataDirInUse(LocalServerProblem):
    """Another process holds the data directory: stop it, or name another directory.

    `pid`, `host` and `since` describe the holder as far as its lock file tells; else they are None.
    """

    def __init__(self, path: Path, pid: int | None, host: str | None, since: str | None) -> None:
        who = "another process" if pid is None else f"process {pid} on {host}, since {since}"
        super().__init__(
            f"{path} is in use by {who}. Stop it first, or name another directory.",
        )
        self.path = path
        self.pid = pid
        self.host = host
        self.since = since


class DataDirUnusable(LocalServerProblem):
    """The data directory cannot be made, locked, read or written, or holds something else."""


class DiskFull(LocalServerProblem):
    """Too little space is free for the data directory: make room, or name another directory."""

    def __init__(self, path: Path, free: int, needed: int) -> None:
        mib = 1024 * 1024
        super().__init__(
            f"{path}: only {free // mib} MiB are free and {needed // mib} MiB are needed. "
            "Make room on that disk, or name a directory on another one.",
        )
        self.path = path
        self.free = free
        self.needed = needed


class PortTaken(LocalServerProblem):
    """Something else listens on the wanted port: stop it, or set another port.

    `pid` is the listener's, where this user may see it; else None.
    """

    def __init__(self, port: int, setting: str, pid: int | None, program: str | None) -> None:
        who = "another program" if pid is None else f"process {pid} ({program})"
        super().__init__(
            f"Port {port} ({setting}) is taken by {who}. Stop it, or set {setting} to a free port.",
        )
        self.port = port
        self.setting = setting
        self.pid = pid


class ProgramMissing(LocalServerProblem):
    """A server's program is not installed, or cannot be run here."""


class NoUnprivilegedUser(LocalServerProblem):
    """Postgres refuses to run as root, and no other user is there to run it as."""


class NotReady(LocalServerProblem):
    """A server started but did not become ready in time; its log says why."""


class LeftoverAlive(LocalServerProblem):
    """A server of an earlier run could not be ended: end it by hand, then start again."""


class ChildDied(LocalServerProblem):
    """A server ended without being asked to.

    `exit_code` is negative for a signal, as in `subprocess`; `last_lines` come from its log.
    """

    def __init__(self, name: str, exit_code: int, log: Path, last_lines: tuple[str, ...]) -> None:
        how = f"exit {exit_code}" if exit_code >= 0 else f"signal {-exit_code}"
        said = "".join(f"\n  {line}" for line in last_lines) or "\n  (nothing)"
        super().__init__(f"{name} died ({how}). Its log {log} ends with:{said}")
        self.name = name
        self.exit_code = exit_code
        self.log = log
        self.last_lines = last_lines
