"""Read, fold, decide, append; and again when somebody else was faster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from events.approval import ApprovalEvent
from events.commands import Command
from events.decider import Refused
from events.envelope import Recorded
from events.handling import (
    TRIES,
    Order,
    handle,
    handle_batch,
    request,
    request_batch,
    request_in_place_of,
)
from events.state import Decided, Pending, Withdrawn, fold
from events.store import (
    Append,
    Claim,
    Claimed,
    ClaimKind,
    ClaimTaken,
    EventStore,
    VersionConflict,
)
from events.store.memory import MemoryStore
from tests.core.examples import (
    ANN,
    BOB,
    MIRRORED,
    OWN,
    answer,
    ask,
    comment,
    commented,
    decided,
    pending,
    settled,
    submitted,
    supersede,
)


def order(
    approval_id: str, command: Command, *, command_id: str = "k1", claim: Claim | None = None
) -> Order:
    return Order(
        approval_id=approval_id,
        command=command,
        command_id=command_id,
        claims=(claim,) if claim else (),
    )


async def facts(store: EventStore, workspace: str, approval_id: str) -> list[ApprovalEvent]:
    read = await store.read(workspace, [approval_id])
    return [recorded.event for recorded in read[approval_id]]


@dataclass
class Overtaken:
    """A store in which somebody else is faster for the next few appends."""

    kept: MemoryStore
    others: list[Append] = field(default_factory=list)

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        if self.others:
            await self.kept.append(workspace, [self.others.pop(0)])
        await self.kept.append(workspace, appends)

    async def read(
        self, workspace: str, approval_ids: Sequence[str], after: int = 0
    ) -> Mapping[str, Sequence[Recorded]]:
        return await self.kept.read(workspace, approval_ids, after)

    async def claimed(
        self, workspace: str, kind: ClaimKind, keys: Sequence[str]
    ) -> Mapping[str, Claimed]:
        return await self.kept.claimed(workspace, kind, keys)


def others(count: int) -> list[Append]:
    return [
        Append(
            approval_id="a",
            expected_version=1 + n,
            events=(commented(comment(f"other {n}")),),
            command_id=f"other {n}",
        )
        for n in range(count)
    ]


async def test_what_a_command_decides_is_durable_and_told(
    store: EventStore, workspace: str
) -> None:
    asked = await handle(store, workspace, order("a", ask()))
    assert (asked.added, asked.facts) == ((OWN,), (OWN,))
    handled = await handle(store, workspace, order("a", answer(), command_id="k2"))
    end = (submitted(answer()), decided(answer(), OWN))
    assert handled.added == end
    assert handled.facts == (OWN, *end)
    assert isinstance(handled.state, Decided)
    assert await facts(store, workspace, "a") == [OWN, *end]
    assert [one.command_id for one in (await store.read(workspace, ["a"]))["a"]] == [
        "k1",
        "k2",
        "k2",
    ]


async def test_a_repeated_command_adds_nothing(store: EventStore, workspace: str) -> None:
    await handle(store, workspace, order("a", ask()))
    await handle(store, workspace, order("a", answer()))
    again = await handle(store, workspace, order("a", answer()))
    assert again.added == ()
    assert len(again.facts) == 3
    assert isinstance(again.state, Decided)


async def test_a_refused_command_keeps_nothing(store: EventStore, workspace: str) -> None:
    await handle(store, workspace, order("a", ask()))
    await handle(store, workspace, order("a", answer()))
    with pytest.raises(Refused, match=r"ann@example\.com"):
        await handle(store, workspace, order("a", answer("rejected", BOB)))
    assert len(await facts(store, workspace, "a")) == 3


async def test_on_a_conflict_it_is_decided_again_from_what_is_there_now() -> None:
    """An answer that came second must read who won, not overwrite it."""
    kept = MemoryStore()
    await handle(kept, "w", order("a", ask()))
    first = (submitted(answer(by=BOB)), decided(answer(by=BOB), OWN))
    store = Overtaken(
        kept, [Append(approval_id="a", expected_version=1, events=first, command_id="bob")]
    )
    with pytest.raises(Refused, match=r"approved by bob@example\.com"):
        await handle(store, "w", order("a", answer("rejected", ANN)))
    assert await facts(kept, "w", "a") == [OWN, *first]


async def test_it_gives_up_after_so_many_conflicts_and_not_before() -> None:
    for count, gives_up in ((TRIES - 1, False), (TRIES, True)):
        store = Overtaken(MemoryStore())
        await handle(store, "w", order("a", ask()))
        store.others = others(count)
        command = order("a", comment("mine"))
        if gives_up:
            with pytest.raises(VersionConflict):
                await handle(store, "w", command)
        else:
            handled = await handle(store, "w", command)
            assert len(handled.facts) == 1 + count + 1
        assert len(await facts(store, "w", "a")) == 1 + count + (not gives_up)


async def test_a_new_approval_is_kept_without_reading(store: EventStore, workspace: str) -> None:
    handled = await request(store, workspace, order("a", ask()))
    assert handled.added == handled.facts == (OWN,)
    assert isinstance(handled.state, Pending)
    with pytest.raises(VersionConflict):
        await request(store, workspace, order("a", ask()))


async def test_new_approvals_are_kept_together_or_not_at_all(
    store: EventStore, workspace: str
) -> None:
    claim = Claim(kind="idempotency", key="key")
    await request(store, workspace, order("a", ask(), claim=claim))
    with pytest.raises(ClaimTaken):
        await request_batch(store, workspace, [order("b", ask()), order("c", ask(), claim=claim)])
    assert await facts(store, workspace, "b") == []
    both = await request_batch(store, workspace, [order("c", ask()), order("b", ask())])
    assert [handled.approval_id for handled in both] == ["c", "b"]
    assert await facts(store, workspace, "b") == [OWN]


async def test_a_batch_of_commands_for_several_approvals_is_one_append(
    store: EventStore, workspace: str
) -> None:
    await handle(store, workspace, order("a", pending()))
    handled = await handle_batch(
        store,
        workspace,
        [order("a", settled("gone", by=None, outcome=None)), order("b", pending())],
    )
    assert [len(handled[name].added) for name in ("a", "b")] == [1, 1]
    assert await facts(store, workspace, "b") == [MIRRORED]
    again = await handle_batch(store, workspace, [order("b", pending())])
    assert again["b"].added == ()


async def test_a_new_approval_takes_the_place_of_an_older_one_or_nothing_happens(
    store: EventStore, workspace: str
) -> None:
    await request(store, workspace, order("a", ask()))
    claim = Claim(kind="subject", key="s", round=2)
    again = order("A-2", ask(revision="2"), claim=claim)
    handled = await request_in_place_of(store, workspace, again, "a", supersede())
    assert isinstance(handled.state, Pending)
    assert isinstance(fold(await facts(store, workspace, "a")), Withdrawn)
    await request(store, workspace, order("c", ask()))
    with pytest.raises(ClaimTaken):
        await request_in_place_of(
            store, workspace, order("d", ask(), claim=claim), "c", supersede()
        )
    assert isinstance(fold(await facts(store, workspace, "c")), Pending)
    assert await facts(store, workspace, "d") == []


async def test_an_answer_that_was_faster_than_the_newer_ask_stands() -> None:
    kept = MemoryStore()
    await request(kept, "w", order("a", ask()))
    answered = (submitted(answer()), decided(answer(), OWN))
    faster = Append(approval_id="a", expected_version=1, events=answered, command_id="k2")
    store = Overtaken(kept, [faster])
    handled = await request_in_place_of(store, "w", order("b", ask()), "a", supersede())
    assert isinstance(handled.state, Pending)
    assert isinstance(fold(await facts(kept, "w", "a")), Decided)
