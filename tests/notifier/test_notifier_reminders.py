"""A reminder goes out once, to somebody who still has to answer, beside the card that they have."""

from collections.abc import Sequence

from services.channels import ChannelRefused, ChannelUnavailable
from services.channels.inbox import InboxChannel
from tests.notifier.fakes import AMARA, BO, CAROL, FakeChannel, World, step

HOUR = 3600.0


class Plain(FakeChannel):
    """A channel that cannot remind."""

    remind = None  # type: ignore[assignment]


async def asked(*channels: FakeChannel) -> tuple[World, str]:
    world = World([*channels, InboxChannel()])
    approval_id = await world.ask(AMARA, steps=(step(AMARA, BO, needed=2),))
    await world.deliver()
    world.clock.forward(HOUR)
    return world, approval_id


def reminded(mail: FakeChannel) -> Sequence[str]:
    return [to for to, _ in mail.reminders.values()]


async def test_each_who_has_not_answered_is_reminded_once_on_each_channel_that_can() -> None:
    mail, chat, plain = FakeChannel("mail"), FakeChannel("chat"), Plain("plain")
    world, approval_id = await asked(mail, chat, plain)
    await world.remind(approval_id)
    await world.deliver()
    world.restart()
    await world.replay()
    await world.replay()
    assert reminded(mail) == reminded(chat) == [AMARA.email, BO.email]
    assert plain.reminders == {}
    assert mail.sends == [AMARA.email, BO.email], "the card itself is not sent again"
    assert "You were reminded once." in plain.card_of(AMARA.email).status


async def test_each_reminder_goes_out_and_the_card_counts_them() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    for _ in range(3):
        await world.remind(approval_id)
        await world.deliver()
        world.clock.forward(HOUR)
    assert reminded(mail).count(BO.email) == 3
    assert "You were reminded 3 times." in mail.card_of(BO.email).status


async def test_who_has_answered_meanwhile_is_not_reminded() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    await world.remind(approval_id)
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert reminded(mail) == [BO.email]


async def test_nobody_is_reminded_of_what_is_settled_or_passed_on_or_asked_back() -> None:
    mail = FakeChannel()
    world, settled = await asked(mail)
    passed_on, asked_back = await world.ask(AMARA), await world.ask(AMARA)
    await world.deliver()
    world.clock.forward(HOUR)
    for one in (settled, passed_on, asked_back):
        await world.remind(one)
    await world.withdraw(settled)
    await world.reassign(passed_on, AMARA, CAROL)
    await world.ask_back(asked_back, "Who was there?")
    await world.deliver()
    assert mail.reminders == {}


async def test_a_reminder_of_a_plain_ask_goes_out_too() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA)
    await world.deliver()
    world.clock.forward(HOUR)
    await world.remind(approval_id)
    await world.deliver()
    assert reminded(mail) == [AMARA.email]


async def test_a_card_that_goes_out_after_the_reminder_reminds_by_itself() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA)
    await world.remind(approval_id)
    await world.deliver()
    world.restart()
    await world.replay()
    assert mail.sends == [AMARA.email]
    assert mail.reminders == {}


async def test_a_reminder_that_failed_is_tried_again_and_left_once_answered() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    mail.trouble = lambda what, _: ChannelUnavailable("down") if what == "remind" else None
    await world.remind(approval_id)
    await world.deliver()
    await world.answer(approval_id, AMARA)
    await world.deliver()
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(120)
    assert reminded(mail) == [BO.email]
    states = world.effects.states()
    assert states["card_reminder:mail:amara@example.com"] == "failed"
    assert states["card_reminder:mail:bo@example.com"] == "done"


async def test_a_reminder_that_is_refused_is_given_up_and_holds_up_nobody() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    mail.trouble = lambda what, _: ChannelRefused("no thread") if what == "remind" else None
    await world.remind(approval_id)
    await world.deliver()
    states = world.effects.states()
    assert states["card_reminder:mail:amara@example.com"] == "failed"
    assert states["card_reminder:mail:bo@example.com"] == "failed"


async def test_an_old_reminder_that_is_found_late_is_dropped() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    await world.remind(approval_id)
    world.clock.forward(24 * HOUR)
    await world.deliver()
    assert mail.reminders == {}
    assert "You were reminded once." in mail.card_of(BO.email).status


async def test_of_two_reminders_that_come_together_the_later_one_goes_out() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    await world.remind(approval_id)
    world.clock.forward(HOUR)
    await world.remind(approval_id)
    await world.deliver()
    assert sorted(reminded(mail)) == [AMARA.email, BO.email]


async def test_a_kill_after_a_reminder_left_sends_it_under_the_same_key() -> None:
    mail = FakeChannel()
    world, approval_id = await asked(mail)
    done = world.effects.done

    async def killed(*_: object) -> None:
        return None

    world.effects.done = killed  # type: ignore[method-assign,assignment]
    await world.remind(approval_id)
    await world.deliver()
    world.effects.done = done  # type: ignore[method-assign]
    world.restart()
    await world.retry_until_quiet(64)
    assert sorted(reminded(mail)) == [AMARA.email, BO.email]
    assert world.effects.states()["card_reminder:mail:bo@example.com"] == "done"
