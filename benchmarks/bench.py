"""What a row is given: the servers, the sizes of this run, and somebody to tell how far it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Figure
from benchmarks.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run. `rounds` and `seconds` are of each side of each row."""

    servers: Servers
    quick: bool
    rounds: int
    seconds: float
    rows: int
    events: int
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
