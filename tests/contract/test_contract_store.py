"""What every event store promises, in memory as on Postgres, alone as coalesced."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from events.approval import ApprovalEvent
from events.store import Append, Claim, Claimed, ClaimKind, ClaimTaken, EventStore, VersionConflict
from tests.core.examples import (
    MIRRORED,
    OWN,
    answer,
    ask,
    comment,
    commented,
    decided,
    requested,
    submitted,
)


def append(
    approval_id: str,
    *events: ApprovalEvent,
    after: int = 0,
    claim: Claim | None = None,
    command_id: str = "k1",
) -> Append:
    return Append(
        approval_id=approval_id,
        expected_version=after,
        events=events,
        command_id=command_id,
        claims=(claim,) if claim else (),
    )


async def stream(store: EventStore, workspace: str, approval_id: str) -> Sequence[ApprovalEvent]:
    read = await store.read(workspace, [approval_id])
    return [recorded.event for recorded in read[approval_id]]


def note(comment_id: str, text: str = "Which hotel?") -> ApprovalEvent:
    return commented(comment(comment_id, text))


async def test_what_is_appended_is_read_in_order(store: EventStore, workspace: str) -> None:
    said = submitted(answer())
    await store.append(workspace, [append("a", OWN)])
    await store.append(workspace, [append("a", said, decided(answer(), OWN), after=1)])
    await store.append(workspace, [append("a", note("c1"), after=3)])
    assert await stream(store, workspace, "a") == [
        OWN,
        said,
        decided(answer(), OWN),
        note("c1"),
    ]


async def test_an_event_is_read_with_its_place_and_its_bytes(
    store: EventStore, workspace: str
) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    await store.append(workspace, [append("a", OWN, note("c1"), command_id="k7")])
    first, second = (await store.read(workspace, ["a"]))["a"]
    assert (first.workspace, first.approval_id, first.version) == (workspace, "a", 1)
    assert (second.version, second.event_id) == (2, "a.2")
    assert (first.type, first.schema_version) == ("approval.requested", 1)
    assert (second.type, second.command_id) == ("approval.commented", "k7")
    assert b'"comment_id":"c1"' in second.data
    assert before < first.recorded_at <= second.recorded_at < before + timedelta(minutes=10)


async def test_only_what_follows_a_version_is_read(store: EventStore, workspace: str) -> None:
    await store.append(workspace, [append("a", OWN, note("1"), note("2"))])
    after_one = (await store.read(workspace, ["a"], 1))["a"]
    assert [recorded.version for recorded in after_one] == [2, 3]
    assert [recorded.event for recorded in after_one] == [note("1"), note("2")]
    assert list((await store.read(workspace, ["a"], 3))["a"]) == []
    assert list((await store.read(workspace, ["a"], 9))["a"]) == []


async def test_several_streams_are_read_at_once_and_unknown_ones_are_empty(
    store: EventStore, workspace: str
) -> None:
    await store.append(workspace, [append("b", MIRRORED), append("a", OWN, note("1"))])
    read = await store.read(workspace, ["a", "b", "nobody"])
    assert {name: len(events) for name, events in read.items()} == {"a": 2, "b": 1, "nobody": 0}
    assert list((await store.read(workspace, ["nobody"]))["nobody"]) == []
    assert dict(await store.read(workspace, [])) == {}


@pytest.mark.parametrize("expected", [0, 1])
async def test_an_append_to_an_older_version_is_a_conflict_and_keeps_nothing(
    store: EventStore, workspace: str, expected: int
) -> None:
    await store.append(workspace, [append("a", OWN, note("1"))])
    with pytest.raises(VersionConflict):
        await store.append(workspace, [append("a", note("2"), note("3"), after=expected)])
    assert await stream(store, workspace, "a") == [OWN, note("1")]


async def test_one_conflict_among_several_appends_keeps_nothing_of_any(
    store: EventStore, workspace: str
) -> None:
    await store.append(workspace, [append("b", OWN)])
    claim = Claim(kind="idempotency", key="key")
    with pytest.raises(VersionConflict):
        await store.append(
            workspace, [append("a", OWN, claim=claim), append("b", OWN), append("c", OWN)]
        )
    read = await store.read(workspace, ["a", "b", "c"])
    assert {name: len(events) for name, events in read.items()} == {"a": 0, "b": 1, "c": 0}
    assert await store.claimed(workspace, "idempotency", ["key"]) == {}


async def test_one_taken_claim_among_several_appends_keeps_nothing_of_any(
    store: EventStore, workspace: str
) -> None:
    await store.append(workspace, [append("a", OWN, claim=Claim(kind="record", key="r1"))])
    with pytest.raises(ClaimTaken):
        await store.append(
            workspace,
            [
                append("b", OWN, claim=Claim(kind="record", key="r2")),
                append("c", OWN, claim=Claim(kind="record", key="r1")),
                append("d", OWN),
            ],
        )
    read = await store.read(workspace, ["b", "c", "d"])
    assert not any(read.values())
    assert set(await store.claimed(workspace, "record", ["r1", "r2"])) == {"r1"}


async def test_two_appends_may_follow_each_other_in_one_stream(
    store: EventStore, workspace: str
) -> None:
    await store.append(workspace, [append("a", OWN), append("a", note("1"), after=1)])
    assert await stream(store, workspace, "a") == [OWN, note("1")]
    with pytest.raises(VersionConflict):
        await store.append(
            workspace, [append("b", OWN), append("b", note("1"), after=1), append("b", note("2"))]
        )
    assert await stream(store, workspace, "b") == []


async def test_nothing_at_all_may_be_appended(store: EventStore, workspace: str) -> None:
    await store.append(workspace, [])
    await store.append(workspace, [append("a")])
    assert await stream(store, workspace, "a") == []


async def test_a_claim_names_its_approval(store: EventStore, workspace: str) -> None:
    claim = Claim(kind="idempotency", key="ann key-1", fingerprint="f" * 64)
    await store.append(workspace, [append("a", OWN, claim=claim)])
    assert await store.claimed(workspace, "idempotency", ["ann key-1", "another"]) == {
        "ann key-1": Claimed(approval_id="a", round=1, fingerprint="f" * 64)
    }


async def test_a_claim_is_kept_for_ever_by_the_first(store: EventStore, workspace: str) -> None:
    claim = Claim(kind="idempotency", key="key", fingerprint="first")
    await store.append(workspace, [append("a", OWN, claim=claim)])
    with pytest.raises(ClaimTaken):
        await store.append(
            workspace, [append("b", OWN, claim=replace(claim, fingerprint="second"))]
        )
    assert await stream(store, workspace, "b") == []
    found = await store.claimed(workspace, "idempotency", ["key"])
    assert (found["key"].approval_id, found["key"].fingerprint) == ("a", "first")


async def test_one_claim_cannot_be_made_twice_in_one_append(
    store: EventStore, workspace: str
) -> None:
    claim = Claim(kind="record", key="r1")
    with pytest.raises(ClaimTaken):
        await store.append(
            workspace, [append("a", OWN, claim=claim), append("b", OWN, claim=claim)]
        )
    assert await store.claimed(workspace, "record", ["r1"]) == {}
    assert not any((await store.read(workspace, ["a", "b"])).values())


async def test_the_latest_round_of_a_record_is_found(store: EventStore, workspace: str) -> None:
    for round_ in (1, 3, 2, 10):
        claim = Claim(kind="record", key="r1", round=round_)
        await store.append(workspace, [append(f"a{round_}", MIRRORED, claim=claim)])
    found = await store.claimed(workspace, "record", ["r1"])
    assert (found["r1"].approval_id, found["r1"].round) == ("a10", 10)
    again = Claim(kind="record", key="r1", round=3)
    with pytest.raises(ClaimTaken):
        await store.append(workspace, [append("b", MIRRORED, claim=again)])


async def test_keys_of_different_kinds_do_not_meet(store: EventStore, workspace: str) -> None:
    kinds: tuple[ClaimKind, ...] = ("idempotency", "record")
    for kind in kinds:
        await store.append(workspace, [append(kind, OWN, claim=Claim(kind=kind, key="same"))])
    for kind in kinds:
        assert (await store.claimed(workspace, kind, ["same"]))["same"].approval_id == kind


async def test_two_workspaces_never_see_each_others(store: EventStore, workspace: str) -> None:
    mine, theirs = workspace, f"{workspace}-theirs"
    claim = Claim(kind="record", key="r1")
    for owner, text in ((mine, "mine"), (theirs, "theirs")):
        await store.append(
            owner, [append("a", OWN, note("c1", text), claim=claim), append(f"in {owner}", OWN)]
        )
    assert await stream(store, mine, "a") == [OWN, note("c1", "mine")]
    assert await stream(store, theirs, "a") == [OWN, note("c1", "theirs")]
    assert await stream(store, mine, f"in {theirs}") == []
    assert (await store.claimed(theirs, "record", ["r1"]))["r1"].approval_id == "a"
    assert await store.claimed(f"{workspace}-third", "record", ["r1"]) == {}
    assert (await store.read(theirs, ["a"]))["a"][0].workspace == theirs


HARD_TEXTS = [
    "Zażółć gęślą jaźń, 承認, نعم",
    "👩🏽‍💼 e\u0301 \N{RIGHT-TO-LEFT OVERRIDE}",
    "a NUL \0 within, and \x01 \x1f \x7f \u2028 \ufeff \uffff",
    "'; DROP TABLE events; --  $1 {} %s \\x00 \\u0000",
    '{"verified_at":"2020-01-01T00:00:00Z","id":"forged"}',
    "",
]


@pytest.mark.parametrize("text", HARD_TEXTS)
async def test_every_text_that_json_can_carry_comes_back_as_it_was(
    store: EventStore, workspace: str, text: str
) -> None:
    asked = requested(ask(payload={text: [text, {text: text}]}, title=text))
    await store.append(workspace, [append("a", asked, note("c1", text))])
    first, second = (await store.read(workspace, ["a"]))["a"]
    assert (first.event, second.event) == (asked, note("c1", text))
    assert b"\0" not in first.data


async def test_a_payload_of_a_megabyte_comes_back_as_it_was(
    store: EventStore, workspace: str
) -> None:
    payload = {"text": "é" * 400_000, "rows": [{"n": n, "x": n / 7} for n in range(10_000)]}
    asked = requested(ask(payload=payload))
    await store.append(workspace, [append("a", asked)])
    (read,) = (await store.read(workspace, ["a"]))["a"]
    assert len(read.data) > 1_000_000
    assert read.event == asked


async def test_of_fifty_appends_to_the_same_version_exactly_one_wins(
    store: EventStore, workspace: str
) -> None:
    await store.append(workspace, [append("a", OWN)])
    results = await asyncio.gather(
        *(
            store.append(workspace, [append("a", note(f"c{n}"), after=1, command_id=f"k{n}")])
            for n in range(50)
        ),
        return_exceptions=True,
    )
    assert Counter(map(type, results)) == {type(None): 1, VersionConflict: 49}
    read = (await store.read(workspace, ["a"]))["a"]
    assert len(read) == 2
    assert read[1].command_id == f"k{results.index(None)}"


async def test_of_fifty_claims_to_the_same_key_exactly_one_wins(
    store: EventStore, workspace: str
) -> None:
    claim = Claim(kind="idempotency", key="key")
    results = await asyncio.gather(
        *(store.append(workspace, [append(f"a{n}", OWN, claim=claim)]) for n in range(50)),
        return_exceptions=True,
    )
    assert Counter(map(type, results)) == {type(None): 1, ClaimTaken: 49}
    winner = f"a{results.index(None)}"
    assert (await store.claimed(workspace, "idempotency", ["key"]))["key"].approval_id == winner
    kept = await store.read(workspace, [f"a{n}" for n in range(50)])
    assert [name for name, events in kept.items() if events] == [winner]


async def test_batches_that_cross_each_other_end_and_leave_each_stream_whole(
    store: EventStore, workspace: str
) -> None:
    """Batches that touch the same streams in opposite orders: conflicts, and no deadlock."""
    names = [f"a{n}" for n in range(8)]
    async with asyncio.timeout(20):
        results = await asyncio.gather(
            *(
                store.append(
                    workspace,
                    [
                        append(name, OWN, command_id=f"k{n}")
                        for name in (names if n % 2 else reversed(names))
                    ],
                )
                for n in range(20)
            ),
            return_exceptions=True,
        )
    assert Counter(map(type, results)) == {type(None): 1, VersionConflict: 19}
    kept = await store.read(workspace, names)
    winner = f"k{results.index(None)}"
    assert [[event.command_id for event in kept[name]] for name in names] == [[winner]] * 8
