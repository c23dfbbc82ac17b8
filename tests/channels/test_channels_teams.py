"""Teams: a card that Teams takes, with links and no markup, posted to nobody's private network."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from services.channels import (
    ChannelRefused,
    ChannelUnavailable,
    Digesting,
    Recipient,
    Reminding,
)
from services.channels.card import Card
from services.channels.posting import Posting, allowing
from services.channels.teams.channel import TeamsChannel
from services.channels.teams.rendering import AS_SENT, MORE, listing, message, reminder
from services.outgoing.guard import Allowed, parse_allowed
from tests.channels.hostile import cards, digest_of
from tests.channels.receiver_fake import Receiver, receiving
from tests.channels.teams_fake import faults_of, text_of
from tests.channels.views import AMARA, card_of, question_card, view

TO = Recipient(email=AMARA, name="Amara")


@asynccontextmanager
async def teams(url: str | None = "") -> AsyncIterator[tuple[TeamsChannel, Receiver]]:
    async with receiving() as receiver:
        posting = Posting(allowing(receiver.url))
        url = receiver.url if url == "" else url
        try:
            yield (
                TeamsChannel("teams", "acme", url=url, allowed=Allowed(), posting=posting),
                receiver,
            )
        finally:
            await posting.close()


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(card=cards())
def test_any_card_is_one_that_teams_takes_and_is_nothing_but_text(card: Card) -> None:
    assert list(faults_of(message(card, card.requester))) == []
    assert list(faults_of(reminder(card, card.requester))) == []
    assert list(faults_of(listing(digest_of(30, card)))) == []


def test_a_card_says_all_there_is_and_that_it_stays_as_it_was_sent() -> None:
    body = message(card_of(), "Amara")
    read = text_of(body).split("\n")
    assert read[:2] == ["Expense report EXP-1", "For Amara"]
    assert AS_SENT in read
    assert "Total amount: 750.50 USD" in read
    assert "Line items: Item: Client Dinner; Category: Meals & Entertainment; " in read[-3]
    assert MORE not in read
    actions = json.loads(body)["attachments"][0]["content"]["actions"]
    assert [(one["title"], one["url"]) for one in actions] == [
        (
            "Approve or deny in Placet",
            "https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL",
        ),
        ("Open the record", "https://acme.example/r/1"),
    ]


def test_what_is_too_much_for_teams_is_left_out_with_a_word_and_the_links_stay() -> None:
    huge = card_of(view(payload={f"field {n}": "\N{SNOWMAN}" * 900 for n in range(30)}))
    body = message(huge, "Amara")
    assert 20_000 < len(body) <= 28_000
    assert text_of(body).endswith(MORE)
    assert len(json.loads(body)["attachments"][0]["content"]["actions"]) == 2


def test_what_the_link_is_for_is_said_to_whoever_is_asked_something_else() -> None:
    for card, title in (
        (question_card("answer"), "Answer in Placet"),
        (question_card("changes"), "Change it in Placet"),
        (card_of(view(status="expired")), "Open in Placet"),
    ):
        content = json.loads(message(card, "Jane"))["attachments"][0]["content"]
        assert content["actions"][0]["title"] == title


async def test_a_card_and_a_reminder_are_posted_and_an_update_posts_nothing() -> None:
    async with teams() as (channel, receiver):
        assert isinstance(channel, Reminding)
        sent = await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        await channel.remind(sent, card_of(), to=TO, workspace="acme", idempotency_key="two")
        await channel.update(sent, card_of(view(status="expired")), to=TO, workspace="acme")
        assert isinstance(channel, Digesting)
        await channel.send_digest(digest_of(2), to=TO, workspace="acme", idempotency_key="three")
        first, second, third = receiver.received
        assert sent is None
        assert first.headers["content-type"] == "application/json"
        assert text_of(second.body).startswith("Reminder: Expense report EXP-1\nAmara, this")
        assert text_of(third.body).startswith("9 wait for you\nExpense report EXP-1: urgent")
        with pytest.raises(ChannelRefused, match="another workspace"):
            await channel.send(card_of(), to=TO, workspace="other", idempotency_key="four")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, ChannelUnavailable),
        (502, ChannelUnavailable),
        (404, ChannelUnavailable),
        (302, ChannelUnavailable),
        (400, ChannelRefused),
        (413, ChannelRefused),
    ],
)
async def test_what_teams_answers_is_told_without_the_url_which_is_a_secret(
    status: int, error: type[Exception]
) -> None:
    async with teams() as (channel, receiver):
        receiver.status, receiver.headers = status, {"Retry-After": "17", "Location": "/x"}
        with pytest.raises(error, match=f"status {status}") as raised:
            await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        assert "S3CRET" not in str(raised.value)
        assert len(receiver.received) == 1
        if status == 429:
            assert isinstance(raised.value, ChannelUnavailable)
            assert raised.value.retry_after == 17


async def test_who_is_asked_too_often_has_not_taken_it_also_if_it_says_not_for_how_long() -> None:
    async with teams() as (channel, receiver):
        found = {}
        for status in (429, 503):
            receiver.status = status
            with pytest.raises(ChannelUnavailable) as raised:
                await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
            assert raised.value.retry_after is None
            found[status] = raised.value.not_sent
        assert found == {429: True, 503: False}


async def test_only_who_has_a_url_is_reached_where_the_channel_has_none() -> None:
    async with teams(url=None) as (channel, receiver):
        assert not channel.reaches(TO)
        assert channel.reaches(replace(TO, address="https://flow.example.com/x"))
        with pytest.raises(ChannelRefused, match="no Teams URL of amara"):
            await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        assert receiver.received == []


@pytest.mark.parametrize(
    "address",
    [
        "http://flow.example.com/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.7/x",
        "https://169.254.169.254/latest",
        "https://2130706433/x",
        "https://[::1]/x",
        "https://user:pw@flow.example.com/x",
        "https://flow.example.com:9000/x",
        "file:///etc/passwd",
        "amara@example.com",
    ],
)
async def test_a_persons_own_url_leads_into_no_private_network(address: str) -> None:
    async with teams() as (channel, receiver):
        with pytest.raises(ChannelRefused, match="in the directory"):
            await channel.send(
                card_of(),
                to=replace(TO, address=address),
                workspace="acme",
                idempotency_key="one",
            )
        assert receiver.received == []


async def test_a_name_that_turns_out_to_be_private_is_not_called() -> None:
    from services.outgoing.delivering import Delivering

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["10.0.0.7"]

    posting = Posting(Allowed(), deliver=Delivering(Allowed(), resolve=resolve))
    channel = TeamsChannel("teams", "acme", url=None, allowed=Allowed(), posting=posting)
    to = replace(TO, address="https://flow.example.com/x")
    with pytest.raises(ChannelUnavailable, match="private or reserved"):
        await channel.send(card_of(), to=to, workspace="acme", idempotency_key="one")
    await posting.close()


async def test_a_persons_own_url_is_https_also_where_the_operator_allows_more() -> None:
    allowed = parse_allowed("flow.internal")
    channel = TeamsChannel("teams", "acme", url=None, allowed=allowed, posting=Posting(allowed))
    to = replace(TO, address="http://flow.internal/x")
    with pytest.raises(ChannelRefused, match="must begin with https://"):
        await channel.send(card_of(), to=to, workspace="acme", idempotency_key="one")
