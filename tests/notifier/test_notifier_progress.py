"""Cards of approvals that several people answer: told in turn, redrawn in place, sent once."""

from collections.abc import Sequence

import pytest

from events.approval import Seat, Step
from events.store import Unavailable
from services.channels import ChannelUnavailable
from services.channels.inbox import InboxChannel
from tests.notifier.fakes import (
    AMARA,
    BO,
    CAROL,
    DAVE,
    FakeChannel,
    FakeSource,
    World,
    message,
    step,
)

TWO_OF_THREE = (step(AMARA, BO, CAROL, needed=2),)
TWO_STEPS = (step(AMARA, BO), step(CAROL, name="board"))
TITLE = "Expense report EXP-1"


async def asked(*steps: Step, warnings: Sequence[str] = ()) -> tuple[World, FakeChannel, str]:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA, steps=steps, warnings=warnings)
    await world.deliver()
    return world, mail, approval_id


async def test_a_vote_redraws_every_card_and_sends_none() -> None:
    world, mail, approval_id = await asked(*TWO_OF_THREE)
    assert mail.card_of(BO.email).progress == "0 of 2"
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert len(mail.sends) == 3
    assert sorted(mail.updates) == [(one.email, "open") for one in (AMARA, BO, CAROL)]
    others = mail.card_of(BO.email)
    assert (others.progress, others.asks) == ("1 of 2", "decision")
    assert others.answers == ("Amara (amara@example.com) approved",)
    assert others.status.startswith("Waiting for you and carol@example.com.")


async def test_who_has_answered_reads_so_and_has_nothing_to_press() -> None:
    world, mail, approval_id = await asked(*TWO_OF_THREE)
    await world.answer(approval_id, AMARA)
    await world.deliver()
    card = mail.card_of(AMARA.email)
    assert (card.asks, card.deadline) == (None, None)
    assert card.status == ("You approved this. It waits for bo@example.com and carol@example.com.")


async def test_the_last_answer_settles_all_cards_also_of_those_who_had_answered() -> None:
    world, mail, approval_id = await asked(*TWO_OF_THREE)
    await world.answer(approval_id, AMARA)
    await world.deliver()
    await world.answer(approval_id, BO)
    await world.deliver()
    assert {shown for _, shown in mail.shown()} == {"settled"}
    assert mail.card_of(AMARA.email).status.startswith("Approved by bo@example.com")


async def test_the_next_step_is_told_only_when_the_one_before_is_done() -> None:
    world, mail, approval_id = await asked(*TWO_STEPS)
    assert mail.sends == [AMARA.email, BO.email]
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert mail.sends == [AMARA.email, BO.email, CAROL.email]
    assert mail.card_of(CAROL.email).progress == "Step 2 of 2, board: 0 of 1"
    assert mail.card_of(CAROL.email).answers == (
        "Amara (amara@example.com) approved, step 1 (managers)",
    )
    passed_by = mail.card_of(BO.email)
    assert passed_by.asks is None
    assert passed_by.status == (
        "This step ended without your answer. It waits for carol@example.com."
    )


async def test_a_card_that_was_out_before_shows_the_vote_that_came_while_another_left() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA, steps=TWO_OF_THREE)

    async def voted(_: str) -> None:
        mail.meanwhile = None
        await world.answer(approval_id, CAROL)

    mail.meanwhile = voted
    await world.notifier.handle([message(one) for one in await world.stream(approval_id)])
    assert mail.card_of(AMARA.email).progress == "1 of 2", "no further message made us do it"


async def test_a_replay_of_votes_and_steps_sends_and_edits_nothing() -> None:
    world, mail, approval_id = await asked(*TWO_STEPS)
    await world.answer(approval_id, AMARA)
    await world.deliver()
    sends, updates, calls = len(mail.sends), len(mail.updates), world.effects.calls
    world.clock.forward(3600)
    world.restart()
    await world.replay()
    await world.replay()
    assert (len(mail.sends), len(mail.updates)) == (sends, updates)
    assert world.effects.calls == calls, "a replay does not even ask what was written down"


async def test_a_kill_after_the_card_of_a_second_step_left_makes_no_other() -> None:
    world, mail, approval_id = await asked(*TWO_STEPS)
    await world.answer(approval_id, AMARA)
    world.cards.fail_next_remember = Unavailable("killed")
    with pytest.raises(Unavailable):
        await world.deliver()
    world.restart()
    await world.replay()
    await world.retry_until_quiet(64)
    assert [sent.approver for sent in mail.messages.values()] == [
        AMARA.email,
        BO.email,
        CAROL.email,
    ]
    assert (await world.types(approval_id)).count("notified") == 3
    assert set(world.effects.states().values()) == {"done"}


async def test_a_redrawing_that_fails_is_made_up_for() -> None:
    world, mail, approval_id = await asked(*TWO_OF_THREE)
    mail.trouble = lambda what, _: ChannelUnavailable("down") if what == "update" else None
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert mail.card_of(BO.email).progress == "0 of 2"
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(60)
    assert mail.card_of(BO.email).progress == "1 of 2"


async def test_whose_place_was_passed_on_reads_to_whom_and_the_other_is_asked() -> None:
    world, mail, approval_id = await asked(step(AMARA, BO, needed=2))
    await world.reassign(approval_id, BO, CAROL)
    await world.deliver()
    assert mail.sends == [AMARA.email, BO.email, CAROL.email]
    gone = mail.card_of(BO.email)
    assert gone.asks is None
    assert gone.status.startswith("Passed on to Carol (carol@example.com). It waits for")
    assert mail.card_of(CAROL.email).asks == "decision"


async def test_who_gets_a_place_back_has_the_old_card_again_and_no_other() -> None:
    world, mail, approval_id = await asked(step(AMARA, BO, needed=2))
    await world.reassign(approval_id, BO, CAROL)
    await world.deliver()
    await world.reassign(approval_id, CAROL, BO)
    await world.deliver()
    assert mail.sends == [AMARA.email, BO.email, CAROL.email]
    assert (mail.card_of(BO.email).asks, mail.card_of(CAROL.email).asks) == ("decision", None)


async def test_who_is_away_reads_who_stands_in_and_the_other_for_whom() -> None:
    world, mail, approval_id = await asked(step(AMARA, BO, needed=2))
    await world.reassign(approval_id, BO, DAVE, cause="delegated")
    await world.deliver()
    assert mail.card_of(BO.email).status.startswith(
        "dave@example.com stands in for you. You may still answer in Placet."
    )
    assert mail.card_of(DAVE.email).status.startswith(
        "You stand in for Bo (bo@example.com), who is away. Waiting for you and amara@example.com."
    )
    assert "Dave (dave@example.com) for bo@example.com" in mail.card_of(AMARA.email).approvers


async def test_who_stood_in_answered_in_ones_place() -> None:
    world, mail, approval_id = await asked(step(AMARA, BO, needed=2))
    await world.reassign(approval_id, BO, DAVE, cause="delegated")
    await world.answer(approval_id, DAVE)
    await world.deliver()
    assert mail.card_of(BO.email).status == (
        "dave@example.com approved this in your place. It waits for amara@example.com."
    )


async def test_who_counts_in_a_place_of_their_own_leaves_the_other_to_whom_they_stood_in_for() -> (
    None
):
    seats = (Seat(person=AMARA), Seat(person=BO, held_by=AMARA))
    both = Step(name="managers", rule="all", needed=2, deny=1, seats=seats)
    world, mail, approval_id = await asked(both)
    assert mail.sends == [AMARA.email]
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert mail.sends == [AMARA.email, BO.email]
    assert mail.card_of(BO.email).status.startswith("Waiting for you.")
    assert mail.card_of(AMARA.email).status == "You approved this. It waits for bo@example.com."


async def test_an_escalation_asks_more_people_and_leaves_the_others_asked() -> None:
    world, mail, approval_id = await asked(step(AMARA, BO))
    await world.escalate(approval_id, CAROL)
    await world.deliver()
    assert mail.sends == [AMARA.email, BO.email, CAROL.email]
    for one in (AMARA, BO, CAROL):
        card = mail.card_of(one.email)
        assert card.asks == "decision"
        assert CAROL.email in card.approvers[-1]


async def test_what_a_policy_warned_of_stands_on_the_card() -> None:
    _, mail, _ = await asked(step(AMARA), warnings=["The condition failed: no such field."])
    assert mail.card_of(AMARA.email).warnings == ("The condition failed: no such field.",)


async def test_the_inbox_is_told_of_the_next_step_as_any_channel() -> None:
    world = World([InboxChannel()])
    approval_id = await world.ask(AMARA, steps=TWO_STEPS)
    await world.deliver()
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert [row[0] for row in world.cards.shown()] == [AMARA.email, BO.email, CAROL.email]


async def test_a_later_step_and_a_stand_in_leave_notes_in_the_source_and_it_is_read_once() -> None:
    mail, source = FakeChannel(), FakeSource()
    world = World([mail], [source])
    approval_id = await world.ask(AMARA, source="expenses", steps=TWO_STEPS)
    await world.deliver()
    await world.reassign(approval_id, BO, DAVE, cause="delegated")
    await world.deliver()
    await world.answer(approval_id, AMARA)
    await world.deliver()
    assert [note.split()[2] for note in source.notes] == [
        AMARA.email,
        BO.email,
        DAVE.email,
        CAROL.email,
    ]
    assert source.reads == 1


async def test_a_note_about_who_has_answered_meanwhile_is_still_left() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.trouble = lambda what: ChannelUnavailable("down") if what == "note" else None
    world = World([mail], [source])
    approval_id = await world.ask(AMARA, source="expenses", steps=TWO_OF_THREE)
    await world.deliver()
    await world.answer(approval_id, AMARA)
    source.trouble = lambda _: None
    await world.deliver()
    await world.retry_until_quiet(60)
    assert sorted(note.split()[2] for note in source.notes) == [
        AMARA.email,
        BO.email,
        CAROL.email,
    ]


async def test_somebody_who_could_not_be_told_and_lost_the_place_is_told_when_it_comes_back() -> (
    None
):
    mail = FakeChannel()
    world = World([mail])
    mail.trouble = lambda *_: ChannelUnavailable("down")
    approval_id = await world.ask(AMARA, steps=(step(AMARA, BO, needed=2),))
    await world.deliver()
    await world.reassign(approval_id, BO, CAROL)
    mail.trouble = lambda *_: None
    await world.deliver()
    await world.retry_until_quiet(120)
    assert BO.email not in mail.sends
    await world.reassign(approval_id, CAROL, BO)
    await world.deliver()
    await world.retry_until_quiet(1000)
    assert sorted(mail.sends) == [AMARA.email, BO.email, CAROL.email]


async def test_a_card_that_left_before_a_kill_and_whose_place_went_on_is_found_and_says_so() -> (
    None
):
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA)
    world.cards.fail_next_remember = Unavailable("killed")
    with pytest.raises(Unavailable):
        await world.deliver()
    world.restart()
    await world.reassign(approval_id, AMARA, CAROL)
    await world.deliver()
    await world.retry_until_quiet(64)
    assert mail.sends == [AMARA.email, CAROL.email]
    assert mail.card_of(AMARA.email).status.startswith("Passed on to Carol")


async def test_a_card_that_was_kept_and_not_recorded_is_recorded_when_its_turn_comes_again() -> (
    None
):
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(AMARA)
    append = world.store.append

    async def killed(*_: object) -> None:
        raise Unavailable("killed")

    world.store.append = killed  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        await world.deliver()
    world.store.append = append  # type: ignore[method-assign]
    await world.ask_back(approval_id, "Who was there?")
    await world.retry_until_quiet(64)
    await world.answer_back(approval_id, "The client.")
    await world.deliver()
    assert mail.sends.count(AMARA.email) == 1
    assert (await world.types(approval_id)).count("notified") == 1
