"""How the command line speaks: tables for people, JSON for scripts, exit codes with a meaning."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.markup import escape

OK, FAILED, MISUSED, NOT_FOUND, REFUSED, UNAVAILABLE = 0, 1, 2, 4, 5, 6
"""Exit codes; 2 is also what a wrong command line ends with."""

T = TypeVar("T")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def plain(text: str) -> str:
    """Return what others wrote as text that changes neither the style nor the terminal."""
    return escape(
        "".join(
            one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text
        )
    )


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong, in plain text, and end."""
    err.print(f"[red]placet:[/red] {plain(message)}", soft_wrap=True)
    raise SystemExit(code)


def print_json(value: Any) -> None:
    """Print a value for scripts."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work, and end with a sentence where it cannot be done."""
    import uvloop
    from asyncpg import PostgresError

    from events.store import Unavailable
    from events.store.migrate import Refused as MigrationRefused
    from projections.rebuild import RebuildRunning
    from services.embedded.errors import LocalServerProblem
    from services.settings import HalfConfigured

    try:
        return uvloop.run(work)
    except HalfConfigured as error:
        fail("Placet does not start like this:\n  " + "\n  ".join(error.errors), MISUSED)
    except (LocalServerProblem, MigrationRefused, RebuildRunning) as error:
        fail(str(error))
    except Unavailable as error:
        fail(str(error), UNAVAILABLE)
    except PostgresError as error:
        # Such as a wrong password, no such database, or one without our tables.
        fail(f"Postgres refuses: {error}. Look at PLACET_POSTGRES_DSN, and run `placet migrate`.")
    except KeyboardInterrupt:
        fail("interrupted", 130)
