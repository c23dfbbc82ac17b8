"""What the pages for administrators need of others; the composition root knows who has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from events.kafka.parking import Parked
from services.directory.delegations import DelegationView
from services.queue.figures.shapes import FiguresView
from services.queue.pages.admin.channels import ChannelReads
from services.sources.desk import SourceState
from services.web.actions import Action, Area
from services.web.keys import KeyView

Kind = Literal["subscription", "callback"]
State = Literal["waiting", "delivered", "failed", "held"]


class Webhook(Protocol):
    """An endpoint."""

    @property
    def id(self) -> str: ...  # noqa: D102 # fields speak for themselves
    @property
    def kind(self) -> Kind: ...  # noqa: D102 # same
    @property
    def url(self) -> str: ...  # noqa: D102 # same
    @property
    def event_types(self) -> Sequence[str]: ...  # noqa: D102 # same
    @property
    def types(self) -> Sequence[str]: ...  # noqa: D102 # same
    @property
    def requester(self) -> str | None: ...  # noqa: D102 # same
    @property
    def description(self) -> str: ...  # noqa: D102 # same
    @property
    def status(self) -> Literal["active", "disabled"]: ...  # noqa: D102 # same
    @property
    def disabled_at(self) -> datetime | None: ...  # noqa: D102 # same
    @property
    def disabled_reason(self) -> str | None: ...  # noqa: D102 # same
    @property
    def failing_since(self) -> datetime | None: ...  # noqa: D102 # same
    @property
    def created_at(self) -> datetime: ...  # noqa: D102 # same


class Attempt(Protocol):
    """One attempt to tell."""

    @property
    def at(self) -> datetime: ...  # noqa: D102 # same
    @property
    def status(self) -> int | None: ...  # noqa: D102 # same
    @property
    def error(self) -> str | None: ...  # noqa: D102 # same
    @property
    def duration_ms(self) -> int: ...  # noqa: D102 # same
    @property
    def answer(self) -> str: ...  # noqa: D102 # same


class Delivery(Protocol):
    """What an endpoint was to be told."""

    @property
    def id(self) -> str: ...  # noqa: D102 # same
    @property
    def type(self) -> str: ...  # noqa: D102 # same
    @property
    def approval_id(self) -> str | None: ...  # noqa: D102 # same
    @property
    def state(self) -> State: ...  # noqa: D102 # same
    @property
    def created_at(self) -> datetime: ...  # noqa: D102 # same
    @property
    def next_attempt_at(self) -> datetime | None: ...  # noqa: D102 # same
    @property
    def attempts_made(self) -> int: ...  # noqa: D102 # same
    @property
    def attempts(self) -> Sequence[Attempt]: ...  # noqa: D102 # same


class Endpoints(Protocol):
    """Who is told of approvals; all raise `Unavailable`."""

    async def list(
        self, workspace: str, kind: Kind, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Webhook], str | None]:
        """Return endpoints of one kind, newest first; raises `BadCursor`."""
        ...

    async def show(self, workspace: str, endpoint_id: str) -> Webhook | None:
        """Return one endpoint."""
        ...

    async def deliveries(
        self,
        workspace: str,
        endpoint_id: str,
        *,
        state: State | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return what an endpoint was to be told, newest first."""
        ...

    async def unfinished(
        self, workspace: str, endpoint_ids: Sequence[str]
    ) -> Mapping[str, Mapping[State, int]]:
        """Return how much each endpoint was not told, bounded."""
        ...


class SourceStates(Protocol):
    """How sources fare; raises `Unavailable`."""

    async def states(self, workspace: str, names: Sequence[str]) -> Mapping[str, SourceState]:
        """Return name → state."""
        ...


class ParkedMessages(Protocol):
    """What could not be read; raises `Unavailable`."""

    async def preview(
        self, workspaces: Sequence[str], *, after: int = 0, limit: int = 50
    ) -> Sequence[Parked]:
        """Return what is parked, oldest first, with the beginning of each message."""
        ...


class Absences(Protocol):
    """Who answers for whom; raises `Unavailable`."""

    async def list(
        self,
        workspace: str,
        *,
        person: str | None = None,
        to: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[DelegationView], str | None]:
        """Return those that hold now or later; raises `BadCursor`."""
        ...


class KeyViews(Protocol):
    """The keys of a workspace; raises `Unavailable`."""

    async def list(
        self, workspace: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[KeyView], str | None]:
        """Return the keys, newest first; raises `BadCursor`."""
        ...


class FigureReads(Protocol):
    """The figures; raises `Unavailable`."""

    async def of(self, workspace: str, days: int) -> FiguresView:
        """Return those of the last so many days."""
        ...


class Done(Protocol):
    """What administrators did; raises `Unavailable`."""

    async def latest(self, workspace: str, area: Area, limit: int) -> Sequence[Action]:
        """Return what was done last, the latest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Everything that the pages read.

    `source_names` are (workspace, name), and `channel_names` are those of every workspace.
    """

    source_names: Sequence[tuple[str, str]]
    channel_names: Sequence[str]
    sources: SourceStates
    channels: ChannelReads
    webhooks: Endpoints
    parked: ParkedMessages
    absences: Absences
    keys: KeyViews
    figures: FigureReads
    actions: Done
