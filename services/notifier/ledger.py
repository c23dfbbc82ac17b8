"""What the notifier does outside, as it is written down, and when it is tried again."""

from datetime import datetime, timedelta
from typing import Protocol

from services.effects import Attempt, Effect

CARD = "card"
QUESTION = "card_question"
REMINDER = "card_reminder"
CHECK = "card_check"
EDITS = "card_edits"
NOTE = "card_note"
OUTCOME = "card_outcome"
_TO_SOMEBODY = (CARD, QUESTION, REMINDER)

WINDOW = timedelta(hours=24)
"""How long something outside is tried before it is given up."""
DELAYS_S = (2.0, 10.0, 30.0, 60.0, 300.0, 900.0)
LONGEST_DELAY_S = 3600.0


class Ledger(Protocol):
    """The part of `Effects` that the notifier needs; raises `Unavailable`."""

    async def take(self, effect: Effect) -> Attempt | None:
        """Write the effect down and take it; None if it is done, given up, or not due."""
        ...

    async def leaving(self, effect: Effect, attempt: Attempt) -> bool:
        """Note, just before it leaves, that it is being sent; False if it is somebody else's now.

        The lease begins anew.
        """
        ...

    async def done(self, effect: Effect) -> None:
        """Note that it happened."""
        ...

    async def failed(self, effect: Effect, error: str) -> None:
        """Note that it is given up."""
        ...

    async def later(self, effect: Effect, delay_s: float, error: str, *, sent: bool = True) -> None:
        """Let go of it, to be tried again after a while.

        `sent` is False where it is sure that no attempt so far has reached the other side.
        """
        ...


def delay(attempt: int, retry_after: float | None) -> float:
    """Return how many seconds to wait after attempt number `attempt`, which counts from 1."""
    wait = DELAYS_S[min(attempt, len(DELAYS_S)) - 1]
    return min(max(wait, retry_after or 0.0), LONGEST_DELAY_S)


def is_over(attempt: Attempt, now: datetime) -> bool:
    """Tell whether the effect was tried for long enough."""
    return now - attempt.first_at >= WINDOW


def sending(
    kind: str, workspace: str, approval_id: str, version: int, *, channel: str, to: str
) -> Effect:
    """Name the one thing of a kind that goes to somebody on a channel for the event at `version`.

    That event is the one with which the revision began, the question, or the reminder.
    """
    return Effect(
        workspace=workspace,
        approval_id=approval_id,
        version=version,
        effect=f"{kind}:{channel}:{to}",
    )


def parts(effect: Effect) -> tuple[str, str, str]:
    """Return kind, channel and person of an effect; empty where its kind has none."""
    kind, _, rest = effect.effect.partition(":")
    if kind in _TO_SOMEBODY:
        channel, _, approver = rest.partition(":")
        return kind, channel, approver
    return kind, "", rest
