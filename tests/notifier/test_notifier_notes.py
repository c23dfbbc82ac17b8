"""The work note in the source: the second lock against asking twice."""

from services.channels import ChannelUnavailable
from services.notifier import outside
from services.sources import SourceRefused, SourceUnavailable
from tests.notifier.fakes import AMARA, BO, FakeChannel, FakeSource, World, away


class Killed(BaseException):
    """As far as anybody can catch a kill -9."""


def mark(approver: str, approval_id: str, revision: int, round_: int) -> str:
    return (
        f"Placet asked {approver} to approve this "
        f"(approval {approval_id}, revision {revision}, round {round_})."
    )


async def test_after_the_cards_one_note_for_each_approver_is_left_in_the_source() -> None:
    mail, chat, source = FakeChannel("mail"), FakeChannel("chat"), FakeSource()
    world = World([mail, chat], [source])
    approval_id = await world.ask(AMARA, BO, source="expenses")
    await world.deliver()
    await world.replay()
    await world.retry_until_quiet(70)
    assert source.notes == [
        mark("amara@example.com", approval_id, 1, 1),
        mark("bo@example.com", approval_id, 1, 1),
    ]
    assert source.note_keys[0] == f"{approval_id}.1.card_note:amara@example.com"
    assert source.reads == 1, "only before the first card"


async def test_a_mark_in_the_source_stands_in_for_what_was_lost_here() -> None:
    mail, source = FakeChannel(), FakeSource()
    world = World([mail], [source])
    approval_id = await world.ask(source="expenses")
    marked = mark("amara@example.com", approval_id, 1, 1)
    as_the_source_shows_it = marked.replace("approve ", "approve\n").replace(" 1,", "&nbsp;1,")
    source.notes = ["a note of somebody", f"<b>{as_the_source_shows_it}</b>"]
    await world.deliver()
    assert mail.sends == []
    assert (await world.types(approval_id)) == ["requested", "notified"], "recorded all the same"
    assert len(source.notes) == 2, "and not marked again"
    await world.retry_until_quiet(70)
    assert mail.sends == []


async def test_a_mark_counts_for_its_approver_revision_and_approval_alone() -> None:
    mail, source = FakeChannel(), FakeSource()
    world = World([mail], [source])
    approval_id = await world.ask(AMARA, BO, source="expenses", revision="2")
    source.notes = [
        mark("amara@example.com", approval_id, 1, 1),
        mark("amara@example.com", approval_id, 2, 2),
        mark("amara@example.com", "x" * 27, 2, 1),
        mark("bo@example.com", approval_id, 2, 1),
    ]
    await world.deliver()
    assert mail.sends == ["amara@example.com"]


async def test_with_what_was_written_down_here_the_mark_is_not_asked_for() -> None:
    """A note of ours must not stop a card of ours that is still to be sent."""
    mail, chat, source = FakeChannel("mail"), FakeChannel("chat"), FakeSource()
    mail.trouble = lambda *_: ChannelUnavailable("down")
    world = World([mail, chat], [source])
    await world.ask(source="expenses")
    await world.deliver()
    assert len(source.notes) == 1, "the chat card is out"
    mail.trouble = lambda *_: None
    await world.retry_until_quiet(10)
    assert mail.sends == ["amara@example.com"]


async def test_no_card_goes_out_for_a_record_that_is_settled_already() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.state = "settled"
    world = World([mail], [source])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.retry_until_quiet(30)
    assert mail.sends == []
    await world.settle_in_source(approval_id)
    await world.deliver()
    await world.retry_until_quiet(70)
    assert (mail.sends, source.notes) == ([], [])
    assert set(world.effects.states().values()) == {"done"}


async def test_a_record_that_is_pending_after_all_is_asked_about_within_a_minute() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.state = "settled"
    world = World([mail], [source])
    await world.ask(source="expenses")
    await world.deliver()
    source.state = "pending"
    await world.retry_until_quiet(62)
    assert mail.sends == ["amara@example.com"]


async def test_a_source_that_is_away_delays_cards_only_for_a_moment() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.trouble = away
    world = World([mail], [source])
    await world.ask(source="expenses")
    await world.deliver()
    assert mail.sends == []
    await world.retry_until_quiet(12)
    assert mail.sends == ["amara@example.com"]
    assert source.reads == 3
    source.trouble = lambda _: None
    await world.retry_until_quiet(120)
    assert len(source.notes) == 1, "the note follows when the source is back"


async def test_a_source_that_cannot_map_the_record_does_not_keep_cards_back() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.trouble = lambda what: SourceRefused("no field `amount`") if what == "read" else None
    world = World([mail], [source])
    await world.ask(source="expenses")
    await world.deliver()
    assert mail.sends == ["amara@example.com"]


async def test_a_note_that_fails_blocks_no_card_and_is_left_later_once() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.trouble = lambda what: away(what) if what == "note" else None
    world = World([mail], [source])
    await world.ask(source="expenses")
    await world.deliver()
    assert (mail.sends, source.notes) == (["amara@example.com"], [])
    source.trouble = lambda _: None
    await world.retry_until_quiet(30)
    assert len(source.notes) == 1


async def test_a_note_whose_answer_was_lost_is_not_left_twice() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.after_note = lambda: SourceUnavailable("connection cut", may_have_written=True)
    world = World([mail], [source])
    await world.ask(source="expenses")
    await world.deliver()
    source.after_note = lambda: None
    await world.retry_until_quiet(30)
    assert len(source.notes) == 1
    assert set(world.effects.states().values()) == {"done"}


async def test_a_source_that_takes_no_notes_is_not_asked_for_ever() -> None:
    mail, source = FakeChannel(), FakeSource()
    tries = 0

    def refuse(what: str) -> Exception | None:
        nonlocal tries
        tries += what == "note"
        return SourceRefused("notes are closed") if what == "note" else None

    source.trouble = refuse
    world = World([mail], [source])
    await world.ask(source="expenses")
    await world.deliver()
    await world.retry_until_quiet(120)
    assert tries == 1


async def test_a_note_is_not_left_about_what_is_settled_by_then() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.trouble = lambda what: away(what) if what == "note" else None
    world = World([mail], [source])
    approval_id = await world.ask(source="expenses")
    await world.deliver()
    await world.settle_in_source(approval_id)
    source.trouble = lambda _: None
    await world.deliver()
    await world.retry_until_quiet(30)
    assert source.notes == []
    assert world.effects.states()["card_note:amara@example.com"] == "failed"


async def test_an_approval_without_a_configured_source_needs_no_lock() -> None:
    mail = FakeChannel()
    world = World([mail], [FakeSource(workspace="another")])
    await world.ask(source="expenses")
    await world.deliver()
    assert mail.sends == ["amara@example.com"]
    assert world.effects.states() == {"card:mail:amara@example.com": "done"}


async def test_thirty_approvals_at_the_start_ask_their_source_a_few_at_a_time() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.pause_s = 0.005
    world = World([mail], [source])
    for _ in range(30):
        await world.ask(source="expenses")
    await world.deliver()
    assert len(mail.sends) == 30
    assert source.most_under_way == outside.PARALLEL
    assert len(source.notes) == 30


async def test_a_source_that_is_down_costs_a_batch_a_few_calls_not_one_each() -> None:
    mail, source = FakeChannel(), FakeSource()
    source.trouble = away
    world = World([mail], [source])
    for _ in range(30):
        await world.ask(source="expenses")
    await world.deliver()
    assert source.reads <= outside.FAILURES + outside.PARALLEL
    await world.retry_until_quiet(60)
    assert len(mail.sends) == 30


async def test_a_kill_in_the_middle_of_many_approvers_goes_on_where_it_was() -> None:
    mail, source = FakeChannel(), FakeSource()
    world = World([mail], [source])
    approval_id = await world.ask(AMARA, BO, source="expenses")
    append, appended = world.store.append, 0

    async def killed(workspace: str, appends: object) -> None:
        nonlocal appended
        appended += 1
        if appended > 1:
            raise Killed
        await append(workspace, appends)  # type: ignore[arg-type]

    world.store.append = killed  # type: ignore[method-assign]
    try:
        await world.deliver()
    except Killed:
        world.restart()
    world.store.append = append  # type: ignore[method-assign]
    await world.replay()
    await world.retry_until_quiet(130)
    assert [one.approver for one in mail.messages.values()] == [AMARA.email, BO.email]
    assert (await world.types(approval_id)) == ["requested", "notified", "notified"]
    assert len(source.notes) == 2
