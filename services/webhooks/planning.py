"""Matches events with who asked to be told of them, a batch at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.envelope import Recorded
from events.store.database import Connection, Database
from events.store.named_sql import statements
from events.store.postgres import recorded
from services.webhooks.deliveries import Planned
from services.webhooks.endpoints import callback_endpoint, callback_url_of
from services.webhooks.listening import Listeners, Listening
from services.webhooks.messages import ASKED_BACK, NOTIFIED, Message, messages_of
from services.webhooks.schedule import KEPT


@dataclass(frozen=True, slots=True)
class Plan:
    """A delivery, and the message that it is to deliver."""

    planned: Planned
    message: Message


class Planner:
    """Decides who is told of what; raises `Unavailable` when Postgres is away."""

    def __init__(
        self, database: Database, listeners: Listeners, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._clock = clock
        self._listeners = listeners

    async def plan(self, events: Sequence[Recorded]) -> list[Plan]:
        """Return what is to be told of some events; nothing of what is older than is kept."""
        oldest = self._clock() - KEPT
        events = [one for one in events if one.recorded_at >= oldest]
        newest: dict[str, datetime] = {}
        for one in events:
            newest[one.workspace] = max(newest.get(one.workspace, one.recorded_at), one.recorded_at)
        if not newest:
            return []
        listening = dict(await self._listeners.at(newest))
        unclear = [
            one
            for one in events
            # A callback may want a question, whoever else does; of cards there are many more.
            if one.type == ASKED_BACK
            or (one.type == NOTIFIED and _somebody_wants(NOTIFIED, listening[one.workspace]))
        ]
        asked: Mapping[tuple[str, str], Recorded] = {}
        if unclear:
            async with self._database.connection() as connection:
                asked = await asked_events(connection, unclear)
        messages = [
            message
            for one in events
            for message in messages_of(one, asked.get((one.workspace, one.event_id)))
        ]
        calling_back = {one.recorded.workspace for one in messages if callback_url_of(one)}
        if calling_back:
            listening |= await self._listeners.signed({name: newest[name] for name in calling_back})
        return [plan for one in messages for plan in _plans(one, listening[one.recorded.workspace])]


async def asked_events(
    connection: Connection, events: Sequence[Recorded]
) -> Mapping[tuple[str, str], Recorded]:
    """Return the events that say what some others are about, by workspace and the others' ids.

    For a card it is what the approval began with; for a question what it was when it was asked.
    """
    unclear = [one for one in events if one.type in (NOTIFIED, ASKED_BACK)]
    if not unclear:
        return {}
    rows = await connection.fetch(
        statements("services.webhooks")["asked_events"],
        [one.workspace for one in unclear],
        [one.approval_id for one in unclear],
        [one.version for one in unclear],
        [1 if one.type == NOTIFIED else one.version for one in unclear],
    )
    return {
        (row["workspace"], f"{row['approval_id']}.{row['told_version']}"): recorded(row)
        for row in rows
    }


def _somebody_wants(type_: str, listening: Listening) -> bool:
    return any(type_ in one.event_types for one in listening.subscriptions)


def _plans(message: Message, listening: Listening) -> list[Plan]:
    event = message.recorded
    planned = [
        Planned(
            endpoint=one.endpoint,
            message_id=message.id,
            type=message.type,
            approval_id=event.approval_id,
            version=event.version,
        )
        for one in listening.subscriptions
        # A log that is read again from its start tells nobody what was before their time.
        if one.since <= event.recorded_at and one.wants(message)
    ]
    url = callback_url_of(message)
    if url is not None:
        planned.append(
            Planned(
                endpoint=callback_endpoint(event.workspace, url, listening.callbacks),
                message_id=message.id,
                type=message.type,
                approval_id=event.approval_id,
                version=event.version,
                url=url,
            )
        )
    return [Plan(one, message) for one in planned]
