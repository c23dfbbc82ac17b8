"""Starts Acme Expenses: `python -m acme_expenses --port 8081 --data FILE`."""

import argparse
import os
import re
import signal
import socket
import sys
from pathlib import Path
from random import Random
from types import FrameType
from typing import NoReturn

if not __package__:
    # Started by the path of its folder: Python then looks for modules inside the package, where
    # the names of ours could hide others. Look beside it instead.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import uvicorn

from acme_expenses.api import Setup
from acme_expenses.app import build_app
from acme_expenses.connections import Connections
from acme_expenses.errors import DataFileError
from acme_expenses.faults import Faults
from acme_expenses.seed import fill
from acme_expenses.store import Store
from acme_expenses.times import now

_SHUTDOWN_TAKES_S = 1


def main() -> int:
    """Serves until a signal asks it to stop; the exit code of the process."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _stop)
    options = _parser().parse_args()
    token = os.environ.get("ACME_EXPENSES_TOKEN") or None
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        return _refuse(
            "ACME_EXPENSES_TOKEN cannot travel in a header;"
            " choose ASCII letters, digits and signs without spaces."
        )
    try:
        listening = _listen(options.host, options.port)
    except OSError as error:
        return _refuse(
            f"Cannot listen on {options.host} port {options.port}: {error.strerror}."
            " Choose another with --port, or stop the program that has it."
        )
    try:
        return _serve(options, listening, token)
    except DataFileError as error:
        return _refuse(str(error))
    finally:
        listening.close()


def _serve(options: argparse.Namespace, listening: socket.socket, token: str | None) -> int:
    port = listening.getsockname()[1]
    shown_host = "127.0.0.1" if options.host in {"0.0.0.0", "::", ""} else options.host  # noqa: S104 - compared, not bound
    if ":" in shown_host:
        shown_host = f"[{shown_host}]"
    public_url = (options.public_url or f"http://{shown_host}:{port}").rstrip("/")
    started_at = now()
    store = Store.open(
        options.data,
        now,
        lambda writer: None if options.empty else fill(writer, started_at),
    )
    connections = Connections()
    app = build_app(
        store,
        Faults(Random()),  # noqa: S311 - chance decides which request fails, and guards nothing
        connections,
        Setup(public_url, token),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=connections.protocol(),
            log_level="warning",
            access_log=False,
            # Clients are known by their socket: the fault that cuts a connection looks there.
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN_TAKES_S,
        )
    )
    sys.stdout.write(f"Acme Expenses is at {public_url} (port {port}, data in {options.data})\n")
    sys.stdout.flush()
    try:
        server.run(sockets=[listening])
    finally:
        store.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="acme_expenses",
        description="Acme Expenses, a small expense system to try approvals against.",
        epilog="ACME_EXPENSES_TOKEN in the environment: when set, the API (not the pages) asks"
        " for the header Authorization: Bearer with this token.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8081, help="port to listen on; 0 takes any (%(default)s)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("acme-expenses.sqlite3"),
        metavar="FILE",
        help="SQLite file; made and filled with some thirty reports when absent (%(default)s)",
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="address in the links to reports, when it is not http://HOST:PORT",
    )
    parser.add_argument("--empty", action="store_true", help="start a new file without reports")
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:  # noqa: PLR2004 - the highest port there is
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no port; give a number from 0 to 65535")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    return listening


def _refuse(message: str) -> int:
    sys.stderr.write(f"acme_expenses: {message}\n")
    return 2


def _stop(_signum: int, _frame: FrameType | None) -> NoReturn:
    # The server raises the signal again once it has shut down: that is a good end.
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
