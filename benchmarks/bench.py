"""What a row is given: the servers, the sizes of this run, and somebody to tell how far it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Figure
from benchmarks.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run. `rounds` and `seconds` are of each side of each row.

    `events` come by Kafka in one round; `stored` approvals stand in the large store, `few` in the
    small one.
    """

    servers: Servers
    quick: bool
    rounds: int
    seconds: float
    events: int
    stored: int
    few: int
    step: Callable[[str], None]

    @property
    def environment(self) -> dict[str, Any]:
        """What `processes.placet` wants to know."""
        return {
            "kafka": self.servers.kafka,
            "embedded_broker": self.servers.embedded_broker,
            "folder": self.servers.folder,
        }


Row = Callable[[Bench], Awaitable[list[Figure]]]
