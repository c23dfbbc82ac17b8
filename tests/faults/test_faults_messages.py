"""Messages that come twice, late, in any order, or that nobody can read."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from events.kafka.messages import Message, messages
from events.kafka.topics import LOG, OBSERVED, REQUESTS
from events.store.database import Database
from events.store.log import PostgresLog
from tests.faults.collecting import collect, quiet, read_records
from tests.faults.evidence import Evidence
from tests.faults.ground import PARTITIONS, Ground
from tests.faults.history import findings, kinds, report
from tests.faults.load import REQUESTER, Load, body_of
from tests.faults.poison import POISON, Place, Poison, sender, spoil
from tests.faults.processes import PLACET, environment
from tests.faults.told import Telling, Told

pytestmark = pytest.mark.faults

SEEN_S = 20.0


async def evidence_of(
    ground: Ground, telling: Telling, poison: frozenset[Place] = frozenset()
) -> Evidence:
    await quiet(ground.dsn, telling.commands)
    return await collect(ground.dsn, ground.broker.bootstrap, telling.commands, poison=poison)


async def test_events_that_come_again_in_any_order_change_nothing(
    ground: Ground, seed: int
) -> None:
    telling, random = Telling(), Random(seed)
    async with (
        ground.deployment("decision", "publisher", "projector") as services,
        Load(services["decision"].url, telling, seed=seed, approvals=80, pause=0.05) as load,
        sender(ground.broker.bootstrap) as producer,
    ):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(load.run())
            await load.reached(0.2)
            while not running.done():
                records = await read_records(ground.broker.bootstrap, [LOG.name])
                for one in random.sample(records, min(len(records), 60)):
                    await producer.send(
                        one.topic, one.value, key=one.key, headers=list(one.headers)
                    )
                await producer.flush()
        evidence = await evidence_of(ground, telling)
    assert not findings(evidence), report(findings(evidence))
    assert len(evidence.topics) > len(evidence.store)


async def test_events_that_come_for_the_first_time_in_any_order_end_at_the_same_queue(
    ground: Ground, seed: int
) -> None:
    telling = Telling()
    async with ground.deployment("decision") as services:
        url = services["decision"].url
        async with Load(url, telling, seed=seed, approvals=60, pause=0) as load:
            await load.run()
        carried = await _log(ground)
        Random(seed).shuffle(carried)
        async with (
            ground.deployment("projector"),
            sender(ground.broker.bootstrap) as producer,
        ):
            for one in carried:
                await producer.send(one.topic, one.value, key=one.key, headers=list(one.headers))
            await producer.flush()
            evidence = await evidence_of(ground, telling)
    found = findings(evidence)
    assert kinds(found) == {"out_of_order"}, report(found)


async def _log(ground: Ground) -> list[Message]:
    """Return the messages that a publisher would have sent, and say that they are sent."""
    database = await Database.open(ground.dsn, "placet_worker", size=1)
    try:
        log = PostgresLog(database)
        logged = await log.sequence(10_000)
        carried = [
            message
            for one in await log.after(0, logged)
            for message in messages(one.seq, one.recorded)
        ]
        assert await log.move_cursor(0, logged)
    finally:
        await database.close()
    return carried


async def test_what_nobody_can_read_is_set_aside_with_its_place_and_those_behind_it_go_on(
    ground: Ground, seed: int
) -> None:
    telling = Telling()
    async with (
        ground.deployment("decision", "publisher", "projector") as services,
        sender(ground.broker.bootstrap) as producer,
        Load(services["decision"].url, telling, seed=seed, approvals=40) as load,
    ):
        poison = {
            place: one
            for topic in POISON
            for partition in range(PARTITIONS)
            for place, one in (await spoil(producer, topic, partition)).items()
        }
        await _ask_behind(producer, telling, Random(seed))
        await load.run()
        parked = await _parked(ground, lambda found: len(found) >= len(poison))
        _each_is_told(parked, poison)
        evidence = await evidence_of(ground, telling, frozenset(poison))
        assert not findings(evidence), report(findings(evidence))
        await services.ready()


async def test_what_was_set_aside_is_sent_again_and_set_aside_anew(ground: Ground) -> None:
    async with (
        ground.deployment("decision", "projector"),
        sender(ground.broker.bootstrap) as producer,
    ):
        for topic in POISON:
            await spoil(producer, topic, 0)
        every = sum(len(poison) for poison in POISON.values())
        first = await _parked(ground, lambda found: len(found) == every)
        chosen = {topic: next(one for one in first if one["topic"] == topic) for topic in POISON}
        for one in chosen.values():
            await _placet(ground, "parked", "retry", str(one["id"]))
        newest = max(one["id"] for one in first)
        second = await _parked(
            ground, lambda found: sum(one["id"] > newest for one in found) == len(chosen)
        )
    assert len(second) == every
    assert not {one["id"] for one in second} & {one["id"] for one in chosen.values()}
    for one in second:
        if one["id"] > newest:
            before = chosen[one["topic"]]
            assert (one["value"], one["reason"]) == (before["value"], before["reason"])
            assert one["offset"] != before["offset"] or one["partition"] != before["partition"]


async def _ask_behind(producer: Any, telling: Telling, random: Random) -> None:
    """Ask over Kafka, behind all that is poison."""
    for partition in range(PARTITIONS):
        for number in range(5):
            mark = f"kafka-{partition}-{number}"
            body = json.dumps(body_of(mark, random)).encode()
            await producer.send_and_wait(
                REQUESTS.name,
                body,
                headers=[("ce_id", mark.encode())],
                partition=partition,
            )
            telling.invoke(Told(action="ask", by=REQUESTER, mark=mark, answer="ok"))


async def _parked(
    ground: Ground, enough: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """Return what `placet parked --json` says, once it is enough."""
    async with asyncio.timeout(SEEN_S):
        while True:
            parked: list[dict[str, Any]] = json.loads(await _placet(ground, "parked", "--json"))
            if enough(parked):
                return parked


def _each_is_told(parked: Sequence[Mapping[str, Any]], poison: Mapping[Place, Poison]) -> None:
    told = {(one["topic"], one["partition"], one["offset"]): one for one in parked}
    assert told.keys() == poison.keys()
    for place, one in poison.items():
        assert one.says.lower() in told[place]["reason"].lower(), told[place]
        assert told[place]["reason"].strip()
    consumers = {(one["topic"], one["consumer"]) for one in parked}
    assert consumers == {
        (OBSERVED.name, "placet.decision.observed"),
        (REQUESTS.name, "placet.decision.requests"),
        (LOG.name, "placet.projector"),
    }


async def _placet(ground: Ground, *arguments: str) -> str:
    """Run a command of `placet`, and return what it prints; it must end well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PLACET),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(ground.dsn, ground.broker.bootstrap, is_real=ground.broker.is_real),
    )
    try:
        async with asyncio.timeout(SEEN_S):
            said, complained = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, complained.decode()
    return said.decode()
