"""Cards go on telling the truth: superseded, told of a failure, settled."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from events.commands import UndoDecision
from events.store import Unavailable
from services.channels import ChannelRefused, ChannelUnavailable
from services.channels.card import Card, make_card
from services.channels.differences import Difference
from services.channels.inbox import InboxChannel
from tests.notifier.fakes import AMARA, BO, EXPENSE, WORKSPACE, FakeChannel, World, message

CHANGED = {**EXPENSE, "total_amount": 9000.0}


async def test_a_new_revision_supersedes_the_old_card_before_the_new_one_goes_out() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.revise(approval_id, payload=CHANGED, revision="2")
    await world.deliver()
    assert mail.shown() == [("amara@example.com", "superseded"), ("amara@example.com", "open")]
    old, new = mail.messages.values()
    assert old.card.status == "The content changed: revision 2. Answer the newer card."
    assert ("Total amount", "750.50 USD") in [(f.label, f.value) for f in old.card.details.facts]
    assert "The content changed: revision 2." in new.card.status
    assert ("Total amount", "9,000.00 USD") in [(f.label, f.value) for f in new.card.details.facts]
    assert len(mail.sends) == 2


async def test_an_approver_who_is_replaced_reads_that_they_are_not_asked_any_more() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA)
    await world.deliver()
    await world.revise(approval_id, BO, revision="2")
    await world.deliver()
    assert mail.shown() == [("amara@example.com", "superseded"), ("bo@example.com", "open")]
    amara, bo = mail.messages.values()
    assert amara.card.status.endswith("You are not asked any more.")
    assert "changed" not in bo.card.status, "Bo never saw another revision"


async def test_content_that_changes_back_is_another_card() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(revision="a")
    await world.deliver()
    await world.revise(approval_id, payload=CHANGED, revision="b")
    await world.deliver()
    await world.revise(approval_id, revision="a")
    await world.deliver()
    assert [shown for _, shown in mail.shown()] == ["superseded", "superseded", "open"]


async def test_each_end_is_shown_on_every_channel() -> None:
    for end, says in {
        "answer": "Approved by bo@example.com at 2026-11-21 12:00 UTC: fine",
        "withdraw": "This request is already resolved/canceled: Recalled by jane@example.com.",
        "expire": "Expired at 2026-12-21 12:00 UTC: nobody decided in time.",
        "settle_in_source": "This request is already resolved/canceled: Approved in the source by "
        "cfo@example.com.",
    }.items():
        mail, chat = FakeChannel("mail"), FakeChannel("chat")
        world = World([mail, chat, InboxChannel()])
        source = "expenses" if end == "settle_in_source" else None
        approval_id = await world.ask(AMARA, BO, source=source)
        await world.deliver()
        await (
            world.answer(approval_id, BO) if end == "answer" else getattr(world, end)(approval_id)
        )
        await world.deliver()
        for channel in (mail, chat):
            assert channel.shown() == [
                ("amara@example.com", "settled"),
                ("bo@example.com", "settled"),
            ], end
            assert {sent.card.status for sent in channel.messages.values()} == {says}
        assert {shown for *_, shown in world.cards.shown()} == {"settled"}


async def test_settling_twice_edits_once() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.answer(approval_id)
    await world.deliver()
    await world.replay()
    assert mail.updates == [("amara@example.com", "settled")]


async def test_a_superseded_card_stays_superseded_when_all_is_settled() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.revise(approval_id, revision="2", payload=CHANGED)
    await world.deliver()
    await world.answer(approval_id)
    await world.deliver()
    assert [shown for _, shown in mail.updates] == ["superseded", "settled"]


async def test_a_failed_write_back_is_told_on_the_card_that_is_there() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA, BO, source="expenses")
    await world.deliver()
    await world.answer(approval_id)
    await world.fail_write_back(approval_id, "Budget is closed.")
    await world.deliver()
    assert mail.updates == [("amara@example.com", "open"), ("bo@example.com", "open")]
    status = next(iter(mail.messages.values())).card.status
    assert status.startswith(
        "Approved by amara@example.com, but expenses did not take the answer: Budget is closed. "
        "Waiting for you or bo@example.com"
    )
    assert len(mail.sends) == 2, "it is no new card"
    world.restart()
    await world.replay()
    assert len(mail.updates) == 2, "it is told once"
    await world.answer(approval_id)
    await world.fail_write_back(approval_id, "Still closed.")
    await world.deliver()
    assert len(mail.updates) == 4, "the next failure is told again"


async def test_a_failure_that_found_a_new_revision_is_told_on_the_new_card() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.answer(approval_id)
    await world.fail_write_back(approval_id, "It changed.")
    await world.revise(approval_id, source="expenses", revision="2", payload=CHANGED)
    await world.deliver()
    old, new = mail.messages.values()
    assert (old.shown, new.shown) == ("superseded", "open")
    assert "did not take the answer: It changed. The content changed" in new.card.status


async def test_a_failure_is_forgotten_once_the_answer_is_in() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.answer(approval_id)
    await world.fail_write_back(approval_id)
    await world.deliver()
    await world.answer(approval_id)
    await world.confirm(approval_id)
    await world.deliver()
    assert next(iter(mail.messages.values())).card.status.startswith("Approved by amara@")


async def test_a_card_that_was_on_its_way_when_all_was_settled_is_settled_at_once() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()

    async def decided(_: str) -> None:
        mail.meanwhile = None
        await world.answer(approval_id)

    mail.meanwhile = decided
    batch = [message(one) for one in await world.stream(approval_id)]
    await world.notifier.handle(batch)
    assert mail.shown() == [("amara@example.com", "settled")], "no further message made us do it"


async def test_a_card_that_was_on_its_way_when_the_content_changed_is_superseded() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()

    async def changed(_: str) -> None:
        mail.meanwhile = None
        await world.revise(approval_id, revision="2", payload=CHANGED)

    mail.meanwhile = changed
    await world.deliver()
    assert mail.shown() == [("amara@example.com", "superseded"), ("amara@example.com", "open")]


async def test_a_card_that_left_before_a_kill_and_was_settled_since_is_found_and_settled() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    world.cards.fail_next_remember = Unavailable("killed")
    try:
        await world.deliver()
    except Unavailable:
        world.restart()
    await world.answer(approval_id)
    await world.replay()
    assert mail.shown() == [("amara@example.com", "open")], "its reference was lost with the kill"
    await world.retry_until_quiet(64)
    assert mail.shown() == [("amara@example.com", "settled")]
    assert set(world.effects.states().values()) == {"done"}


async def test_a_card_that_never_left_is_not_sent_once_all_is_settled() -> None:
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    mail.trouble = lambda *_: None
    await world.answer(approval_id)
    await world.deliver()
    await world.retry_until_quiet(20)
    assert mail.messages == {}
    assert world.effects.states() == {"card:mail:amara@example.com": "failed"}


async def test_an_edit_that_fails_is_tried_again_until_the_channel_is_back() -> None:
    mail, chat = FakeChannel("mail"), FakeChannel("chat")
    world = World([mail, chat])
    approval_id = await world.ask()
    await world.deliver()
    mail.trouble = lambda what, _: ChannelUnavailable("down") if what == "update" else None
    await world.answer(approval_id)
    await world.deliver()
    assert (mail.shown()[0][1], chat.shown()[0][1]) == ("open", "settled")
    await world.retry_until_quiet(40)
    assert mail.shown()[0][1] == "open"
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(60)
    assert mail.shown()[0][1] == "settled"
    assert world.effects.states()["card_edits"] == "done"


async def test_a_failure_that_could_not_be_told_is_told_later() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    await world.answer(approval_id)
    await world.fail_write_back(approval_id)
    await world.deliver()
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(4)
    assert mail.updates == [("amara@example.com", "open")]
    assert world.effects.states()["card_edits"] == "done"


async def test_a_card_that_was_deleted_on_its_channel_is_left_alone_from_then_on() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    mail.trouble = lambda *_: ChannelRefused("no such message")
    await world.answer(approval_id)
    await world.deliver()
    assert world.cards.shown() == [("amara@example.com", "mail", "1", "settled")]


async def test_an_edit_that_crosses_with_a_later_one_is_put_right() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.answer(approval_id)
    await world.fail_write_back(approval_id)
    update = mail.update

    async def slow(*given: object, **named: object) -> None:
        mail.update = update  # type: ignore[method-assign]
        await world.settle_in_source(approval_id)
        await world.deliver()
        await update(*given, **named)  # type: ignore[arg-type] # arrives after the settled one

    mail.update = slow  # type: ignore[method-assign]
    first = world.notifier
    batch = [message(one) for one in await world.stream(approval_id)]
    await first.handle(batch)
    assert [shown for _, shown in mail.updates] == ["settled", "open", "settled"]
    assert mail.shown() == [("amara@example.com", "settled")]


async def test_an_answer_that_is_held_takes_the_buttons_away_until_it_is_taken_back() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA, BO)
    await world.deliver()
    held_until = world.clock() + timedelta(seconds=10)
    await world.answer(approval_id, held_until=held_until)
    await world.deliver()
    card = mail.card_of(BO.email)
    assert (card.shown, card.asks, card.deadline) == ("open", None, None)
    assert card.status == (
        "The answer (approved by amara@example.com) counts from 2026-11-21 12:00:10 UTC. "
        "Until then it can be taken back in Placet."
    )
    await world.do(approval_id, UndoDecision(by=AMARA, now=world.clock()))
    await world.deliver()
    assert {sent.card.asks for sent in mail.messages.values()} == {"decision"}
    assert len(mail.sends) == 2, "no new card"
    world.restart()
    await world.replay()
    assert len(mail.updates) == 4


async def test_buttons_go_with_an_answer_and_come_back_when_it_was_not_taken() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.answer(approval_id)
    await world.deliver()
    assert mail.card_of(AMARA.email).asks is None
    await world.fail_write_back(approval_id)
    await world.deliver()
    assert mail.card_of(AMARA.email).asks == "decision"
    assert len(mail.sends) == 1


async def test_a_card_that_leaves_while_somebody_answers_loses_its_buttons() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")

    async def answered(_: str) -> None:
        mail.meanwhile = None
        await world.answer(approval_id)

    mail.meanwhile = answered
    await world.notifier.handle([message(one) for one in await world.stream(approval_id)])
    assert mail.card_of(AMARA.email).asks is None, "whether or not a message comes of it"


async def test_an_outdated_card_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = 0

    def counted(*given: Any, **named: Any) -> Card:
        nonlocal drawn
        drawn += 1
        return make_card(*given, **named)

    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.answer(approval_id)
    monkeypatch.setattr("services.notifier.drawing.make_card", counted)
    await world.deliver()
    assert mail.updates == [("amara@example.com", "settled")]
    assert drawn == 1


async def test_the_cards_of_an_approval_are_edited_side_by_side() -> None:
    channels = [FakeChannel("mail"), FakeChannel("chat")]
    world = World(channels)
    approval_id = await world.ask(AMARA, BO)
    await world.deliver()
    both = asyncio.Barrier(4)

    async def together(update: Any, *given: Any, **named: Any) -> None:
        await both.wait()
        await update(*given, **named)

    for one in channels:
        one.update = partial(together, one.update)  # type: ignore[method-assign]
    await world.answer(approval_id)
    async with asyncio.timeout(5):
        await world.deliver()
    assert {shown for one in channels for _, shown in one.shown()} == {"settled"}


async def test_a_new_card_says_what_changed_to_whoever_saw_the_old_one() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA)
    await world.deliver()
    await world.revise(approval_id, AMARA, BO, payload=CHANGED, revision="2")
    await world.deliver()
    assert mail.card_of(AMARA.email).differences == (
        Difference(label="Total amount", before="750.50 USD", after="9,000.00 USD"),
    )
    assert mail.card_of(BO.email).differences == ()
    assert mail.card_of(BO.email).amount == "9,000.00 USD"


async def test_what_a_type_holds_back_is_left_out_of_its_cards() -> None:
    mail = FakeChannel()
    world = World(
        [mail], sensitive={(WORKSPACE, "expense"): ("/description", "/line_items/*/item")}
    )
    for source in (None, "expenses"):
        await world.ask(source=source)
    await world.deliver()
    for sent in mail.messages.values():
        assert "Client dinner" not in str(sent.card)
        assert "Flight" not in str(sent.card)
        assert "Travel" in str(sent.card)
