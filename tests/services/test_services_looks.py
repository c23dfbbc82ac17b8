"""Approvals are read together by those who ask together, and each by a query begun after it."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from events.store import Unavailable
from projections.queries import Current
from services.queue import looks as module
from services.queue.looks import READERS, TOGETHER, Looks
from tests.services.service_kit import until


class Reads:
    """Approvals whose documents say how many queries had begun; `gate` holds the queries back."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, list[str]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.unknown: set[str] = set()
        self.broken: set[str] = set()
        self.away = False

    async def approvals(self, workspace: str, approval_ids: Sequence[str]) -> Mapping[str, Current]:
        self.queries.append((workspace, list(approval_ids)))
        number = len(self.queries)
        await self.gate.wait()
        if self.away:
            raise Unavailable("Postgres is away")
        if self.broken.intersection(approval_ids):
            raise ValueError("this one cannot be read")
        return {
            one: Current(f"query {number}", final=False)
            for one in approval_ids
            if one not in self.unknown
        }


@pytest.fixture
def reads() -> Reads:
    return Reads()


async def test_who_asks_in_the_same_moment_shares_one_query(reads: Reads) -> None:
    looks = Looks(reads)
    names = [f"a{number}" for number in range(50)]
    found = await asyncio.gather(*(looks.look("acme", one) for one in names + names))
    assert reads.queries == [("acme", names)]
    assert {one.doc for one in found if one} == {"query 1"}


async def test_who_asks_while_a_query_is_on_its_way_gets_what_a_later_one_finds(
    reads: Reads,
) -> None:
    looks = Looks(reads)
    reads.gate.clear()
    early = looks.look("acme", "a")
    await until(lambda: len(reads.queries) == 1)
    late = looks.look("acme", "a")
    reads.gate.set()
    first, second = await early, await late
    assert first is not None
    assert second is not None
    assert (first.doc, second.doc) == ("query 1", "query 2")


async def test_no_more_queries_at_once_than_there_are_readers_and_none_too_large(
    reads: Reads,
) -> None:
    looks = Looks(reads)
    reads.gate.clear()
    asked = []
    for number in range(READERS):
        asked.append(looks.look("acme", f"begun {number}"))
        await until(lambda number=number: len(reads.queries) == number + 1)
    asked += [looks.look("acme", f"a{number}") for number in range(2 * TOGETHER + 1)]
    await asyncio.sleep(0.02)
    assert len(reads.queries) == READERS
    reads.gate.set()
    assert all(await asyncio.gather(*asked))
    sizes = [len(names) for _, names in reads.queries[READERS:]]
    assert sizes == [TOGETHER, TOGETHER, 1]


async def test_workspaces_take_turns_and_are_never_read_together(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", 2)
    monkeypatch.setattr(module, "READERS", 1)
    looks = Looks(reads)
    many = [looks.look("large", f"a{number}") for number in range(6)]
    await asyncio.gather(*many, looks.look("small", "b"))
    assert [workspace for workspace, _ in reads.queries] == ["large", "small", "large", "large"]


async def test_an_unknown_one_is_nothing(reads: Reads) -> None:
    reads.unknown.add("x")
    looks = Looks(reads)
    known, unknown = await asyncio.gather(looks.look("acme", "a"), looks.look("acme", "x"))
    assert known is not None
    assert unknown is None


async def test_an_outage_is_told_to_all_who_asked_and_the_next_query_is_another_try(
    reads: Reads,
) -> None:
    looks = Looks(reads)
    reads.away = True
    asked = [looks.look("acme", one) for one in ("a", "b")]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in found] == [Unavailable, Unavailable]
    reads.away = False
    assert await looks.look("acme", "a") is not None


async def test_one_that_cannot_be_read_takes_no_other_with_it(reads: Reads) -> None:
    looks = Looks(reads)
    reads.broken.add("a3")
    asked = [looks.look("acme", f"a{number}") for number in range(8)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [number for number, one in enumerate(found) if isinstance(one, ValueError)] == [3]
    assert [number for number, one in enumerate(found) if isinstance(one, Current)] == [
        0, 1, 2, 4, 5, 6, 7,
    ]  # fmt: skip


async def test_who_asks_in_the_moment_that_a_reader_ends_is_answered(reads: Reads) -> None:
    looks = Looks(reads)
    first = looks.look("acme", "a")
    again: list[asyncio.Future[Current | None]] = []
    first.add_done_callback(lambda _: again.append(looks.look("acme", "b")))
    await first
    async with asyncio.timeout(5):
        assert await again[0] is not None
