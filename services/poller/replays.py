"""Remembers which messages were taken in, for as long as their signatures are good."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_REMEMBERED = 10_000


class Replays:
    """The ids of messages taken in during the last `window` seconds; at most `size` of them.

    Beyond that the oldest are forgotten: taking a record in twice asks nobody twice.
    """

    def __init__(
        self,
        window: float,
        size: int = MAX_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window
        self._size = size
        self._clock = clock
        self._seen: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def seen(self, *message: str) -> bool:
        """Tell whether the message was taken in within the window."""
        at = self._seen.get(message)
        return at is not None and self._clock() - at <= self._window

    def remember(self, *message: str) -> None:
        """Note that the message was taken in: only after what it says is durable."""
        now = self._clock()
        self._seen[message] = now
        self._seen.move_to_end(message)
        while self._seen and (
            len(self._seen) > self._size or now - next(iter(self._seen.values())) > self._window
        ):
            self._seen.popitem(last=False)
