"""Slows down whoever tries again and again, and remembers no more of them than fits."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from starlette.requests import Request

from services.web.problems import Problem

MOST_KEYS = 10_000


class Throttle:
    """Lets each of many do something `most` times at once, and then as often in `per_s`.

    What it knows is this process's own.
    """

    def __init__(
        self, most: int, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = float(most)
        self._a_second = most / per_s
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Count one attempt; raises 429 with `Retry-After` for one too many."""
        now = self._clock()
        left, at = self._left.pop(who, (self._most, now))
        left = min(self._most, left + (now - at) * self._a_second)
        allowed = left >= 1
        self._left[who] = (left - 1 if allowed else left, now)
        if len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
        if not allowed:
            wait = ceil((1 - left) / self._a_second)
            raise Problem(
                429,
                "too_many_attempts",
                f"That was tried too often. Try again in {wait} seconds.",
                headers={"Retry-After": str(wait)},
            )


def address_of(request: Request) -> str:
    """Return from where a request came: of IPv6 the network, which is one customer's."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        # So a socket for both kinds names IPv4: as one network it would be all of it.
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
