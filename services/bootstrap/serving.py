"""Serves an HTTP application on a port, and stops without cutting anybody off."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from services.settings import HalfConfigured

GRACE_S = 5
HSTS = "max-age=31536000"
FILES = 65_536
"""Files that a process may have open, where the system lets it: each connection is one."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the services."""
        yield


@asynccontextmanager
async def serving(
    app: FastAPI, host: str, port: int, *, only_https: bool = False
) -> AsyncIterator[None]:
    """Listen while the context lasts; raises `HalfConfigured` when the port is taken.

    `only_https`: every answer says that this host is never to be asked over plain http again.
    """
    _allow_files()
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        # Placet is put behind a proxy: nothing more is told about it than it must be.
        server_header=False,
        headers=[("Strict-Transport-Security", HSTS)] if only_https else [],
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=GRACE_S + 2)
        listening.close()


def _allow_files() -> None:
    """Raise the soft limit of open files, which is 256 or 1,024 on many a machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # A system may say that there is no limit and have one: then it stays as it is.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise HalfConfigured(
            [f"Port {port} (PLACET_PORT) on {host} cannot be used: {error.strerror}."]
        ) from error
    listening.listen(2048)
    listening.setblocking(False)
    return listening
