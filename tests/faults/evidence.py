"""What is there after a test, wherever it is kept: plain data, so that the checker needs no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from events.approval import Outcome
from events.envelope import Recorded
from tests.faults.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A row of the table `log`."""

    seq: int
    approval_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message on `approval.log` or a public topic, as a plain consumer read it."""

    topic: str
    partition: int
    offset: int
    key: str
    version: int
    type: str
    schema_version: int
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row of the read model of all approvals."""

    approval_id: str
    version: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A record as the system of record holds it itself; `digest` is that of its content.

    `reason` is the one that came with the decision, which tells whose decision was written.
    """

    record_id: str
    state: str
    outcome: Outcome | None
    settled_by: str | None
    reason: str | None
    digest: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A message that an approver found in their mailbox."""

    message_id: str
    approval_id: str
    approver: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedMessage:
    """A message that was set aside and is not dealt with."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that was told and found.

    `chain` says where the log's hash chain breaks, if it does. `waiting` and `history` are
    (approver, approval id) and (approval id, version). `source` is None when no system of record
    took part. `poison` are the (topic, partition, offset) of messages that the test itself made
    unreadable.
    """

    told: Sequence[Told] = ()
    store: Sequence[Recorded] = ()
    log: Sequence[Logged] = ()
    chain: str | None = None
    topics: Sequence[Published] = ()
    listed: Sequence[Listed] = ()
    waiting: frozenset[tuple[str, str]] = frozenset()
    history: frozenset[tuple[str, int]] = frozenset()
    source: Mapping[str, SourceRow] | None = None
    outbox: Sequence[OutboxMessage] = ()
    parked: Sequence[ParkedMessage] = ()
    poison: frozenset[tuple[str, int, int]] = frozenset()

    @cached_property
    def streams(self) -> Mapping[str, Sequence[Recorded]]:
        """The store by approval, each stream in order of version."""
        found: dict[str, list[Recorded]] = {}
        for one in sorted(self.store, key=lambda one: (one.approval_id, one.version)):
            found.setdefault(one.approval_id, []).append(one)
        return found
