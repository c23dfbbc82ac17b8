"""What coalescing adds to a store: fewer transactions, a bound, and nobody left waiting."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from events.envelope import Recorded
from events.store import (
    Append,
    Claimed,
    ClaimKind,
    Unavailable,
    VersionConflict,
)
from events.store import coalescing as module
from events.store.coalescing import CoalescingStore
from events.store.memory import MemoryStore
from tests.core.examples import OWN


class Slow:
    """A store that counts its calls, and works only while its gate is open."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.appends: list[tuple[str, int]] = []
        self.reads: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        self.appends.append((workspace, len(appends)))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        await self.kept.append(workspace, appends)

    async def read(
        self, workspace: str, approval_ids: Sequence[str], after: int = 0
    ) -> Mapping[str, Sequence[Recorded]]:
        self.reads.append((workspace, len(approval_ids)))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await self.kept.read(workspace, approval_ids, after)

    async def claimed(
        self, workspace: str, kind: ClaimKind, keys: Sequence[str]
    ) -> Mapping[str, Claimed]:
        return await self.kept.claimed(workspace, kind, keys)


def append(approval_id: str) -> list[Append]:
    return [Append(approval_id=approval_id, expected_version=0, events=(OWN,), command_id="k")]


async def settle() -> None:
    """Let every task that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_calls_that_arrive_during_a_commit_form_the_next_one() -> None:
    slow = Slow()
    async with CoalescingStore(slow) as store:
        await asyncio.gather(*(store.append("w", append(f"a{n}")) for n in range(100)))
        assert sum(size for _, size in slow.appends) == 100
        assert len(slow.appends) <= 4
        kept = await asyncio.gather(*(store.read("w", [f"a{n}"]) for n in range(100)))
        assert all(len(read[f"a{n}"]) == 1 for n, read in enumerate(kept))
        assert len(slow.reads) <= 4


async def test_one_transaction_is_bounded() -> None:
    slow = Slow()
    async with CoalescingStore(slow) as store:
        count = 3 * module.BATCH
        await asyncio.gather(*(store.append("w", append(f"a{n}")) for n in range(count)))
        assert max(size for _, size in slow.appends) == module.BATCH


async def test_a_conflict_is_told_to_its_own_caller_only() -> None:
    slow = Slow()
    await slow.kept.append("w", append("taken"))
    async with CoalescingStore(slow) as store:
        names = ["a", "b", "taken", "c"]
        results = await asyncio.gather(
            *(store.append("w", append(name)) for name in names), return_exceptions=True
        )
    assert [type(result) for result in results] == [
        type(None),
        type(None),
        VersionConflict,
        type(None),
    ]
    kept = await slow.kept.read("w", names)
    assert [len(kept[name]) for name in names] == [1, 1, 1, 1]


async def test_workspaces_are_never_put_into_one_transaction() -> None:
    slow = Slow()
    async with CoalescingStore(slow) as store:
        await asyncio.gather(*(store.append(f"w{n % 3}", append(f"a{n}")) for n in range(30)))
    sizes: Counter[str] = Counter()
    for workspace, size in slow.appends:
        sizes[workspace] += size
    assert sizes == {"w0": 10, "w1": 10, "w2": 10}


async def test_a_store_that_is_away_is_told_to_everybody_and_the_next_calls_work() -> None:
    slow = Slow()
    async with CoalescingStore(slow) as store:
        slow.error = Unavailable("Postgres is away")
        calls = [
            *(store.append("w", append(f"a{n}")) for n in range(5)),
            *(store.read("w", [f"a{n}"]) for n in range(5)),
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 10
        slow.error = None
        await store.append("w", append("a0"))
        assert len((await store.read("w", ["a0"]))["a0"]) == 1


async def test_an_error_that_nobody_thought_of_is_told_too() -> None:
    slow = Slow()
    async with CoalescingStore(slow) as store:
        slow.error = ZeroDivisionError("a bug")
        with pytest.raises(ZeroDivisionError):
            await store.append("w", append("a"))
        with pytest.raises(ZeroDivisionError):
            await store.read("w", ["a"])


async def test_a_caller_that_went_away_does_not_disturb_the_others() -> None:
    slow = Slow()
    slow.gate.clear()
    async with CoalescingStore(slow) as store:
        calls = [asyncio.create_task(store.append("w", append(f"a{n}"))) for n in range(10)]
        reads = [asyncio.create_task(store.read("w", [f"a{n}"])) for n in range(10)]
        await settle()
        for call in (*calls[::2], *reads[::2]):
            call.cancel()
        await settle()
        slow.gate.set()
        await asyncio.gather(*calls[1::2], *reads[1::2])
        assert all(call.cancelled() for call in (*calls[::2], *reads[::2]))


async def test_more_calls_than_may_wait_are_told_to_back_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAITING", 5)
    slow = Slow()
    slow.gate.clear()
    async with CoalescingStore(slow) as store:
        under_way = [asyncio.create_task(store.append("w", append(f"u{n}"))) for n in range(2)]
        await settle()
        waiting = [asyncio.create_task(store.append("w", append(f"a{n}"))) for n in range(9)]
        await settle()
        refused = [call for call in waiting if call.done()]
        for call in refused:
            assert isinstance(call.exception(), Unavailable)
        slow.gate.set()
        await asyncio.gather(*under_way, *(call for call in waiting if call not in refused))
    assert 0 < len(refused) <= 4


async def test_whoever_waits_when_it_stops_is_told_to_try_again() -> None:
    """Both what waits in the queue and what is on its way: of that it is unknown what was kept."""
    slow = Slow()
    slow.gate.clear()
    async with CoalescingStore(slow) as store:
        calls: list[asyncio.Task[object]] = []
        for n in range(module.IN_FLIGHT + 3):
            for workspace in ("w1", "w2"):
                calls.append(asyncio.create_task(store.append(workspace, append(f"a{n}"))))
                calls.append(asyncio.create_task(store.read(workspace, [f"a{n}"])))
            await settle()
    done, hanging = await asyncio.wait(calls, timeout=2)
    for call in hanging:
        call.cancel()
    assert not hanging
    assert {type(call.exception()) for call in done} == {Unavailable}
