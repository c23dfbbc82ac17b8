"""The compact live log of `placet up`: a line for each thing that happens to an approval."""

import asyncio
from collections.abc import Callable

from events.store import Unavailable
from projections.queries import Change, Changes

EVERY_S = 0.25
QUIET = frozenset(("approval.notified",))

STYLES = {
    "approval.requested": "cyan",
    "approval.revised": "yellow",
    "approval.decision_submitted": "blue",
    "approval.write_back_failed": "red",
    "approval.notification_failed": "red",
    "approval.decided": "green",
    "approval.withdrawn": "magenta",
    "approval.expired": "magenta",
}

Say = Callable[[str], None]


async def watch(changes: Changes, say: Say, describe: Callable[[Change], str]) -> None:
    """Say what happens from now on, until cancelled."""
    seq = -1
    while True:
        try:
            if seq < 0:
                seq = await changes.head()
            for change in await changes.after(seq):
                seq = change.seq
                if change.type not in QUIET:
                    say(line(change, describe(change)))
        except Unavailable as error:
            say(f"[red]waiting: {error}[/red]")
            await asyncio.sleep(2)
        await asyncio.sleep(EVERY_S)


def line(change: Change, text: str) -> str:
    """Return one line of the log."""
    style = STYLES.get(change.type, "white")
    at = change.recorded_at.astimezone().strftime("%H:%M:%S")
    kind = change.type.removeprefix("approval.")
    return f"[dim]{at}[/dim] [{style}]{kind:<20}[/{style}] {text}"
