"""When a delivery is tried again, and when an endpoint that only fails is given up."""

from collections.abc import Callable
from datetime import datetime, timedelta

RETRY_AFTER_S = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Before each attempt, counted from the one before it."""
JITTER = 0.1
LONGEST_WAIT_S = 86_400.0
"""The most that an endpoint's own Retry-After counts for."""
DISABLED_AFTER = timedelta(days=5)
KEPT = timedelta(days=90)
"""How long a delivery is kept with its attempts, and how old an event may be to be told at all.

The two are one: a log that is read again from its start tells nothing of which the delivery was
forgotten. A replay tells what is older.
"""
WARNED_AT = (50, 70, 90)
"""Percent of `DISABLED_AFTER`."""

Draw = Callable[[], float]
"""A number from 0 to 1."""


def next_try_in(tries: int, asked_s: float | None, draw: Draw) -> float | None:
    """Return after how many seconds to try again, having tried so often; None to give up."""
    if tries >= len(RETRY_AFTER_S):
        return None
    planned = RETRY_AFTER_S[tries] * (1 + JITTER * (2 * draw() - 1))
    return max(planned, min(asked_s or 0.0, LONGEST_WAIT_S))


def ends_at(failing_since: datetime) -> datetime:
    """Return when an endpoint is disabled that goes on failing."""
    return failing_since + DISABLED_AFTER


def failed_for(failing_since: datetime, at: datetime) -> int:
    """Return how much of the time until it is disabled an endpoint has failed, in percent."""
    return int((at - failing_since) * 100 / DISABLED_AFTER)
