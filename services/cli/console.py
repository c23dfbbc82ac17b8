"""How the command line speaks: tables for people, JSON for scripts, exit codes with a meaning."""

import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import msgspec
import uvloop
from rich.console import Console

from events.store import Unavailable
from events.store.migrate import Refused as MigrationRefused
from projections.rebuild import RebuildRunning
from services.embedded.errors import LocalServerProblem
from services.settings import HalfConfigured

OK, FAILED, MISUSED, NOT_FOUND, REFUSED, UNAVAILABLE = 0, 1, 2, 4, 5, 6
"""Exit codes; 2 is also what a wrong command line ends with."""

T = TypeVar("T")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong, and end."""
    err.print(f"[red]placet:[/red] {message}", markup=True, soft_wrap=True)
    raise SystemExit(code)


def print_json(value: Any) -> None:
    """Print a value for scripts."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work, and end with a sentence where it cannot be done."""
    try:
        return uvloop.run(work)
    except HalfConfigured as error:
        fail("Placet does not start like this:\n  " + "\n  ".join(error.errors), MISUSED)
    except (LocalServerProblem, MigrationRefused, RebuildRunning) as error:
        fail(str(error))
    except Unavailable as error:
        fail(str(error), UNAVAILABLE)
    except KeyboardInterrupt:
        fail("interrupted", 130)
