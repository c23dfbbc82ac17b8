"""Keeps a process within what Slack allows: so many calls of a method, a post a second each."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from services.channels import ChannelUnavailable

PER_MINUTE: Mapping[str, int] = {
    "chat.postMessage": 300,
    "chat.update": 50,
    "conversations.open": 50,
    "conversations.history": 50,
    "users.lookupByEmail": 50,
    "users.info": 100,
    "views.open": 100,
    "auth.test": 100,
}
"""What Slack promises at the least, for each method and each workspace that it is called for."""
POSTS_APART_S = 1.0
"""How long to wait before the next message to the same conversation."""
LONGEST_BLOCK_S = 3600.0
_MOST_CONVERSATIONS = 10_000
_BURST_PART = 2


class _Pace:
    """Hands out times that are `apart` seconds apart, after a burst of so many at once."""

    def __init__(self, apart: float, burst: int) -> None:
        self._apart = apart
        self._ahead = apart * (burst - 1)
        self._full = 0.0

    def wait(self, now: float) -> float:
        """Return for how many seconds the next one has to wait."""
        return max(0.0, self._full - self._ahead - now)

    def take(self, now: float) -> None:
        """Note that there is one more."""
        self._full = max(self._full, now) + self._apart

    def block(self, until: float) -> None:
        """Let nobody go before a time."""
        self._full = max(self._full, until + self._ahead)


class Limits:
    """What one process may still call; `share` is its part of what Slack allows all of ours."""

    def __init__(self, share: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._methods = {
            method: _Pace(60 / (most * share), max(1, int(most * share / _BURST_PART)))
            for method, most in PER_MINUTE.items()
        }
        self._conversations: OrderedDict[str, _Pace] = OrderedDict()

    async def take(self, method: str, conversation: str | None, *, patience_s: float) -> None:
        """Wait until the method may be called.

        Raises `ChannelUnavailable` with `retry_after` when that would take too long.
        """
        paces = [self._methods[method]]
        if conversation is not None:
            paces.append(self._conversation(conversation))
        now = self._clock()
        wait = max(pace.wait(now) for pace in paces)
        if wait > patience_s:
            raise ChannelUnavailable(
                f"Slack may be asked for {method} again in {wait:.0f} s",
                retry_after=wait,
                one_method=True,
            )
        for pace in paces:
            pace.take(now)
        if wait:
            await asyncio.sleep(wait)

    def block(self, method: str, seconds: float) -> None:
        """Let nobody here call a method for so long, as Slack asked."""
        self._methods[method].block(self._clock() + min(seconds, LONGEST_BLOCK_S))

    def _conversation(self, conversation: str) -> _Pace:
        pace = self._conversations.pop(conversation, None) or _Pace(POSTS_APART_S, 1)
        self._conversations[conversation] = pace
        while len(self._conversations) > _MOST_CONVERSATIONS:
            self._conversations.popitem(last=False)
        return pace
