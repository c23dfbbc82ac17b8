"""Discord: what is sent is within its limits, harms nobody, and finds its message again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.channels import (
    ChannelRefused,
    ChannelUnavailable,
    Digesting,
    Finder,
    Recipient,
    Reminding,
)
from services.channels.card import Card
from services.channels.discord.buttons import button, read_button
from services.channels.discord.channel import DiscordChannel
from services.channels.discord.client import DiscordApi
from services.channels.discord.markup import escaped, fitted
from services.channels.discord.rendering import listing, message, reminder
from tests.channels.discord_fake import (
    TOKEN,
    FakeDiscord,
    faults_of_message,
    markup_in,
    shown_by,
    units,
)
from tests.channels.hostile import LONG, REVISIONS, cards, digest_of
from tests.channels.views import AMARA, card_of, question_card, view

USER = "400500600700800900"
TO = Recipient(email=AMARA, name="Amara", address=USER)


@pytest.fixture
def discord() -> FakeDiscord:
    return FakeDiscord(people={USER})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def channel(discord: FakeDiscord, clock: Clock) -> AsyncIterator[DiscordChannel]:
    async with discord.client() as client:
        yield DiscordChannel("discord", "acme", DiscordApi(client, TOKEN, clock=clock))


async def send(channel: DiscordChannel, card: Card | None = None, key: str = "one") -> str:
    reference = await channel.send(card or card_of(), to=TO, workspace="acme", idempotency_key=key)
    assert reference is not None
    return reference


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(card=cards())
def test_any_card_is_within_discords_limits_and_is_nothing_but_text(card: Card) -> None:
    assert list(faults_of_message(message(card))) == []
    assert list(faults_of_message(reminder(card))) == []
    assert list(faults_of_message(listing(digest_of(30, card)))) == []


@given(text=LONG, most=st.integers(2, 400))
def test_what_is_escaped_reads_as_it_was_written(text: str, most: int) -> None:
    assert shown_by(escaped(text)) == text
    cut = fitted(text, most)
    assert 1 <= units(cut) <= most
    assert markup_in(cut) == []
    if not cut.endswith("\N{HORIZONTAL ELLIPSIS}"):
        assert shown_by(cut) == (text.strip() or "\N{EN DASH}")
    else:
        assert text.strip().startswith(shown_by(cut[:-1]))


@given(revision=REVISIONS)
def test_a_button_tells_the_revision_that_it_was_drawn_for_from_any_other(revision: str) -> None:
    custom_id = button("deny", card_of().approval_id, revision)
    assert len(custom_id) <= 100
    read = read_button(custom_id)
    assert read is not None
    assert (read.action, read.approval_id) == ("deny", card_of().approval_id)
    assert read.is_for(revision)
    assert not read.is_for(revision + " ")
    assert str(read) == custom_id


@pytest.mark.parametrize("other", ["", "x", "approve", "explode:2Zq4h3bN9tVgmPuVd5sJ8oKcXyL:1"])
def test_a_button_of_somebody_elses_is_none_of_ours(other: str) -> None:
    assert read_button(other) is None


async def test_a_card_is_a_direct_message_with_buttons_that_carry_nothing_but_what_they_answer(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    reference = await send(channel)
    sent = discord.card_of(USER)
    assert reference == f"99{USER}/{sent['id']}"
    assert discord.faults == []
    assert discord.buttons_of(USER) == {
        "Approve": "approve:2Zq4h3bN9tVgmPuVd5sJ8oKcXyL:1",
        "Deny": "deny:2Zq4h3bN9tVgmPuVd5sJ8oKcXyL:1",
        "Ask back": "ask:2Zq4h3bN9tVgmPuVd5sJ8oKcXyL:1",
    }
    assert shown_by(sent["content"]) == "To approve: Expense report EXP-1"
    fields = {one["name"]: shown_by(one["value"]) for one in sent["embeds"][0]["fields"]}
    assert fields["Asked by"] == "Jane Doe (jane.doe@example.com)"
    assert fields["Total amount"] == "750.50 USD"
    assert "Item: Taxi; Category: Travel; Amount: 50.00 USD" in fields["Line items"]


def test_a_card_that_asks_its_reader_nothing_or_something_else_has_no_such_buttons() -> None:
    settled, question = card_of(view(status="expired")), question_card("answer")
    for card, label in ((settled, "Open in Placet"), (question, "Answer in Placet")):
        (row,) = message(card)["components"]
        assert row["components"][0]["label"] == label
        assert all("custom_id" not in one for one in row["components"])


async def test_an_edit_replaces_the_whole_card(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    reference = await send(channel)
    await channel.update(reference, card_of(view(status="expired")), to=TO, workspace="acme")
    assert discord.buttons_of(USER) == {}
    assert "nobody decided in time" in discord.card_of(USER)["embeds"][0]["description"]
    assert len(discord.messages) == 1


async def test_the_same_key_is_the_same_message_and_the_conversation_is_opened_once(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    assert await send(channel) == await send(channel)
    await send(channel, key="two")
    assert len(discord.messages) == 2
    assert discord.calls.count(("POST", "/users/@me/channels")) == 1


async def test_a_reminder_answers_the_message_it_reminds_of(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    assert isinstance(channel, Reminding)
    reference = await send(channel)
    for _ in range(2):
        await channel.remind(reference, card_of(), to=TO, workspace="acme", idempotency_key="r")
    assert len(discord.messages) == 2
    assert discord.faults == []
    reminded = discord.card_of(USER)
    assert f"99{USER}/{reminded['message_reference']['message_id']}" == reference
    assert discord.buttons_of(USER) == {}


@pytest.mark.parametrize("address", [None, "", "amara#1234", "@amara", "12/../34"])
async def test_nobody_is_reached_without_a_user_id(
    discord: FakeDiscord, channel: DiscordChannel, address: str | None
) -> None:
    nobody = replace(TO, address=address)
    assert channel.reaches(TO)
    assert not channel.reaches(nobody)
    with pytest.raises(ChannelRefused, match="no Discord user id of amara"):
        await channel.send(card_of(), to=nobody, workspace="acme", idempotency_key="one")
    assert discord.calls == []


async def test_who_takes_no_messages_or_does_not_exist_is_given_up_with_the_reason(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    discord.closed.add(USER)
    with pytest.raises(ChannelRefused, match="share a server"):
        await send(channel)
    discord.people.clear()
    with pytest.raises(ChannelRefused, match="correct the user id"):
        await channel.send(
            card_of(), to=replace(TO, address="12345"), workspace="acme", idempotency_key="two"
        )


@pytest.mark.parametrize("reference", [None, "", "1/2", "99/../7", f"99{USER}/100000000000000009"])
async def test_a_message_that_is_not_there_cannot_be_edited(
    channel: DiscordChannel, reference: str | None
) -> None:
    with pytest.raises(ChannelRefused):
        await channel.update(reference, card_of(), to=TO, workspace="acme")


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (httpx2.Response(429, json={"retry_after": 1.337, "global": False}), 1.337),
        (httpx2.Response(429, headers={"Retry-After": "65.5"}, text="<html>"), 65.5),
        (httpx2.Response(429, json=["?"], headers={"Retry-After": "soon"}), None),
        (httpx2.Response(503, text="upstream"), None),
        (httpx2.Response(302, headers={"Location": "https://evil.example"}), None),
        (httpx2.Response(401, json={"code": 0}), 60.0),
        (httpx2.Response(400, json={"code": 40003, "retry_after": 9}), 9.0),
    ],
)
async def test_what_may_be_better_later_is_tried_later_as_long_as_discord_says(
    discord: FakeDiscord, channel: DiscordChannel, answer: httpx2.Response, wait: float | None
) -> None:
    discord.trouble = lambda _method, _path: answer
    with pytest.raises(ChannelUnavailable) as raised:
        await send(channel)
    assert raised.value.retry_after == wait
    assert raised.value.not_sent is (answer.status_code == 429 or wait is not None)
    assert raised.value.one_method is ("global" in answer.text or "40003" in answer.text)
    assert TOKEN not in str(raised.value)


async def test_a_connection_that_fails_is_tried_again_and_tells_no_token(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    def broken(_method: str, _path: str) -> Any:
        raise httpx2.ConnectError("no route")

    discord.trouble = broken
    with pytest.raises(ChannelUnavailable, match="did not answer: ConnectError") as raised:
        await send(channel)
    assert TOKEN not in str(raised.value)


async def test_a_used_up_rate_limit_is_respected_before_discord_has_to_say_no(
    discord: FakeDiscord, channel: DiscordChannel, clock: Clock
) -> None:
    discord.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "30"}
    await send(channel)
    before = len(discord.calls)
    with pytest.raises(ChannelUnavailable) as raised:
        await send(channel, key="two")
    assert raised.value.retry_after == 30
    assert len(discord.calls) == before
    clock.now += 31
    await send(channel, key="two")


async def test_a_message_is_found_by_its_key_though_discord_gives_no_nonce_back(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    assert isinstance(channel, Finder)
    assert await channel.find("one", to=TO, workspace="acme") is None
    reference = await send(channel)
    await send(channel, key="two")
    await channel.remind(reference, card_of(), to=TO, workspace="acme", idempotency_key="three")
    assert await channel.find("one", to=TO, workspace="acme") == reference
    assert await channel.find("three", to=TO, workspace="acme") not in (reference, None)
    assert await channel.find("four", to=TO, workspace="acme") is None


async def test_a_digest_lists_what_waits_and_has_nothing_to_press_but_links(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    assert isinstance(channel, Digesting)
    await channel.send_digest(digest_of(40), to=TO, workspace="acme", idempotency_key="one")
    sent = discord.card_of(USER)
    assert discord.faults == []
    assert shown_by(sent["content"]) == "47 wait for you"
    assert len(sent["embeds"][0]["fields"]) == 25
    assert discord.buttons_of(USER) == {}


async def test_nothing_of_another_workspace_goes_out(
    discord: FakeDiscord, channel: DiscordChannel
) -> None:
    with pytest.raises(ChannelRefused, match="another workspace"):
        await channel.send(card_of(), to=TO, workspace="other", idempotency_key="one")
    assert discord.calls == []
