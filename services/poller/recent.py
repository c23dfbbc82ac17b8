"""Remembers for a few minutes what was published, while the queue has yet to learn of it."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.digest import payload_digest
from events.observation import Observation

REMEMBERED_FOR = timedelta(minutes=5)
# The queue that does not know a record for this long after it was published has lost it.
DOUBTED_AFTER = timedelta(seconds=30)
MAX_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Published:
    """The last observation of a record that this process published."""

    fingerprint: tuple[str, ...]
    read_at: datetime
    at: datetime


def fingerprint(observation: Observation) -> tuple[str, ...]:
    """Return what tells an observation from one that says something else."""
    content = observation.content
    return (
        observation.state,
        observation.revision,
        observation.outcome or "",
        "" if content is None else payload_digest(content.payload),
    )


class Recent:
    """The last thing said of each record of one source, bounded in number and in time."""

    def __init__(self, size: int = MAX_REMEMBERED) -> None:
        self._size = size
        self._published: OrderedDict[str, Published] = OrderedDict()

    def note(self, observation: Observation, now: datetime) -> None:
        """Remember that this was published."""
        self._published[observation.record_id] = Published(
            fingerprint(observation), observation.read_at, now
        )
        self._published.move_to_end(observation.record_id)
        while len(self._published) > self._size:
            self._published.popitem(last=False)

    def said(
        self, observation: Observation, now: datetime, within: timedelta = REMEMBERED_FOR
    ) -> Published | None:
        """Return the publication if the last thing said of the record was this, and lately."""
        published = self._published.get(observation.record_id)
        if published is None or now - published.at > within:
            return None  # before the fingerprint, which costs more than all the rest
        return published if published.fingerprint == fingerprint(observation) else None
