"""Takes answers, from whichever surface: each becomes one command, and the first one holds."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from events.approval import (
    ApprovalEvent,
    ApprovalRequested,
    ApprovalWithdrawn,
    Assurance,
    Edited,
    Json,
    Outcome,
    Person,
    WriteBackFailed,
)
from events.commands import (
    AcknowledgeApproval,
    CommentOnApproval,
    SubmitDecision,
    UndoDecision,
    WithdrawApproval,
)
from events.decider import Refused
from events.handling import Handled, Order, handle, handle_made
from events.state import Deciding, State
from events.store import EventStore
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from services.approval_types import ApprovalTypes
from services.decision.identifiers import new_command_id
from services.decision.own_accounts import OwnAccounts, refuse_unconnected
from services.decision.request_body import check_payload, digest_of
from services.directory import Directories, Directory, FixedDirectories
from services.web.problems import Problem

WAIT_FOR_SOURCE_S = 3.0
"""How long an answer waits for the source before its caller is told `deciding`."""

MCP = "mcp"
"""The channel of an answer that an assistant carries for a person."""

ANSWERS: dict[str, Outcome] = {
    "approve": "approved",
    "approved": "approved",
    "deny": "rejected",
    "denied": "rejected",
    "reject": "rejected",
    "rejected": "rejected",
}
"""What counts as an answer, in any case."""


class WriteBacks(Protocol):
    """Who carries answers to the source."""

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        """Try at once; what cannot be done now is tried again later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody answered, and how it came.

    `shown` is the digest of the card or page that they answered. `undoable`: they can take it back
    for as long as its type says, and nothing comes of it before.
    """

    outcome: Outcome
    by: Person
    reason: str | None
    channel: str
    via: str | None
    revision: str | None
    payload: Mapping[str, Json] | None = None
    """What is approved instead of what was asked for; None for that itself."""
    assurance: Assurance = "key"
    shown: str | None = None
    undoable: bool = False
    command_id: str | None = None
    """The same each time this very answer is sent again; None for one that is made for it."""


class Answering:
    """Submits decisions, comments and withdrawals; raises `Refused` and `Unavailable`.

    `refused` is told of the workspace and the refusal of each answer that is not taken.
    """

    def __init__(
        self,
        store: EventStore,
        write_backs: WriteBacks,
        clock: Callable[[], datetime],
        types: ApprovalTypes | None = None,
        directories: Directories | None = None,
        refused: Callable[[str, Refused], None] = lambda *_: None,
        accounts: OwnAccounts | None = None,
    ) -> None:
        self._store = store
        self._write_backs = write_backs
        self._clock = clock
        self._types = types or ApprovalTypes()
        self._directories = directories or FixedDirectories()
        self._refused = refused
        self._accounts = accounts
        self._carrying: set[asyncio.Task[None]] = set()

    async def decide(
        self,
        workspace: str,
        approval_id: str,
        answer: Answer,
        *,
        wait_s: float = WAIT_FOR_SOURCE_S,
    ) -> ApprovalView:
        """Submit an answer and return the approval after it: final, `deciding`, or `pending`.

        Pending is what others have to answer as well. The answer is durable when this returns; one
        that is held so that it can be taken back is `deciding` until then.
        For a mirrored record the source is told at once and waited for, `wait_s` at most; it goes
        on being told after that. Raises `Refused` also when the source shows within that time that
        the answer is not true any more, and `Problem` for an edited payload that does not fit its
        type (422), an answer through an assistant that the type does not allow (403), one of
        somebody who is not active any more (403), or one that the source takes only from their own
        account there, which is not connected (403, `grant_needed`).
        """
        try:
            return await self._decide(workspace, approval_id, answer, wait_s)
        except Refused as refused:
            self._refused(workspace, refused)
            raise

    async def _decide(
        self, workspace: str, approval_id: str, answer: Answer, wait_s: float
    ) -> ApprovalView:
        now = self._clock()
        directory = self._directories.of(workspace)
        refuse_inactive(directory, answer.by.email)
        command = SubmitDecision(
            outcome=answer.outcome,
            by=answer.by,
            reason=answer.reason,
            channel=answer.channel,
            via=answer.via,
            revision=answer.revision,
            edited=await self._edited(workspace, approval_id, answer),
            stands_in_for=directory.stands_in_for(answer.by.email, now),
            assurance=answer.assurance,
            shown=answer.shown,
            held_until=await self._held_until(workspace, approval_id, answer, now),
            now=now,
        )
        if self._accounts is not None:
            await refuse_unconnected(self._accounts, self._store, workspace, approval_id, command)
        handled = await self._handle(workspace, approval_id, command, answer.command_id)
        if not isinstance(handled.state, Deciding):
            return view_of(workspace, approval_id, handled.facts)
        carrying = asyncio.create_task(self._write_backs.carry_out(workspace, approval_id))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)
        if handled.state.answer.held_until is not None:
            return view_of(workspace, approval_id, handled.facts)
        await asyncio.wait([carrying], timeout=wait_s)
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        facts = [recorded.event for recorded in stream]
        _refuse_what_the_source_did_not_take(facts[len(handled.facts) :])
        return view_of(workspace, approval_id, facts)

    async def undo(self, workspace: str, approval_id: str, *, by: Person) -> ApprovalView:
        """Take back an answer that is held, and return the approval, which is pending again."""
        command_id = new_command_id()

        async def order(_state: State, _facts: Sequence[ApprovalEvent]) -> Order:
            # With the time of this very attempt: the hold may end while others are faster.
            command = UndoDecision(by=by, now=self._clock())
            return Order(approval_id=approval_id, command=command, command_id=command_id)

        handled = await handle_made(self._store, workspace, approval_id, order)
        return view_of(workspace, approval_id, handled.facts)

    async def _held_until(
        self, workspace: str, approval_id: str, answer: Answer, now: datetime
    ) -> datetime | None:
        if not answer.undoable:
            return None
        asked = await self._asked(workspace, approval_id)
        held = self._types.within(workspace).held_for(asked.about.type) if asked else timedelta()
        return now + held if held else None

    async def _asked(self, workspace: str, approval_id: str) -> ApprovalRequested | None:
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        asked = stream[0].event if stream else None
        return asked if isinstance(asked, ApprovalRequested) else None

    async def _edited(self, workspace: str, approval_id: str, answer: Answer) -> Edited | None:
        """Hold an answer to the type of what it is for; return what it changes of the payload."""
        if answer.payload is None and answer.channel != MCP:
            return None
        asked = await self._asked(workspace, approval_id)
        if asked is not None:
            kind = self._types.within(workspace).find(asked.about.type)
            if answer.channel == MCP and not (kind and kind.decide_over_mcp):
                raise Problem(
                    403,
                    "decide_in_the_inbox",
                    "What is of this type is not decided through an assistant: open it in the "
                    "inbox.",
                )
            if kind is not None and answer.payload is not None:
                check_payload(kind, answer.payload, "payload")
        if answer.payload is None:
            return None
        return Edited(payload=answer.payload, payload_digest=digest_of(answer.payload, "payload"))

    async def withdraw(
        self, workspace: str, approval_id: str, *, by: Person, as_admin: bool, reason: str | None
    ) -> ApprovalView:
        """Recall an ask and return the approval after it."""
        command = WithdrawApproval(by=by, as_admin=as_admin, reason=reason, now=self._clock())
        handled = await self._handle(workspace, approval_id, command)
        return view_of(workspace, approval_id, handled.facts)

    async def comment(
        self,
        workspace: str,
        approval_id: str,
        *,
        by: Person,
        text: str,
        comment_id: str,
        by_person: bool = True,
    ) -> ApprovalView:
        """Leave a comment, once for each id, and return the approval after it."""
        command = CommentOnApproval(
            comment_id=comment_id, by=by, text=text, now=self._clock(), by_person=by_person
        )
        handled = await self._handle(workspace, approval_id, command)
        return view_of(workspace, approval_id, handled.facts)

    async def acknowledge(
        self,
        workspace: str,
        approval_id: str,
        *,
        by: Person,
        as_admin: bool = False,
        effective: Json | None = None,
    ) -> ApprovalView:
        """Note that whoever waited has heard the outcome, and return the approval after it.

        `effective` is the payload that took effect, if they tell; raises `Invalid` (422) for one
        that cannot be kept.
        """
        told = None
        if effective is not None:
            digest = digest_of(effective, "effective_payload")
            told = Edited(payload=effective, payload_digest=digest)
        command = AcknowledgeApproval(by=by, as_admin=as_admin, effective=told, now=self._clock())
        handled = await self._handle(workspace, approval_id, command)
        return view_of(workspace, approval_id, handled.facts)

    async def current(self, workspace: str, approval_id: str) -> ApprovalView:
        """Return an approval as it stands in the store."""
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        return view_of(workspace, approval_id, (recorded.event for recorded in stream))

    async def close(self) -> None:
        """Let write-backs that are under way end; what they leave is taken up again later."""
        if self._carrying:
            await asyncio.wait(self._carrying, timeout=5)
        for task in self._carrying:
            task.cancel()

    async def _handle(
        self,
        workspace: str,
        approval_id: str,
        command: SubmitDecision | WithdrawApproval | CommentOnApproval | AcknowledgeApproval,
        command_id: str | None = None,
    ) -> Handled:
        return await handle(
            self._store,
            workspace,
            Order(
                approval_id=approval_id,
                command=command,
                command_id=command_id or new_command_id(),
                once=command_id is not None,
            ),
        )


def refuse_inactive(directory: Directory, email: str) -> None:
    """Raise 403 for somebody who is known, and was deactivated: whatever they were asked."""
    if not directory.is_active(email):
        raise Problem(
            403,
            "not_active",
            f"{email} is not active any more, and answers nothing. Ask an administrator to "
            "activate this person again, or to pass the request on to somebody else.",
        )


def _refuse_what_the_source_did_not_take(facts: Sequence[ApprovalEvent]) -> None:
    """Raise `Refused` when the write-back came to another end than the answer's."""
    for fact in facts:
        match fact:
            case ApprovalWithdrawn():
                raise Refused(
                    "already_resolved",
                    f"This request is already resolved/canceled. {fact.reason}",
                )
            case WriteBackFailed(cause="changed"):
                raise Refused("stale_revision", fact.reason)
            case WriteBackFailed():
                raise Refused(
                    "source_refused",
                    f"The source did not take the answer, and it waits for you again: "
                    f"{fact.reason}",
                )
            case _:
                continue
