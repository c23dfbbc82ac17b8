"""What a source is told when several people decided."""

from datetime import timedelta

import pytest

from events.approval import AppliedPolicy, Person, Seat, SourceRecord, Step, Subject
from events.commands import RequestApproval, SubmitDecision
from events.digest import payload_digest
from events.handling import Order, handle
from events.state import Decided
from events.store.memory import MemoryStore
from services.decision.write_back import MOST_NAMED, WriteBacks
from tests.services.service_kit import (
    SOURCE,
    WORKSPACE,
    Clock,
    FakeSource,
    MemoryEffects,
    state_of,
)

ID = "0" * 27


async def noted(step: Step, *voters: str, outcome: str = "approved") -> str:
    """The work note in the source after these people voted."""
    clock, store = Clock(), MemoryStore()
    effects, source = MemoryEffects(clock), FakeSource(clock)
    payload = (await source.read("R-1")).observation.content
    assert payload is not None
    ask = RequestApproval(
        about=Subject(
            type=payload.type,
            title=payload.title,
            requester=payload.requester,
            revision="1",
            round=1,
            payload_digest=payload_digest(payload.payload),
            source=SourceRecord(name=SOURCE, record_id="R-1", revision="1"),
        ),
        payload=payload.payload,
        approvers=payload.approvers,
        reason=None,
        urgency="medium",
        metadata={},
        expires_at=clock() + timedelta(days=1),
        now=clock(),
        policy=AppliedPolicy(name="all", version=1, steps=(step,)),
    )
    await handle(store, WORKSPACE, Order(approval_id=ID, command=ask, command_id="ask"))
    for voter in voters:
        vote = SubmitDecision(
            outcome="approved" if outcome == "approved" else "rejected",
            by=Person(email=voter),
            reason=None,
            channel="api",
            via=None,
            revision=None,
            now=clock(),
        )
        await handle(store, WORKSPACE, Order(approval_id=ID, command=vote, command_id=voter))
    sources = {(WORKSPACE, SOURCE): source}
    await WriteBacks(store, effects, sources, clock).carry_out(WORKSPACE, ID)  # type: ignore[arg-type]  # a twin
    assert isinstance(await state_of(store, ID), Decided)
    (note,) = source.records["R-1"].notes
    return note


def all_of(*seats: Seat) -> Step:
    return Step(name="all", rule="all", needed=len(seats), deny=len(seats), seats=seats)


def seat(email: str, held_by: str | None = None) -> Seat:
    return Seat(
        person=Person(email=email), held_by=Person(email=held_by) if held_by is not None else None
    )


async def test_a_note_names_everybody_who_approved() -> None:
    people = ("ada@example.com", "ben@example.com", "carl@example.com")
    note = await noted(all_of(*map(seat, people)), *people)
    assert note.startswith(
        "Approved by ada@example.com, ben@example.com and carl@example.com through Placet "
    )


async def test_a_note_names_whom_somebody_stood_in_for() -> None:
    step = all_of(seat("ada@example.com"), seat("ben@example.com", held_by="carl@example.com"))
    note = await noted(step, "ada@example.com", "carl@example.com")
    assert "ada@example.com and carl@example.com for ben@example.com" in note


async def test_a_note_names_those_who_rejected() -> None:
    people = ("ada@example.com", "ben@example.com")
    step = Step(name="two", rule="any", needed=1, deny=2, seats=tuple(map(seat, people)))
    note = await noted(step, *people, outcome="rejected")
    assert note.startswith("Rejected by ada@example.com and ben@example.com through Placet ")


@pytest.mark.parametrize("more", [1, 5])
async def test_a_note_does_not_name_a_whole_company(more: int) -> None:
    people = [f"person{number:02}@example.com" for number in range(MOST_NAMED + more)]
    note = await noted(all_of(*map(seat, people)), *people)
    assert people[MOST_NAMED - 1] in note
    assert people[MOST_NAMED] not in note
    assert f" and {more} more through Placet" in note
