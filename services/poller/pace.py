"""When the next pass over a source is due: in its interval, or later while it fails."""

import random
from dataclasses import dataclass

FIRST_RETRY_S = 1.0
LONGEST_BACKOFF_S = 60.0
JITTER = 0.1


@dataclass(slots=True)
class Pace:
    """The pace of one kind of pass; times are those of one monotonic clock, in seconds."""

    interval: float
    due_at: float
    failures: int = 0
    error: str | None = None

    def succeeded(self, now: float) -> None:
        """Go on in the interval."""
        self.failures, self.error = 0, None
        self.due_at = now + spread(self.interval)

    def failed(self, now: float, error: str, retry_after: float | None) -> None:
        """Try again soon, then less and less often; never before the source wants to be asked."""
        self.failures += 1
        self.error = error
        backoff = min(FIRST_RETRY_S * 2 ** min(self.failures - 1, 20), LONGEST_BACKOFF_S)
        self.due_at = now + max(spread(backoff), retry_after or 0.0)


def spread(length: float) -> float:
    """Return a length of about that size, so that many sources do not move in step."""
    return length * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - guards nothing
