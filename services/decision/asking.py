"""Keeps each ask once, and lets a newer one about a subject take the place of the older."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from events.approval import ApprovalEvent, Subject
from events.commands import RequestApproval, SupersedeApproval
from events.handling import Order, request, request_in_place_of
from events.state import Deciding, Pending, fold
from events.store import (
    Claim,
    Claimed,
    ClaimTaken,
    EventStore,
    Unavailable,
    VersionConflict,
)
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from services.approval_types import ApprovalTypes
from services.decision.identifiers import new_approval_id, new_command_id
from services.decision.request_body import ApprovalBody, AskedBy, ask_command
from services.directory import Directories, FixedDirectories
from services.policies import Policies
from services.web.problems import Problem

MAX_KEY = 255
ROUNDS = 5
"""How often an ask about a subject is placed anew because another one was faster."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The approval as it is, and whether this call made it."""

    view: ApprovalView
    created: bool


class Asking:
    """Keeps asks; one instance serves every workspace."""

    def __init__(
        self,
        store: EventStore,
        clock: Callable[[], datetime],
        types: ApprovalTypes | None = None,
        directories: Directories | None = None,
        policies: Policies | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._types = types or ApprovalTypes()
        self._directories = directories or FixedDirectories()
        self._policies = policies or Policies()

    async def ask(
        self,
        workspace: str,
        body: ApprovalBody,
        *,
        asked_by: AskedBy,
        idempotency_key: str | None,
        fingerprint: str,
    ) -> Asked:
        """Keep an ask, once for each key; durable when this returns.

        Raises `Invalid` (422) naming the field, or for a key that came with another body, and
        `Problem` for who may not ask (403) or for a revision that is not new (409).
        """
        claim = None
        if idempotency_key is not None:
            claim = idempotency_claim(asked_by.email or "", idempotency_key, fingerprint)
        try:
            command = self.command(workspace, body, asked_by)
        except Problem:
            # It may have been asked when it could be: under another type, of other people.
            before = await self._asked_before(workspace, claim)
            if before is None:
                raise
            return before
        return await self.keep(workspace, command, claim, revised=body.revision is not None)

    def command(self, workspace: str, body: ApprovalBody, asked_by: AskedBy) -> RequestApproval:
        """Return what a body asks for now; raises as `ask` does."""
        return ask_command(
            body,
            asked_by=asked_by,
            now=self._clock(),
            types=self._types.within(workspace),
            directory=self._directories.of(workspace),
            policies=self._policies.within(workspace),
        )

    async def keep(
        self, workspace: str, command: RequestApproval, claim: Claim | None, *, revised: bool
    ) -> Asked:
        """Keep an ask once; `revised` tells that its revision is the asker's own."""
        if command.about.subject is not None:
            return await self._keep_about(workspace, command, claim, revised=revised)
        try:
            return await self._place(workspace, command, [claim], None)
        except ClaimTaken:
            before = await self._asked_before(workspace, claim)
            if before is None:
                raise
            return before

    async def claims_of_revised(
        self, workspace: str, approval_id: str, about: Subject
    ) -> tuple[Claim, ...]:
        """Return the claim by which an approval keeps its subject under what it holds now.

        None where it has no subject, or another took its place.
        """
        if about.subject is None:
            return ()
        key = _subject_key(about)
        latest = (await self._store.claimed(workspace, "subject", [key])).get(key)
        if latest is None or latest.approval_id != approval_id:
            return ()
        return (_subject_claim(about, key, latest.round + 1),)

    async def _keep_about(
        self, workspace: str, command: RequestApproval, claim: Claim | None, *, revised: bool
    ) -> Asked:
        """Keep an ask about a subject, in the place of what still waits about it."""
        key = _subject_key(command.about)
        for _ in range(ROUNDS):
            before = await self._asked_before(workspace, claim)
            if before is not None:
                return before
            latest = (await self._store.claimed(workspace, "subject", [key])).get(key)
            round_, older_id = 1, None
            if latest is not None:
                facts = await self._facts(workspace, latest.approval_id)
                # Also while an answer is held: it may be taken back.
                pending = isinstance(fold(facts), Pending | Deciding)
                if _is_the_same(command.about, latest, pending=pending, revised=revised):
                    view = view_of(workspace, latest.approval_id, facts)
                    return Asked(view, created=False)
                round_ = latest.round + 1
                older_id = latest.approval_id if pending else None
                if not revised:
                    about = replace(command.about, revision=str(round_))
                    command = replace(command, about=about)
            subject = _subject_claim(command.about, key, round_)
            try:
                return await self._place(workspace, command, [claim, subject], older_id)
            except (ClaimTaken, VersionConflict):
                continue
        raise Unavailable(
            "Others ask about this subject all the time. Nothing was done; try again."
        )

    async def _place(
        self,
        workspace: str,
        command: RequestApproval,
        claims: Sequence[Claim | None],
        older_id: str | None,
    ) -> Asked:
        order = Order(
            approval_id=new_approval_id(command.now),
            command=command,
            command_id=new_command_id(),
            claims=tuple(claim for claim in claims if claim is not None),
        )
        if older_id is None:
            handled = await request(self._store, workspace, order)
        else:
            supersede = SupersedeApproval(
                by=command.about.requester,
                successor=order.approval_id,
                revision=command.about.revision,
                now=command.now,
            )
            handled = await request_in_place_of(self._store, workspace, order, older_id, supersede)
        return Asked(view_of(workspace, handled.approval_id, handled.facts), created=True)

    async def _asked_before(self, workspace: str, claim: Claim | None) -> Asked | None:
        """Return what was asked with a key before, if anything; raises 422 for another body."""
        if claim is None:
            return None
        named = (await self._store.claimed(workspace, claim.kind, [claim.key])).get(claim.key)
        if named is None:
            return None
        if named.fingerprint != claim.fingerprint:
            raise Problem(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another body. Use a new key for a new ask.",
            )
        facts = await self._facts(workspace, named.approval_id)
        return Asked(view_of(workspace, named.approval_id, facts), created=False)

    async def _facts(self, workspace: str, approval_id: str) -> list[ApprovalEvent]:
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        return [recorded.event for recorded in stream]


def _subject_key(about: Subject) -> str:
    # Neither holds control characters, so the two cannot be taken for two others.
    return f"{about.type}\n{about.subject}"


def _subject_claim(about: Subject, key: str, round_: int) -> Claim:
    fingerprint = f"{about.payload_digest} {about.revision}"
    return Claim(kind="subject", key=key, round=round_, fingerprint=fingerprint)


def _is_the_same(about: Subject, latest: Claimed, *, pending: bool, revised: bool) -> bool:
    """Tell whether what waits is what is asked for again; raises 409 for what is not newer."""
    digest, _, revision = latest.fingerprint.partition(" ")
    same_content = digest == about.payload_digest
    if not revised:
        return pending and same_content
    if about.revision == revision:
        if pending and not same_content:
            raise Problem(
                409,
                "revision_reused",
                f"Revision {revision} of {about.subject} waits with another payload "
                f"({latest.approval_id}). Ask again under a new revision.",
            )
        return pending
    if (
        _number(about.revision) is not None
        and _number(revision) is not None
        and (int(about.revision) < int(revision))
    ):
        raise Problem(
            409,
            "stale_revision",
            f"Revision {revision} of {about.subject} has been asked for already "
            f"({latest.approval_id}): {about.revision} is older.",
        )
    return False


def _number(revision: str) -> int | None:
    """Return a revision that is a plain number; others have no order that we know."""
    return int(revision) if revision.isascii() and revision.isdigit() else None


def idempotency_claim(asked_by: str, key: str, fingerprint: str) -> Claim:
    """Return the claim of an idempotency key: each principal has keys of its own."""
    return Claim(kind="idempotency", key=f"{asked_by} {key}", fingerprint=fingerprint)


def fingerprint(body: bytes) -> str:
    """Return what tells whether a key comes back with the same body, however it is spaced."""
    canonical: Any = msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    return hashlib.sha256(canonical).hexdigest()
