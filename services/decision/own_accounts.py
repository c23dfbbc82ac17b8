"""Refuses answers that a source takes only from an account that the person has not connected."""

from typing import Protocol

from events.approval import ApprovalRequested
from events.commands import SubmitDecision
from events.decider import Refused, decide
from events.state import fold
from events.store import EventStore
from services.grants import GrantNeeded
from services.web.problems import Problem

GRANT_NEEDED = "grant_needed"
"""The code of the refusal that leads to where people connect their accounts."""


class OwnAccounts(Protocol):
    """Who knows which sources are answered from people's own accounts there only."""

    def wanted_in(self, workspace: str) -> bool:
        """Tell whether any source of a workspace is."""
        ...

    async def check(self, workspace: str, source: str, email: str) -> None:
        """Raise `GrantNeeded` for somebody whose answer the source would not take."""
        ...


async def refuse_unconnected(
    accounts: OwnAccounts,
    store: EventStore,
    workspace: str,
    approval_id: str,
    command: SubmitDecision,
) -> None:
    """Raise 403 for an answer that could not be written back by whoever gives it.

    Whoever may not answer at all is not told to connect anything: whatever takes the answer says
    why not.
    """
    if not accounts.wanted_in(workspace):
        return
    stream = (await store.read(workspace, [approval_id]))[approval_id]
    facts = [recorded.event for recorded in stream]
    asked = facts[0] if facts else None
    if not isinstance(asked, ApprovalRequested) or asked.about.source is None:
        return
    try:
        decide(command, fold(facts))
    except Refused:
        return
    try:
        await accounts.check(workspace, asked.about.source.name, command.by.email)
    except GrantNeeded as error:
        raise Problem(403, GRANT_NEEDED, str(error)) from error
