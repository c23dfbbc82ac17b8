"""The one table of topics: what each holds, how it is kept, and which fact goes where.

`placet migrate` makes them; nothing else does, so a topic never comes to be by a slip of the pen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as it is made; every message's key is the approval's id (or source/record)."""

    name: str
    direction: Literal["in", "out"]
    holds: str
    partitions: int = 12
    retention_ms: int = 14 * DAY_MS


OBSERVED = Topic(
    name="approval.observed", direction="in", holds="what pollers saw in systems of record"
)
REQUESTS = Topic(
    name="approval.requests",
    direction="in",
    holds="the body of POST /v1/approvals, from services that prefer Kafka",
)
LOG = Topic(
    name="approval.log",
    direction="out",
    holds="every event of every approval, in order for each",
    retention_ms=30 * DAY_MS,
)
REQUESTED = Topic(name="approval.requested", direction="out", holds="an approval was asked for")
DECIDED = Topic(name="approval.decided", direction="out", holds="an approval was decided: final")
WITHDRAWN = Topic(
    name="approval.withdrawn", direction="out", holds="an approval was withdrawn: final"
)
EXPIRED = Topic(name="approval.expired", direction="out", holds="an approval expired: final")

TOPICS: tuple[Topic, ...] = (OBSERVED, REQUESTS, LOG, REQUESTED, DECIDED, WITHDRAWN, EXPIRED)

PUBLIC: Mapping[str, Topic] = {
    topic.name: topic for topic in (REQUESTED, DECIDED, WITHDRAWN, EXPIRED)
}
"""Wire name of a fact to the topic that other teams subscribe to; the log holds every fact."""
