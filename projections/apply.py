"""Applies events to the read models: a whole batch in a few round trips, guarded by version.

The rule for each event is next → apply, older → skip, gap → read the stream from the store. So
duplicates, gaps, reordering and a broker that lost its data all end at the same rows.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from events.approval import (
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalReassigned,
    ApprovalRequested,
    ApprovalRevised,
    Person,
    Seat,
)
from events.envelope import Recorded
from events.store.database import Connection, Database, storable
from events.store.named_sql import statements
from events.store.postgres import recorded as recorded_row
from projections.approval_history import actor, summary
from projections.approval_view import ApprovalView, decode_view, encode_view
from projections.evolving import Gap, evolve_view
from projections.timers import timer_rows

URGENCY = {"high": 0, "medium": 1, "low": 2}
Row = tuple[object, ...]
Key = tuple[str, str]
"""(workspace, approval id)"""

_encoder = msgspec.json.Encoder()


def approval_row(view: ApprovalView) -> Row:
    """Return what the list of all approvals holds of one."""
    source = view.source
    return (
        view.workspace,
        view.id,
        view.version,
        view.status,
        storable(view.type),
        storable(view.requester.email),
        source.name if source else None,
        storable(source.record_id) if source else None,
        view.round,
        storable(view.subject) if view.subject is not None else None,
        view.created_at,
        view.deadline,
        encode_view(view),
        view.acknowledged_at is not None,
    )


def queue_rows(view: ApprovalView) -> list[Row]:
    """Return with whom an approval waits."""
    urgency = URGENCY[view.urgency]
    emails = dict.fromkeys(storable(email) for email in view.waits_for)
    return [(view.workspace, email, urgency, view.id) for email in emails]


def asked_of(events: Sequence[Recorded]) -> list[Row]:
    """Return who was asked by some events, once each."""
    return list(
        dict.fromkeys(
            (recorded.workspace, storable(person.email), recorded.approval_id)
            for recorded in events
            for person in _asked_by(recorded.event)
        )
    )


def _asked_by(event: ApprovalEvent) -> Iterator[Person]:
    seats: list[Seat] = []
    match event:
        case ApprovalRequested() | ApprovalRevised():
            yield from event.approvers
        case ApprovalReassigned():
            yield event.to
        case ApprovalEscalated():
            seats.extend(event.seats)
        case _:
            return
    if not isinstance(event, ApprovalReassigned) and event.policy is not None:
        seats.extend(seat for step in event.policy.steps for seat in step.seats)
    for seat in seats:
        yield seat.person
        yield seat.holder


def history_of(events: Sequence[Recorded]) -> list[Row]:
    """Return the history's rows of some events."""
    return [
        (
            recorded.workspace,
            recorded.approval_id,
            recorded.version,
            recorded.type,
            recorded.event.at,
            actor(recorded.event),
            summary(recorded.event),
        )
        for recorded in events
    ]


class ReadModels:
    """The read models of every workspace, as the role that may write them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("projections")

    async def apply(self, events: Sequence[Recorded]) -> int:
        """Bring the read models up to these events and return how many were new; may be repeated.

        Raises `Unavailable` when Postgres is away; then nothing of it was applied.
        """
        by_key: dict[Key, list[Recorded]] = {}
        for event in events:
            by_key.setdefault((event.workspace, event.approval_id), []).append(event)
        async with self._database.connection() as connection:
            views = await self._views(connection, sorted(by_key))
            applied: list[Recorded] = []
            changed: list[ApprovalView] = []
            gaps: list[Key] = []
            for key in sorted(by_key):
                held = views.get(key)
                fresh = _fresh(held.version if held else 0, by_key[key])
                if not fresh:
                    continue
                if fresh[-1].version - fresh[0].version + 1 != len(fresh) or fresh[0].version != (
                    held.version + 1 if held else 1
                ):
                    gaps.append(key)
                    continue
                changed.append(_fold(held, fresh))
                applied.extend(fresh)
            for key, missing in (await self._missing(connection, gaps, views)).items():
                changed.append(_fold(views.get(key), missing))
                applied.extend(missing)
            if changed:
                await self._write(connection, changed, applied)
            return len(applied)

    async def catch_up(self, keys: Sequence[Key]) -> int:
        """Bring approvals up to their streams and return how many events that took."""
        async with self._database.connection() as connection:
            views = await self._views(connection, keys)
            missing = await self._missing(connection, keys, views)
            events = [event for key in sorted(missing) for event in missing[key]]
            if events:
                changed = [_fold(views.get(key), missing[key]) for key in sorted(missing)]
                await self._write(connection, changed, events)
            return len(events)

    async def _views(
        self, connection: Connection, keys: Sequence[Key]
    ) -> Mapping[Key, ApprovalView]:
        rows = await connection.fetch(self._sql["views"], *_columns(keys, 2))
        return {(row["workspace"], row["approval_id"]): decode_view(row["doc"]) for row in rows}

    async def _missing(
        self,
        connection: Connection,
        gaps: Sequence[Key],
        views: Mapping[Key, ApprovalView],
    ) -> Mapping[Key, list[Recorded]]:
        if not gaps:
            return {}
        wanted = [
            (workspace, approval_id, _version(views.get((workspace, approval_id))))
            for workspace, approval_id in gaps
        ]
        rows = await connection.fetch(self._sql["missing"], *_columns(wanted, 3))
        found: dict[Key, list[Recorded]] = {}
        for row in rows:
            found.setdefault((row["workspace"], row["approval_id"]), []).append(recorded_row(row))
        return found

    async def _write(
        self,
        connection: Connection,
        views: Sequence[ApprovalView],
        events: Sequence[Recorded],
    ) -> None:
        """Write the approvals that nobody has written newer, then what hangs on them.

        The second statement begins when the first one holds the rows, so it sees everything that
        an older writer left; in one statement it would look at the time before that.
        """
        # In one order everywhere, so that two batches wait for each other and never deadlock.
        ordered = sorted(views, key=lambda view: (view.workspace, view.id))
        async with connection.transaction():
            given = _columns([approval_row(view) for view in ordered], 14)
            rows = await connection.fetch(self._sql["write_approvals"], *given)
            keys = {(row["workspace"], row["approval_id"]) for row in rows}
            kept: list[Row] = []
            queue: list[Row] = []
            timers: list[Row] = []
            for view in ordered:
                if (view.workspace, view.id) in keys:
                    waits, due = queue_rows(view), timer_rows(view)
                    kept.append(_kept(view, waits, due))
                    queue.extend(waits)
                    timers.extend(due)
            await connection.execute(
                self._sql["write_rest"],
                *_columns(kept, 4),
                *_columns(asked_of(events), 3),
                *_columns(queue, 4),
                *_columns(timers, 4),
                *_columns(history_of(events), 7),
            )


def _kept(view: ApprovalView, waits: Sequence[Row], due: Sequence[Row]) -> Row:
    """Return who and what of an approval stays, as JSON lists: every other row of it goes."""
    people = [email for _, email, _, _ in waits]
    kinds = [kind for _, _, kind, _ in due]
    return view.workspace, view.id, _json(people), _json(kinds)


def _json(values: Sequence[object]) -> str:
    return _encoder.encode(values).decode()


def _fresh(held: int, events: Sequence[Recorded]) -> list[Recorded]:
    """Return the events above a version, each once, in order."""
    by_version = {event.version: event for event in events if event.version > held}
    return [by_version[version] for version in sorted(by_version)]


def _fold(view: ApprovalView | None, events: Sequence[Recorded]) -> ApprovalView:
    for event in events:
        view = evolve_view(view, event)
    if view is None:
        raise Gap("a stream without events")
    return view


def _version(view: ApprovalView | None) -> int:
    return view.version if view else 0


def _columns(rows: Sequence[Row], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
