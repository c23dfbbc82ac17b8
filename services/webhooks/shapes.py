"""What `/v1/webhooks` takes and shows, as the OpenAPI document has it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from services.webhooks.deliveries import State
from services.webhooks.endpoints import Kind
from services.webhooks.messages import EventType

MAX_IDS = 500
MAX_TYPES = 50

Url = Annotated[str, msgspec.Meta(max_length=2_000, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Description = Annotated[str, msgspec.Meta(max_length=500)]
SecretText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
EventTypes = Annotated[Sequence[EventType], msgspec.Meta(min_length=1, max_length=20)]
Types = Annotated[Sequence[Name], msgspec.Meta(max_length=MAX_TYPES)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Cursor = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,17}$")]


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A subscription: where to, and to what; a filter that is left out lets everything pass."""

    url: Url
    event_types: EventTypes | None = None
    types: Types = ()
    requester: Email | None = None
    description: Description = ""
    secret: SecretText | None = None

    def __repr__(self) -> str:
        """Show no secret."""
        return f"WebhookBody(url={self.url!r})"


class WebhookChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be another way; what is left out stays."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    event_types: EventTypes | msgspec.UnsetType = msgspec.UNSET
    types: Types | msgspec.UnsetType = msgspec.UNSET
    requester: Email | msgspec.UnsetType | None = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET


class SecretBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A secret of one's own; one is made where it is left out."""

    secret: SecretText | None = None

    def __repr__(self) -> str:
        """Show no secret."""
        return "SecretBody()"


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to tell again: some messages or events by their ids, or those of a time.

    `until` is now where it is left out; `cursor` goes on where an answer stopped.
    """

    ids: Annotated[Sequence[Name], msgspec.Meta(min_length=1, max_length=MAX_IDS)] | None = None
    since: Time | None = None
    until: Time | None = None
    cursor: Cursor | None = None


class WebhookView(msgspec.Struct, kw_only=True):
    """An endpoint. An empty list of `types` means every type."""

    id: str
    kind: Kind
    url: str
    event_types: Sequence[str]
    types: Sequence[str]
    requester: str | None
    description: str
    status: Literal["active", "disabled"]
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime


class NewWebhookView(WebhookView, kw_only=True):
    """An endpoint with the secret that is shown this once."""

    secret: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"NewWebhookView(id={self.id!r})"


class CallbackSecretView(msgspec.Struct, kw_only=True):
    """The secret that signs the callbacks of a workspace, shown this once."""

    secret: str

    def __repr__(self) -> str:
        """Show no secret."""
        return "CallbackSecretView()"


class AttemptView(msgspec.Struct, kw_only=True):
    """One attempt: `answer` is the beginning of what was answered, `error` why nothing was."""

    number: int
    at: datetime
    status: int | None
    error: str | None
    duration_ms: int
    answer: str


class DeliveryView(msgspec.Struct, kw_only=True):
    """What an endpoint was to be told: `id` is the header `webhook-id`.

    `event_id` is null for a message about an endpoint. `next_attempt_at` is null where none is
    planned. `attempts` are the latest, `attempts_made` counts all.
    """

    id: str
    type: str
    event_id: str | None
    approval_id: str | None
    url: str | None
    state: State
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    attempts_made: int
    attempts: Sequence[AttemptView]


class ReplayedView(msgspec.Struct, kw_only=True):
    """How many are told again; with a `next_cursor` there are more, to be asked for with it."""

    replayed: int
    next_cursor: str | None


ANSWERS: Sequence[type] = (
    WebhookView,
    NewWebhookView,
    CallbackSecretView,
    DeliveryView,
    ReplayedView,
)
BODIES: Sequence[type] = (WebhookBody, WebhookChange, SecretBody, ReplayBody)
