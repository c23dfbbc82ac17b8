"""Who is told of what, once each, from the log to the post."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from events.approval import ApprovalEvent
from services.outgoing.signing import new_secret
from services.webhooks.lanes import PLACES, PROBES, QUEUED
from services.webhooks.schedule import KEPT
from tests.core.examples import (
    ANN,
    answer,
    ask,
    card,
    comment,
    commented,
    decided,
    expired,
    notified,
    requested,
    withdrawn,
)
from tests.webhooks.webhook_kit import (
    WORKSPACE,
    FakeAnswer,
    Office,
    Post,
    answering,
    as_messages,
    eventually,
    eventually_now,
    hanging,
    sending,
)

A = "https://a.example.com/hook"
B = "https://b.example.com/hook"
CALLBACK = "https://c.example.com/done?job=7"


def a_life(**about: Any) -> list[ApprovalEvent]:
    """Asked, sent to Ann, commented, decided."""
    asked = requested(ask(**about))
    return [asked, notified(card()), commented(comment()), decided(answer(), asked)]


async def test_each_fact_is_told_once_with_what_a_receiver_needs(office: Office) -> None:
    secret = new_secret()
    webhook = await office.subscribe(A, secret=secret)
    events = await office.tell(*a_life(subject="trip-7"))
    await office.settle()
    posts = office.deliver.to(A)
    assert [post.json["type"] for post in posts] == [
        "approval.requested",
        "approval.notified",
        "approval.decided",
    ]
    for post in posts:
        assert post.json == Webhook(secret).verify(post.body, dict(post.headers))
        assert post.headers["content-type"] == "application/json"
        assert set(post.json) == {"type", "timestamp", "data"}
    final = posts[-1].json
    approval_id = events[0].approval_id
    assert final["data"]["event_id"] == events[3].event_id
    assert posts[-1].id == f"msg_{approval_id}_4"
    assert (final["data"]["ordering_key"], final["data"]["sequence"]) == (approval_id, 4)
    assert final["data"]["url"] == f"https://placet.example.com/approvals/{approval_id}"
    assert final["data"]["status"] == "approved"
    assert final["data"]["decided_by"] == ANN.email
    assert final["data"]["subject"] == "trip-7"
    told = posts[1].json["data"]
    assert (told["approver"], told["channel"], told["type"]) == (ANN.email, "slack", "expense")
    assert (told["version"], told["status"]) == (2, "pending")
    assert await office.states(webhook) == ["delivered"] * 3


async def test_a_log_that_is_read_again_tells_nothing_again(office: Office) -> None:
    webhook = await office.subscribe(A)
    events = await office.tell(*a_life(callback_url=CALLBACK))
    await office.settle()
    first = len(office.deliver.posts)
    assert first == 4
    await asyncio.gather(
        office.webhooks.handle(as_messages(events)),
        office.webhooks.handle(as_messages(list(reversed(events)))),
        office.webhooks.handle(as_messages(events + events)),
    )
    await office.settle()
    assert len(office.deliver.posts) == first
    assert len(await office.deliveries(webhook)) == 3


async def test_a_subscription_is_told_what_it_asked_for(office: Office) -> None:
    await office.subscribe(A, event_types=["approval.decided"], types=["expense"])
    await office.subscribe(B, types=["other"])
    await office.subscribe("https://d.example.com", requester="rita@example.com")
    await office.subscribe("https://e.example.com", requester="somebody@example.com")
    await office.tell(*a_life())
    await office.settle()
    assert [post.json["type"] for post in office.deliver.to(A)] == ["approval.decided"]
    assert office.deliver.to(B) == []
    assert len(office.deliver.to("https://d.example.com")) == 3
    assert office.deliver.to("https://e.example.com") == []


async def test_an_execution_that_waits_is_told_by_its_own_name_to_who_asks_for_it(
    office: Office,
) -> None:
    name = "execution.awaiting_approval"
    await office.subscribe(A, event_types=[name, "approval.requested"])
    await office.subscribe(B)
    await office.tell(requested(ask(execution_id="run-7")))
    await office.tell(requested(ask()))
    await office.settle()
    posts = office.deliver.to(A)
    assert sorted(post.json["type"] for post in posts) == sorted(
        ["approval.requested", name, "approval.requested"]
    )
    assert len({post.id for post in posts}) == 3
    [waiting] = [post for post in posts if post.json["type"] == name]
    assert waiting.json["data"]["execution_id"] == "run-7"
    assert [post.json["type"] for post in office.deliver.to(B)] == ["approval.requested"] * 2


async def test_another_workspace_is_told_nothing(office: Office) -> None:
    await office.subscribe(A, workspace="other")
    await office.tell(*a_life())
    await office.settle()
    assert office.deliver.posts == []


@pytest.mark.parametrize("outcome", ["approved", "rejected", "expired", "withdrawn", "superseded"])
async def test_a_callback_is_told_every_final_fact_and_nothing_else(
    office: Office, outcome: Any
) -> None:
    asked = requested(ask(callback_url=CALLBACK))
    final: ApprovalEvent
    if outcome == "expired":
        final = expired(asked)
    elif outcome in ("withdrawn", "superseded"):
        cause = "recalled" if outcome == "withdrawn" else "superseded"
        final = withdrawn(asked, cause, "So.")
    else:
        final = decided(answer(outcome), asked)
    await office.tell(asked, notified(card()), final)
    await office.settle()
    [post] = office.deliver.posts
    assert post.url == CALLBACK
    assert post.json["type"] == f"approval.{_fact_of(outcome)}"
    assert post.json["data"]["status"] == ("withdrawn" if outcome == "superseded" else outcome)
    endpoint = await office.callback(CALLBACK)
    assert (endpoint.kind, endpoint.url) == ("callback", "https://c.example.com:443")
    [delivery] = await office.deliveries(endpoint)
    assert (delivery.url, delivery.state) == (CALLBACK, "delivered")


def _fact_of(outcome: str) -> str:
    return {
        "approved": "decided",
        "rejected": "decided",
        "superseded": "withdrawn",
    }.get(outcome, outcome)


async def test_callbacks_are_signed_by_the_workspace_s_secret(office: Office) -> None:
    await office.tell(*a_life(callback_url=CALLBACK))
    await office.settle()
    assert office.deliver.posts[0].headers["webhook-signature"].startswith("v1,")
    secret = new_secret()
    await office.registry.rotate_callback_secret(WORKSPACE, secret)
    await office.tell(*a_life(callback_url=CALLBACK))
    await office.settle()
    post = office.deliver.posts[1]
    # The one before it signs too, for a day.
    assert len(post.headers["webhook-signature"].split()) == 2
    assert Webhook(secret).verify(post.body, dict(post.headers)) == post.json


@pytest.mark.parametrize("url", ["http://[::1", "http://@", "https://user:pass@c.example.com/x"])
async def test_a_callback_that_is_hardly_a_url_stops_nobody(office: Office, url: str) -> None:
    office.deliver.behaviours[url] = answering(None, error="cannot be read", body=b"")  # type: ignore[arg-type]
    await office.subscribe(A)
    await office.tell(*a_life(callback_url=url))
    await office.settle()
    assert len(office.deliver.to(A)) == 3
    endpoint = await office.callback(url)
    assert "pass" not in endpoint.url
    assert await office.states(endpoint) == ["waiting"]


async def test_a_subscription_that_was_there_before_an_event_is_told_of_it(office: Office) -> None:
    """Also by a replica that has looked just before."""
    await office.tell(*a_life())
    for number in range(5):
        url = f"https://s{number}.example.com"
        await office.subscribe(url)
        await office.tell(requested(ask()))
        await office.settle()
        assert len(office.deliver.to(url)) == 1, number


async def test_what_was_before_a_subscription_is_not_told(office: Office) -> None:
    events = await office.happen(*a_life())
    webhook = await office.subscribe(A)
    await office.webhooks.handle(as_messages(events))
    await office.settle()
    assert office.deliver.posts == []
    assert await office.deliveries(webhook) == []


async def test_what_cannot_be_read_is_rejected_and_the_rest_is_told(office: Office) -> None:
    await office.subscribe(A)
    batch = as_messages(await office.happen(*a_life()))
    broken = as_messages(await office.happen(*a_life()))[0]
    object.__setattr__(broken, "value", b"{")
    unknown = as_messages(await office.happen(*a_life()))[0]
    headers = [(name, b"approval.new" if name == "ce_type" else v) for name, v in unknown.headers]
    object.__setattr__(unknown, "headers", headers)
    rejected = await office.webhooks.handle([broken, *batch, unknown])
    assert [one.message for one in rejected] == [broken]
    await office.settle()
    assert len(office.deliver.to(A)) == 3


async def test_an_endpoint_that_hangs_delays_no_other(busy: Office) -> None:
    slow = [f"https://slow{number}.example.com" for number in range(10)]
    for url in slow:
        busy.deliver.behaviours[url] = hanging
        await busy.subscribe(url, event_types=["approval.requested"])
    await busy.subscribe(A, event_types=["approval.requested"])
    for _ in range(30):
        await busy.tell(*[requested(ask())])
    await eventually_now(lambda: len(busy.deliver.to(A)) == 30, "the healthy one is told")
    for url in slow:
        assert len(busy.deliver.to(url)) <= PLACES
    # Later ones are told as well, with all places of the others taken for good.
    await asyncio.sleep(1.5)
    began = datetime.now(UTC)
    await busy.tell(requested(ask()))
    await eventually_now(lambda: len(busy.deliver.to(A)) == 31, "and goes on")
    assert datetime.now(UTC) - began < timedelta(seconds=10)


async def test_an_endpoint_has_a_bounded_number_of_requests_under_way(busy: Office) -> None:
    now_open = most = 0
    let = asyncio.Event()

    async def counting(_: Post) -> FakeAnswer:
        nonlocal now_open, most
        now_open += 1
        most = max(most, now_open)
        await let.wait()
        now_open -= 1
        return FakeAnswer()

    busy.deliver.behaviours[A] = counting
    webhook = await busy.subscribe(A, event_types=["approval.requested"])
    many = QUEUED + 60
    for start in range(0, many, 20):
        events = []
        for _ in range(min(20, many - start)):
            events += await busy.happen(requested(ask()))
        await busy.webhooks.handle(as_messages(events))
    await eventually_now(lambda: now_open == PLACES, "all places are taken")
    assert busy.webhooks.lanes.room((WORKSPACE, webhook.id)) == 0
    let.set()  # what there was no room for comes from the table
    await eventually_now(lambda: len(busy.deliver.to(A)) >= many, "all are told")

    async def all_delivered() -> bool:
        rows = await busy.deliveries(webhook, limit=200, state="waiting")
        return not rows

    await eventually(all_delivered, "and written down")
    assert most == PLACES
    assert len({post.id for post in busy.deliver.to(A)}) == many


async def test_an_endpoint_that_failed_is_probed_by_few_requests(busy: Office) -> None:
    under_way = 0
    release = asyncio.Event()

    async def failing(_: Post) -> FakeAnswer:
        nonlocal under_way
        under_way += 1
        if under_way > 1:
            await release.wait()
        return FakeAnswer(status=500)

    busy.deliver.behaviours[A] = failing
    await busy.subscribe(A, event_types=["approval.requested"])
    await busy.tell(requested(ask()))
    await eventually_now(lambda: under_way == 1, "the first fails")
    await asyncio.sleep(0.1)
    for _ in range(10):
        await busy.tell(requested(ask()))
    await eventually_now(lambda: under_way == 1 + PROBES, "it is probed")
    await asyncio.sleep(0.2)
    assert under_way == 1 + PROBES
    release.set()
    await eventually_now(lambda: under_way == 11, "the others follow")


async def test_what_was_in_hand_of_a_process_that_died_is_told_by_another(
    office: Office,
) -> None:
    """The first never writes anything down again, as after a kill -9."""
    webhook = await office.subscribe(A, event_types=["approval.decided"])
    asked = requested(ask())
    office.deliver.behaviours[A] = hanging
    dead = Office(office.app_db, office.worker_db)
    dead.deliver.behaviours[A] = hanging
    happened = await dead.happen(asked, decided(answer(), asked))
    dead.webhooks.sender.open(dead.deliver)
    await dead.webhooks.handle(as_messages(happened))
    await eventually_now(lambda: dead.deliver.posts, "the first has it in hand")
    await office.settle()
    assert office.deliver.posts == []  # while the lease lasts, nobody else is at it
    del office.deliver.behaviours[A]
    office.clock.turn(seconds=60)
    await office.settle()
    assert [post.id for post in office.deliver.posts] == [dead.deliver.posts[0].id]
    assert await office.states(webhook) == ["delivered"]
    await dead.webhooks.lanes.close(0)


async def test_what_kafka_never_brought_is_found_in_the_log(office: Office) -> None:
    webhook = await office.subscribe(A)
    await office.happen(*a_life(callback_url=CALLBACK))
    await office.tell(*a_life())
    await office.logged()
    assert await office.webhooks.reconciler.reconcile(settled_s=10) is False  # still on its way
    while await office.webhooks.reconciler.reconcile(settled_s=0):
        pass
    await office.settle()
    assert len(office.deliver.to(A)) == 6
    assert len(office.deliver.to(CALLBACK)) == 1
    assert office.webhooks.reconciler.healed == 4
    assert await office.states(webhook) == ["delivered"] * 6
    assert await office.webhooks.reconciler.reconcile(settled_s=0) is False


async def test_while_one_looks_through_the_log_another_leaves_it_to_it(office: Office) -> None:
    await office.subscribe(A)
    await office.happen(*a_life())
    await office.logged()
    async with office.worker_db.connection() as connection, connection.transaction():
        await connection.fetchval("SELECT seq FROM webhook_reconciled FOR UPDATE")
        assert await office.webhooks.reconciler.reconcile(settled_s=0) is False
    assert await office.webhooks.reconciler.reconcile(settled_s=0) is True


async def test_what_is_in_hand_at_the_end_is_due_at_once_for_the_next(quiet: Office) -> None:
    await quiet.subscribe(A, event_types=["approval.requested"])
    quiet.deliver.behaviours[A] = hanging
    async with sending(quiet):
        for _ in range(PLACES + 5):
            await quiet.tell(requested(ask()))
        await eventually_now(lambda: len(quiet.deliver.posts) == PLACES, "they hang")
    del quiet.deliver.behaviours[A]
    quiet.deliver.posts.clear()
    async with sending(quiet):
        await quiet.settle()
    assert len({post.id for post in quiet.deliver.posts}) == PLACES + 5


async def test_what_is_forgotten_after_a_while_is_never_told_again(office: Office) -> None:
    webhook = await office.subscribe(A)
    events = await office.tell(*a_life())
    await office.settle()
    deliveries = office.webhooks.engine._deliveries
    office.clock.turn(days=89)
    assert await deliveries.forget(100, office.clock() - KEPT) == 0
    office.clock.turn(days=2)
    assert await deliveries.forget(2, office.clock() - KEPT) == 2
    assert await deliveries.forget(100, office.clock() - KEPT) == 1
    assert await office.deliveries(webhook) == []
    async with office.worker_db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM webhook_attempts") == 0
    assert await office.webhooks.handle(as_messages(events)) == []
    await office.settle()
    assert len(office.deliver.to(A)) == 3
    assert await office.deliveries(webhook) == []


async def test_what_still_waits_is_not_forgotten(office: Office) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    await office.tell(*a_life())
    await office.settle()
    office.clock.turn(days=91)
    await office.webhooks.engine._deliveries.forget(100, office.clock() - KEPT)
    assert len(await office.deliveries(webhook)) == 3


async def test_removed_endpoints_are_told_nothing_and_leave_nothing(office: Office) -> None:
    kept = await office.subscribe(B)
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    await office.tell(*a_life())
    await office.settle()
    assert len(office.deliver.to(A)) == 3
    assert await office.registry.remove(WORKSPACE, webhook.id)
    office.clock.turn(minutes=1)
    await office.tell(*a_life())
    await office.settle()
    assert len(office.deliver.to(A)) == 3
    while await office.webhooks.engine._deliveries.prune(2):
        pass
    async with office.worker_db.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM webhook_attempts") == len(
            office.deliver.to(B)
        )
        for table in ("webhook_endpoints", "webhook_deliveries"):
            ids = await connection.fetch(f"SELECT DISTINCT endpoint_id FROM {table}")  # noqa: S608 # ours
            assert [row["endpoint_id"] for row in ids] == [kept.id], table
