"""A kill -9 of anything, under load: nothing is lost, doubled, out of order or left wrong."""

import asyncio

import pytest

from events.approval import DecisionSubmitted
from tests.faults.load import Load
from tests.faults.site import Site

pytestmark = pytest.mark.faults


async def test_nothing_is_found_when_nothing_fails(site: Site, seed: int) -> None:
    async with site.load(seed) as load:
        await load.run()
    evidence = await site.holds()
    assert len(evidence.streams) == 200
    votes = [
        one.event
        for stream in evidence.streams.values()
        for one in stream
        if isinstance(one.event, DecisionSubmitted) and not one.event.complete
    ]
    assert votes
    assert {row.status for row in evidence.listed} == {
        "pending",
        "approved",
        "rejected",
        "withdrawn",
    }


async def test_a_publisher_may_be_killed_and_the_next_one_goes_on(site: Site, seed: int) -> None:
    async with site.load(seed) as load, asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await _kill_at(site, load, "publisher", 0.2, "publisher-2", 0.5, "publisher", 0.8)
    evidence = await site.holds()
    assert len(evidence.topics) >= len(evidence.store)


async def test_a_projector_may_be_killed_in_the_middle_of_a_batch(site: Site, seed: int) -> None:
    async with site.load(seed) as load, asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await _kill_at(site, load, "projector", 0.3, "projector", 0.7)
    await site.holds()


async def test_a_decision_service_may_be_killed_and_no_answer_is_lost(
    site: Site, seed: int
) -> None:
    async with site.load(seed) as load, asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await _kill_at(site, load, "decision", 0.3, "decision", 0.6)
    await site.holds()


@pytest.mark.kafka
async def test_the_broker_may_be_killed_and_come_back(site: Site, seed: int) -> None:
    async with site.load(seed) as load, asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await load.reached(0.3)
        await site.ground.broker.kill()
        await load.reached(0.6)  # asks and answers go on without a broker
        await site.ground.broker.restart()
    await site.holds()


async def test_postgres_may_be_killed_and_come_back(site: Site, seed: int) -> None:
    async with site.load(seed) as load, asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for share in (0.3, 0.6):
            await load.reached(share)
            await site.ground.postgres.kill()
            await asyncio.sleep(0.5)
            await site.ground.postgres.restart()
    await site.holds()


async def _kill_at(site: Site, load: Load, *plan: str | float) -> None:
    """Kill services when so much of the load is asked, and start them again at once."""
    for name, share in zip(plan[::2], plan[1::2], strict=True):
        assert isinstance(name, str)
        assert isinstance(share, float)
        await load.reached(share)
        await site[name].kill()
        await site[name].start()
