"""Who is told: a subscription, or the origin of a URL that approvals name as their callback."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from services.webhooks.messages import ASKED_BACK, FINAL_TYPES, Message

Kind = Literal["subscription", "callback"]
SECRETS_OVERLAP = timedelta(hours=24)
"""How long a secret that was rotated out still signs beside the new one."""
UNREADABLE = "unreadable"

Key = tuple[str, str]
"""Workspace and id of an endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What signs the messages of an endpoint; shows nothing of itself."""

    secret: str | None = field(default=None, repr=False)
    previous: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None

    def secrets(self, now: datetime) -> Sequence[str]:
        """Return the secrets that sign now, the newest first."""
        if self.secret is None:
            return ()
        if self.previous is None or self.previous_until is None or now >= self.previous_until:
            return (self.secret,)
        return (self.secret, self.previous)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where messages of one kind go; `url` is an origin for a callback."""

    workspace: str
    endpoint_id: str
    kind: Kind
    url: str
    signing: Signing = Signing()

    @property
    def key(self) -> Key:
        """What tells it from every other one."""
        return self.workspace, self.endpoint_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """An endpoint and what it asked for, from when on; an empty filter lets everything pass."""

    endpoint: Endpoint
    event_types: frozenset[str]
    types: frozenset[str]
    requester: str | None
    since: datetime

    def wants(self, message: Message) -> bool:
        """Tell whether a message is one that the subscription asked for, whenever it happened."""
        if message.type not in self.event_types:
            return False
        about = message.about
        if about is None:
            return not self.types and self.requester is None
        return (not self.types or about.type in self.types) and (
            self.requester is None or about.requester.email == self.requester
        )


def callback_endpoint(workspace: str, url: str, signing: Signing) -> Endpoint:
    """Return the endpoint of a callback's URL: one for each scheme, host and port."""
    origin = origin_of(url)
    digest = hashlib.sha256(f"{workspace}\n{origin}".encode()).hexdigest()
    return Endpoint(
        workspace=workspace,
        endpoint_id=f"cb_{digest[:24]}",
        kind="callback",
        url=origin,
        signing=signing,
    )


def callback_url_of(message: Message) -> str | None:
    """Return where an outcome, or a question, is to be told besides, if this is one.

    Only our own dialect has a word for a question.
    """
    about = message.about
    if about is None:
        return None
    is_question = message.type == ASKED_BACK and about.callback_dialect is None
    return about.callback_url if is_question or message.type in FINAL_TYPES else None


def origin_of(url: str) -> str:
    """Return scheme, host and port, without name and password."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
    except ValueError:  # such as an unclosed bracket: it is tried, and fails, like any other
        return UNREADABLE
    if not host:
        return UNREADABLE
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def signing_of(row: Any) -> Signing:
    """Return what a row's columns say of its secrets."""
    return Signing(
        secret=row["secret"],
        previous=row["previous_secret"],
        previous_until=row["previous_until"],
    )
