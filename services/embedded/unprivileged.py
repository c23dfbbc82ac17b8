"""Finds a user to run Postgres as where we are root, because Postgres refuses to be root."""

import os
import pwd
import subprocess
from dataclasses import dataclass

from services.embedded.errors import NoUnprivilegedUser

OWN_USER = "placet"
_STAND_INS = ("postgres", "nobody")
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class RunAs:
    """A user and group, by number, that a child runs as."""

    uid: int
    gid: int


def unprivileged_user() -> RunAs | None:
    """None where we are not root; else the user `placet`, made where absent.

    Where it cannot be made (a read-only system, no `useradd`), `postgres` or `nobody` stands in.
    Raises NoUnprivilegedUser.
    """
    if os.geteuid() != 0:
        return None
    found = _look_up(OWN_USER)
    if found is None and _make(OWN_USER):
        found = _look_up(OWN_USER)
    for name in _STAND_INS:
        found = found or _look_up(name)
    if found is None:
        raise NoUnprivilegedUser(
            f"Postgres does not run as root, and the user {OWN_USER!r} cannot be made here. "
            f"Start as an ordinary user, or add a system user named {OWN_USER!r}.",
        )
    return found


def _look_up(name: str) -> RunAs | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return RunAs(entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _make(name: str) -> bool:
    order = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        made = subprocess.run(
            order,
            check=False,
            capture_output=True,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return made.returncode == 0
