"""A program as a channel: what it is sent verifies by a library of others and fits the schema."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.channels import (
    ChannelRefused,
    ChannelUnavailable,
    Finder,
    Recipient,
    Reminding,
    Repeatable,
)
from services.channels.card import Card
from services.channels.posting import Posting, allowing
from services.channels.webhook.channel import WebhookChannel
from services.channels.webhook.message import LEFT_OUT, MOST_BYTES, message
from services.outgoing.signing import new_secret
from tests.channels.hostile import cards
from tests.channels.receiver_fake import Received, Receiver, receiving
from tests.channels.views import AMARA, card_of, view

SECRET = new_secret()
TO = Recipient(email=AMARA, name="Amara", address="pager-7")
SCHEMA = json.loads(files("services.channels.webhook").joinpath("card.v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


@asynccontextmanager
async def webhook(url: str | None = None) -> AsyncIterator[tuple[WebhookChannel, Receiver]]:
    async with receiving() as receiver:
        url = url or receiver.url
        posting = Posting(allowing(url))
        try:
            yield (
                WebhookChannel(
                    "pager",
                    "acme",
                    url=url,
                    secret=SECRET,
                    posting=posting,
                    clock=lambda: datetime.now(UTC),
                ),
                receiver,
            )
        finally:
            await posting.close()


def verified(received: Received) -> dict[str, object]:
    found: dict[str, object] = Webhook(SECRET).verify(received.body, dict(received.headers))
    VALIDATOR.validate(found)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(card=cards())
def test_any_card_fits_the_schema_and_the_size(card: Card) -> None:
    body = message(
        "card.sent",
        card,
        channel="pager",
        workspace="acme",
        to=TO,
        reference="r",
        at=datetime.now(UTC),
    )
    assert len(body) <= MOST_BYTES
    VALIDATOR.validate(json.loads(body))


def test_the_schema_itself_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_what_is_too_large_loses_its_tables_with_a_word() -> None:
    rows = [{f"column {n}": "\N{SNOWMAN}" * 190 for n in range(6)} for _ in range(50)]
    card = card_of(view(payload={"rows": rows, "total": 7}))
    body = json.loads(
        message(
            "card.sent",
            card,
            channel="pager",
            workspace="acme",
            to=TO,
            reference=None,
            at=datetime.now(UTC),
        )
    )
    details = body["data"]["card"]["details"]
    assert (details["tables"], details["left_out"]) == ([], LEFT_OUT)
    assert details["facts"] == [{"label": "Total", "value": "7"}]


async def test_a_receiver_verifies_reads_and_could_decide() -> None:
    async with webhook() as (channel, receiver):
        assert isinstance(channel, Reminding)
        assert isinstance(channel, Finder)
        assert isinstance(channel, Repeatable)
        assert channel.reaches(TO)
        with pytest.raises(ChannelRefused, match="another workspace"):
            await channel.send(card_of(), to=TO, workspace="other", idempotency_key="one")
        reference = await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        (received,) = receiver.received
        found = verified(received)
        assert found["type"] == "card.sent"
        data = found["data"]
        assert isinstance(data, dict)
        assert data["reference"] == reference == received.headers["webhook-id"]
        assert data["recipient"] == {"email": AMARA, "name": "Amara", "address": "pager-7"}
        assert (data["approval_id"], data["revision"]) == ("2Zq4h3bN9tVgmPuVd5sJ8oKcXyL", "1")
        assert (data["asks"], data["shown"]) == ("decision", "open")
        assert data["card"]["details"]["facts"][1] == {
            "label": "Total amount",
            "value": "750.50 USD",
        }


async def test_a_repeat_has_the_same_id_an_update_its_own_and_all_the_same_reference() -> None:
    async with webhook() as (channel, receiver):
        for _ in range(2):
            reference = await channel.send(
                card_of(), to=TO, workspace="acme", idempotency_key="one"
            )
        settled = card_of(view(status="expired"))
        for card in (settled, card_of(), settled):
            await channel.update(reference, card, to=TO, workspace="acme")
        for _ in range(2):
            await channel.remind(
                reference, card_of(), to=TO, workspace="acme", idempotency_key="two"
            )
        assert await channel.find("one", to=TO, workspace="acme") == reference
        events = [verified(one) for one in receiver.received]
        ids = [one.headers["webhook-id"] for one in receiver.received]
        assert [one["type"] for one in events] == [
            *["card.sent"] * 2,
            *["card.updated"] * 3,
            *["card.reminded"] * 2,
        ]
        assert ids[0] == ids[1] == reference
        assert ids[5] == ids[6] != reference
        assert len(set(ids)) == 5
        assert {one["data"]["reference"] for one in events} == {reference}  # type: ignore[index]


async def test_nothing_but_what_was_signed_verifies() -> None:
    async with webhook() as (channel, receiver):
        await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        (received,) = receiver.received
        altered = received.body.replace(b"750.50", b"150.50")
        assert altered != received.body
        for secret, body in ((SECRET, altered), (new_secret(), received.body)):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(body, dict(received.headers))


@pytest.mark.parametrize(
    ("status", "error"), [(500, ChannelUnavailable), (410, ChannelRefused), (422, ChannelRefused)]
)
async def test_a_receiver_that_fails_is_tried_again_and_one_that_says_no_is_not(
    status: int, error: type[Exception]
) -> None:
    async with webhook() as (channel, receiver):
        receiver.status = status
        with pytest.raises(error, match=f"status {status}"):
            await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    async with webhook("http://127.0.0.1:1/cards") as (channel, receiver):
        with pytest.raises(ChannelUnavailable, match="cannot be reached"):
            await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        assert receiver.received == []
