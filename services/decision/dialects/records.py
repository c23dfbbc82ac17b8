"""Keeps what dialects know beside approvals: versions of agents, gated actions, issues."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements

Kind = Literal["execution", "hire"]
PAGE = 100
ROUNDS = 10
"""How often a version is numbered anew because somebody else was faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An agent's version; `config` is JSON."""

    number: int
    config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An execution or a hire: either it stands on an approval, or `doc` holds it as JSON."""

    action_id: str
    approval_id: str | None
    doc: str | None
    created_at: datetime
    fingerprint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An idempotency key as it is kept, and what tells whether it comes with the same request."""

    text: str
    fingerprint: str


class Records:
    """The tables of the dialects, each call within one workspace; raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.decision.dialects")

    async def add_version(
        self,
        workspace: str,
        agent_id: str,
        *,
        version_id: str,
        config: str,
        message: str | None,
        created_by: str,
    ) -> tuple[int, datetime]:
        """Add a version to an agent and return its number and time."""
        for _ in range(ROUNDS):
            row = await self._row(
                "add_version", workspace, agent_id, version_id, config, message, created_by
            )
            if row is not None:
                return row["version"], row["created_at"]
        raise Unavailable("Others add versions to this agent all the time. Nothing was done.")

    async def current_version(self, workspace: str, agent_id: str) -> Version | None:
        """Return what holds for an agent now; None for an agent without a version."""
        row = await self._row("current_version", workspace, agent_id)
        return row and Version(number=row["version"], config=row["config"])

    async def keep(
        self,
        workspace: str,
        kind: Kind,
        action_id: str,
        *,
        approval_id: str | None = None,
        doc: str | None = None,
        key: Key | None = None,
    ) -> Action:
        """Keep an action and return it, or the one that was kept before under its id or key."""
        text, fingerprint = (key.text, key.fingerprint) if key else (None, None)
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["keep_action"],
                workspace,
                action_id,
                kind,
                approval_id,
                doc,
                text,
                fingerprint,
            )
        kept = await self.action(workspace, kind, action_id)
        if kept is None and key is not None:
            kept = await self.action_of_key(workspace, kind, key)
        if kept is None:
            raise TypeError(f"{kind} {action_id} was neither kept nor there before")
        return kept

    async def action(self, workspace: str, kind: Kind, action_id: str) -> Action | None:
        """Return an action; None if there is no such one."""
        row = await self._row("action", workspace, kind, action_id)
        return row and Action(**row)

    async def action_of_key(self, workspace: str, kind: Kind, key: Key) -> Action | None:
        """Return the action that a key came with before, if any."""
        row = await self._row("action_of_key", workspace, kind, key.text)
        return row and Action(**row)

    async def link_issues(self, workspace: str, issues: Sequence[str], approval_id: str) -> None:
        """Let an approval belong to issues."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["link_issues"], workspace, list(issues), approval_id)

    async def open_of_issue(self, workspace: str, issue_id: str) -> AsyncIterator[str]:
        """Go through the approvals of an issue that are not known to be final, oldest first."""
        after = ""
        while True:
            async with self._database.workspace(workspace) as connection:
                rows = await connection.fetch(
                    self._sql["open_of_issue"], workspace, issue_id, after, PAGE
                )
            for row in rows:
                yield row["approval_id"]
            if len(rows) < PAGE:
                return
            after = rows[-1]["approval_id"]

    async def latest_of_issue(self, workspace: str, issue_id: str) -> str | None:
        """Return the approval of an issue that was asked for last."""
        row = await self._row("latest_of_issue", workspace, issue_id)
        latest: str | None = row and row["approval_id"]
        return latest

    async def _row(self, statement: str, workspace: str, *arguments: object) -> Any:
        async with self._database.workspace(workspace) as connection:
            return await connection.fetchrow(self._sql[statement], workspace, *arguments)
