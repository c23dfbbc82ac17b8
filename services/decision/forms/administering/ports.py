"""What the forms of administrators need of others; the composition root knows who has it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.responses import Response

from events.kafka.messages import Message
from events.kafka.parking import Parked
from services.decision.forms.ports import Delegations
from services.web.actions import Actions
from services.web.keys import Keys, NewKey
from services.web.session import Session
from services.web.typed import Typed


class Sources(Protocol):
    """Who pauses sources; all raise `Unavailable`."""

    async def pause(self, workspace: str, name: str, by: str) -> bool:
        """Let nobody poll a source; False if it is paused already."""
        ...

    async def resume(self, workspace: str, name: str) -> bool:
        """Let it be polled again; False if it is not paused."""
        ...

    async def poll_now(self, workspace: str, name: str) -> bool:
        """Have it polled within seconds; False if it is paused."""
        ...


class Webhooks(Protocol):
    """Who tells endpoints again; all raise `Unavailable`, and `Problem` for one that is not there.

    A replay raises `Problem` also where the endpoint is disabled.
    """

    async def enable(self, workspace: str, webhook_id: str) -> str:
        """Let an endpoint be told again, and return its address."""
        ...

    async def address(self, workspace: str, webhook_id: str) -> str:
        """Return the address of an endpoint that can be told."""
        ...

    async def replay(self, workspace: str, webhook_id: str, message_id: str) -> int:
        """Tell one message again, and return how many that was."""
        ...

    async def replay_between(
        self, workspace: str, webhook_id: str, since: datetime, until: datetime
    ) -> tuple[int, bool]:
        """Tell what happened in a time again; return how much, and whether that was not all."""
        ...


class ParkedMessages(Protocol):
    """What could not be read; all raise `Unavailable`."""

    async def preview(
        self, workspaces: Sequence[str], *, after: int = 0, limit: int = 50
    ) -> Sequence[Parked]:
        """Return what is parked after one, oldest first."""
        ...

    async def message(self, parked_id: int) -> Message | None:
        """Return a message to be sent again; None for a source's row."""
        ...

    async def resolve(self, parked_id: int) -> bool:
        """Say that one is dealt with; False if there is no such open one."""
        ...


class ShowsKeys(Protocol):
    """Who renders the pages of keys."""

    async def listed(
        self, me: Session, *, status: int = 200, typed: Typed | None = None
    ) -> Response:
        """Return the page of keys with what was typed."""
        ...

    async def made(self, me: Session, key: NewKey, principal: str) -> Response:
        """Return the page that shows a key once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that administrators act upon.

    `source_names` are (workspace, name); `parked_for` says whose parked messages somebody of a
    workspace may handle; `send` returns once messages are in Kafka, and raises `Unavailable`.
    """

    source_names: Sequence[tuple[str, str]]
    sources: Sources
    webhooks: Webhooks
    parked: ParkedMessages
    parked_for: Callable[[str], Sequence[str]]
    send: Callable[[Sequence[Message]], Awaitable[None]]
    delegations: Delegations
    keys: Keys
    actions: Actions
