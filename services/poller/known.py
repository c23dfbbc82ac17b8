"""What the poller must be told about the queue, and where it puts what it finds."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from events.observation import Observation
from services.sources import Malformed

Status = Literal["pending", "deciding", "approved", "rejected", "withdrawn", "expired"]

Publish = Callable[[Sequence[Observation]], Awaitable[None]]
"""Makes observations durable before it returns; raises `Unavailable`, and then all is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The latest round of a record, as the queue knows it.

    `revision` is the source's own revision (`SourceRecord.revision`), not the approval's, which
    may have a suffix. With `payload_digest` a record whose content changed under the same
    revision is noticed too. `settled_at` is the time of the final event.
    """

    approval_id: str
    status: Status
    revision: str
    settled_at: datetime | None = None
    payload_digest: str | None = None

    @property
    def final(self) -> bool:
        """Tell whether nothing can be decided any more."""
        return self.status not in {"pending", "deciding"}


def identity(row: Malformed) -> bytes:
    """Return what tells a parked row from others: its record, or all of it if it names none."""
    name = row.row if row.record_id is None else f"record:{row.record_id}".encode()
    return hashlib.sha256(name).digest()


class KnownRecords(Protocol):
    """The queue's view of the records of a source; it may lag behind what was published."""

    async def pending(self, workspace: str, source: str) -> Mapping[str, Known]:
        """Return record id → what is known, for each record that is pending; may `Unavailable`."""
        ...

    async def of(
        self, workspace: str, source: str, record_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        """Return what is known of these records; those never seen are left out."""
        ...


class Parking(Protocol):
    """Keeps rows that could not be mapped, with their reasons, until they can be."""

    async def park(self, workspace: str, source: str, rows: Sequence[Malformed]) -> None:
        """Keep the rows; one that is kept already gets the new reason; raises `Unavailable`."""
        ...

    async def unpark(self, workspace: str, source: str, record_ids: Sequence[str]) -> None:
        """Mark the rows of these records as resolved: they could be mapped."""
        ...

    async def unpark_unseen(
        self, workspace: str, source: str, seen: Collection[bytes], before: datetime
    ) -> None:
        """Mark as resolved what was parked before `before` and whose identity is not in `seen`.

        For a complete sweep: what it did not come across is not pending in the source any more.
        """
        ...
