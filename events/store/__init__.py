"""What a store of events promises, whichever keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from events.approval import ApprovalEvent
from events.envelope import Recorded

ClaimKind = Literal["idempotency", "record", "subject"]


class VersionConflict(Exception):
    """Somebody else appended first: read again, and decide again."""


class ClaimTaken(Exception):
    """The key names another approval already: read which, and go on with that one."""


class Unavailable(Exception):
    """The store, the broker or a source cannot be reached just now: back off, and try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A key that shall name one approval for ever.

    `round` counts how often a record became pending again, or a subject was asked about;
    `fingerprint` tells whether a key comes back with the same request.
    """

    kind: ClaimKind
    key: str
    round: int = 1
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a key names."""

    approval_id: str
    round: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Events for one stream, to follow `expected_version`."""

    approval_id: str
    expected_version: int
    events: tuple[ApprovalEvent, ...]
    command_id: str
    claims: tuple[Claim, ...] = ()


class EventStore(Protocol):
    """Streams of events, one for each approval, append-only."""

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        """Keep all of it or nothing; durable when this returns.

        Raises `VersionConflict` or `ClaimTaken` (then nothing was kept) and `Unavailable` (then
        it is unknown whether it was: the same append may be tried again).
        """
        ...

    async def read(
        self, workspace: str, approval_ids: Sequence[str], after: int = 0
    ) -> Mapping[str, Sequence[Recorded]]:
        """Return each stream's events above version `after`, in order; unknown ids are empty."""
        ...

    async def claimed(
        self, workspace: str, kind: ClaimKind, keys: Sequence[str]
    ) -> Mapping[str, Claimed]:
        """Return the latest round that each key names; keys that name nothing are left out."""
        ...
