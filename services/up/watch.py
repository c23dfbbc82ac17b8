"""The compact live log of `placet up`: a line for each thing that happens to an approval."""

import asyncio
from datetime import UTC, datetime, timedelta

from events.store import Unavailable
from projections.queries import Change, Changes
from services.up.say import Say

EVERY_S = 0.25
PATIENCE = timedelta(seconds=3)
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


async def watch(changes: Changes, seq: int, say: Say) -> None:
    """Say what happens after a place in the log, until cancelled."""
    while True:
        try:
            for change in await changes.after(seq):
                if change.summary is None and datetime.now(UTC) - change.recorded_at < PATIENCE:
                    break  # the history has its sentence in a moment
                seq = change.seq
                if change.type not in QUIET:
                    say(line(change), change.approval_id, change.summary or "")
        except Unavailable as error:
            say("[red]waiting: {}[/red]", error)
            await asyncio.sleep(2)
        await asyncio.sleep(EVERY_S)


def line(change: Change) -> str:
    """Return one line of the log, with room for the approval's id and what happened."""
    style = STYLES.get(change.type, "white")
    at = change.recorded_at.astimezone().strftime("%H:%M:%S")
    kind = change.type.removeprefix("approval.")
    return f"[dim]{at}[/dim] [{style}]{kind:<20}[/{style}] [dim]{{}}[/dim] {{}}"
