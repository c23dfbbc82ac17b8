"""People decide in Slack: through the real route, the real channel and the real notifier."""

from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest

from events.approval import ApproverNotified, DecisionSubmitted
from events.store import Unavailable
from services.decision.surfaces import slack as surface
from services.decision.surfaces.slack import AWAY, ELSEWHERE, NO_WINDOW, UNKNOWN
from services.directory import Directory, Member
from tests.channels.slack_world import AMARAS, BOS, JANES, SlackWorld, slack_world
from tests.notifier.fakes import AMARA, BO, FakeSource
from tests.servers.fake_slack import Message, error


@pytest.fixture
async def here() -> AsyncIterator[SlackWorld]:
    async with slack_world() as world:
        yield world


async def answers(here: SlackWorld, approval_id: str) -> list[DecisionSubmitted]:
    stream = await here.world.stream(approval_id)
    return [one.event for one in stream if isinstance(one.event, DecisionSubmitted)]


def card(here: SlackWorld, user: str = AMARAS) -> Message:
    """The latest message that somebody sees."""
    return here.slack.seen_by(user)[-1]


async def test_a_click_on_approve_decides_and_the_card_says_so(here: SlackWorld) -> None:
    approval_id = await here.asked()
    message = card(here)
    assert message.actions == ["approve", "deny", "ask", "open"]
    answer = await here.slack.press(AMARAS, message, "approve")
    assert (answer.status_code, answer.content) == (200, b"")
    [given] = await answers(here, approval_id)
    assert (given.by.email, given.outcome, given.channel) == (
        "amara@example.com",
        "approved",
        "slack",
    )
    assert given.assurance == "channel"
    [row] = here.world.cards.rows.values()
    assert given.shown == row.digest, "what was shown is kept with the answer"
    await here.world.deliver()
    assert message.actions == ["open"]
    assert "Approved by amara@example.com" in message.words
    assert here.slack.seen_by(AMARAS) == [message], "edited, not sent again"
    assert here.slack.replies == []


async def test_somebody_who_denies_is_asked_why(here: SlackWorld) -> None:
    approval_id = await here.asked()
    await here.slack.press(AMARAS, card(here), "deny")
    assert await answers(here, approval_id) == []
    [window] = here.slack.windows
    refused = await here.slack.submit(AMARAS, window, None)
    assert "Say why" in refused.json()["errors"]["text"]
    assert refused.json()["response_action"] == "errors"
    assert await answers(here, approval_id) == []
    taken = await here.slack.submit(AMARAS, window, " Too dear. ")
    assert (taken.status_code, taken.content) == (200, b"")
    [given] = await answers(here, approval_id)
    assert (given.outcome, given.reason) == ("rejected", "Too dear.")
    await here.world.deliver()
    assert "Rejected by amara@example.com" in card(here).words


async def test_a_question_goes_to_the_requester_who_answers_it_in_slack(here: SlackWorld) -> None:
    approval_id = await here.asked()
    await here.slack.press(AMARAS, card(here), "ask")
    [window] = here.slack.windows
    await here.slack.submit(AMARAS, window, "Which client?")
    await here.world.deliver()
    assert card(here).actions == ["open"]
    question = card(here, JANES)
    assert "Which client?" in question.words
    assert question.actions == ["answer", "open"]
    await here.slack.press(JANES, question, "answer")
    [window] = here.slack.windows
    await here.slack.submit(JANES, window, "Acme")
    await here.world.deliver()
    assert (await here.world.types(approval_id)).count("answered_back") == 1
    assert card(here, JANES).actions == ["open"]
    assert "Acme" in card(here).words
    assert card(here).actions == ["approve", "deny", "ask", "open"]


async def test_a_window_that_is_submitted_twice_asks_once(here: SlackWorld) -> None:
    approval_id = await here.asked()
    await here.slack.press(AMARAS, card(here), "ask")
    [(window, view)] = here.slack.windows.items()
    await here.slack.submit(AMARAS, window, "Which client?")
    here.slack.windows[window] = view
    again = await here.slack.submit(AMARAS, window, "Which client?")
    assert (again.status_code, again.content) == (200, b"")
    assert (await here.world.types(approval_id)).count("asked_back") == 1


async def test_a_decision_from_elsewhere_takes_the_buttons_away(here: SlackWorld) -> None:
    approval_id = await here.asked()
    await here.world.answer(approval_id)
    await here.world.deliver()
    assert card(here).actions == ["open"]
    assert "Approved by amara@example.com" in card(here).words


async def test_a_click_on_what_is_decided_already_is_told_so(here: SlackWorld) -> None:
    approval_id = await here.world.ask(AMARA, BO)
    await here.world.deliver()
    await here.world.answer(approval_id, by=BO)
    answer = await here.slack.press(AMARAS, card(here), "approve")
    assert answer.status_code == 200
    [(user, text)] = here.slack.replies
    assert user == AMARAS
    assert text.startswith("This request is already resolved: approved by bo@example.com")


async def test_an_old_revision_is_not_decided(here: SlackWorld) -> None:
    approval_id = await here.asked()
    approve, deny = card(here).button("approve"), card(here).button("deny")
    old = card(here)
    await here.world.revise(approval_id, revision="2", payload={"total_amount": 9000})
    await here.world.deliver()
    assert old.actions == ["open"]
    assert card(here) is not old
    await here.slack.press_button(AMARAS, old, approve)
    assert "changed" in here.slack.replies[-1][1]
    await here.slack.press_button(AMARAS, old, deny)
    [window] = here.slack.windows
    refused = await here.slack.submit(AMARAS, window, "No")
    assert "changed" in refused.json()["errors"]["text"]
    assert await answers(here, approval_id) == []
    await here.slack.press(AMARAS, card(here), "approve")
    assert len(await answers(here, approval_id)) == 1


async def test_somebody_who_is_not_asked_decides_nothing(here: SlackWorld) -> None:
    approval_id = await here.asked()
    await here.slack.press(BOS, card(here), "approve")
    [(user, text)] = here.slack.replies
    assert user == BOS
    assert "bo@example.com" in text
    assert await answers(here, approval_id) == []


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        ({"email": "amara@example.com", "team": "T0OTHER"}, ELSEWHERE),
        ({"email": "amara@example.com", "deleted": True}, UNKNOWN),
        ({"email": "amara@example.com", "confirmed": False}, UNKNOWN),
        ({"email": None}, UNKNOWN),
    ],
)
async def test_an_account_that_is_nobodys_for_sure_decides_nothing(
    here: SlackWorld, account: dict[str, object], sentence: str
) -> None:
    approval_id = await here.asked()
    here.slack.join("U0STRANGE", **account)  # type: ignore[arg-type]
    await here.slack.press("U0STRANGE", card(here), "approve")
    assert [text for _, text in here.slack.replies] == [sentence]
    assert await answers(here, approval_id) == []


async def test_the_directory_says_whose_an_account_is() -> None:
    amara = Member(email="amara@example.com", name="Amara", channels={"slack": BOS})
    async with slack_world(Directory({"amara@example.com": amara})) as here:
        approval_id = await here.asked()
        await here.slack.press(BOS, card(here), "approve")
        [given] = await answers(here, approval_id)
        assert given.by.email == "amara@example.com"


async def test_an_account_beside_the_one_in_the_directory_decides_nothing() -> None:
    amara = Member(email="amara@example.com", channels={"slack": "U0AMARA2"})
    async with slack_world(Directory({"amara@example.com": amara})) as here:
        approval_id = await here.asked()
        await here.slack.press(AMARAS, card(here), "approve")
        assert "another Slack account" in here.slack.replies[-1][1]
        assert await answers(here, approval_id) == []


async def test_an_account_that_the_directory_gives_to_two_decides_nothing() -> None:
    people = {
        email: Member(email=email, channels={"slack": AMARAS})
        for email in ("amara@example.com", "bo@example.com")
    }
    async with slack_world(Directory(people)) as here:
        approval_id = await here.asked()
        await here.slack.press(AMARAS, card(here), "approve")
        assert "several people" in here.slack.replies[-1][1]
        assert await answers(here, approval_id) == []


async def test_somebody_who_was_deactivated_decides_nothing() -> None:
    amara = Member(email="amara@example.com", active=False)
    async with slack_world(Directory({"amara@example.com": amara})) as here:
        approval_id = await here.asked()
        await here.slack.press(AMARAS, card(here), "approve")
        assert "not active any more" in here.slack.replies[-1][1]
        assert await answers(here, approval_id) == []


@pytest.mark.parametrize("forged", [{"age_s": 600}, {"secret": "guess"}])
async def test_a_replayed_or_forged_click_is_refused(
    here: SlackWorld, forged: dict[str, object]
) -> None:
    approval_id = await here.asked()
    answer = await here.slack.press(AMARAS, card(here), "approve", **forged)
    assert answer.status_code == 401
    assert answer.json()["code"] == "signature_invalid"
    assert await answers(here, approval_id) == []


async def test_a_timestamp_that_is_no_number_is_refused(here: SlackWorld) -> None:
    await here.asked()
    answer = await here.slack.press(AMARAS, card(here), "approve", X_Slack_Request_Timestamp="soon")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        {"type": "block_actions", "user": {"id": "U0AMARA"}, "actions": [{"action_id": "approve"}]},
        {
            "type": "block_actions",
            "user": {"id": "U0AMARA"},
            "actions": [{"action_id": "approve", "value": "../../etc:1"}],
        },
    ],
)
async def test_what_is_signed_and_none_of_ours_is_refused(
    here: SlackWorld, payload: object
) -> None:
    answer = await here.slack.deliver(payload)
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")


async def test_a_body_without_end_is_refused(here: SlackWorld) -> None:
    answer = await here.slack.deliver({"type": "x" * 300_000})
    assert answer.status_code == 413


async def test_a_click_on_the_longest_card_is_taken(here: SlackWorld) -> None:
    # The whole card comes back with a click, and each of these letters as eight.
    payload = {f"Поле {number}": "ж" * 1000 for number in range(30)}
    approval_id = await here.asked(payload=payload, title="ж" * 200, reason="ж" * 3000)
    assert "The rest is in Placet." in card(here).words
    assert (await here.slack.press(AMARAS, card(here), "approve")).status_code == 200
    assert len(await answers(here, approval_id)) == 1


async def test_a_link_that_was_followed_is_acknowledged(here: SlackWorld) -> None:
    approval_id = await here.asked()
    answer = await here.slack.press(AMARAS, card(here), "open")
    assert (answer.status_code, answer.content) == (200, b"")
    assert await answers(here, approval_id) == []


async def test_a_slow_source_does_not_hold_up_the_acknowledgement(here: SlackWorld) -> None:
    here.world.sources = [FakeSource()]
    here.world.restart()
    approval_id = await here.asked(source="expenses")
    here.source.seconds = 0.5
    with patch.object(surface, "WAIT_FOR_SOURCE_S", 0.05):
        answer = await here.slack.press(AMARAS, card(here), "approve")
    assert answer.status_code == 200
    assert here.source.told == []
    assert len(await answers(here, approval_id)) == 1


def test_all_that_may_take_time_fits_into_the_three_seconds_of_slack() -> None:
    assert surface.LOOKUP_S + surface.WAIT_FOR_SOURCE_S + 0.5 < 3
    assert surface.OPEN_S + 0.5 < 3


async def test_a_click_is_not_acknowledged_while_it_cannot_be_kept(here: SlackWorld) -> None:
    await here.asked()
    with patch.object(here.world.store, "append", side_effect=Unavailable("down")):
        answer = await here.slack.press(AMARAS, card(here), "approve")
        assert answer.status_code == 503
        assert here.slack.replies == [(AMARAS, AWAY)]
        await here.slack.press(AMARAS, card(here), "deny")
        [window] = here.slack.windows
        kept_open = await here.slack.submit(AMARAS, window, "No")
    assert kept_open.json()["errors"]["text"] == AWAY


async def test_nothing_is_decided_while_slack_does_not_say_who_it_is(here: SlackWorld) -> None:
    approval_id = await here.asked()
    here.slack.trouble["users.info"] = [error("internal_error")]
    answer = await here.slack.press(AMARAS, card(here), "approve")
    assert answer.status_code == 503
    assert await answers(here, approval_id) == []
    assert (await here.slack.press(AMARAS, card(here), "approve")).status_code == 200
    assert len(await answers(here, approval_id)) == 1


async def test_a_window_that_does_not_open_is_told(here: SlackWorld) -> None:
    await here.asked()
    here.slack.trouble["views.open"] = [error("expired_trigger_id")]
    answer = await here.slack.press(AMARAS, card(here), "deny")
    assert answer.status_code == 200
    assert here.slack.replies == [(AMARAS, NO_WINDOW)]


async def test_a_card_that_was_posted_by_a_process_that_died_is_found(here: SlackWorld) -> None:
    approval_id = await here.world.ask(AMARA)
    here.world.cards.fail_next_remember = Unavailable("killed")
    with pytest.raises(Unavailable):
        await here.world.deliver()
    assert len(here.slack.seen_by(AMARAS)) == 1
    here.world.restart()
    here.world.clock.forward(120)
    await here.world.notifier.retry_due()
    await here.world.deliver()
    [message] = here.slack.seen_by(AMARAS)
    [row] = here.world.cards.rows.values()
    assert row.reference == f"{message.conversation}:{message.ts}"
    stream = await here.world.stream(approval_id)
    [told] = [one.event for one in stream if isinstance(one.event, ApproverNotified)]
    assert not told.perhaps_twice
    await here.slack.press(AMARAS, message, "approve")
    await here.world.deliver()
    assert message.actions == ["open"]


async def test_each_of_several_approvers_has_a_card_and_all_go_together(here: SlackWorld) -> None:
    await here.world.ask(AMARA, BO)
    await here.world.deliver()
    await here.slack.press(AMARAS, card(here), "approve")
    await here.world.deliver()
    assert card(here, AMARAS).actions == card(here, BOS).actions == ["open"]
