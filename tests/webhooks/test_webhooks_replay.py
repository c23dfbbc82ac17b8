"""Telling again: by ids, for a time, and what happened before anybody asked."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.webhooks import replay as replay_module
from services.webhooks.shapes import WebhookView
from tests.core.examples import answer, ask, card, decided, notified, requested
from tests.webhooks.webhook_kit import WORKSPACE, Office

A = "https://a.example.com/hook"
CALLBACK = "https://c.example.com/done"


async def lives(office: Office, count: int, **about: str) -> list[str]:
    """Approvals from ask to decision, told by nobody yet; the ids of their decisions' messages."""
    ids = []
    for _ in range(count):
        asked = requested(ask(**about))
        events = await office.happen(asked, notified(card()), decided(answer(), asked))
        ids.append(f"msg_{events[0].approval_id}_3")
    await office.logged()
    return ids


async def all_between(
    office: Office, webhook: WebhookView, since: datetime, until: datetime
) -> list[int]:
    """Replay a time by as many calls as it takes; what each told."""
    counts, cursor = [], None
    while True:
        done = await office.replays.between(WORKSPACE, webhook, since, until, cursor)
        counts.append(done.count)
        cursor = done.cursor
        if cursor is None:
            return counts


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=5)


async def test_a_message_is_told_again_under_its_own_id(office: Office) -> None:
    webhook = await office.subscribe(A)
    [event] = await office.tell(requested(ask()))
    await office.settle()
    for given in (f"msg_{event.approval_id}_1", event.event_id):
        assert (await office.replays.by_ids(WORKSPACE, webhook, [given])).count == 1
        await office.settle()
    assert len(office.deliver.posts) == 3
    assert len({post.id for post in office.deliver.posts}) == 1
    assert len({post.body for post in office.deliver.posts}) == 1
    [delivery] = await office.deliveries(webhook)
    assert [one.number for one in delivery.attempts] == [1, 2, 3]


async def test_what_happened_before_it_subscribed_is_told_by_id(office: Office) -> None:
    ids = await lives(office, 3)
    webhook = await office.subscribe(A)
    assert (await office.replays.by_ids(WORKSPACE, webhook, ids[:2])).count == 2
    await office.settle()
    assert {post.id for post in office.deliver.posts} == set(ids[:2])


async def test_ids_of_nothing_of_others_and_of_what_it_does_not_ask_for_are_not_told(
    office: Office,
) -> None:
    webhook = await office.subscribe(A, event_types=["approval.decided"], types=["expense"])
    asked = requested(ask())
    [first, *_] = await office.happen(asked)
    [theirs, *_] = await office.happen(asked, decided(answer(), asked), workspace="other")
    ids = [first.event_id, f"{theirs.approval_id}.2", f"{'0' * 27}.1", "nonsense", "msg_x_1"]
    assert (await office.replays.by_ids(WORKSPACE, webhook, ids)).count == 0
    await office.settle()
    assert office.deliver.posts == []


async def test_a_time_is_told_in_parts_and_only_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "PAGE", 4)
    monkeypatch.setattr(replay_module, "PAGES", 2)
    monkeypatch.setattr(replay_module, "OUT_OF_ORDER", timedelta())
    early = await lives(office, 3)
    await asyncio.sleep(0.05)
    since = datetime.now(UTC)
    await asyncio.sleep(0.05)
    wanted = await lives(office, 7)
    await asyncio.sleep(0.05)
    until = datetime.now(UTC)
    await asyncio.sleep(0.05)
    late = await lives(office, 2)
    webhook = await office.subscribe(A)
    counts = await all_between(office, webhook, since, until)
    assert sum(counts) == 21
    assert len(counts) > 1
    await office.settle()
    told = [post.id for post in office.deliver.posts]
    assert len(told) == len(set(told)) == 21
    assert set(wanted) <= set(told)
    assert not set(told) & {*early, *late}


async def test_cards_are_told_of_with_what_they_are_about(office: Office) -> None:
    await lives(office, 1)
    webhook = await office.subscribe(A, event_types=["approval.notified"], types=["expense"])
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert await all_between(office, webhook, since, soon()) == [1]
    await office.settle()
    [post] = office.deliver.posts
    assert (post.json["data"]["type"], post.json["data"]["channel"]) == ("expense", "slack")


async def test_another_workspace_s_time_is_not_told(office: Office) -> None:
    asked = requested(ask())
    await office.happen(asked, workspace="other")
    await lives(office, 1)
    webhook = await office.subscribe(A)
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert sum(await all_between(office, webhook, since, soon())) == 3


async def test_an_empty_log_and_an_empty_time_have_nothing_to_tell(office: Office) -> None:
    webhook = await office.subscribe(A)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert await all_between(office, webhook, long_ago, soon()) == [0]
    await lives(office, 1)
    assert await all_between(office, webhook, long_ago, long_ago + timedelta(days=1)) == [0]
    later = datetime.now(UTC) + timedelta(days=1)
    assert await all_between(office, webhook, later, later + timedelta(days=1)) == [0]


async def test_a_callback_s_origin_is_told_the_outcomes_of_a_time_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "PAGE", 2)
    monkeypatch.setattr(replay_module, "PAGES", 1)
    for number in range(5):
        asked = requested(ask(callback_url=f"{CALLBACK}?n={number}"))
        await office.tell(asked, decided(answer(), asked))
    await office.settle()
    assert len(office.deliver.posts) == 5
    endpoint = await office.callback(CALLBACK)
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert sum(await all_between(office, endpoint, since, soon())) == 5
    await office.settle()
    assert len(office.deliver.posts) == 10
    for number in range(5):
        assert len({post.id for post in office.deliver.to(f"{CALLBACK}?n={number}")}) == 1
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert await all_between(office, endpoint, past, past + timedelta(days=1)) == [0]
