"""What becomes of a card or a reminder whose sending ended without an answer."""

from collections.abc import Callable
from typing import Literal

import pytest

from events.approval import ApproverNotified, NotificationFailed
from events.store import Unavailable
from services.channels import ChannelRefused, ChannelUnavailable
from services.effects import Attempt, Effect
from services.notifier.leaving import PERHAPS
from tests.notifier.fakes import AMARA, FakeChannel, World


class Blind(FakeChannel):
    """Cannot tell what it has."""

    find = None  # type: ignore[assignment]


class Repeating(FakeChannel):
    """Shows what has the same key once."""

    repeatable: Literal[True] = True


def once(error: Exception) -> Callable[[], Exception | None]:
    left = [error]
    return lambda: left.pop() if left else None


async def notified(world: World, approval_id: str) -> list[bool]:
    """Whether each card perhaps came twice, as the history tells it."""
    events = [one.event for one in await world.stream(approval_id)]
    return [one.perhaps_twice for one in events if isinstance(one, ApproverNotified)]


LOST = ChannelUnavailable("It did not answer.")


async def test_a_channel_that_can_tell_is_asked_and_the_card_is_not_sent_again() -> None:
    mail = FakeChannel()
    mail.after_send = once(LOST)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    assert await notified(world, approval_id) == []
    await world.retry_until_quiet(4)
    assert mail.sends == ["amara@example.com"]
    assert await notified(world, approval_id) == [False]
    assert mail.updates == [("amara@example.com", "open")], "it shows what is recorded"
    row = next(iter(world.cards.rows.values()))
    assert (row.digest, row.reference) == (mail.card_of(AMARA.email).digest, row.reference)


async def test_what_such_a_channel_never_got_is_sent_again_without_a_doubt() -> None:
    mail = FakeChannel()
    failures = [LOST]
    mail.trouble = lambda *_: failures.pop() if failures else None
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.retry_until_quiet(4)
    assert mail.sends == ["amara@example.com"]
    assert await notified(world, approval_id) == [False]


async def test_a_card_is_sent_again_where_nobody_can_tell_and_the_history_says_so() -> None:
    mail = Blind()
    mail.after_send = once(LOST)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.retry_until_quiet(4)
    assert mail.sends == ["amara@example.com"] * 2
    assert await notified(world, approval_id) == [True]


async def test_a_channel_that_cannot_be_asked_just_then_is_asked_later() -> None:
    mail = FakeChannel()
    mail.after_send = once(LOST)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    find, failures = mail.find, [ChannelUnavailable("down"), ChannelUnavailable("down")]

    async def away(*given: object, **named: object) -> str | None:
        if failures:
            raise failures.pop()
        return await find(*given, **named)  # type: ignore[arg-type]

    mail.find = away  # type: ignore[method-assign]
    await world.retry_until_quiet(60)
    assert mail.sends == ["amara@example.com"]
    assert await notified(world, approval_id) == [False]


async def test_a_channel_that_refuses_to_look_counts_as_one_that_cannot_tell() -> None:
    mail = FakeChannel()
    mail.after_send = once(LOST)

    async def refuses(*_: object, **__: object) -> str | None:
        raise ChannelRefused("missing_scope")

    mail.find = refuses  # type: ignore[method-assign]
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.retry_until_quiet(4)
    assert await notified(world, approval_id) == [True]


@pytest.mark.parametrize(
    "error",
    [
        ChannelUnavailable("No connection.", not_sent=True),
        ChannelUnavailable("Too many requests.", retry_after=1),
    ],
)
async def test_what_never_left_leaves_no_doubt(error: ChannelUnavailable) -> None:
    mail = Blind()
    failures = [error]
    mail.trouble = lambda *_: failures.pop() if failures else None
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.retry_until_quiet(4)
    assert mail.sends == ["amara@example.com"]
    assert await notified(world, approval_id) == [False]


async def test_a_later_attempt_that_never_left_does_not_lift_a_doubt() -> None:
    mail = Blind()
    mail.after_send = once(LOST)
    failures = [None, ChannelUnavailable("No connection.", not_sent=True)]
    mail.trouble = lambda *_: failures.pop(0) if failures else None
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.retry_until_quiet(30)
    assert mail.sends == ["amara@example.com"] * 2
    assert await notified(world, approval_id) == [True]


async def test_a_channel_on_which_repeating_is_safe_is_neither_asked_nor_doubted() -> None:
    mail = Repeating()
    mail.after_send = once(LOST)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    assert not any(held.sent for held in world.effects.held.values()), "one write less a card"
    await world.retry_until_quiet(4)
    assert len(mail.messages) == 1
    assert await notified(world, approval_id) == [False]


async def test_the_doubt_outlives_a_kill_before_the_card_is_recorded() -> None:
    mail = Blind()
    mail.after_send = once(LOST)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    append = world.store.append

    async def killed(*_: object) -> None:
        raise Unavailable("killed")

    world.store.append = killed  # type: ignore[method-assign,assignment]
    world.clock.forward(2)
    with pytest.raises(Unavailable):
        await world.notifier.retry_due()
    world.store.append = append  # type: ignore[method-assign]
    world.restart()
    await world.retry_until_quiet(62)
    assert mail.sends == ["amara@example.com"] * 2
    assert await notified(world, approval_id) == [True]


async def test_who_gives_up_tells_that_it_may_have_arrived() -> None:
    mail = Blind()
    mail.after_send = once(LOST)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    mail.trouble = lambda *_: ChannelRefused("amara@example.com is not known here")
    await world.retry_until_quiet(4)
    failed = (await world.stream(approval_id))[-1].event
    assert isinstance(failed, NotificationFailed)
    assert failed.reason == f"amara@example.com is not known here.{PERHAPS}"


async def test_a_card_that_somebody_else_took_over_meanwhile_is_not_sent() -> None:
    mail = FakeChannel()
    world = World([mail])
    leaving = world.effects.leaving

    async def slow(effect: Effect, attempt: Attempt) -> bool:
        world.effects.leaving = leaving  # type: ignore[method-assign]
        world.clock.forward(60)
        await world.notifier.retry_due()
        return await leaving(effect, attempt)

    world.effects.leaving = slow  # type: ignore[method-assign]
    approval_id = await world.ask()
    await world.deliver()
    assert mail.sends == ["amara@example.com"]
    assert await notified(world, approval_id) == [False]


@pytest.mark.parametrize(("mail", "times"), [(FakeChannel(), 1), (Blind(), 2)])
async def test_a_reminder_is_looked_for_as_a_card_is(mail: FakeChannel, times: int) -> None:
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    reminded: list[str] = []
    remind = mail.remind

    async def lost(*given: object, **named: object) -> None:
        reminded.append(str(named["idempotency_key"]))
        await remind(*given, **named)  # type: ignore[arg-type]
        if len(reminded) == 1:
            raise LOST

    async def find(key: str, **_: object) -> str | None:
        return key if {*mail.messages, *mail.reminders} & {key} else None

    mail.remind = lost  # type: ignore[method-assign]
    if mail.find is not None:
        mail.find = find  # type: ignore[method-assign,assignment]
    await world.remind(approval_id)
    await world.deliver()
    await world.retry_until_quiet(4)
    assert len(reminded) == times
    assert set(world.effects.states().values()) == {"done"}
