"""Finds free loopback ports, and says who has a port that is not free."""

import random
import socket
from pathlib import Path

import psutil

from services.embedded.errors import LocalServerProblem, PortTaken

HOST = "127.0.0.1"
_LOWEST = 15_000
_DEFAULT_EPHEMERAL = 32_768
_TRIES = 200
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def claim_port(wanted: int | None, setting: str) -> int:
    """The wanted port, or a free one for None.

    `setting`: the name a person would change, for the message. Raises PortTaken.
    """
    if wanted is None:
        return free_port()
    if not is_free(wanted):
        pid, program = _listener(wanted)
        raise PortTaken(wanted, setting, pid, program)
    return wanted


def free_port() -> int:
    """A loopback port that nothing listens on just now.

    It lies below the range from which the system takes ports for outgoing connections: a client
    that reconnects in a loop could otherwise connect to itself there while its server is down,
    and so keep the server from coming back.
    """
    highest = max(_lowest_ephemeral(), _LOWEST + 1000)
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, highest)  # noqa: S311 (spreads ports, guards nothing)
        if is_free(port):
            return port
    raise LocalServerProblem(
        f"No free port was found between {_LOWEST} and {highest} in {_TRIES} tries. "
        "Stop what listens there.",
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection that lingers after its server's end must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _lowest_ephemeral() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL


def _listener(port: int) -> tuple[int | None, str | None]:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid is not None
            ):
                return connection.pid, psutil.Process(connection.pid).name()
    except (psutil.Error, OSError):
        pass  # who it is only helps the message; other users' processes cannot be seen
    return None, None
