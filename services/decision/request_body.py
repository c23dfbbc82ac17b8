"""The body of an ask, and the command that it stands for under the approval types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from events.approval import Json, Link, Person, Subject, Urgency
from events.commands import RequestApproval
from events.digest import NotCanonical, payload_digest
from services.approval_types import ApprovalType, ApprovalTypes
from services.directory import Directory
from services.policies import EXPIRES_AFTER, Facts, NobodyToAsk, Policies, found
from services.web.bodies import plain
from services.web.emails import NotAnAddress, email
from services.web.problems import Invalid, Problem

LONGEST = timedelta(days=366)
MAX_APPROVERS = 50
FIRST_REVISION = "1"
MOST_NAMED = 10
"""How many of those who may ask a refusal names."""

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
    """What `POST /v1/approvals` and the topic `approval.requests` take.

    `approvers` may be left out where the type, or `placet.yaml`, says whom to ask.
    """

    type: Name
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    approvers: Annotated[Sequence[str | PersonBody], msgspec.Meta(max_length=MAX_APPROVERS)] = ()
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
    supersede_on_comment: bool = False
    editable: bool | None = None


approval_decoder = msgspec.json.Decoder(ApprovalBody)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBy:
    """Who brings an ask: a key's principal, or None for a message on Kafka.

    An administrator asks on behalf of anybody; `callback_dialect` is how its callback is worded.
    """

    email: str | None
    as_admin: bool = False
    callback_dialect: str | None = None


def ask_command(
    body: ApprovalBody,
    *,
    asked_by: AskedBy,
    now: datetime,
    types: ApprovalTypes,
    directory: Directory | None = None,
    policies: Policies | None = None,
) -> RequestApproval:
    """Return the command that a body stands for under the types and policies of its workspace.

    Raises `Invalid` (422) naming the field by a JSON pointer, also where nobody could decide it,
    and `Problem` (403) for somebody who may not ask for this type, saying who may.
    """
    directory, policies = directory or Directory(), policies or Policies()
    kind = types.find(body.type)
    if kind is None and types.strict:
        known = ", ".join(one.name for one in types.listed()) or "none"
        raise Invalid(f"type: {body.type} is not known here; known are {known}.", pointer="/type")
    requester = _requester(body, asked_by)
    if kind is not None:
        _may_ask(kind, requester, asked_by, directory)
        check_payload(kind, body.payload, "payload")
    digest = digest_of(body.payload, "payload")
    for name in ("type", "subject", "revision", "checkpoint_name", "execution_id", "agent_id"):
        value = getattr(body, name)
        if value is not None:
            plain(value, name)
    facts = Facts(
        about=Subject(
            type=body.type,
            title=body.title,
            requester=directory.known(requester),
            revision=body.revision or FIRST_REVISION,
            round=1,
            payload_digest=digest,
            subject=body.subject,
            checkpoint_name=body.checkpoint_name,
            execution_id=body.execution_id,
            agent_id=body.agent_id,
            links=tuple(Link(kind=one.kind, id=one.id, url=one.url) for one in body.links),
            callback_url=body.callback_url,
            type_version=kind.version if kind else None,
            callback_dialect=asked_by.callback_dialect if body.callback_url else None,
        ),
        payload=body.payload,
        reason=body.reason,
        urgency=body.urgency,
        metadata=body.metadata,
    )
    wanted = _wanted_end(body, now)
    named = _approvers(body.approvers, kind, types, facts, directory)
    try:
        choice = policies.choose(replace(facts, approvers=named), directory, now)
    except NobodyToAsk as error:
        raise Invalid(f"approvers: {error}", pointer="/approvers") from error
    return RequestApproval(
        about=facts.about,
        payload=body.payload,
        approvers=choice.approvers,
        reason=body.reason,
        urgency=body.urgency,
        metadata=body.metadata,
        expires_at=choice.ends(wanted, now + _general_time(kind)),
        now=now,
        editable=_editable(body, kind),
        supersede_on_comment=body.supersede_on_comment,
        on_timeout=choice.on_timeout or (kind.on_timeout if kind else "expire"),
        policy=choice.policy,
        automatic=choice.automatic,
    )


def check_payload(kind: ApprovalType, payload: Json, field: str) -> None:
    """Raise 422 naming each place of a payload that does not fit its type."""
    faults = kind.faults(payload)
    if not faults:
        return
    errors = [
        {"pointer": f"/{field}{one.pointer}", "detail": f"{field}{one.pointer}: {one.detail}"}
        for one in faults
    ]
    raise Problem(
        422,
        "invalid",
        f"{errors[0]['detail']} (approval type {kind.name}, version {kind.version})",
        errors=errors,
    )


def digest_of(payload: Json, field: str) -> str:
    """Return a payload's digest; raises 422 for one that cannot be bound to a decision."""
    try:
        return payload_digest(payload)
    except NotCanonical as error:
        raise Invalid(f"{field}: {error}", pointer=f"/{field}") from error


def _requester(body: ApprovalBody, asked_by: AskedBy) -> Person:
    given = body.requester or asked_by.email
    if given is None:
        raise Invalid(
            "requester: is missing; by Kafka nobody else is known to ask.", pointer="/requester"
        )
    return _person(given, "/requester")


def _may_ask(
    kind: ApprovalType, requester: Person, asked_by: AskedBy, directory: Directory
) -> None:
    if not kind.requesters:
        return
    # Both: whoever may not ask shall not ask in the name of somebody who may.
    asking = {requester.email}
    if asked_by.email is not None and not asked_by.as_admin:
        asking.add(asked_by.email)
    for address in sorted(asking):
        if not directory.has_one_of(address, kind.requesters):
            who = {
                person.email: None
                for role in kind.requesters
                for person in directory.with_role(role)
            }
            named = ", ".join(list(who)[:MOST_NAMED])
            raise Problem(
                403,
                "not_a_requester",
                f"{address} may not ask for {kind.name}: that is for the role "
                f"{' or '.join(kind.requesters)} ({named}). Ask one of them to ask.",
            )


def _approvers(
    given: Sequence[str | PersonBody],
    kind: ApprovalType | None,
    types: ApprovalTypes,
    facts: Facts,
    directory: Directory,
) -> tuple[Person, ...]:
    """Return whom an ask names: itself, or else through its type, or through placet.yaml."""
    people: dict[str, Person] = {}
    for place, one in enumerate(given):
        person = directory.known(_person(one, f"/approvers/{place}"))
        people.setdefault(person.email, person)
    for specs in (kind.approvers if kind else (), types.default_approvers):
        people = people or found(specs, facts, directory).people
    return tuple(people.values())[:MAX_APPROVERS]


def _person(given: str | PersonBody, pointer: str) -> Person:
    address, name = (given, None) if isinstance(given, str) else (given.email, given.name)
    try:
        return Person(email=email(address), name=name)
    except NotAnAddress as error:
        raise Invalid(
            f"{pointer.strip('/').replace('/', '.')}: {error}", pointer=pointer
        ) from error


def _editable(body: ApprovalBody, kind: ApprovalType | None) -> bool:
    if body.editable and kind is not None and not kind.editable:
        raise Invalid(
            f"editable: the approval type {kind.name} does not allow it.", pointer="/editable"
        )
    if body.editable is None:
        return kind.editable if kind else False
    return body.editable


def _general_time(kind: ApprovalType | None) -> timedelta:
    return kind.expires_after if kind and kind.expires_after else EXPIRES_AFTER


def _wanted_end(body: ApprovalBody, now: datetime) -> datetime | None:
    """Return until when the ask itself wants to wait, if it says so."""
    if body.expires_at is not None and body.expires_in is not None:
        raise Invalid("expires_at: send expires_in or expires_at, not both.", pointer="/expires_at")
    if body.expires_in is not None:
        return now + timedelta(seconds=body.expires_in)
    if body.expires_at is None:
        return None
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
