"""However events are delivered, the read models end as the store folded."""

import asyncio
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from events.approval import ApprovalEvent, DecisionSubmitted, Person, Reminders, Seat
from events.envelope import Recorded
from events.store.database import Database
from projections.apply import ReadModels
from projections.queries import Filters
from services.projector.project import Reconciler
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EVE,
    MIRRORED,
    OTHER_PAYLOAD,
    OWN,
    RITA,
    answer,
    ask,
    comment,
    commented,
    decided,
    fail,
    failed,
    minutes,
    requested,
    revised,
    submitted,
    withdrawn,
)
from tests.core.making import PATIENT, lives, payloads
from tests.core.steps import (
    CARL,
    DORA,
    IVAN,
    answer_back,
    answered_back,
    ask_back,
    asked_back,
    escalate,
    escalated,
    is_away,
    is_gone,
    policy,
    reassign,
    reassigned,
    reminded,
    step,
    taken_over,
)
from tests.projections.conftest import World
from tests.projections.expected import actual, expected

GINA = Person(email="gina@example.com")
HUGO = Person(email="hugo@example.com")
Streams = Mapping[str, Sequence[Recorded]]


async def keep_all(
    world: World, workspace: str, histories: Sequence[Sequence[ApprovalEvent]]
) -> Streams:
    return {
        f"a{number}": await world.keep(workspace, f"a{number}", *facts)
        for number, facts in enumerate(histories)
    }


def deliveries(streams: Streams, dice: random.Random, *, drop: float) -> list[list[Recorded]]:
    """Every event once or more, some never, in any order and in batches of any size."""
    events = [event for stream in streams.values() for event in stream]
    events += [event for event in events if dice.random() < 0.3]
    events = [event for event in events if dice.random() >= drop]
    dice.shuffle(events)
    batches: list[list[Recorded]] = []
    while events:
        size = dice.randint(1, 6)
        batches.append(events[:size])
        events = events[size:]
    return batches


async def reconcile(world: World) -> int:
    await world.sequence()
    reconciler = Reconciler(world.worker_db, world.read_models, every_s=1)
    while await reconciler.reconcile(settled_s=0):
        pass
    return reconciler.healed


histories = st.lists(lives(), min_size=1, max_size=4)


@settings(PATIENT, max_examples=30)
@given(histories, st.randoms(use_true_random=False))
async def test_duplicates_and_any_order_end_at_the_rows_of_the_store(
    world: World, given_histories: list[list[ApprovalEvent]], dice: random.Random
) -> None:
    workspace = f"w-{secrets.token_hex(6)}"
    await reconcile(world)  # an example that ran out of dice left its streams half delivered
    streams = await keep_all(world, workspace, given_histories)
    for batch in deliveries(streams, dice, drop=0):
        await world.read_models.apply(batch)
    assert await actual(world.app_db, workspace) == expected(streams)
    assert await reconcile(world) == 0, "there was nothing left to heal"


@settings(PATIENT, max_examples=30)
@given(histories, st.randoms(use_true_random=False))
async def test_lost_deliveries_are_healed_by_later_ones_or_by_the_reconciler(
    world: World, given_histories: list[list[ApprovalEvent]], dice: random.Random
) -> None:
    workspace = f"w-{secrets.token_hex(6)}"
    streams = await keep_all(world, workspace, given_histories)
    for batch in deliveries(streams, dice, drop=0.6):
        await world.read_models.apply(batch)
    event("healed" if await reconcile(world) else "nothing to heal")
    assert await actual(world.app_db, workspace) == expected(streams)


@settings(PATIENT, max_examples=15)
@given(st.lists(lives(payloads, length=6), min_size=1, max_size=2))
async def test_any_payload_and_any_text_end_at_the_rows_of_the_store(
    world: World, given_histories: list[list[ApprovalEvent]]
) -> None:
    workspace = f"w-{secrets.token_hex(6)}"
    streams = await keep_all(world, workspace, given_histories)
    for stream in streams.values():
        await world.read_models.apply(stream)
    assert await actual(world.app_db, workspace) == expected(streams)


@settings(PATIENT, max_examples=10)
@given(st.lists(lives(length=8), min_size=2, max_size=6), st.randoms(use_true_random=False))
async def test_two_projectors_at_once_end_at_the_rows_of_the_store(
    world: World, given_histories: list[list[ApprovalEvent]], dice: random.Random
) -> None:
    workspace = f"w-{secrets.token_hex(6)}"
    streams = await keep_all(world, workspace, given_histories)

    async def project(batches: Sequence[Sequence[Recorded]]) -> None:
        for batch in batches:
            await world.read_models.apply(batch)

    given_to = [deliveries(streams, dice, drop=0.2) for _ in range(2)]
    await asyncio.gather(
        *(project(batches) for batches in given_to),
        *(
            world.read_models.catch_up([(workspace, approval_id)])
            for approval_id in reversed(streams)
        ),
    )
    await reconcile(world)
    assert await actual(world.app_db, workspace) == expected(streams)


async def waiting(connection: "asyncpg.Connection[asyncpg.Record]", count: int) -> None:
    """Return once so many statements wait for a lock."""
    async with asyncio.timeout(10):
        while (  # noqa: ASYNC110 # Postgres tells nobody who waits for its locks
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            < count
        ):
            await asyncio.sleep(0.01)


async def test_an_older_writer_that_is_overtaken_leaves_nothing_in_the_queue(
    world: World, workspace: str
) -> None:
    """The slow one has asked for the queue's row, and commits it after the quick one has begun."""
    stream = await world.keep(workspace, "a", OWN, withdrawn(OWN, "recalled", "No."))
    blocker = await asyncpg.connect(world.dsn, server_settings={"search_path": "placet"})
    looking = await asyncpg.connect(world.dsn)
    try:
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute(
            "INSERT INTO pending_queue VALUES ($1, $2, 0, 'a')", workspace, ANN.email
        )
        slow = asyncio.create_task(world.read_models.apply(stream[:1]))
        await waiting(looking, 1)
        quick = asyncio.create_task(world.read_models.apply(stream))
        await waiting(looking, 2)
        await transaction.rollback()
        await asyncio.gather(slow, quick)
    finally:
        await blocker.close()
        await looking.close()
    assert await actual(world.app_db, workspace) == expected({"a": stream})


async def test_batches_in_opposite_orders_do_not_deadlock(world: World, workspace: str) -> None:
    """One fills a gap of `a` and goes on with `b`, the other the other way round."""
    first = {name: await world.keep(workspace, name, MIRRORED) for name in "ab"}
    note = commented(comment())
    second = {name: await world.keep(workspace, name, note, after=1) for name in "ab"}
    await asyncio.gather(
        *(
            task
            for _ in range(5)
            for task in (
                world.read_models.apply([*second["a"], *first["b"], *second["b"]]),
                world.read_models.apply([*first["a"], *second["a"], *second["b"]]),
            )
        )
    )
    streams = {name: [*first[name], *second[name]] for name in "ab"}
    assert await actual(world.app_db, workspace) == expected(streams)


async def test_an_event_is_new_once(world: World, workspace: str) -> None:
    stream = await world.keep(workspace, "a", OWN, commented(comment()))
    assert await world.read_models.apply(stream[:1]) == 1
    assert await world.read_models.apply(stream) == 1
    assert await world.read_models.apply(stream) == 0
    assert await world.read_models.apply([]) == 0
    assert await world.read_models.catch_up([(workspace, "a"), (workspace, "nobody's")]) == 0


async def test_a_gap_is_read_from_the_store(world: World, workspace: str) -> None:
    stream = await world.keep(workspace, "a", OWN, commented(comment("1")), commented(comment("2")))
    assert await world.read_models.apply(stream[2:]) == 3
    assert await actual(world.app_db, workspace) == expected({"a": stream})


async def test_a_read_model_does_not_mix_workspaces(world: World, workspace: str) -> None:
    other = f"{workspace}-other"
    mine = await world.keep(workspace, "a", OWN)
    theirs = await world.keep(other, "a", requested(ask(title="Theirs")), commented(comment()))
    await world.read_models.apply([*theirs, *mine])
    assert await actual(world.app_db, workspace) == expected({"a": mine})
    assert await actual(world.app_db, other) == expected({"a": theirs})


async def test_who_was_asked_before_a_revision_was_asked_whatever_the_batches(
    world: World, workspace: str
) -> None:
    change = revised(ask(mirrored=True, approvers=(EVE,), revision="2", payload=OTHER_PAYLOAD))
    one = await world.keep(workspace, "one", MIRRORED, change)
    two = await world.keep(workspace, "two", MIRRORED, change)
    await world.read_models.apply(one)
    for single in two:
        await world.read_models.apply([single])
    found = await actual(world.app_db, workspace)
    assert found["approval_approvers"] == {
        (name, person.email) for name in ("one", "two") for person in (ANN, BOB, EVE)
    }
    assert found["pending_queue"] == {("one", EVE.email, 0), ("two", EVE.email, 0)}


async def test_the_queue_and_the_timer_come_back_when_an_answer_was_not_taken(
    world: World, workspace: str
) -> None:
    end = fail(now=minutes(5))
    stream = await world.keep(workspace, "a", MIRRORED, submitted(answer()), failed(answer(), end))
    await world.read_models.apply(stream[:2])
    found = await actual(world.app_db, workspace)
    assert (found["pending_queue"], found["timers"]) == (set(), set())
    await world.read_models.apply(stream[2:])
    assert await actual(world.app_db, workspace) == expected({"a": stream})
    assert len((await actual(world.app_db, workspace))["pending_queue"]) == 2


def vote(by: Person, *, on_behalf_of: Person | None = None) -> DecisionSubmitted:
    """One answer of several."""
    return replace(
        submitted(answer(by=by)),
        complete=False,
        on_behalf_of=on_behalf_of.email if on_behalf_of else None,
    )


async def waits_for(world: World, workspace: str, *facts: ApprovalEvent) -> set[str]:
    """With whom an approval waits in the end, however its facts were cut into batches."""
    found = []
    for name, size in (("whole", len(facts)), ("one-by-one", 1)):
        stream = await world.keep(workspace, name, *facts)
        for first in range(0, len(stream), size):
            await world.read_models.apply(stream[first : first + size])
        rows = (await actual(world.app_db, workspace))["pending_queue"]
        found.append({email for approval_id, email, _ in rows if approval_id == name})
    assert found[0] == found[1]
    streams = await world.store.read(workspace, ["whole", "one-by-one"])
    assert await actual(world.app_db, workspace) == expected(streams)
    return found[0]


TWO_STEPS = requested(ask(policy=policy(step(ANN, BOB, rule="all"), step(CARL))))
QUESTION = asked_back(ask_back())
STAND_IN = reassigned(is_away(ANN, DORA))


@pytest.mark.parametrize(
    ("facts", "whom"),
    [
        ([TWO_STEPS], [ANN, BOB]),
        ([TWO_STEPS, vote(ANN)], [BOB]),
        ([TWO_STEPS, vote(ANN), vote(BOB)], [CARL]),
        ([TWO_STEPS, QUESTION], [RITA]),
        ([TWO_STEPS, QUESTION, answered_back(answer_back())], [ANN, BOB]),
        ([TWO_STEPS, QUESTION, vote(ANN)], [BOB]),
        ([TWO_STEPS, STAND_IN], [DORA, BOB]),
        ([TWO_STEPS, STAND_IN, vote(DORA, on_behalf_of=ANN)], [BOB]),
        ([TWO_STEPS, reassigned(reassign(BOB, EVE, by=BOB))], [ANN, EVE]),
        ([TWO_STEPS, escalated(escalate(EVE), EVE)], [ANN, BOB, EVE]),
        ([TWO_STEPS, taken_over(policy(step(EVE), name="board"))], [EVE]),
        ([OWN, reassigned(is_gone(ANN, DORA))], [DORA, BOB]),
        ([TWO_STEPS, vote(ANN), vote(BOB), submitted(answer(by=CARL))], []),
    ],
)
async def test_the_queue_follows_votes_steps_questions_and_who_is_asked_instead(
    world: World, workspace: str, facts: list[ApprovalEvent], whom: list[Person]
) -> None:
    assert await waits_for(world, workspace, *facts) == {person.email for person in whom}


async def test_everybody_who_was_ever_asked_finds_it_in_the_list(
    world: World, workspace: str
) -> None:
    held = policy(step(Seat(person=ANN, held_by=DORA)), step(BOB))
    board = policy(step(Seat(person=HUGO, held_by=IVAN)), name="board")
    await world.show(
        workspace,
        "a",
        requested(ask(policy=held, approvers=(CARL,))),
        reassigned(reassign(ANN, EVE)),
        escalated(escalate(GINA), Seat(person=GINA)),
        taken_over(board),
    )
    for person in (ANN, BOB, CARL, DORA, EVE, GINA, HUGO, IVAN):
        found = await world.queries.list(
            workspace, Filters(approver=person.email), limit=10, cursor=None
        )
        assert found.rows == 1, person.email


async def test_the_time_that_is_left_follows_the_answer_to_a_question(
    world: World, workspace: str
) -> None:
    back = answered_back(answer_back(left=9 * DAY))
    for fact in await world.keep(workspace, "a", TWO_STEPS, QUESTION, back):
        await world.read_models.apply([fact])
    async with world.app_db.workspace(workspace) as connection:
        until = await connection.fetchval("SELECT expires_at FROM approval_list")
    assert until == back.expires_at != TWO_STEPS.expires_at


async def timers(world: World, workspace: str) -> dict[str, tuple[datetime, str]]:
    async with world.worker_db.connection() as connection:
        rows = await connection.fetch(
            "SELECT kind, due_at, xmin::text FROM timers WHERE workspace = $1", workspace
        )
    return {row["kind"]: (row["due_at"], row["xmin"]) for row in rows}


async def test_a_timer_is_set_to_its_next_time_and_left_alone_while_that_stays(
    world: World, workspace: str
) -> None:
    one = policy(step(ANN), reminders=Reminders(after_s=3600, every_s=7200, most=3))
    await world.show(workspace, "a", requested(ask(policy=one)))
    first = await timers(world, workspace)
    assert first["remind:ann@example.com"][0] == minutes(60)
    more = await world.keep(workspace, "a", commented(comment()), after=1)
    await world.read_models.apply(more)
    assert await timers(world, workspace) == first, "not even written again"
    more = await world.keep(workspace, "a", reminded(ANN, by=None, now=minutes(61)), after=2)
    await world.read_models.apply(more)
    second = await timers(world, workspace)
    assert second["remind:ann@example.com"][0] == minutes(181)
    assert second["expire"] == first["expire"]
    answered = vote(ANN)
    more = await world.keep(workspace, "a", replace(answered, complete=True), after=3)
    await world.read_models.apply(more)
    assert await timers(world, workspace) == {}


async def test_an_approver_named_twice_stands_in_the_queue_once(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a", requested(ask(approvers=(ANN, BOB, ANN))))
    found = await actual(world.app_db, workspace)
    assert len(found["pending_queue"]) == 2


NASTY = "a\0b \N{PILE OF POO} \x01 'q' \"q\" \\ \u2028"


async def test_texts_that_postgres_cannot_hold_do_not_stop_the_projector(
    world: World, workspace: str
) -> None:
    """NUL in any field: a source may hold what it likes."""
    asked = requested(ask(title=NASTY, payload={NASTY: [NASTY]}, subject=NASTY))
    stream = await world.keep(
        workspace,
        "a",
        asked,
        commented(comment(text=NASTY)),
        withdrawn(asked, "settled", NASTY, by=NASTY),
    )
    await world.read_models.apply(stream)
    found = await actual(world.app_db, workspace)
    assert found["doc"] == expected({"a": stream})["doc"]
    assert found["approval_history"] == expected({"a": stream})["approval_history"]
    history = await world.queries.history(workspace, "a")
    assert "\N{REPLACEMENT CHARACTER}" in history[1]["summary"]
    assert history[2]["by"] == NASTY.replace("\0", "\N{REPLACEMENT CHARACTER}")


async def test_half_a_surrogate_pair_cannot_be_kept_in_the_first_place(
    world: World, workspace: str
) -> None:
    await world.show(workspace, "a", OWN)
    with pytest.raises(UnicodeEncodeError):
        await world.keep(workspace, "a", commented(comment(text="\ud800")), after=1)
    stream = await world.keep(workspace, "a", commented(comment(text="whole")), after=1)
    assert await world.read_models.apply(stream) == 1


async def test_a_projector_of_another_process_takes_over(world: World, workspace: str) -> None:
    stream = await world.keep(workspace, "a", OWN, submitted(answer()), decided(answer(), OWN))
    await world.read_models.apply(stream[:2])
    other = await Database.open(world.dsn, "placet_worker", size=1)
    try:
        assert await ReadModels(other).apply(stream) == 1
    finally:
        await other.close()
    assert await actual(world.app_db, workspace) == expected({"a": stream})
