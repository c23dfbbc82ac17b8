"""The outbox on a real Postgres, and the mailbox that reads it."""

import asyncio

import pytest

from events.store.database import Database
from projections.cursors import BadCursor
from services.channels import ChannelRefused, Recipient
from services.channels.outbox import Mailbox, OutboxChannel
from tests.channels.views import AMARA, card_of, view

TO = Recipient(email=AMARA)


async def send(outbox: OutboxChannel, key: str, approver: str = AMARA, **changes: object) -> str:
    reference = await outbox.send(
        card_of(view(**changes)),
        to=Recipient(email=approver),
        workspace=str(changes.get("workspace", "acme")),
        idempotency_key=key,
    )
    assert reference is not None
    return reference


async def test_a_card_becomes_a_message(worker_db: Database, app_db: Database) -> None:
    reference = await send(OutboxChannel(worker_db), "one")
    message = await Mailbox(app_db).get("acme", reference)
    assert message is not None
    assert (message.approver, message.shown) == (AMARA, "open")
    assert message.subject == "To approve: Expense report EXP-1"
    assert "750.50 USD" in message.body_text
    assert message.body_html.startswith("<!doctype html>")
    assert message.sent_at == message.updated_at


async def test_the_same_key_is_the_same_message(worker_db: Database, app_db: Database) -> None:
    outbox = OutboxChannel(worker_db)
    references = await asyncio.gather(*(send(outbox, "one", title=f"try {n}") for n in range(4)))
    assert len(set(references)) == 1
    assert len((await Mailbox(app_db).list("acme", None, limit=9, cursor=None)).messages) == 1


async def test_an_edit_changes_the_message_and_sends_no_other(
    worker_db: Database, app_db: Database
) -> None:
    outbox, mailbox = OutboxChannel(worker_db), Mailbox(app_db)
    reference = await send(outbox, "one")
    settled = card_of(view(status="expired"))
    for _ in range(2):
        await outbox.update(reference, settled, to=TO, workspace="acme")
    message = await mailbox.get("acme", reference)
    assert message is not None
    assert (message.subject, message.shown) == ("Settled: Expense report EXP-1", "settled")
    assert "nobody decided in time" in message.body_text
    assert "nobody decided in time" in message.body_html
    assert message.updated_at > message.sent_at
    assert len((await mailbox.list("acme", None, limit=9, cursor=None)).messages) == 1


async def test_a_message_is_found_by_the_key_it_was_sent_with(worker_db: Database) -> None:
    outbox = OutboxChannel(worker_db)
    assert await outbox.find("one", to=TO, workspace="acme") is None
    reference = await send(outbox, "one")
    assert await outbox.find("one", to=TO, workspace="acme") == reference
    assert await outbox.find("one", to=TO, workspace="other") is None


async def test_a_message_that_is_not_there_cannot_be_edited(worker_db: Database) -> None:
    outbox = OutboxChannel(worker_db)
    with pytest.raises(ChannelRefused, match="no message abc"):
        await outbox.update("abc", card_of(), to=TO, workspace="acme")
    await outbox.update(None, card_of(), to=TO, workspace="acme")


async def remind(outbox: OutboxChannel, reference: str | None, key: str) -> None:
    await outbox.remind(
        reference,
        card_of(),
        to=TO,
        workspace="acme",
        idempotency_key=key,
    )


async def test_a_reminder_is_a_short_message_beside_the_first_one_and_ends_with_it(
    worker_db: Database, app_db: Database
) -> None:
    outbox, mailbox = OutboxChannel(worker_db), Mailbox(app_db)
    reference, other = await send(outbox, "one"), await send(outbox, "two")
    for key in ("1", "1", "2"):
        await remind(outbox, reference, key)
    await remind(outbox, other, "3")
    messages = (await mailbox.list("acme", AMARA, limit=9, cursor=None)).messages
    assert [one.subject for one in messages].count("Reminder: Expense report EXP-1") == 3
    message = await mailbox.get("acme", messages[0].message_id)
    assert message is not None
    assert message.body_text == (
        "Expense report EXP-1\n"
        "\n"
        "This still waits for you.\n"
        "Answer by: 2026-12-20 17:00 UTC (29 days left when this was written)\n"
        "\n"
        "In Placet: https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL\n"
    )
    assert "This still waits for you." in message.body_html
    await outbox.update(reference, card_of(view(status="expired")), to=TO, workspace="acme")
    messages = (await mailbox.list("acme", AMARA, limit=9, cursor=None)).messages
    assert {one.shown for one in messages if one.message_id.startswith(reference)} == {"settled"}
    assert {one.shown for one in messages if one.message_id.startswith(other)} == {"open"}
    with pytest.raises(ChannelRefused):
        await remind(outbox, None, "4")


async def test_text_that_postgres_cannot_hold_is_sent_all_the_same(
    worker_db: Database, app_db: Database
) -> None:
    reference = await send(
        OutboxChannel(worker_db), "one", title="nul \0 half \ud800", payload={"a\0": "b\0\udfff"}
    )
    message = await Mailbox(app_db).get("acme", reference)
    assert message is not None
    assert "nul \N{REPLACEMENT CHARACTER} half" in message.subject


async def test_pages_go_from_new_to_old_without_gaps(worker_db: Database, app_db: Database) -> None:
    outbox, mailbox = OutboxChannel(worker_db), Mailbox(app_db)
    sent = [await send(outbox, f"{n}", "bo@example.com" if n % 2 else AMARA) for n in range(5)]
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        page = await mailbox.list("acme", None, limit=2, cursor=cursor)
        seen += [one.message_id for one in page.messages]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sent[::-1]
    own = await mailbox.list("acme", "bo@example.com", limit=9, cursor=None)
    assert [one.message_id for one in own.messages] == [sent[3], sent[1]]
    assert own.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "MjAyNg", "bm8gdGltZSBhdCBhbGw", "ü"])
async def test_a_cursor_that_is_none_of_ours_is_refused(app_db: Database, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await Mailbox(app_db).list("acme", None, limit=2, cursor=cursor)


async def test_one_workspace_never_sees_the_mail_of_another(
    worker_db: Database, app_db: Database
) -> None:
    outbox, mailbox = OutboxChannel(worker_db), Mailbox(app_db)
    reference = await send(outbox, "one", workspace="acme")
    assert await mailbox.get("other", reference) is None
    assert (await mailbox.list("other", None, limit=9, cursor=None)).messages == ()
    with pytest.raises(ChannelRefused):
        await outbox.update(reference, card_of(), to=TO, workspace="other")
    async with app_db.workspace("other") as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox_messages") == 0
