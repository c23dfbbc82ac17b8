"""The channel against a Slack that is as strict as the real one."""

import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from services.channels import ChannelRefused, ChannelUnavailable, Recipient
from services.channels.digest import Digest
from services.channels.slack.api import SlackApi
from services.channels.slack.blocks import sentence
from services.channels.slack.channel import SlackChannel
from services.channels.slack.limits import Limits
from services.channels.slack.people import People
from services.channels.slack.remembered import Remembered
from tests.channels.slack_world import AMARAS, NAME, SlackWorld, slack_world
from tests.channels.views import card_of, view
from tests.notifier.fakes import WORKSPACE
from tests.servers.fake_slack import CUT, error, too_many

TO = Recipient(email="amara@example.com")


@pytest.fixture
async def here() -> AsyncIterator[SlackWorld]:
    async with slack_world() as world:
        yield world


async def send(here: SlackWorld, key: str = "one", to: Recipient = TO) -> str:
    card = card_of(view())
    reference = await here.channel.send(card, to=to, workspace=WORKSPACE, idempotency_key=key)
    assert reference is not None
    return reference


async def test_somebody_is_found_by_address_once_and_written_to_directly(here: SlackWorld) -> None:
    reference = await send(here)
    await send(here, "two")
    first, second = here.slack.seen_by(AMARAS)
    assert reference == f"{first.conversation}:{first.ts}"
    assert here.slack.calls["users.lookupByEmail"] == here.slack.calls["conversations.open"] == 1
    assert first.body["metadata"] != second.body["metadata"]
    assert "expense" not in str(first.body["metadata"]), "the key is a digest"


async def test_the_id_in_the_directory_goes_before_the_address(here: SlackWorld) -> None:
    await send(here, to=Recipient(email="somebody@example.com", address=AMARAS))
    assert len(here.slack.seen_by(AMARAS)) == 1
    assert here.slack.calls["users.lookupByEmail"] == 0


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        (Recipient(email="nobody@example.com"), "Nobody in this Slack workspace has the address"),
        (Recipient(email="a@example.com", address="@amara"), "no id of a Slack user"),
        (Recipient(email="a@example.com", address="U0GONE"), "user_not_found"),
    ],
)
async def test_somebody_who_is_not_there_is_refused_with_a_sentence(
    here: SlackWorld, to: Recipient, sentence: str
) -> None:
    for _ in range(2):
        with pytest.raises(ChannelRefused, match=sentence):
            await send(here, to=to)
    assert here.slack.calls["users.lookupByEmail"] <= 1, "that nobody is there is remembered"


async def test_nothing_of_another_workspace_goes_to_this_slack(here: SlackWorld) -> None:
    reference = await send(here)
    card = card_of(view())
    with pytest.raises(ChannelRefused, match="another workspace"):
        await here.channel.send(card, to=TO, workspace="other", idempotency_key="two")
    with pytest.raises(ChannelRefused, match="another workspace"):
        await here.channel.update(reference, card, to=TO, workspace="other")
    assert len(here.slack.messages) == 1


async def test_a_card_is_edited_where_it_is(here: SlackWorld) -> None:
    reference = await send(here)
    settled = card_of(view(status="expired"))
    await here.channel.update(reference, settled, to=TO, workspace=WORKSPACE)
    [message] = here.slack.seen_by(AMARAS)
    assert (message.edits, message.actions) == (1, ["open", "open_record"])
    assert "nobody decided in time" in message.words


@pytest.mark.parametrize("reference", ["D0U0AMARA:1.000001", "nonsense", None])
async def test_a_card_that_is_not_there_cannot_be_edited(
    here: SlackWorld, reference: str | None
) -> None:
    with pytest.raises(ChannelRefused):
        await here.channel.update(reference, card_of(view()), to=TO, workspace=WORKSPACE)


async def test_a_card_is_found_by_its_key_among_many(here: SlackWorld) -> None:
    reference = await send(here, "wanted")
    conversation = here.slack.messages[0].conversation
    for number in range(250):
        here.slack._post({"channel": conversation, "text": f"chatter {number}"})
    find = here.channel.find
    assert await find("wanted", to=TO, workspace=WORKSPACE) == reference
    assert here.slack.calls["conversations.history"] == 2
    assert await find("never sent", to=TO, workspace=WORKSPACE) is None


async def test_a_reminder_stands_below_the_card_and_is_found_again(here: SlackWorld) -> None:
    reference = await send(here)
    card = card_of(view(title="Dinner <!channel>"))
    await here.channel.remind(
        reference, card, to=TO, workspace=WORKSPACE, idempotency_key="reminder"
    )
    first, second = here.slack.seen_by(AMARAS)
    assert second.body["thread_ts"] == first.ts
    assert "still waits for you" in second.words
    assert "<!channel>" not in second.body["text"]
    found = await here.channel.find("reminder", to=TO, workspace=WORKSPACE)
    assert found == f"{second.conversation}:{second.ts}"


async def test_a_digest_lists_what_waits_once(here: SlackWorld) -> None:
    digest = Digest(
        cards=(card_of(view(title="Dinner <!channel>")),) * 45,
        more=5,
        link="https://placet.example.com/inbox",
        settings_link="https://placet.example.com/preferences",
    )
    for _ in range(2):
        await here.channel.send_digest(digest, to=TO, workspace=WORKSPACE, idempotency_key="monday")
    [message] = here.slack.seen_by(AMARAS)
    assert "Dinner <!channel>" in message.words
    assert "And 10 more." in message.words
    assert {one["type"] for one in message.body["blocks"]} == {"header", "section", "actions"}
    assert message.actions == ["open", "open_settings"]


async def test_slack_says_how_long_to_wait_for_each_method(here: SlackWorld) -> None:
    reference = await send(here)
    here.slack.trouble["chat.postMessage"] = [too_many("30")]
    with pytest.raises(ChannelUnavailable) as told:
        await send(here, "two")
    assert told.value.retry_after == 30
    assert told.value.one_method, "an edit is another method"
    with pytest.raises(ChannelUnavailable) as still:
        await send(here, "three")
    assert 29 < (still.value.retry_after or 0) <= 30
    assert here.slack.calls["chat.postMessage"] == 2, "nobody asks before the time is over"
    await here.channel.update(reference, card_of(view()), to=TO, workspace=WORKSPACE)


@pytest.mark.parametrize("header", ["", "soon", "-1", "nan", "inf"])
async def test_a_wait_that_cannot_be_read_is_half_a_minute(here: SlackWorld, header: str) -> None:
    here.slack.trouble["chat.postMessage"] = [too_many(header)]
    with pytest.raises(ChannelUnavailable) as told:
        await send(here)
    assert told.value.retry_after == 30
    assert told.value.one_method, "an edit is another method"


@pytest.mark.parametrize(
    ("answer", "not_sent"),
    [
        (error("invalid_auth"), True),
        (error("missing_scope"), True),
        (error("fatal_error"), False),
        (
            web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html"),
            False,
        ),
        (web.Response(status=200, text="ok", content_type="text/plain"), False),
        (web.Response(status=200, text="{", content_type="application/json"), False),
    ],
)
async def test_what_may_be_better_later_is_tried_again(
    here: SlackWorld, answer: web.Response, *, not_sent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    here.slack.trouble["chat.postMessage"] = [answer]
    with pytest.raises(ChannelUnavailable) as told:
        await send(here)
    assert told.value.not_sent is not_sent
    assert "xoxb" not in caplog.text + str(told.value)
    assert "Expense report" not in caplog.text, "what is asked is no business of the log"


async def test_a_card_that_slack_does_not_take_is_refused(here: SlackWorld) -> None:
    here.slack.trouble["chat.postMessage"] = [error("restricted_action")]
    with pytest.raises(ChannelRefused, match=r"Slack refused chat\.postMessage: restricted_action"):
        await send(here)


async def test_a_broken_connection_sends_nothing_twice(here: SlackWorld) -> None:
    here.slack.trouble["chat.postMessage"] = [CUT]
    with pytest.raises(ChannelUnavailable) as told:
        await send(here)
    assert not told.value.not_sent, "it may have arrived"
    assert len(here.slack.seen_by(AMARAS)) == 1


async def test_a_slack_that_is_not_there_was_told_nothing() -> None:
    api = SlackApi("xoxb", "http://127.0.0.1:9/api")
    channel = SlackChannel(NAME, WORKSPACE, api, People(api))
    with pytest.raises(ChannelUnavailable) as told:
        await channel.send(card_of(view()), to=TO, workspace=WORKSPACE, idempotency_key="one")
    await api.close()
    assert told.value.not_sent


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/1",
        "https://hooks.slack.com.evil.example/1",
        "https://hooks.slack.com@evil.example/1",
        "https://evil.example/hooks.slack.com",
        "file:///etc/passwd",
        "http://[",
        "http://127.0.0.1:99999/",
        None,
    ],
)
async def test_no_reply_goes_to_another_host_than_slacks(url: str | None) -> None:
    api = SlackApi("xoxb", "https://slack.com/api")
    await api.reply(url, sentence("no"))
    assert api._session is None, "nothing was even opened"


async def test_a_reply_that_nobody_takes_harms_nothing(here: SlackWorld) -> None:
    await here.api.reply(f"{here.slack.url}/hooks/unknown", sentence("no"))
    assert here.slack.replies == []


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_method_is_called_as_often_as_slack_allows() -> None:
    clock = Clock()
    limits = Limits(share=0.5, clock=clock)
    for _ in range(12):
        await limits.take("chat.update", None, patience_s=0)
    with pytest.raises(ChannelUnavailable) as told:
        await limits.take("chat.update", None, patience_s=0)
    assert told.value.retry_after == pytest.approx(60 / 25)
    await limits.take("users.info", None, patience_s=0)
    clock.now += 60 / 25
    await limits.take("chat.update", None, patience_s=0)


async def test_a_conversation_gets_a_message_a_second() -> None:
    clock = Clock()
    limits = Limits(clock=clock)
    await limits.take("chat.postMessage", "D1", patience_s=0)
    await limits.take("chat.postMessage", "D2", patience_s=0)
    with pytest.raises(ChannelUnavailable):
        await limits.take("chat.postMessage", "D1", patience_s=0)
    clock.now += 1
    await limits.take("chat.postMessage", "D1", patience_s=0)


async def test_an_answer_is_remembered_for_a_while_and_not_without_bound() -> None:
    clock = Clock()
    asked: list[str] = []
    remembered = Remembered[str, str](2, 60, clock)

    async def get(key: str) -> str:
        async def ask() -> str:
            asked.append(key)
            return key.upper()

        return await remembered.get(key, ask)

    assert [await get(key) for key in ("a", "a", "b", "c", "a")] == ["A", "A", "B", "C", "A"]
    assert asked == ["a", "b", "c", "a"]
    clock.now += 61
    await get("c")
    assert asked == ["a", "b", "c", "a", "c"]
