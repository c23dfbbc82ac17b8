"""The event store in memory, for tests of what stands on it: the same promises, nothing kept."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from events.codec import decode, encode
from events.envelope import Recorded
from events.store import Append, Claimed, ClaimKind, ClaimTaken, VersionConflict


class MemoryStore:
    """Streams in a dictionary; everything is encoded and decoded as on the way to a database."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], list[Recorded]] = {}
        self._claims: dict[tuple[str, ClaimKind, str], Claimed] = {}
        self._rounds: set[tuple[str, ClaimKind, str, int]] = set()

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        """See `EventStore.append`."""
        new_versions: dict[str, int] = {}
        new_rounds: set[tuple[str, ClaimKind, str, int]] = set()
        for one in appends:
            length = len(self._streams.get((workspace, one.approval_id), []))
            if one.events and new_versions.get(one.approval_id, length) != one.expected_version:
                raise VersionConflict(one.approval_id)
            new_versions[one.approval_id] = one.expected_version + len(one.events)
            for claim in one.claims:
                taken = (workspace, claim.kind, claim.key, claim.round)
                if taken in self._rounds or taken in new_rounds:
                    raise ClaimTaken(claim.key)
                new_rounds.add(taken)
        for one in appends:
            self._keep(workspace, one)
        self._rounds |= new_rounds

    def _keep(self, workspace: str, one: Append) -> None:
        stream = self._streams.setdefault((workspace, one.approval_id), [])
        for version, event in enumerate(one.events, start=one.expected_version + 1):
            name, schema_version, data = encode(event)
            stream.append(
                Recorded(
                    workspace=workspace,
                    approval_id=one.approval_id,
                    version=version,
                    event=decode(name, schema_version, data),
                    type=name,
                    schema_version=schema_version,
                    data=data,
                    command_id=one.command_id,
                    recorded_at=datetime.now(UTC),
                )
            )
        for claim in one.claims:
            key = (workspace, claim.kind, claim.key)
            latest = self._claims.get(key)
            if latest is None or latest.round < claim.round:
                self._claims[key] = Claimed(
                    approval_id=one.approval_id,
                    round=claim.round,
                    fingerprint=claim.fingerprint,
                )

    async def read(
        self, workspace: str, approval_ids: Sequence[str], after: int = 0
    ) -> Mapping[str, Sequence[Recorded]]:
        """See `EventStore.read`."""
        return {
            approval_id: tuple(self._streams.get((workspace, approval_id), [])[after:])
            for approval_id in approval_ids
        }

    async def claimed(
        self, workspace: str, kind: ClaimKind, keys: Sequence[str]
    ) -> Mapping[str, Claimed]:
        """See `EventStore.claimed`."""
        found = {key: self._claims.get((workspace, kind, key)) for key in keys}
        return {key: claimed for key, claimed in found.items() if claimed is not None}
