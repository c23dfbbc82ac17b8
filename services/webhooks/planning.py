"""Matches events with who asked to be told of them, a batch at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.approval import FinalEvent
from events.envelope import Recorded
from events.store.database import Connection, Database
from events.store.named_sql import statements
from events.store.postgres import recorded
from services.webhooks.deliveries import Planned
from services.webhooks.endpoints import callback_endpoint, callback_url_of
from services.webhooks.listening import Listeners, Listening
from services.webhooks.messages import NOTIFIED, Message, messages_of
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
        calling_back = {one.workspace for one in events if _calls_back(one)}
        if calling_back:
            listening |= await self._listeners.signed({name: newest[name] for name in calling_back})
        notified = [
            one
            for one in events
            if one.type == NOTIFIED and _somebody_wants(NOTIFIED, listening[one.workspace])
        ]
        asked: Mapping[tuple[str, str], Recorded] = {}
        if notified:
            async with self._database.connection() as connection:
                asked = await first_events(connection, notified)
        return [
            plan
            for one in events
            for message in messages_of(one, asked.get((one.workspace, one.approval_id)))
            for plan in _plans(message, listening[one.workspace])
        ]


async def first_events(
    connection: Connection, events: Sequence[Recorded]
) -> Mapping[tuple[str, str], Recorded]:
    """Return what the approvals of some events began with, by workspace and approval."""
    keys = list(dict.fromkeys((one.workspace, one.approval_id) for one in events))
    if not keys:
        return {}
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await connection.fetch(statements("services.webhooks")["first_events"], *columns)
    return {(row["workspace"], row["approval_id"]): recorded(row) for row in rows}


def _calls_back(event: Recorded) -> bool:
    return isinstance(event.event, FinalEvent) and event.event.about.callback_url is not None


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
