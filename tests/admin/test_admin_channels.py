"""The page of channels: what each took, gave up, and still has to send."""

from tests.admin.admin_kit import HOSTILE, House
from tests.admin.test_admin_sources import measure
from tests.pages.reader import Element

CARD = """
INSERT INTO cards (workspace, approval_id, approver, channel, revision, digest, shown, sent_at)
SELECT $1, 'a' || n, 'ann@example.com', $2, '1', '', 'open', now() - $3::text::interval
FROM generate_series(1, $4::integer) n
"""
EFFECT = """
INSERT INTO effects (workspace, approval_id, version, effect, state, attempts, first_at, due_at,
    last_error)
SELECT $1, 'a' || n, 1, $2 || n, $3, $4, now() - $5::text::interval, now(), $6
FROM generate_series(1, $7::integer) n
"""


def card_of(page: Element, name: str) -> Element:
    (found,) = (one for one in page.all("li", class_="card") if one.one("h2").text == name)
    return found


async def test_each_channel_shows_what_it_took_and_what_not(house: House) -> None:
    ws = house.workspace
    await house.placet.run(CARD, ws, "inbox", "20 minutes", 3)
    await house.placet.run(CARD.replace("'a'", "'b'"), ws, "inbox", "5 hours", 4)
    await house.placet.run(CARD.replace("'a'", "'c'"), ws, "inbox", "3 days", 5)
    await house.placet.run(EFFECT, ws, "card:outbox:", "failed", 9, "2 hours", HOSTILE, 2)
    await house.placet.run(
        EFFECT.replace("'a'", "'d'"), ws, "card:outbox:", "started", 3, "1 hour", "429", 1
    )
    await house.placet.run(
        EFFECT.replace("'a'", "'e'"), ws, "card_edits", "started", 3, "1 hour", "no card", 1
    )
    page = await house.page("/admin/channels")
    inbox, outbox = card_of(page, "inbox"), card_of(page, "outbox")
    assert (measure(inbox, "Sent in the last hour"), measure(inbox, "Sent in the last day")) == (
        "3",
        "7",
    )
    assert (measure(inbox, "Not sent after all, in two days"), measure(inbox, "Waiting")) == (
        "0",
        "0",
    )
    assert measure(outbox, "Not sent after all, in two days") == "2"
    assert measure(outbox, "Waiting") == "1 (1 tried before)"
    assert measure(outbox, "Next try").endswith("UTC")
    assert outbox.one("pre").text == "429", "the latest"


async def test_a_channel_that_is_not_configured_any_more_still_shows_what_it_owes(
    house: House,
) -> None:
    await house.placet.run(
        EFFECT, house.workspace, f"card:{HOSTILE}:", "failed", 1, "1 hour", HOSTILE, 1
    )
    page = await house.page("/admin/channels")
    (tag,) = page.all("span", class_="tag high")
    assert tag.text == "Not configured any more"


async def test_who_asked_for_a_rest_is_named_until_it_is_over(house: House) -> None:
    await house.rows(
        "INSERT INTO rate_limits (workspace, bucket, tokens, filled_at, blocked_until) VALUES"
        " ($1, 'channel:slack', 0, now(), now() + interval '1 hour'),"
        " ($1, 'channel:over', 0, now(), now() - interval '1 hour')",
        house.workspace,
    )
    page = await house.page("/admin/channels")
    assert "channel:slack" in page.text
    assert "channel:over" not in page.text
