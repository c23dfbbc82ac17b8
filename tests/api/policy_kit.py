"""Asks that are held to a policy, kept as the decision service keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from events.approval import AppliedPolicy, Person, Rule, Seat, SourceRecord, Step, Subject
from events.commands import RequestApproval
from events.digest import payload_digest
from events.handling import Order, request
from services.decision.identifiers import new_approval_id, new_command_id
from services.directory import Delegation, Directory, Member
from tests.api.api_kit import REQUESTER, Json, Office, found

ADA, CARL = "ada@example.com", "carl@example.com"


def seat(email: str, *groups: str, held_by: str | None = None) -> Seat:
    """A place at a step."""
    holder = Person(email=held_by) if held_by else None
    return Seat(person=Person(email=email), groups=groups, held_by=holder)


def step(
    rule: Rule,
    *seats: Seat,
    needed: int | None = None,
    deny: int = 1,
    name: str = "review",
    groups: Sequence[str] = (),
) -> Step:
    """A step; `needed` follows from the rule where it can."""
    by_rule = {"any": 1, "all": len(seats), "each": len(groups)}
    return Step(
        name=name,
        rule=rule,
        needed=needed if needed is not None else by_rule[rule],
        deny=deny,
        seats=seats,
        groups=tuple(groups),
    )


@dataclass(frozen=True, kw_only=True)
class Held:
    """What is asked under a policy."""

    steps: Sequence[Step]
    payload: Any = None
    requester: str = REQUESTER
    self_approval: bool = False
    editable: bool = False
    mirrored: bool = False
    expires_in: timedelta = timedelta(days=1)
    more: tuple[tuple[str, Any], ...] = ()


async def held(office: Office, *steps: Step, **more: Any) -> str:
    """The id of a new approval that is held to the steps of a policy."""
    return await keep(office, Held(steps=steps, **more))


async def keep(office: Office, ask: Held) -> str:
    """Keep an ask as it was chosen to be."""
    now = datetime.now(UTC)
    approval_id = new_approval_id(now)
    payload = {"amount": 5} if ask.payload is None else ask.payload
    policy = AppliedPolicy(
        name="expenses",
        version=1,
        steps=tuple(ask.steps),
        self_approval=ask.self_approval,
        **dict(ask.more),
    )
    record = SourceRecord(name="erp", record_id=approval_id, revision="1")
    command = RequestApproval(
        about=Subject(
            type="expense",
            title="Dinner",
            requester=Person(email=ask.requester),
            revision="1",
            round=1,
            payload_digest=payload_digest(payload),
            source=record if ask.mirrored else None,
        ),
        payload=payload,
        approvers=tuple(one.person for one in ask.steps[0].seats),
        reason=None,
        urgency="medium",
        metadata={},
        expires_at=now + ask.expires_in,
        now=now,
        editable=ask.editable,
        policy=policy,
    )
    order = Order(approval_id=approval_id, command=command, command_id=new_command_id())
    await request(office.placet.parts.store, office.workspace, order)
    return approval_id


async def send(client: httpx2.AsyncClient, approval_id: str, call: str, **body: Any) -> Any:
    """The answer to one of an approval's calls."""
    return await client.post(f"/v1/approvals/{approval_id}/{call}", json=body)


async def look(client: httpx2.AsyncClient, approval_id: str) -> Json:
    """The approval as it is now."""
    return found(await client.get(f"/v1/approvals/{approval_id}"))


async def kinds(client: httpx2.AsyncClient, approval_id: str) -> list[str]:
    """The types of its events, oldest first."""
    history = found(await client.get(f"/v1/approvals/{approval_id}/history"))["data"]
    return [one["type"] for one in history]


def known(*members: Member, away: Mapping[str, str] | None = None) -> Directory:
    """A directory; `away` says who answers for whom since an hour and for a day."""
    now = datetime.now(UTC)
    return Directory(
        members={one.email: one for one in members},
        delegations=[
            Delegation(
                id=f"{person} to {to}",
                person=person,
                to=to,
                begins=now - timedelta(hours=1),
                ends=now + timedelta(days=1),
            )
            for person, to in (away or {}).items()
        ],
    )
