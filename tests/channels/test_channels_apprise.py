"""Apprise: a short text and a link, to what Apprise reaches, and bounded whatever that does."""

import asyncio
import json
import re
import threading
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
from services.channels import apprise as apprise_module
from services.channels.apprise import AppriseChannel, harmless, is_usable
from services.channels.card import Card
from tests.channels.hostile import cards, digest_of
from tests.channels.receiver_fake import Receiver, receiving
from tests.channels.views import AMARA, card_of, view

# One of Apprise's services imports a module that Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
TO = Recipient(email=AMARA, name="Amara", address="amara/../x?y=1#z")
IN_PLACET = "Approve or reject in Placet"
LINK = "https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL"


@asynccontextmanager
async def channel_to(rest: str) -> AsyncIterator[tuple[AppriseChannel, Receiver]]:
    async with receiving() as receiver:
        receiver.status = 200
        place = receiver.url.removeprefix("http://").partition("/")[0]
        channel = AppriseChannel("others", "acme", url=f"json://{place}/{rest}")
        try:
            yield channel, receiver
        finally:
            await channel.close()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(card=cards())
def test_any_card_is_a_short_text_that_mentions_nobody_and_links_to_placet_only(
    card: Card,
) -> None:
    body = apprise_module._body(card)
    assert len(body) < 2500
    where = IN_PLACET if card.asks == "decision" else "In Placet"
    assert body.endswith(f"\n\n{where}: {card.link}")
    written = body.removesuffix(card.link) + harmless(card.title)
    assert not re.search(r"@[\w#]|<[@!#/a-zA-Z:]|\]\(|://", written)


async def test_a_card_a_reminder_and_a_digest_are_told_and_an_update_is_not() -> None:
    async with channel_to("cards") as (channel, receiver):
        assert isinstance(channel, Reminding)
        assert isinstance(channel, Digesting)
        assert channel.reaches(replace(TO, address=None))
        sent = await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        assert sent is None
        await channel.update(None, card_of(view(status="expired")), to=TO, workspace="acme")
        await channel.remind(None, card_of(), to=TO, workspace="acme", idempotency_key="two")
        await channel.send_digest(digest_of(2), to=TO, workspace="acme", idempotency_key="three")
        told = [json.loads(one.body) for one in receiver.received]
        assert [one["title"] for one in told] == [
            "To approve: Expense report EXP-1",
            "Reminder: Expense report EXP-1",
            "9 wait for you",
        ]
        assert told[0]["message"].endswith(
            f"Answer by: 2026-12-20 17:00 UTC\n\n{IN_PLACET}: {LINK}"
        )
        with pytest.raises(ChannelRefused, match="another workspace"):
            await channel.send(card_of(), to=TO, workspace="other", idempotency_key="four")


async def test_a_persons_address_stands_in_its_place_and_reaches_no_other() -> None:
    async with channel_to("to/{address}/here") as (channel, receiver):
        assert channel.reaches(TO)
        assert not channel.reaches(replace(TO, address=None))
        await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        (received,) = receiver.received
        assert received.path.startswith("/to/amara")
        assert received.path.endswith("/here")
        assert "?" not in received.path.partition("/here")[0]
        assert "/../" not in received.path
        with pytest.raises(ChannelRefused, match="no address of amara"):
            await channel.send(
                card_of(), to=replace(TO, address=None), workspace="acme", idempotency_key="one"
            )


async def test_what_did_not_take_it_is_tried_again_and_tells_no_url() -> None:
    async with channel_to("s3cret") as (channel, receiver):
        receiver.status = 500
        with pytest.raises(ChannelUnavailable, match="did not take") as raised:
            await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
        assert "s3cret" not in str(raised.value)


async def test_a_url_that_apprise_does_not_know_is_refused() -> None:
    assert is_usable("json://receiver.example.com/x")
    assert not is_usable("nonsense://receiver.example.com/x")
    channel = AppriseChannel("others", "acme", url="nonsense://{address}")
    with pytest.raises(ChannelRefused, match="cannot use the URL of others"):
        await channel.send(card_of(), to=TO, workspace="acme", idempotency_key="one")
    await channel.close()


async def test_what_hangs_is_not_waited_for_and_takes_no_more_threads_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()

    def hangs(*_: object) -> bool:
        return released.wait(5)

    monkeypatch.setattr(apprise_module, "_notify", hangs)
    monkeypatch.setattr(apprise_module, "TIMEOUT_S", 0.05)
    channel = AppriseChannel("others", "acme", url="json://receiver.example.com")

    async def send(key: str) -> str:
        with pytest.raises(ChannelUnavailable) as raised:
            await channel.send(card_of(), to=TO, workspace="acme", idempotency_key=key)
        return str(raised.value)

    said = await asyncio.gather(*(send(str(n)) for n in range(apprise_module.THREADS + 2)))
    assert sum("did not answer" in one for one in said) == apprise_module.THREADS
    assert said[-2:] == ["others is busy."] * 2
    assert await send("later") == "others is busy."
    released.set()
    await channel.close()
