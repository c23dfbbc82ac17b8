"""The figures: counted once each, bounded, and the same on the page and for scripts."""

import asyncio
from datetime import UTC, datetime, timedelta
from math import floor, log2
from typing import Any

import pytest

from events.approval import Person
from events.decider import Refused
from services.decision.answering import Answer, Answering
from services.decision.prevented import MOST_WORKSPACES, Prevented
from services.queue.figures.counting import Counting
from services.queue.figures.histogram import quantile, seconds_of
from services.queue.figures.reading import Figures
from services.queue.pages.admin.plots import columns, nice, ranges
from tests.admin.admin_kit import ADMIN, ANN, HOSTILE, House, new_workspace

BEN = "ben@example.com"


async def decide(house: House, approval_id: str, who: str = ANN, **more: Any) -> int:
    body = {"decision": "approve", **more}
    answer = await (await house.approver(who)).post(
        f"/v1/approvals/{approval_id}/decision", json=body
    )
    return answer.status_code


async def figures(house: House, days: int = 30) -> dict[str, Any]:
    await house.placet.shown()
    admin = await house.placet.caller(house.workspace, ADMIN, ("admin",))
    answer = await admin.get("/v1/figures", params={"days": days})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def today(found: dict[str, Any]) -> dict[str, Any]:
    last: dict[str, Any] = found["days"][-1]
    return last


async def test_what_happened_is_counted_by_day_type_and_approver(house: House) -> None:
    approved, denied, withdrawn, _ = [await house.ask(f"Dinner {n}") for n in range(4)]
    await decide(house, approved)
    await decide(house, denied, decision="deny", reason="No.")
    agent = await house.agent()
    assert (await agent.post(f"/v1/approvals/{withdrawn}/withdraw", json={})).status_code == 200
    found = await figures(house)
    counted = {name: count for name, count in today(found).items() if name != "day"}
    assert counted == {
        "asked": 4,
        "approved": 1,
        "rejected": 1,
        "withdrawn": 1,
        "expired": 0,
        "prevented": 0,
    }
    assert len(found["days"]) == 30
    assert [(one["name"], one["count"]) for one in found["by_type"]] == [("expense", 2)]
    assert [(one["name"], one["count"]) for one in found["by_approver"]] == [(ANN, 2)]
    assert 0 < found["by_type"][0]["median_s"] <= found["by_type"][0]["p90_s"] < 10
    assert found["pending"][0] == {"from_s": 0, "to_s": 3600, "count": 1, "at_least": False}
    assert [one["title"] for one in found["oldest"]] == ["Dinner 3"]


async def test_nothing_is_counted_twice_whoever_counts(house: House) -> None:
    for _ in range(5):
        await house.ask()
    await house.placet.shown()
    await house.placet.run("UPDATE figures_counted SET seq = 0")
    await house.placet.run("DELETE FROM figures")
    counting = [Counting(house.placet.parts.worker_db) for _ in range(3)]
    while sum(await asyncio.gather(*(one.step() for one in counting))):
        pass
    assert today(await figures(house))["asked"] == 5


async def test_only_what_the_read_models_hold_is_counted(house: House) -> None:
    await house.placet.shown()
    await house.ask()
    assert await Counting(house.placet.parts.worker_db).step() == 0


async def test_stale_answers_are_counted_as_prevented(house: House) -> None:
    prevented = Prevented(house.placet.parts.worker_db)
    for code in ("stale_revision", "stale_revision", "already_resolved"):
        prevented.note(house.workspace, Refused(code, "Too late."))
    prevented.note(house.workspace, Refused("not_an_approver", "Not you."))
    await prevented.write()
    await prevented.write()
    found = await figures(house)
    assert found["prevented"] == {"stale_revision": 2, "already_resolved": 1}
    assert today(found)["prevented"] == 3


async def test_a_refused_answer_is_told_and_still_refused(house: House) -> None:
    noted: list[tuple[str, str]] = []

    class Nowhere:
        async def carry_out(self, workspace: str, approval_id: str) -> None:  # noqa: ARG002 # as the real one
            raise AssertionError("nothing is to be written back")

    answering = Answering(
        house.placet.parts.store,
        Nowhere(),
        lambda: datetime.now(UTC),
        refused=lambda workspace, refused: noted.append((workspace, refused.code)),
    )
    answer = Answer(
        outcome="approved",
        by=Person(email=ANN),
        reason=None,
        channel="api",
        via=None,
        revision="99",
    )
    with pytest.raises(Refused):
        await answering.decide(house.workspace, await house.ask(), answer)
    assert noted == [(house.workspace, "stale_revision")]


async def test_a_storm_of_workspaces_is_bounded() -> None:
    prevented = Prevented(None)  # type: ignore[arg-type]  # nothing is written here
    for number in range(3 * MOST_WORKSPACES):
        prevented.note(f"w{number}", Refused("already_resolved", "Over."))
    assert len(prevented._counts) == 2 * MOST_WORKSPACES


async def test_what_waits_is_told_apart_by_age(house: House) -> None:
    await house.ask("Now")
    await house.placet.shown()
    moved = Figures(house.placet.parts.app_db, lambda: datetime.now(UTC) + timedelta(days=2))
    found = await moved.of(house.workspace, 30)
    assert [one.count for one in found.pending] == [0, 0, 0, 1, 0, 0, 0]


async def test_a_minute_of_many_readers_is_one_reading(house: House) -> None:
    read = Figures(house.placet.parts.app_db, lambda: datetime.now(UTC))
    first, *others = await asyncio.gather(*(read.of(house.workspace, 7) for _ in range(20)))
    assert all(one is first for one in others)


async def test_what_was_just_read_is_told_while_others_are_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Figures(house.placet.parts.app_db, lambda: datetime.now(UTC))
    known = await read.of(house.workspace, 7)
    reading, done = asyncio.Event(), asyncio.Event()

    async def slow(_: str, __: int) -> object:
        reading.set()
        await done.wait()
        return known

    monkeypatch.setattr(read, "_read", slow)
    other = asyncio.create_task(read.of(new_workspace(), 365))
    await reading.wait()
    async with asyncio.timeout(2):
        assert await read.of(house.workspace, 7) is known
    done.set()
    await other


async def test_figures_are_for_keys_with_the_scope_admin(house: House) -> None:
    for scopes, status in ((("approvals:read",), 403), (("admin",), 200)):
        caller = await house.placet.caller(house.workspace, ANN, scopes)  # type: ignore[arg-type]
        assert (await caller.get("/v1/figures")).status_code == status
    for days in ("0", "367", "x"):
        assert (await caller.get("/v1/figures", params={"days": days})).status_code == 422
    assert (await caller.get("/v1/figures", params={"since": "now"})).status_code == 422


async def test_the_page_shows_the_same_as_a_table_and_escapes_everything(house: House) -> None:
    approval_id = await house.ask("Dinner", type=HOSTILE[:100])
    await house.ask(HOSTILE)
    await decide(house, approval_id)
    await house.placet.shown()
    page = await house.page("/admin/figures?days=7")
    plots = page.all("svg", class_="plot")
    assert len(plots) >= 2
    for plot in plots:
        title = plot.one("title")
        assert title.attributes["id"] in plot.attributes["aria-labelledby"]
        assert plot.one("desc").text
    assert "<script>alert" in page.one("section", aria_labelledby="by-type").text
    assert "<script>alert" in page.one("section", aria_labelledby="oldest").text
    (row,) = page.one("section", aria_labelledby="pending").all("tbody")
    assert row.all("tr")[0].text == "under 1 h 1"
    assert (await house.admin.get("/admin/figures?days=8")).status_code == 422


async def test_another_workspace_s_figures_stay_there(house: House) -> None:
    await house.ask()
    await house.placet.shown()
    other = await Figures(house.placet.parts.app_db, lambda: datetime.now(UTC)).of(
        new_workspace(), 7
    )
    assert (other.days[-1].asked, other.oldest, other.by_type) == (0, [], [])


def test_a_quantile_is_right_to_within_a_tenth() -> None:
    counts: dict[int, int] = {}
    times = [1.5 * 1.03**number for number in range(300)]
    for one in times:
        bucket = floor(4 * log2(one))
        counts[bucket] = counts.get(bucket, 0) + 1
    for part in (0.5, 0.9):
        exact = times[int(part * len(times)) - 1]
        assert quantile(counts, part) == pytest.approx(exact, rel=0.1)
    assert quantile({}, 0.5) is None
    assert seconds_of(0) < seconds_of(1)


@pytest.mark.parametrize("most", [0, 1, 4, 5, 9, 11, 99, 101, 4_321, 999_999, 10_000_001])
def test_an_axis_ends_round_and_not_far_above_what_it_shows(most: int) -> None:
    end = nice(most)
    assert end >= most
    assert end % 4 == 0
    assert end <= max(4, 2.1 * most)


def test_columns_stay_within_the_plot() -> None:
    plot = columns(["a", "b"], [[3, 4], [0, 9]], ("approved", "rejected"), 8)
    assert len(plot.bars) == 3
    for bar in plot.bars:
        assert plot.left <= bar.x <= bar.x + bar.width <= plot.right
        assert 0 <= bar.y <= bar.y + bar.height <= plot.ground + 0.1
    assert columns([], [], ("approved",), 8).bars == ()


def test_ranges_stay_between_nothing_and_all() -> None:
    found = ranges([("a", 1, 1.0, 1.0), ("b", 2, 30.0, 9_000_000.0)])
    for one in found:
        assert 0 <= one.median <= one.p90 <= 100
    assert ranges([]) == []
