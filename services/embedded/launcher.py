"""Becomes the wanted program, after tying its life to that of the process that started it.

This runs as a script between fork and the program (`python -I -S launcher.py JSON`). Doing the same
in a `preexec_fn` could deadlock a parent with threads, and uvloop cannot change the user.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

HELD_DIRECTORY = 9
_PR_SET_PDEATHSIG = 1
_NO_PARENT = 125
_NO_PROGRAM = 127


def main() -> None:
    """Read the order from the command line, prepare this process, and become the program."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    # A session of its own keeps the terminal's Ctrl-C away, so that we choose how it stops.
    os.setsid()
    os.umask(0o077)
    if order["hold"] is not None:
        # Opened with our rights: the program's user may not be able to walk down to it.
        held = os.open(order["hold"], os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(held, HELD_DIRECTORY, inheritable=True)
    if order["user"] is not None:
        uid, gid = order["user"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, because that clears it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, order["death_signal"], 0, 0, 0)
    if os.getppid() != order["parent"]:
        os._exit(_NO_PARENT)  # the parent died before the line above could take hold
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execv(order["argv"][0], order["argv"])  # noqa: S606 (no shell is the point)
    except OSError as error:
        sys.stderr.write(f"cannot run {order['argv'][0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(_NO_PROGRAM)


if __name__ == "__main__":
    main()
