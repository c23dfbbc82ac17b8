"""Systems of record: what Placet reads pending approvals from, and writes answers back to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from events.approval import Outcome
from events.observation import Observation
from events.store import Unavailable
from services.sources.credentials import Secret


class SourceUnavailable(Unavailable):
    """The source cannot be reached, is overloaded or said to come back later.

    `retry_after` is what it asked for, in seconds; `may_have_written` tells that a write was
    sent and its answer never came: the write may have taken effect.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, may_have_written: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.may_have_written = may_have_written


class SourceRefused(Exception):
    """The source understood, and definitely says no: tell the approver why.

    `status` is the HTTP status that it answered with, if it was an answer that refused.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RecordChanged(Exception):
    """The record is not what it was when it was read: read it again."""


class AlreadySettled(Exception):
    """Somebody settled the record first; `how` is the record as it is now, if the source said."""

    def __init__(self, how: Observation | None) -> None:
        super().__init__("already settled in the source")
        self.how = how


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A row that cannot be mapped: `reason` names the field, `row` is the JSON as it came.

    `field` is the key of the source file that maps the field; a row above 64 KiB is cut.
    """

    record_id: str | None
    reason: str
    row: bytes
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing; `cursor` is what to continue from at the next poll."""

    observations: tuple[Observation, ...]
    malformed: tuple[Malformed, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One record read by itself.

    `precondition` is what a conditional write needs (an ETag or a version); `notes` are the
    texts of the record's work notes, in which earlier marks of ours are found.
    """

    observation: Observation
    precondition: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is written back: who answered what, and why.

    With `token`, the person's own, it is written as them; without, as the service account.
    """

    record_id: str
    approval_id: str
    outcome: Outcome
    by_email: str
    by_name: str | None
    reason: str | None
    precondition: str | None
    idempotency_key: str
    token: Secret | None = None


class Source(Protocol):
    """One system of record of one workspace. Every call is bounded in time."""

    name: str
    workspace: str

    def changed(self, cursor: str | None) -> AsyncIterator[Page]:
        """Yield what changed since `cursor`, less the lookback; raises `SourceUnavailable`."""
        ...

    def pending(self) -> AsyncIterator[Page]:
        """Yield everything that is pending now: the sweep; raises `SourceUnavailable`."""
        ...

    async def read(self, record_id: str) -> Reading:
        """Read one record (state `gone` if the source does not know it).

        Raises `SourceUnavailable`, and `SourceRefused` for a record that cannot be mapped.
        """
        ...

    async def decide(self, answer: Answer) -> None:
        """Write an answer back, conditionally where the source can.

        Raises `AlreadySettled`, `RecordChanged`, `SourceRefused`, `SourceUnavailable`.
        """
        ...

    async def note(self, record_id: str, text: str, *, idempotency_key: str) -> None:
        """Leave a work note; does nothing for a source that takes none.

        Raises `SourceRefused`, `SourceUnavailable`.
        """
        ...
