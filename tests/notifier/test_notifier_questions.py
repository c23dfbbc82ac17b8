"""What is asked back reaches the requester once a question, and stands on every card."""

import pytest

from events.approval import Person
from events.store import Unavailable
from services.channels import ChannelRefused, ChannelUnavailable
from services.channels.inbox import InboxChannel
from tests.notifier.fakes import AMARA, BO, JANE, START, FakeChannel, World, message, step


async def asked(*people: Person) -> tuple[World, FakeChannel, str]:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(*(people or (AMARA, BO)))
    await world.deliver()
    return world, mail, approval_id


async def test_the_requester_is_told_of_a_question_on_a_card_of_its_own() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    card = mail.card_of(JANE.email)
    assert (card.asks, card.shown) == ("answer", "open")
    assert card.status == (
        "amara@example.com asks you something. Answer in Placet; until then the clock stands "
        "still. The question: Who was there?"
    )
    assert card.link.endswith(f"/approvals/{approval_id}")
    assert card.deadline == "2027-01-20 12:00 UTC", "the longest that the clock stands still"
    assert "notified" not in (await world.types(approval_id))[4:], "no approver was asked"
    assert JANE.email not in [to for to, _ in mail.updates], "it said so from the start"


async def test_the_approvers_cards_wait_for_the_requester_and_then_are_open_again() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    for one in (AMARA, BO):
        card = mail.card_of(one.email)
        assert (card.asks, card.shown) == (None, "open")
        assert card.status == (
            "It waits for an answer of jane@example.com, whom amara@example.com asked: "
            "Who was there?"
        )
    await world.answer_back(approval_id, "The client.")
    await world.deliver()
    card = mail.card_of(BO.email)
    assert card.asks == "decision"
    assert [(fact.label, fact.value) for fact in card.said] == [
        ("amara@example.com asked", "Who was there?"),
        ("jane@example.com answered", "The client."),
    ]
    assert card.deadline == "2026-12-24 12:00 UTC", "the clock went on from the answer"
    assert mail.sends == [AMARA.email, BO.email, JANE.email]
    mine = mail.card_of(JANE.email)
    assert (mine.asks, mine.shown) == (None, "settled")
    assert mine.status == "Answered by jane@example.com: The client."


async def test_a_replay_tells_of_no_question_twice_and_a_second_question_is_told() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    world.restart()
    await world.replay()
    assert mail.sends.count(JANE.email) == 1
    await world.answer_back(approval_id, "The client.")
    await world.ask_back(approval_id, "Which client?", BO)
    await world.deliver()
    world.restart()
    await world.replay()
    assert mail.sends.count(JANE.email) == 2
    assert mail.card_of(JANE.email).status.endswith("The question: Which client?")
    assert [shown for to, shown in mail.shown() if to == JANE.email] == ["settled", "open"]


async def test_a_kill_after_the_question_left_makes_no_second_card() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")
    world.cards.fail_next_remember = Unavailable("killed")
    with pytest.raises(Unavailable):
        await world.deliver()
    world.restart()
    await world.replay()
    await world.retry_until_quiet(64)
    assert [one.approver for one in mail.messages.values()].count(JANE.email) == 1
    assert set(world.effects.states().values()) == {"done"}


async def test_a_kill_after_the_questions_card_was_kept_only_closes_it() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")
    done = world.effects.done
    world.effects.done = _killed  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        await world.deliver()
    world.effects.done = done  # type: ignore[method-assign]
    await world.retry_until_quiet(64)
    assert mail.sends.count(JANE.email) == 1
    assert set(world.effects.states().values()) == {"done"}


async def _killed(*_: object) -> None:
    raise Unavailable("killed")


async def test_a_question_that_was_answered_while_its_card_left_is_settled_at_once() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")

    async def answered(_: str) -> None:
        mail.meanwhile = None
        await world.answer_back(approval_id, "The client.")

    mail.meanwhile = answered
    await world.notifier.handle([message(one) for one in await world.stream(approval_id)])
    assert mail.card_of(JANE.email).status == "Answered by jane@example.com: The client."


async def test_a_channel_that_is_away_brings_the_question_later_unless_it_was_answered() -> None:
    world, mail, approval_id = await asked()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(30)
    assert mail.sends.count(JANE.email) == 1
    await world.answer_back(approval_id, "The client.")
    mail.trouble = lambda *_: ChannelUnavailable("down")
    await world.ask_back(approval_id, "Which client?")
    await world.deliver()
    await world.answer_back(approval_id, "Acme.")
    mail.trouble = lambda *_: None
    await world.deliver()
    await world.retry_until_quiet(60)
    assert mail.sends.count(JANE.email) == 1


async def test_a_requester_who_cannot_be_told_holds_up_nothing() -> None:
    world, mail, approval_id = await asked()
    mail.trouble = lambda what, _: ChannelRefused("no such address") if what == "send" else None
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    await world.retry_until_quiet(10)
    assert world.effects.states()["card_question:mail:jane@example.com"] == "failed"
    assert mail.card_of(BO.email).asks is None


async def test_somebody_who_answers_anyway_ends_the_question() -> None:
    world, mail, approval_id = await asked()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    await world.answer(approval_id, BO)
    await world.deliver()
    assert {shown for _, shown in mail.shown()} == {"settled"}
    assert mail.card_of(JANE.email).status.startswith("Approved by bo@example.com")


async def test_a_vote_that_goes_on_without_the_answer_settles_the_question_alone() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA, steps=(step(AMARA, BO, needed=2),))
    await world.deliver()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    await world.answer(approval_id, BO)
    await world.deliver()
    assert mail.card_of(JANE.email).status == (
        "No answer is needed any more; amara@example.com had asked: Who was there?"
    )
    assert mail.card_of(AMARA.email).asks == "decision"


async def test_a_return_for_changes_asks_the_requester_and_the_revision_brings_new_cards() -> None:
    world, mail, approval_id = await asked(AMARA)
    await world.ask_back(approval_id, "Without the wine.", wants="changes")
    await world.deliver()
    assert mail.card_of(JANE.email).asks == "changes"
    assert mail.card_of(AMARA.email).status == (
        "amara@example.com returned it to jane@example.com for changes: Without the wine."
    )
    await world.change(approval_id, payload={"total_amount": 1}, revision="2")
    await world.deliver()
    assert mail.sends == [AMARA.email, JANE.email, AMARA.email]
    card = mail.card_of(AMARA.email)
    assert card.asks == "decision"
    assert [(fact.label, fact.value) for fact in card.said] == [
        ("amara@example.com asked for changes", "Without the wine.")
    ]
    assert mail.shown() == [
        (AMARA.email, "superseded"),
        (JANE.email, "settled"),
        (AMARA.email, "open"),
    ]


async def test_a_card_that_is_missing_waits_until_the_requester_has_answered() -> None:
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail])
    approval_id = await world.ask(AMARA)
    await world.deliver()
    await world.ask_back(approval_id, "Who was there?")
    mail.trouble = lambda *_: None
    await world.deliver()
    await world.retry_until_quiet(60)
    assert mail.sends == [JANE.email]
    await world.answer_back(approval_id, "The client.")
    await world.deliver()
    await world.retry_until_quiet(1000)
    assert mail.sends == [JANE.email, AMARA.email]


async def test_who_asks_for_oneself_has_both_cards() -> None:
    world, mail, approval_id = await asked(AMARA, JANE)
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    assert mail.sends == [AMARA.email, JANE.email, JANE.email]


async def test_in_the_inbox_the_question_is_the_queues_and_is_noted_all_the_same() -> None:
    world = World([InboxChannel()])
    approval_id = await world.ask(AMARA)
    await world.deliver()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    version = len(await world.stream(approval_id))
    row = (JANE.email, "inbox", f"question:{version}", "open")
    assert row in world.cards.shown()
    await world.answer_back(approval_id, "The client.")
    await world.deliver()
    assert (*row[:3], "settled") in world.cards.shown()


async def test_a_revision_that_is_called_like_a_question_is_a_revision() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA, revision="question:3")
    await world.deliver()
    await world.ask_back(approval_id, "Who was there?")
    await world.deliver()
    assert mail.card_of(AMARA.email).status.startswith("It waits for an answer of jane@")
    assert world.clock.now == START
