"""A channel that is away or refuses holds up nobody else, and is tried for a bounded time."""

import asyncio
import logging

import pytest

from events.approval import NotificationFailed
from services.channels import ChannelRefused, ChannelUnavailable
from services.notifier import attending, notify, outside
from services.notifier.ledger import DELAYS_S, LONGEST_DELAY_S, delay
from services.notifier.outside import Away, Outside
from tests.notifier.fakes import AMARA, BO, Clock, FakeChannel, FakeSource, World


async def test_a_channel_that_is_away_gets_the_card_when_it_is_back() -> None:
    mail, chat = FakeChannel("mail"), FakeChannel("chat")
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail, chat])
    approval_id = await world.ask()
    await world.deliver()
    assert (mail.sends, chat.sends) == ([], ["amara@example.com"])
    await world.retry_until_quiet(60)
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(60)
    assert (mail.sends, chat.sends) == (["amara@example.com"], ["amara@example.com"])
    assert (await world.types(approval_id)) == ["requested", "notified", "notified"]


async def test_one_approval_that_a_channel_cannot_take_now_holds_up_no_other() -> None:
    mail = FakeChannel()
    world = World([mail])
    stuck = await world.ask()
    await world.ask()
    mail.trouble = lambda _, approval: (
        ChannelUnavailable("busy mailbox") if approval == stuck else None
    )
    await world.deliver()
    assert len(mail.sends) == 1


async def test_a_channel_is_not_asked_again_before_the_time_it_named() -> None:
    mail = FakeChannel()
    asked: list[float] = []
    world = World([mail])

    def trouble(*_: str) -> Exception:
        asked.append((world.clock() - start).total_seconds())
        return ChannelUnavailable("slow down", retry_after=90)

    start = world.clock()
    mail.trouble = trouble
    await world.ask()
    await world.ask()
    await world.deliver()
    await world.retry_until_quiet(200)
    assert len(asked) == 3, "one at first, the other was spared; then one each 90 seconds"
    assert asked[1] >= 90
    assert asked[2] >= asked[1] + 90


async def test_a_card_is_given_up_after_a_day_and_the_history_says_why() -> None:
    mail = FakeChannel()
    tries = 0

    def trouble(*_: str) -> Exception:
        nonlocal tries
        tries += 1
        return ChannelUnavailable("no route to host")

    mail.trouble = trouble
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    for _ in range(300):
        world.clock.forward(300)
        await world.notifier.retry_due()
    failed = (await world.stream(approval_id))[-1].event
    assert isinstance(failed, NotificationFailed)
    assert failed.reason == (
        "Given up after a day: no route to host. "
        "It may have arrived all the same: the channel cannot tell."
    )
    assert 50 < tries < 200, "at most every quarter of an hour"
    before = tries
    await world.replay()
    world.clock.forward(3600)
    await world.notifier.retry_due()
    assert tries == before, "given up is given up"
    assert (await world.types(approval_id)) == ["requested", "notification_failed"]


async def test_a_channel_that_refuses_is_not_tried_again() -> None:
    mail, chat = FakeChannel("mail"), FakeChannel("chat")
    mail.trouble = lambda *_: ChannelRefused("bo@example.com is not known here")
    world = World([mail, chat])
    approval_id = await world.ask(BO)
    await world.deliver()
    await world.retry_until_quiet(120)
    await world.replay()
    assert (await world.types(approval_id)) == ["requested", "notification_failed", "notified"]
    failed = (await world.stream(approval_id))[1]
    assert isinstance(failed.event, NotificationFailed)
    assert failed.event.reason == "bo@example.com is not known here"
    assert failed.command_id == "card_failed.bo@example.com.mail.1"
    assert chat.sends == ["bo@example.com"]


async def test_a_new_revision_is_tried_again_on_a_channel_that_refused_the_old() -> None:
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelRefused("too large")
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    mail.trouble = lambda *_: None
    await world.revise(approval_id, payload={"a": "smaller"}, revision="2")
    await world.deliver()
    assert mail.sends == ["amara@example.com"]


async def test_a_fault_in_a_channels_own_code_costs_neither_batch_nor_card(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mail, chat = FakeChannel("mail"), FakeChannel("chat")
    mail.trouble = lambda *_: KeyError("oops")
    world = World([mail, chat])
    await world.ask()
    await world.deliver()
    assert chat.sends == ["amara@example.com"]
    assert "channel mail failed" in caplog.text
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(4)
    assert mail.sends == ["amara@example.com"]


async def test_a_channel_that_hangs_is_left_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "TIMEOUT_S", 0.05)
    mail, chat = FakeChannel("mail"), FakeChannel("chat")

    async def hang(_: str) -> None:
        await asyncio.sleep(60)

    mail.meanwhile = hang
    world = World([mail, chat])
    approval_id = await world.ask()
    await world.deliver()
    assert (await world.types(approval_id)) == ["requested", "notified"]
    mail.meanwhile = None
    await world.retry_until_quiet(4)
    assert len(mail.messages) == 1


async def test_while_an_answer_is_written_back_a_card_that_waits_is_left_alone() -> None:
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.answer(approval_id)
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(30)
    assert mail.sends == []
    await world.fail_write_back(approval_id)
    await world.deliver()
    await world.retry_until_quiet(30)
    assert mail.sends == ["amara@example.com"]


async def test_a_card_of_an_old_revision_that_still_waits_is_dropped() -> None:
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelUnavailable("down", retry_after=30)
    world = World([mail])
    approval_id = await world.ask()
    await world.deliver()
    await world.revise(approval_id, payload={"a": 1}, revision="2")
    mail.trouble = lambda *_: None
    world.clock.forward(31)
    await world.deliver()
    await world.retry_until_quiet(60)
    assert [sent.card.shown for sent in mail.messages.values()] == ["open"]
    assert {held.state for held in world.effects.held.values()} == {"failed", "done"}


async def test_what_a_batch_has_no_time_for_is_done_right_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mail = FakeChannel()
    world = World([mail], [FakeSource()])
    plain, mirrored = await world.ask(), await world.ask(source="expenses")
    with monkeypatch.context() as slow:
        slow.setattr(attending, "BUDGET_S", -1.0)
        await world.deliver()
    assert mail.sends == []
    await world.retry_until_quiet(2)
    assert sorted(one.approval_id for one in mail.messages.values()) == [plain, mirrored]
    await world.answer(plain)
    with monkeypatch.context() as slow:
        slow.setattr(attending, "BUDGET_S", -1.0)
        await world.deliver()
    await world.retry_until_quiet(2)
    assert mail.messages[f"{plain}.1.card:mail:amara@example.com"].shown == "settled"
    assert set(world.effects.states().values()) == {"done"}


async def test_one_approval_that_cannot_be_retried_does_not_stand_before_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail])
    bad, good = await world.ask(AMARA), await world.ask(AMARA)
    await world.deliver()
    mail.trouble = lambda *_: None
    world.store._streams["acme", bad].append((await world.stream(bad))[0])
    world.clock.forward(2)
    await world.notifier.retry_due()
    assert [one.approval_id for one in mail.messages.values()] == [good]
    assert f"{bad}: what is due could not be done" in caplog.text
    assert await world.notifier.retry_due() == 0, "it waits for its next turn"


async def test_the_retry_loop_survives_whatever_happens_and_ends_when_cancelled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "RETRY_EVERY_S", 0.005)
    mail = FakeChannel()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail])
    await world.ask()
    await world.deliver()
    due, failures = world.backlog.due, iter([RuntimeError("odd"), ChannelUnavailable("away")])

    async def broken(limit: int) -> object:
        error = next(failures, None)
        if error is not None:
            raise error
        return await due(limit)

    world.backlog.due = broken  # type: ignore[method-assign,assignment]
    mail.trouble = lambda *_: None
    sent = asyncio.Event()
    mail.after_send = sent.set
    world.clock.forward(2)
    loop = asyncio.create_task(world.notifier.run_retries())
    async with asyncio.timeout(5):
        await sent.wait()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert "retries of cards wait: away" in caplog.text


async def test_each_card_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World([FakeChannel()])
    approval_id = await world.ask()
    await world.deliver()
    assert f"{approval_id}: amara@example.com was asked by mail (revision 1)" in caplog.messages


async def test_a_system_is_called_by_a_few_at_a_time() -> None:
    system, running, most = Outside("mail", Clock()), 0, 0

    async def call() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    await asyncio.gather(*(system.call(call) for _ in range(12)))
    assert most == outside.PARALLEL


async def test_after_three_failures_the_others_are_spared_for_a_moment() -> None:
    clock = Clock()
    system, calls = Outside("mail", clock), 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise ChannelUnavailable("down")

    for _ in range(10):
        with pytest.raises(Away):
            await system.call(call)
    assert calls == outside.FAILURES
    clock.forward(outside.REST_S)
    with pytest.raises(Away):
        await system.call(call)
    assert calls == outside.FAILURES + 1


async def test_where_a_system_wants_no_more_of_one_method_the_others_are_called() -> None:
    clock = Clock()
    system, edits = Outside("chat", clock), 0

    async def edit() -> None:
        nonlocal edits
        edits += 1
        raise ChannelUnavailable("slow down", retry_after=30, one_method=True)

    async def send() -> str:
        return "sent"

    for _ in range(outside.FAILURES + 1):
        with pytest.raises(Away) as told:
            await system.call(edit, method="update")
        assert not told.value.perhaps_done
        assert await system.call(send, method="send") == "sent"
    assert edits == 1
    clock.forward(30)
    with pytest.raises(Away):
        await system.call(edit, method="update")
    assert edits == 2


async def test_where_a_system_wants_nothing_at_all_every_method_rests() -> None:
    system, calls = Outside("chat", Clock()), 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise ChannelUnavailable("slow down", retry_after=30)

    for method in ("update", "send", "find"):
        with pytest.raises(Away):
            await system.call(call, method=method)
    assert calls == 1


async def test_a_chat_that_wants_no_more_edits_still_gets_new_cards() -> None:
    chat = FakeChannel("chat")
    world = World([chat])
    first = await world.ask()
    await world.deliver()
    chat.trouble = lambda what, _: (
        ChannelUnavailable("slow down", retry_after=90, one_method=True)
        if what == "update"
        else None
    )
    await world.withdraw(first)
    await world.deliver()
    await world.ask()
    await world.deliver()
    assert len(chat.sends) == 2


def test_waits_grow_and_are_bounded() -> None:
    assert [delay(n, None) for n in (1, 2, 100)] == [DELAYS_S[0], DELAYS_S[1], DELAYS_S[-1]]
    assert delay(1, 45.0) == 45.0
    assert delay(1, 10.0**9) == LONGEST_DELAY_S
