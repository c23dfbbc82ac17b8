"""What the pages need from the read side; `projections.queries.Queries` is one that has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from events.approval import Json
from projections.approval_view import ApprovalView
from projections.finding import Found, Kinds, Narrowed, Whose
from projections.queries import Current, Docs, Filters
from services.channels.outbox import Message, MessagePage
from services.directory import Directory

_views = msgspec.json.Decoder(list[ApprovalView])


class Reads(Protocol):
    """The read side, one workspace at a time; raises `Unavailable` when it is away."""

    async def list(
        self, workspace: str, filters: Filters, *, limit: int, cursor: str | None
    ) -> Docs:
        """Return approvals, newest first; raises `BadCursor`."""
        ...

    async def approvals(self, workspace: str, approval_ids: Sequence[str]) -> Mapping[str, Current]:
        """Return some approvals as of now; unknown ones are left out."""
        ...

    async def view(self, workspace: str, approval_id: str) -> ApprovalView | None:
        """Return one approval as of now; None if unknown."""
        ...

    async def history(self, workspace: str, approval_id: str) -> Sequence[dict[str, Any]]:
        """Return one approval's events as of now, oldest first."""
        ...

    async def people(self, workspace: str, limit: int = 100) -> Sequence[tuple[str, int]]:
        """Return everybody who was ever asked, with how much waits for them."""
        ...


class Finds(Protocol):
    """Where people look for approvals; `projections.finding.Finding` is one that has it."""

    async def waiting(
        self, workspace: str, email: str, narrowed: Narrowed, *, limit: int, cursor: str | None
    ) -> Found:
        """Return what waits for somebody, most urgent first; raises `BadCursor`."""
        ...

    async def found(
        self,
        workspace: str,
        whose: Whose,
        email: str,
        narrowed: Narrowed,
        *,
        limit: int,
        cursor: str | None,
    ) -> Found:
        """Return what somebody asked for or was asked, newest first; raises `BadCursor`."""
        ...

    async def kinds(self, workspace: str) -> Kinds:
        """Return which types and sources there are."""
        ...


class People(Protocol):
    """Who knows people; `services.directory.postgres.PostgresDirectories` does."""

    def of(self, workspace: str) -> Directory:
        """Return the people of a workspace as they were last seen; never waits."""
        ...

    async def fresh(self, workspace: str) -> Directory:
        """Return the people of a workspace as they are now; raises `Unavailable`."""
        ...


class Mail(Protocol):
    """What a channel would have sent; `services.channels.outbox.Mailbox` is one that has it."""

    async def list(
        self, workspace: str, approver: str | None, *, limit: int, cursor: str | None
    ) -> MessagePage:
        """Return messages, newest first, of one approver or all; raises `BadCursor`."""
        ...

    async def get(self, workspace: str, message_id: str) -> Message | None:
        """Return one message, or None if there is no such one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in an approval's history."""

    version: int
    type: str
    at: datetime
    by: str | None
    summary: str
    data: Mapping[str, Json]


def views_in(docs: Docs) -> list[ApprovalView]:
    """Return the approvals of a page."""
    return _views.decode(f"[{docs.json}]")


def entries_in(history: Sequence[dict[str, Any]]) -> list[Entry]:
    """Return a history, oldest first, with what each event holds."""
    return [
        Entry(
            version=entry["version"],
            type=entry["type"],
            at=entry["at"],
            by=entry["by"],
            summary=entry["summary"],
            data=msgspec.json.decode(entry["data"]),
        )
        for entry in history
    ]
