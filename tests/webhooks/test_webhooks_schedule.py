"""Retries on their schedule, and endpoints that are warned of, disabled and enabled again."""

from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from services.outgoing.signing import new_secret
from services.webhooks.schedule import (
    DISABLED_AFTER,
    JITTER,
    LONGEST_WAIT_S,
    RETRY_AFTER_S,
    next_try_in,
)
from services.webhooks.shapes import DeliveryView
from tests.core.examples import answer, ask, decided, requested
from tests.webhooks.webhook_kit import (
    WORKSPACE,
    FakeAnswer,
    Office,
    Post,
    answering,
)

A = "https://a.example.com/hook"
B = "https://b.example.com/hook"
CALLBACK = "https://c.example.com/done"
ENDPOINT_TYPES = ["endpoint.failing", "endpoint.disabled"]


async def ask_one(office: Office) -> str:
    """Somebody asks; the id of the message that tells it."""
    [event] = await office.tell(requested(ask()))
    return f"msg_{event.approval_id}_1"


async def the_one(office: Office, webhook_id: str) -> DeliveryView:
    webhook = await office.registry.show(WORKSPACE, webhook_id)
    assert webhook is not None
    [delivery] = await office.deliveries(webhook)
    return delivery


def test_the_schedule_is_that_of_standard_webhooks_with_jitter() -> None:
    waits = [next_try_in(tries, None, lambda: 0.5) for tries in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, None]
    early, late = (next_try_in(2, None, lambda draw=draw: draw) for draw in (0.0, 1.0))
    assert early == pytest.approx(300 * (1 - JITTER))
    assert late == pytest.approx(300 * (1 + JITTER))


def test_an_endpoint_may_ask_for_more_time_but_not_for_ever() -> None:
    assert next_try_in(1, 60.0, lambda: 0.5) == 60
    assert next_try_in(1, 1.0, lambda: 0.5) == 5
    assert next_try_in(1, 10.0**9, lambda: 0.5) == LONGEST_WAIT_S


async def test_a_delivery_is_tried_until_it_is_given_up_and_every_attempt_is_kept(
    office: Office,
) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500, body=b"no\0 \xff" + b"x" * 3000)
    message_id = await ask_one(office)
    await office.settle()
    for number, wait in enumerate(RETRY_AFTER_S[1:], start=1):
        assert len(office.deliver.posts) == number
        delivery = await the_one(office, webhook.id)
        assert (delivery.state, delivery.attempts_made) == ("waiting", number)
        office.clock.turn(seconds=wait * 0.9)
        await office.settle()
        assert len(office.deliver.posts) == number, "not before its time"
        office.clock.turn(seconds=wait * 0.1 + 1)
        await office.settle()
    assert len(office.deliver.posts) == len(RETRY_AFTER_S)
    assert {post.id for post in office.deliver.posts} == {message_id}
    times = [int(post.headers["webhook-timestamp"]) for post in office.deliver.posts]
    assert times == sorted(set(times)), "each attempt is signed with its own time"
    delivery = await the_one(office, webhook.id)
    assert (delivery.state, delivery.next_attempt_at) == ("failed", None)
    assert [one.number for one in delivery.attempts] == list(range(1, len(RETRY_AFTER_S) + 1))
    first = delivery.attempts[0]
    assert (first.status, first.error, first.duration_ms) == (500, None, 1)
    assert first.answer.startswith("no\ufffd \ufffd")
    office.clock.turn(days=1)
    await office.settle()
    assert len(office.deliver.posts) == len(RETRY_AFTER_S)


async def test_an_endpoint_that_failed_for_an_hour_is_told_all_when_it_is_back(
    office: Office,
) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(503)
    ids = {await ask_one(office) for _ in range(20)}
    for _ in range(12):
        await office.settle()
        office.clock.turn(minutes=5)
    assert set(await office.states(webhook)) == {"waiting"}
    office.deliver.behaviours.clear()
    office.deliver.posts.clear()
    office.clock.turn(hours=2)
    await office.settle()
    assert {post.id for post in office.deliver.posts} == ids
    assert set(await office.states(webhook)) == {"delivered"}
    shown = await office.registry.show(WORKSPACE, webhook.id)
    assert shown is not None
    assert shown.failing_since is None


@pytest.mark.parametrize(
    "given",
    [
        FakeAnswer(status=199),
        FakeAnswer(status=302),
        FakeAnswer(status=404),
        FakeAnswer(status=None, error="It refused the connection.", body=b""),
    ],
)
async def test_whatever_is_no_success_is_a_failure(office: Office, given: FakeAnswer) -> None:
    webhook = await office.subscribe(A)

    async def bad(_: Post) -> FakeAnswer:
        return given

    office.deliver.behaviours[A] = bad
    await ask_one(office)
    await office.settle()
    delivery = await the_one(office, webhook.id)
    assert delivery.state == "waiting"
    [attempt] = delivery.attempts
    assert (attempt.status, attempt.error) == (given.status, given.error)
    shown = await office.registry.show(WORKSPACE, webhook.id)
    assert shown is not None
    assert shown.failing_since is not None


async def test_retry_after_holds_for_the_message_and_for_the_endpoint(office: Office) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(429, retry_after_s=120.0)
    await ask_one(office)
    await office.settle()
    await ask_one(office)
    await office.settle()
    assert len(office.deliver.posts) == 1, "it is left alone"
    office.clock.turn(seconds=100)
    await office.settle()
    assert len(office.deliver.posts) == 1
    office.deliver.behaviours.clear()
    office.clock.turn(seconds=21)
    await office.settle()
    assert set(await office.states(webhook)) == {"delivered"}
    assert len(office.deliver.posts) == 3


async def test_gone_disables_at_once_and_what_comes_later_is_held(office: Office) -> None:
    other = await office.subscribe(B, event_types=ENDPOINT_TYPES)
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(410)
    await ask_one(office)
    await office.settle()
    await ask_one(office)
    await office.settle()
    shown = await office.registry.show(WORKSPACE, webhook.id)
    assert shown is not None
    assert (shown.status, shown.disabled_reason) == ("disabled", "It answered 410 Gone.")
    assert len(office.deliver.to(A)) == 1
    assert await office.states(webhook) == ["held", "held"]
    [told] = office.deliver.to(B)
    assert told.json["type"] == "endpoint.disabled"
    assert told.json["data"]["webhook_id"] == webhook.id
    assert told.json["data"]["origin"] == "https://a.example.com:443"
    assert await office.states(other) == ["delivered"]


async def test_a_callback_that_is_gone_ends_itself_and_not_the_others_of_its_origin(
    office: Office,
) -> None:
    office.deliver.behaviours[CALLBACK] = answering(410)
    for url in (CALLBACK, f"{CALLBACK}?other"):
        asked = requested(ask(callback_url=url))
        await office.tell(asked, decided(answer(), asked))
        await office.settle()
    endpoint = await office.callback(CALLBACK)
    assert endpoint.status == "active"
    assert await office.states(endpoint) == ["delivered", "failed"]


async def fail_until(office: Office, share: float) -> None:
    """Let the first endpoint fail so much of the time until it is disabled."""
    office.clock.ahead = DISABLED_AFTER * share + timedelta(seconds=5)
    await ask_one(office)
    await office.settle()


async def test_an_endpoint_that_only_fails_is_warned_of_and_disabled_after_five_days(
    office: Office,
) -> None:
    await office.subscribe(B, event_types=ENDPOINT_TYPES)
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    for share in (0.0, 0.4, 0.51, 0.52, 0.71, 0.75, 0.91, 0.99):
        await fail_until(office, share)
    told = [post.json for post in office.deliver.to(B)]
    assert [one["type"] for one in told] == ["endpoint.failing"] * 3
    assert [one["data"]["percent"] for one in told] == [50, 70, 90]
    await fail_until(office, 1.01)
    await fail_until(office, 1.02)
    last = office.deliver.to(B)[3:]
    assert [post.json["type"] for post in last] == ["endpoint.disabled"]
    assert len({post.id for post in office.deliver.to(B)}) == 4
    shown = await office.registry.show(WORKSPACE, webhook.id)
    assert shown is not None
    assert shown.status == "disabled"
    assert shown.disabled_reason is not None
    assert "5 days" in shown.disabled_reason
    states = set(await office.states(webhook))
    assert states <= {"held", "failed"}
    assert "held" in states
    before = len(office.deliver.to(A))
    office.clock.turn(days=2)
    await office.settle()
    assert len(office.deliver.to(A)) == before, "nothing is sent to it any more"


async def test_one_success_begins_the_five_days_anew(office: Office) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    await fail_until(office, 0.0)
    await fail_until(office, 0.9)
    office.deliver.behaviours.clear()
    await fail_until(office, 0.91)
    office.deliver.behaviours[A] = answering(500)
    for share in (0.95, 1.1, 1.3):
        await fail_until(office, share)
    shown = await office.registry.show(WORKSPACE, webhook.id)
    assert shown is not None
    assert shown.status == "active"
    assert shown.failing_since is not None


async def test_an_enabled_endpoint_is_told_again_and_what_was_held_can_be_replayed(
    office: Office,
) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(410)
    missed = {await ask_one(office)}
    await office.settle()
    missed.add(await ask_one(office))
    office.deliver.behaviours.clear()
    office.deliver.posts.clear()
    enabled = await office.registry.enable(WORKSPACE, webhook.id)
    assert enabled is not None
    assert (enabled.status, enabled.disabled_at, enabled.failing_since) == ("active", None, None)
    later = await ask_one(office)
    await office.settle()
    assert [post.id for post in office.deliver.posts] == [later]
    await office.replays.by_ids(WORKSPACE, enabled, sorted(missed))
    await office.settle()
    assert {post.id for post in office.deliver.posts} == {later, *missed}
    assert set(await office.states(webhook)) == {"delivered"}


async def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(office: Office) -> None:
    old, new = new_secret(), new_secret()
    webhook = await office.subscribe(A, secret=old)
    await office.registry.rotate(WORKSPACE, webhook.id, new)
    await ask_one(office)
    await office.settle()
    [post] = office.deliver.posts
    for secret in (old, new):
        assert Webhook(secret).verify(post.body, dict(post.headers))
    assert len(post.headers["webhook-signature"].split()) == 2
    office.clock.turn(hours=25)
    await ask_one(office)
    await office.settle()
    assert len(office.deliver.posts[1].headers["webhook-signature"].split()) == 1


async def test_a_secret_is_shown_by_nothing_that_is_printed(office: Office) -> None:
    secret = new_secret()
    webhook = await office.subscribe(A, secret=secret)
    assert secret not in repr(webhook)
    listeners = office.webhooks.engine._planner._listeners
    await ask_one(office)
    assert secret not in repr(await listeners.at({WORKSPACE: office.clock()}))
    async with office.worker_db.connection() as connection:
        kept = await connection.fetchval("SELECT secret FROM webhook_endpoints")
    assert kept == secret
