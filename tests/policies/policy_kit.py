"""A policy from its text, the people it is for, and what they are asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from events.approval import Person, SourceRecord, Subject
from events.commands import RequestApproval
from events.decider import decide
from events.digest import payload_digest
from events.state import Pending, State, fold
from services.directory import Delegation, Directory, Member
from services.policies import Choice, Facts, Policies, load_policies, spec_of

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
"""A Monday."""
BOT = "bot@example.com"


def member(name: str, **more: Any) -> Member:
    """Somebody at example.com."""
    for key in ("groups", "roles"):
        more[key] = frozenset(more.get(key, ()))
    if isinstance(manager := more.get("manager"), str) and "@" not in manager:
        more["manager"] = f"{manager}@example.com"
    return Member(email=f"{name}@example.com", name=name.capitalize(), **more)


def directory(*members: Member, away: Mapping[str, str] | None = None) -> Directory:
    """Some people, and who of them stands in for whom just now."""
    return Directory(
        {one.email: one for one in members},
        [
            Delegation(
                id=f"{person}-{to}",
                person=f"{person}@example.com",
                to=f"{to}@example.com",
                begins=NOW - timedelta(days=1),
                ends=NOW + timedelta(days=1),
            )
            for person, to in (away or {}).items()
        ],
    )


EVERYBODY = (
    member("ann", groups=["finance"], roles=["operator"], manager="cleo"),
    member("ben", groups=["finance", "legal"]),
    member("cem", groups=["legal"], time_zone="Asia/Tokyo"),
    member("dora", groups=["board"]),
    member("emil", groups=["board"]),
    member("cleo", roles=["cfo"]),
    member("otto", roles=["operator"]),
    Member(email=BOT, name="Bot", manager="ann@example.com"),
)
OFFICE = directory(*EVERYBODY)

TEXT = """
name: expenses
version: 3
steps:
  - name: finance
    approvers: [group:finance]
fallback: [operator]
"""


def policies_of(folder: Path, *texts: str, people: Directory = OFFICE) -> Policies:
    """The policies of some files, which hold no fault."""
    paths = []
    for place, text in enumerate(texts):
        paths.append(folder / f"policy{place}.yaml")
        paths[-1].write_text(text, "utf-8")
    policies, errors = load_policies(paths, people)
    assert errors == []
    return Policies(workspace="acme", policies=policies)


def errors_of(folder: Path, *texts: str, people: Directory = OFFICE) -> list[str]:
    """What is wrong with some files, without the folder."""
    paths = []
    for place, text in enumerate(texts):
        paths.append(folder / f"policy{place or ''}.yaml")
        paths[-1].write_text(text, "utf-8")
    _, errors = load_policies(paths, people)
    return [one.removeprefix(f"{folder}/") for one in errors]


def facts(
    payload: Any = None,
    *,
    requester: str = BOT,
    named: Sequence[str] = (),
    source: str | None = None,
    kind: str = "expense_report",
    **more: Any,
) -> Facts:
    """What is asked: by the bot, unless somebody else does."""
    payload = {"total_amount": 100} if payload is None else payload
    return Facts(
        about=Subject(
            type=kind,
            title="Dinner",
            requester=Person(email=requester),
            revision="1",
            round=1,
            payload_digest=payload_digest(payload),
            source=SourceRecord(name=source, record_id="1", revision="1") if source else None,
        ),
        payload=payload,
        approvers=tuple(Person(email=f"{one}@example.com") for one in named),
        **more,
    )


def seats(choice: Choice) -> list[list[str]]:
    """Who sits at each step, by the first part of the address; `ann<ben` is held by Ben."""
    assert choice.policy is not None
    return [
        [
            short(seat.person) + (f"<{short(seat.held_by)}" if seat.held_by else "")
            for seat in step.seats
        ]
        for step in choice.policy.steps
    ]


def short(person: Person) -> str:
    """The first part of an address."""
    return person.email.partition("@")[0]


def asked(choice: Choice, about: Facts) -> Pending:
    """The approval that a choice begins, as it waits."""
    ask = RequestApproval(
        about=about.about,
        payload=about.payload,
        approvers=choice.approvers,
        reason=about.reason,
        urgency=about.urgency,
        metadata=about.metadata,
        expires_at=choice.ends(None, NOW + timedelta(days=30)),
        now=NOW,
        on_timeout=choice.on_timeout or "expire",
        policy=choice.policy,
    )
    state: State = fold(decide(ask, fold(())))
    assert isinstance(state, Pending)
    return state


def with_last_resort(policies: Policies, *texts: str) -> Policies:
    """Policies with those whom `placet.yaml` names for whatever names nobody."""
    return replace(policies, last_resort=tuple(spec_of(text) for text in texts))
