"""What readers may ask of the read models, each within one workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from events.store import EventStore
from events.store.database import Database
from events.store.named_sql import statements
from projections.approval_history import actor, summary
from projections.approval_view import OPEN, ApprovalView, decode_view, encode_view
from projections.cursors import BadCursor, cursor_of, place_of
from projections.evolving import evolve_view

PAGE = 50
MOST = 200


@dataclass(frozen=True, slots=True)
class Docs:
    """A page of approvals as one JSON text, without brackets, and where the next page begins."""

    json: str
    rows: int
    next_cursor: str | None
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a listing is narrowed to; addresses in lower case."""

    status: str | None = None
    approver: str | None = None
    requester: str | None = None
    type: str | None = None
    source: str | None = None
    subject: str | None = None
    acknowledged: bool | None = None
    """Whether the outcome of what was asked for here was heard; only what is final has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something happened to an approval; `shown` is how far its row in the read model is."""

    seq: int
    workspace: str
    approval_id: str
    version: int
    type: str
    shown: int
    recorded_at: datetime
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """One approval's JSON as of now, and whether it is final."""

    doc: str
    final: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """Approvals that became final, each as (workspace, id), and the snapshot they are read in."""

    until: str
    approvals: Sequence[tuple[str, str]]


_CONDITIONS: Mapping[str, str] = {
    "status": "l.status = {}",
    "requester": "l.requester = {}",
    "type": "l.type = {}",
    "source": "l.source = {}",
    "subject": "l.subject = {}",
    "approver": "EXISTS (SELECT FROM approval_approvers a WHERE a.workspace = l.workspace"
    " AND a.approval_id = l.approval_id AND a.approver = {})",
}
# Written out, not a parameter: only so can the index of those that nobody has heard be used.
_HEARD: Mapping[bool, str] = {
    heard: f"l.source IS NULL AND {'' if heard else 'NOT '}l.acknowledged"
    " AND l.status IN ('approved', 'rejected', 'withdrawn', 'expired')"
    for heard in (True, False)
}


class Queries:
    """The read side; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database, store: EventStore) -> None:
        self._database = database
        self._store = store
        self._sql = statements("projections")

    async def list(
        self, workspace: str, filters: Filters, *, limit: int, cursor: str | None
    ) -> Docs:
        """Return approvals, newest first; raises `BadCursor`."""
        conditions = ["l.workspace = $1"]
        arguments: list[object] = [workspace, limit]
        for name, condition in _CONDITIONS.items():
            wanted = getattr(filters, name)
            if wanted is not None:
                arguments.append(wanted)
                conditions.append(condition.format(f"${len(arguments)}"))
        if filters.acknowledged is not None:
            conditions.append(_HEARD[filters.acknowledged])
        if cursor is not None:
            (before,) = place_of(cursor, 1)
            arguments.append(before)
            conditions.append(f"l.approval_id < ${len(arguments)}")
        # Fragments of ours and numbers of parameters: nothing that a caller wrote gets in here.
        query = self._sql["list"].format(conditions=" AND ".join(conditions))
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(query, *arguments)
        if row is None or not row["rows"]:
            return Docs("", 0, None)
        more = cursor_of(row["last_id"]) if row["rows"] == limit else None
        return Docs(row["docs"], row["rows"], more)

    async def queue(self, workspace: str, approver: str, *, limit: int, cursor: str | None) -> Docs:
        """Return what waits for an approver, most urgent first, then oldest; raises `BadCursor`."""
        urgency, approval_id = place_of(cursor, 2) if cursor is not None else ("-1", "")
        if urgency != "-1" and not (len(urgency) == 1 and urgency.isdigit()):
            raise BadCursor
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(
                self._sql["queue"], workspace, approver, int(urgency), approval_id, limit
            )
        if row is None:
            return Docs("", 0, None)
        more = None
        if row["rows"] == limit:
            more = cursor_of(str(row["last_urgency"]), row["last_id"])
        return Docs(row["docs"] or "", row["rows"], more, row["waiting"])

    async def approval(self, workspace: str, approval_id: str) -> str | None:
        """Return one approval's JSON as of now, whatever the projector's lag; None if unknown."""
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(self._sql["approval"], workspace, approval_id)
        if row is None or row["newest"] is None:
            return None
        doc: str | None = row["doc"]
        if doc is not None and row["version"] == row["newest"]:
            return doc
        view = await self._caught_up(workspace, approval_id, doc)
        return encode_view(view) if view else None

    async def view(self, workspace: str, approval_id: str) -> ApprovalView | None:
        """Return one approval as of now, to be read by a program."""
        doc = await self.approval(workspace, approval_id)
        return decode_view(doc) if doc is not None else None

    async def approvals(self, workspace: str, approval_ids: Sequence[str]) -> Mapping[str, Current]:
        """Return some approvals as `approval` does one; those that are unknown are left out."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["approvals"], workspace, list(approval_ids))
        found = {
            row["approval_id"]: Current(row["doc"], row["status"] not in OPEN)
            for row in rows
            if row["version"] == row["newest"]
        }
        views = {
            row["approval_id"]: decode_view(row["doc"]) if row["doc"] is not None else None
            for row in rows
            if row["version"] != row["newest"]
        }
        after = min((view.version if view else 0 for view in views.values()), default=0)
        streams = await self._store.read(workspace, list(views), after) if views else {}
        for approval_id, view in views.items():
            now = view
            for recorded in streams[approval_id]:
                if now is None or recorded.version > now.version:
                    now = evolve_view(now, recorded)
            if now is not None:
                found[approval_id] = Current(encode_view(now), now.status not in OPEN)
        return found

    async def _caught_up(
        self, workspace: str, approval_id: str, doc: str | None
    ) -> ApprovalView | None:
        view = decode_view(doc) if doc is not None else None
        after = view.version if view else 0
        for recorded in (await self._store.read(workspace, [approval_id], after))[approval_id]:
            view = evolve_view(view, recorded)
        return view

    async def history(self, workspace: str, approval_id: str) -> Sequence[dict[str, Any]]:
        """Return one approval's events as of now, oldest first; empty if unknown."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["history"], workspace, approval_id)
        entries: list[dict[str, Any]] = [
            {
                "version": row["version"],
                "type": row["type"],
                "at": row["at"],
                "by": row["actor"],
                "summary": row["summary"],
                "data": msgspec.Raw(row["data"].encode()),
            }
            for row in rows
        ]
        after = entries[-1]["version"] if entries else 0
        if after != len(entries):
            entries, after = [], 0  # a hole that the projector is about to heal
        tail = (await self._store.read(workspace, [approval_id], after))[approval_id]
        return [
            *entries,
            *(
                {
                    "version": recorded.version,
                    "type": recorded.type,
                    "at": recorded.event.at,
                    "by": actor(recorded.event),
                    "summary": summary(recorded.event),
                    "data": msgspec.Raw(recorded.data),
                }
                for recorded in tail
            ),
        ]

    async def people(self, workspace: str, limit: int = 100) -> Sequence[tuple[str, int]]:
        """Return everybody who was ever asked, with how much waits for them."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["people"], workspace, limit)
        return [(row["approver"], row["waiting"]) for row in rows]


class Mirror:
    """What is held of a source's records: the poller compares what it saw with this."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("projections")

    async def of(
        self, workspace: str, source: str, record_ids: Sequence[str]
    ) -> Mapping[str, ApprovalView]:
        """Return the latest round of each record that is known."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(
                self._sql["mirrored"], workspace, source, list(record_ids)
            )
        return {row["record_id"]: decode_view(row["doc"]) for row in rows}

    async def open(self, workspace: str, source: str) -> Mapping[str, ApprovalView]:
        """Return every record that is held as pending or deciding."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["mirrored_open"], workspace, source)
        return {row["record_id"]: decode_view(row["doc"]) for row in rows}


class Changes:
    """The log as it goes on, for those who wait: all workspaces, as the workers' role."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("projections")

    async def head(self) -> int:
        """Return how far the log reaches."""
        async with self._database.connection() as connection:
            seq: int = await connection.fetchval(self._sql["log_head"])
        return seq

    async def after(self, seq: int, limit: int = 500) -> Sequence[Change]:
        """Return what comes after a place in the log."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["changes"], seq, limit)
        return [
            Change(
                seq=row["seq"],
                workspace=row["workspace"],
                approval_id=row["approval_id"],
                version=row["version"],
                type=row["type"],
                shown=row["shown"],
                recorded_at=row["recorded_at"],
                summary=row["summary"],
            )
            for row in rows
        ]

    async def snapshot(self) -> str:
        """Return what the store holds now, for `ended` to compare with."""
        async with self._database.connection() as connection:
            now: str = await connection.fetchval(self._sql["snapshot"])
        return now

    async def ended(self, since: str, limit: int) -> Ended:
        """Return what became final since a snapshot; `limit` of them when there may be more."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["ended"], since, limit)
        if row is None:
            raise TypeError("an aggregate gives one row")
        pairs = zip(row["workspaces"] or (), row["approval_ids"] or (), strict=True)
        return Ended(row["until"], tuple(pairs))
