"""Asks for an approval: checks what came in, makes the command, and keeps each ask once."""

import hashlib
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Annotated, Any

import msgspec
from ksuid import KsuidMs

from events.approval import Json, Link, Person, Subject, Urgency
from events.commands import RequestApproval
from events.digest import NotCanonical, payload_digest
from events.handling import Order, request
from events.store import Claim, ClaimTaken, EventStore
from projections.approval_view import ApprovalView, view_of
from services.web.bodies import plain
from services.web.emails import NotAnAddress, email
from services.web.problems import Invalid, Problem

EXPIRES_AFTER = timedelta(days=30)
LONGEST = timedelta(days=366)
MAX_APPROVERS = 50
MAX_KEY = 255
FIRST_REVISION = "1"

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_THREE_DIGITS = ["".join(digits) for digits in product(_BASE62, repeat=3)]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
Url = Annotated[str, msgspec.Meta(max_length=2_000, pattern=r"^https?://[^\s\x00-\x1f]+$")]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=int(LONGEST.total_seconds()))]


class PersonBody(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody by address."""

    email: Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
    name: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class LinkBody(msgspec.Struct, forbid_unknown_fields=True):
    """An item elsewhere."""

    kind: Name
    id: Name
    url: Url | None = None


class ApprovalBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What `POST /v1/approvals` and the topic `approval.requests` take."""

    type: Name
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    approvers: Annotated[
        Sequence[str | PersonBody], msgspec.Meta(min_length=1, max_length=MAX_APPROVERS)
    ]
    payload: Mapping[str, Json] = {}
    requester: str | PersonBody | None = None
    reason: Text | None = None
    urgency: Urgency = "medium"
    expires_in: Seconds | None = None
    expires_at: datetime | None = None
    callback_url: Url | None = None
    links: Annotated[Sequence[LinkBody], msgspec.Meta(max_length=50)] = ()
    subject: Name | None = None
    revision: Name | None = None
    checkpoint_name: Name | None = None
    execution_id: Name | None = None
    agent_id: Name | None = None
    metadata: Mapping[str, Json] = {}


approval_decoder = msgspec.json.Decoder(ApprovalBody)


@dataclass(frozen=True, slots=True)
class Asked:
    """The approval as it is, and whether this call made it."""

    view: ApprovalView
    created: bool


class Asking:
    """Keeps asks; one instance serves every workspace."""

    def __init__(self, store: EventStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def ask(
        self,
        workspace: str,
        body: ApprovalBody,
        *,
        asked_by: str,
        idempotency_key: str | None,
        fingerprint: str,
    ) -> Asked:
        """Keep an ask, once for each key; durable when this returns.

        Raises `Invalid` (422) naming the field, or for a key that came with another body.
        """
        command = ask_command(body, asked_by=asked_by, now=self._clock())
        claim = None
        if idempotency_key is not None:
            claim = idempotency_claim(asked_by, idempotency_key, fingerprint)
        order = Order(
            approval_id=new_approval_id(command.now),
            command=command,
            command_id=new_command_id(),
            claim=claim,
        )
        try:
            handled = await request(self._store, workspace, order)
        except ClaimTaken:
            if claim is None:
                raise
            return Asked(await self._asked_before(workspace, claim), created=False)
        return Asked(view_of(workspace, handled.approval_id, handled.facts), created=True)

    async def _asked_before(self, workspace: str, claim: Claim) -> ApprovalView:
        named = (await self._store.claimed(workspace, "idempotency", [claim.key]))[claim.key]
        if named.fingerprint != claim.fingerprint:
            raise Problem(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another body. Use a new key for a new ask.",
            )
        stream = (await self._store.read(workspace, [named.approval_id]))[named.approval_id]
        return view_of(workspace, named.approval_id, (recorded.event for recorded in stream))


def ask_command(body: ApprovalBody, *, asked_by: str, now: datetime) -> RequestApproval:
    """Return the command that a body stands for; raises `Invalid` naming the field."""
    try:
        digest = payload_digest(body.payload)
    except NotCanonical as error:
        raise Invalid(f"payload: {error}", pointer="/payload") from error
    for name in ("type", "subject", "revision", "checkpoint_name", "execution_id", "agent_id"):
        value = getattr(body, name)
        if value is not None:
            plain(value, name)
    return RequestApproval(
        about=Subject(
            type=body.type,
            title=body.title,
            requester=_person(body.requester or asked_by, "/requester"),
            revision=body.revision or FIRST_REVISION,
            round=1,
            payload_digest=digest,
            subject=body.subject,
            checkpoint_name=body.checkpoint_name,
            execution_id=body.execution_id,
            agent_id=body.agent_id,
            links=tuple(Link(kind=one.kind, id=one.id, url=one.url) for one in body.links),
            callback_url=body.callback_url,
        ),
        payload=body.payload,
        approvers=_approvers(body.approvers),
        reason=body.reason,
        urgency=body.urgency,
        metadata=body.metadata,
        expires_at=_expires_at(body, now),
        now=now,
    )


def _approvers(given: Sequence[str | PersonBody]) -> tuple[Person, ...]:
    people: dict[str, Person] = {}
    for place, one in enumerate(given):
        person = _person(one, f"/approvers/{place}")
        people.setdefault(person.email, person)
    return tuple(people.values())


def _person(given: str | PersonBody, pointer: str) -> Person:
    address, name = (given, None) if isinstance(given, str) else (given.email, given.name)
    try:
        return Person(email=email(address), name=name)
    except NotAnAddress as error:
        raise Invalid(
            f"{pointer.strip('/').replace('/', '.')}: {error}", pointer=pointer
        ) from error


def _expires_at(body: ApprovalBody, now: datetime) -> datetime:
    if body.expires_at is not None and body.expires_in is not None:
        raise Invalid("expires_at: send expires_in or expires_at, not both.", pointer="/expires_at")
    if body.expires_in is not None:
        return now + timedelta(seconds=body.expires_in)
    if body.expires_at is None:
        return now + EXPIRES_AFTER
    if body.expires_at.tzinfo is None:
        raise Invalid(
            "expires_at: say the time zone, as in 2026-11-21T12:00:00Z.", pointer="/expires_at"
        )
    try:
        expires_at = body.expires_at.astimezone(UTC)
    except OverflowError:
        expires_at = now
    if not now < expires_at <= now + LONGEST:
        raise Invalid(
            f"expires_at: must be in the future and within {LONGEST.days} days.",
            pointer="/expires_at",
        )
    return expires_at


def idempotency_claim(asked_by: str, key: str, fingerprint: str) -> Claim:
    """Return the claim of an idempotency key: each principal has keys of its own."""
    return Claim(kind="idempotency", key=f"{asked_by} {key}", fingerprint=fingerprint)


def fingerprint(body: bytes) -> str:
    """Return what tells whether a key comes back with the same body, however it is spaced."""
    canonical: Any = msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    return hashlib.sha256(canonical).hexdigest()


def new_approval_id(now: datetime) -> str:
    """Return a KSUID: 27 characters that sort by time, to four milliseconds."""
    return _text(KsuidMs(now))


def new_command_id() -> str:
    """Return an id for a command that is not repeated."""
    return secrets.token_hex(16)


def _text(identifier: KsuidMs) -> str:
    """Return what `str` would, in a third of its time."""
    number = int.from_bytes(bytes(identifier), "big")
    digits = []
    for _ in range(KsuidMs.BASE62_LENGTH // 3):
        number, digit = divmod(number, len(_THREE_DIGITS))
        digits.append(_THREE_DIGITS[digit])
    return "".join(reversed(digits))
