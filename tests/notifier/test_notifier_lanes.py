"""What edits cards does not wait until many others are sent."""

import asyncio
from functools import partial
from typing import get_args

from events.approval import ApprovalEvent
from services.notifier.notify import ANSWERS, ASKS
from tests.notifier.fakes import AMARA, FakeChannel, World, message

CHANGES_NO_CARD = {
    "ApproverNotified",
    "NotificationFailed",
    "ApprovalCommented",
    "ApprovalAcknowledged",
}


def test_each_event_that_changes_a_card_comes_by_one_of_the_two_ways() -> None:
    asks, answers = ({kind.__name__ for kind in kinds} for kinds in (ASKS, ANSWERS))
    assert not asks & answers
    assert asks | answers | CHANGES_NO_CARD == {kind.__name__ for kind in get_args(ApprovalEvent)}


async def test_neither_way_does_the_work_of_the_other() -> None:
    mail = FakeChannel()
    world = World([mail])
    answered = await world.ask(AMARA)
    await world.deliver()
    await world.answer(answered)
    asked = await world.ask(AMARA)
    of_asked = [message(one) for one in await world.stream(asked)]
    of_answered = [message(one) for one in await world.stream(answered)]
    await world.notifier.handle(of_asked, touched_by=ANSWERS)
    await world.notifier.handle(of_answered[-1:], touched_by=ASKS)
    assert (mail.sends, mail.updates) == (["amara@example.com"], [])
    await world.notifier.handle(of_asked, touched_by=ASKS)
    await world.notifier.handle(of_answered[-1:], touched_by=ANSWERS)
    assert (len(mail.sends), len(mail.updates)) == (2, 1)


async def test_a_card_is_edited_while_those_of_others_are_still_being_sent() -> None:
    mail = FakeChannel()
    world = World([mail])
    answered = await world.ask(AMARA)
    await world.deliver()
    many = [await world.ask(AMARA) for _ in range(20)]
    under_way, goes_on = asyncio.Event(), asyncio.Event()

    async def hang(approval_id: str) -> None:
        if approval_id != many[0]:
            return
        under_way.set()
        await goes_on.wait()

    mail.meanwhile = hang
    await world.answer(answered)
    batch = [message(one) for key in (*many, answered) for one in await world.stream(key)]
    by_asks, by_answers = (
        partial(world.notifier.handle, touched_by=kinds) for kinds in (ASKS, ANSWERS)
    )
    sending = asyncio.create_task(by_asks(batch))
    await under_way.wait()
    async with asyncio.timeout(5):
        await by_answers(batch)
    assert world.cards.shown()[0] == ("amara@example.com", "mail", "1", "settled")
    assert not sending.done()
    goes_on.set()
    await sending
    assert len(mail.sends) == 1 + len(many)
