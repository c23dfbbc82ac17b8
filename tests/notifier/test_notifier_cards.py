"""One card for each approver, channel and revision, whatever is repeated."""

import pytest

from events.approval import ApproverNotified
from events.kafka.consumer import Delivered
from events.store import Unavailable
from services.channels.inbox import InboxChannel
from services.sources.definition import Card
from services.sources.templates import compiled
from tests.notifier.fakes import AMARA, BO, WORKSPACE, FakeChannel, FakeSource, World, message


async def test_each_approver_gets_one_card_on_each_channel() -> None:
    mail, chat = FakeChannel("mail"), FakeChannel("chat")
    world = World([mail, chat])
    approval_id = await world.ask(AMARA, BO)
    await world.deliver()
    assert mail.sends == ["amara@example.com", "bo@example.com"]
    assert chat.sends == ["amara@example.com", "bo@example.com"]
    assert (await world.types(approval_id)) == ["requested", *["notified"] * 4]


async def test_the_event_of_a_card_tells_what_was_shown_and_where_to_find_it() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    recorded = (await world.stream(approval_id))[1]
    sent = mail.messages[f"{approval_id}.1.card:mail:amara@example.com"]
    assert isinstance(recorded.event, ApproverNotified)
    assert recorded.event.card_digest == sent.card.digest
    assert recorded.event.reference == sent.key
    assert recorded.command_id == "card.amara@example.com.mail.1"


async def test_a_card_is_drawn_by_the_template_of_its_source_or_of_its_type() -> None:
    def template(title: str) -> Card:
        return Card.model_construct(title=compiled(title), body=compiled("{{title}}"))

    mail, source = FakeChannel(), FakeSource()
    world = World(
        [mail],
        [source],
        {(WORKSPACE, source.name): template("A record: {{description}}")},
        {(WORKSPACE, "expense"): template("An ask: {{description}}")},
    )
    asked = await world.ask(payload={"description": "Oslo"})
    mirrored = await world.ask(source=source.name, payload={"description": "Rome"})
    await world.deliver()
    titles = {sent.approval_id: sent.card.title for sent in mail.messages.values()}
    assert titles == {asked: "An ask: Oslo", mirrored: "A record: Rome"}


async def test_the_inbox_is_a_channel_whose_card_is_the_queue() -> None:
    world = World([InboxChannel()])
    approval_id = await world.ask()
    await world.deliver()
    assert (await world.types(approval_id)) == ["requested", "notified"]
    await world.answer(approval_id)
    await world.deliver()
    assert world.cards.shown() == [("amara@example.com", "inbox", "1", "settled")]


async def test_a_replay_of_the_whole_log_sends_nothing() -> None:
    mail, source = FakeChannel(), FakeSource()
    world = World([mail, InboxChannel()], [source])
    pending = await world.ask()
    settled = await world.ask()
    await world.ask(source="expenses")
    await world.deliver()
    await world.answer(settled)
    await world.deliver()
    sends, updates, reads = len(mail.sends), len(mail.updates), source.reads
    calls = world.effects.calls
    versions = {one: await world.types(one) for one in (pending, settled)}
    world.restart()
    await world.replay()
    await world.replay()
    assert (len(mail.sends), len(mail.updates), source.reads) == (sends, updates, reads)
    assert world.effects.calls == calls, "a replay does not even ask what was written down"
    assert versions == {one: await world.types(one) for one in (pending, settled)}


async def test_a_replay_of_a_plain_ask_does_not_even_draw_its_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World([FakeChannel()])
    await world.ask(AMARA, BO)
    await world.deliver()
    monkeypatch.setattr("services.notifier.drawing.make_card", None)
    await world.replay()


async def test_a_replay_that_lost_its_effects_sends_nothing_either() -> None:
    mail = FakeChannel()
    world = World([mail])
    await world.ask()
    await world.deliver()
    world.forget_effects()
    await world.replay()
    assert mail.sends == ["amara@example.com"]


async def test_each_message_twice_is_each_card_once() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    batch = [message(one) for one in await world.stream(approval_id)]
    await world.notifier.handle(batch * 2)
    await world.notifier.handle(batch)
    assert mail.sends == ["amara@example.com"]


async def test_two_notifiers_at_once_send_one_card() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    batch = [message(one) for one in await world.stream(approval_id)]
    first = world.notifier

    async def second(_: str) -> None:
        mail.meanwhile = None
        world.restart()
        await world.notifier.handle(batch)

    mail.meanwhile = second
    await first.handle(batch)
    assert mail.sends == ["amara@example.com"]
    assert (await world.types(approval_id)) == ["requested", "notified"]


async def test_what_was_settled_before_we_looked_is_not_asked_any_more() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    await world.answer(approval_id)
    await world.deliver()
    assert mail.sends == []


async def test_nothing_is_sent_while_an_answer_is_being_written_back() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.answer(approval_id)
    await world.deliver()
    assert mail.sends == []


async def test_a_kill_between_send_and_record_makes_no_second_card() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    world.cards.fail_next_remember = Unavailable("killed")
    with pytest.raises(Unavailable):
        await world.deliver()
    assert mail.sends == ["amara@example.com"]
    world.restart()
    await world.replay()
    assert (await world.types(approval_id)) == ["requested"], "the lease is not over"
    await world.retry_until_quiet(62)
    assert len(mail.messages) == 1, "the same key, the same card"
    assert (await world.types(approval_id)) == ["requested", "notified"]
    assert set(world.effects.states().values()) == {"done"}


async def test_a_kill_after_the_card_was_kept_only_records_it() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    append = world.store.append

    async def killed(*_: object) -> None:
        raise Unavailable("killed")

    world.store.append = killed  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        await world.deliver()
    world.store.append = append  # type: ignore[method-assign]
    await world.retry_until_quiet(62)
    assert mail.sends == ["amara@example.com"]
    assert (await world.types(approval_id)) == ["requested", "notified"]


async def test_a_store_that_is_away_is_told_to_the_consumer_after_the_others_had_their_turn() -> (
    None
):
    mail = FakeChannel()
    world = World([mail])
    await world.ask()
    await world.ask()
    world.cards.fail_next_remember = Unavailable("gone for a moment")
    with pytest.raises(Unavailable, match="gone for a moment"):
        await world.deliver()
    assert len(mail.sends) == 2


async def test_a_message_that_is_no_event_is_handed_back_with_its_reason() -> None:
    mail = FakeChannel()
    world = World([mail])
    approval_id = await world.ask()
    poison = Delivered("approval.log", 0, 7, b"x", b"{", [("ce_type", b"approval.requested")])
    good = [message(one) for one in await world.stream(approval_id)]
    rejected = await world.notifier.handle([poison, *good])
    assert [(one.message, "ce_streamversion" in one.reason) for one in rejected] == [(poison, True)]
    assert mail.sends == ["amara@example.com"]


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'mail'"):
        World([FakeChannel("mail"), FakeChannel("mail")])


async def test_the_sweep_finds_what_no_message_told_of() -> None:
    mail = FakeChannel()
    world = World([mail])
    lost = await world.ask()
    world.backlog.astray = [(WORKSPACE, lost)]
    assert await world.notifier.sweep() == 1
    assert mail.sends == ["amara@example.com"]


async def test_one_bad_approval_does_not_end_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    mail = FakeChannel()
    world = World([mail])
    bad, good = await world.ask(), await world.ask()
    stream = world.store._streams[WORKSPACE, bad]
    stream.append(stream[0])
    world.backlog.astray = [(WORKSPACE, bad), (WORKSPACE, good)]
    await world.notifier.sweep()
    assert [sent.approval_id for sent in mail.messages.values()] == [good]
    assert f"{bad}: the sweep passes it by" in caplog.text
