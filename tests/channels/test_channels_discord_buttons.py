"""A button in Discord decides, is refused with a sentence, and never decides for somebody else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from events.approval import AskedBack, DecisionSubmitted
from events.store import Unavailable
from events.store.memory import MemoryStore
from services.decision.surfaces import discord as surface_module
from tests.channels.discord_fake import faults_of_form, shown_by
from tests.channels.discord_world import STRANGER, USER, DiscordWorld
from tests.notifier.fakes import AMARA, BO, CAROL, step

ME, OTHER = USER[AMARA.email], USER[BO.email]


@pytest_asyncio.fixture
async def world() -> AsyncIterator[DiscordWorld]:
    made = DiscordWorld()
    yield made
    await made.close()


def note(answer: dict[str, Any]) -> str:
    """What only whoever pressed reads."""
    assert (answer["type"], answer["data"]["flags"]) == (4, 64)
    assert answer["data"]["allowed_mentions"] == {"parse": []}
    return shown_by(answer["data"]["content"])


GONE = {"type": 7, "data": {"components": []}}


async def test_discord_is_answered_when_it_asks_whether_somebody_is_there(
    world: DiscordWorld,
) -> None:
    response = await world.post({"type": 1, "id": "1", "application_id": "1"})
    assert (response.status_code, response.json()) == (200, {"type": 1})


async def test_approve_decides_takes_the_buttons_away_and_the_card_tells_the_end(
    world: DiscordWorld,
) -> None:
    approval_id = await world.asked(AMARA)
    (row,) = await world.world.cards.of([("acme", approval_id)])
    assert await world.press("Approve") == GONE
    decided = [one for one in await world.events(approval_id) if isinstance(one, DecisionSubmitted)]
    assert [(one.outcome, one.by.email, one.channel) for one in decided] == [
        ("approved", AMARA.email, "discord")
    ]
    assert (decided[0].assurance, decided[0].shown) == ("channel", row.digest)
    await world.world.deliver()
    assert world.discord.buttons_of(ME) == {}
    shown = shown_by(world.discord.card_of(ME)["embeds"][0]["description"])
    assert shown.startswith("Approved by amara@example.com")
    assert world.discord.faults == []


async def test_deny_asks_why_in_a_form_and_the_reason_is_kept(world: DiscordWorld) -> None:
    approval_id = await world.asked(AMARA)
    form = await world.press("Deny")
    assert form["type"] == 9
    assert list(faults_of_form(form["data"])) == []
    assert len(await world.events(approval_id)) == 2, "opening a form decides nothing"
    assert note(await world.submit(form, "  ")) == surface_module.NO_TEXT
    assert await world.submit(form, "Too *dear*") == GONE
    decided = (await world.events(approval_id))[2]
    assert (decided.outcome, decided.reason) == ("rejected", "Too *dear*")


async def test_ask_back_asks_the_requester_once_however_often_discord_sends_it(
    world: DiscordWorld,
) -> None:
    approval_id = await world.asked(AMARA, steps=[step(AMARA)])
    form = await world.press("Ask back")
    assert list(faults_of_form(form["data"])) == []
    for _ in range(2):
        assert await world.submit(form, "Who was there?") == GONE
    asked = [one for one in await world.events(approval_id) if isinstance(one, AskedBack)]
    assert [(one.text, one.by.email) for one in asked] == [("Who was there?", AMARA.email)]
    await world.world.deliver()
    assert world.discord.buttons_of(ME) == {}


async def test_the_form_in_discords_newer_shape_is_read_too(world: DiscordWorld) -> None:
    approval_id = await world.asked(AMARA)
    form = await world.press("Deny")
    labelled = {"type": 18, "component": {"type": 4, "custom_id": "text", "value": "Why not"}}
    data = {"custom_id": form["data"]["custom_id"], "components": [labelled]}
    assert await world.interact({"type": 5, "data": data}, by=ME) == GONE
    assert (await world.events(approval_id))[2].reason == "Why not"


async def test_a_decision_by_the_api_edits_the_card_and_a_late_press_is_told_so(
    world: DiscordWorld,
) -> None:
    await world.asked(AMARA, BO)
    approve, deny = (world.discord.buttons_of(ME)[label] for label in ("Approve", "Deny"))
    await world.approve_by_api(world.world.ids[0])
    assert "already" in note(await world.pressed(approve, by=ME))
    assert note(await world.pressed(deny, by=ME)).startswith("Approved by bo@example.com")
    await world.world.deliver()
    for user in (ME, OTHER):
        shown = world.discord.card_of(user)["embeds"][0]["description"]
        assert shown_by(shown).startswith("Approved by bo@example.com")
        assert world.discord.buttons_of(user) == {}


async def test_a_second_press_changes_nothing(world: DiscordWorld) -> None:
    approval_id = await world.asked(AMARA)
    approve = world.discord.buttons_of(ME)["Approve"]
    answers = await asyncio.gather(*(world.pressed(approve, by=ME) for _ in range(5)))
    decided = [one for one in await world.events(approval_id) if isinstance(one, DecisionSubmitted)]
    assert len(decided) == 1
    assert [one for one in answers if one != GONE] != answers


async def test_an_account_that_the_directory_does_not_have_is_told_what_to_do(
    world: DiscordWorld,
) -> None:
    approval_id = await world.asked(AMARA)
    said = note(await world.press("Approve", by=STRANGER))
    assert STRANGER in said
    assert "Ask an administrator" in said
    assert len(await world.events(approval_id)) == 2


async def test_an_account_that_two_people_have_is_nobodys(world: DiscordWorld) -> None:
    await world.asked(AMARA)
    members = world.directories.directory.members
    members[CAROL.email].channels["discord"] = ME  # type: ignore[index] # a plain dict here
    assert "does not know this Discord account" in note(await world.press("Approve"))


async def test_somebody_who_is_known_but_not_asked_is_refused(world: DiscordWorld) -> None:
    approval_id = await world.asked(AMARA)
    said = note(await world.press("Approve", by=OTHER))
    assert said.startswith("bo@example.com is not asked to decide this.")
    assert len(await world.events(approval_id)) == 2


@pytest.mark.parametrize("revision", ["2", "a revision that is far too long for a button " * 4])
async def test_a_card_of_an_older_revision_decides_nothing(
    world: DiscordWorld, revision: str
) -> None:
    approval_id = await world.asked(AMARA, source="expenses", revision=revision)
    old = world.discord.buttons_of(ME)
    await world.world.revise(approval_id, source="expenses", revision="3", payload={"amount": 9})
    assert "changed since you saw it" in note(await world.pressed(old["Approve"], by=ME))
    assert note(await world.pressed(old["Deny"], by=ME)) == surface_module.CHANGED
    await world.world.deliver()
    assert await world.press("Approve") == GONE
    decided = [one for one in await world.events(approval_id) if isinstance(one, DecisionSubmitted)]
    assert [one.revision for one in decided] == ["3"]


async def test_a_revision_too_long_for_a_button_is_answered_all_the_same(
    world: DiscordWorld,
) -> None:
    revision = "r\N{LATIN SMALL LETTER E WITH ACUTE}vision " * 20
    approval_id = await world.asked(AMARA, revision=revision)
    world.world.cards.rows.clear()  # not written down yet
    assert await world.press("Approve") == GONE
    decided = [one for one in await world.events(approval_id) if isinstance(one, DecisionSubmitted)]
    assert [(one.revision, one.shown) for one in decided] == [(revision, None)]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Signature-Ed25519": "00" * 64},
        {"X-Signature-Ed25519": "no hex"},
        {"X-Signature-Ed25519": ""},
        {"X-Signature-Timestamp": "1"},
        {"X-Signature-Timestamp": "-1"},
        {"X-Signature-Timestamp": "9" * 5000},
    ],
)
async def test_what_discord_did_not_sign_is_refused_and_does_nothing(
    world: DiscordWorld, headers: dict[str, str]
) -> None:
    approval_id = await world.asked(AMARA)
    body = {
        "type": 3,
        "application_id": "123456789012345678",
        "user": {"id": ME},
        "data": {"custom_id": world.discord.buttons_of(ME)["Approve"]},
    }
    response = await world.post(body, **headers)
    assert (response.status_code, response.json()["code"]) == (401, "bad_signature")
    assert len(await world.events(approval_id)) == 2


async def test_what_discord_signed_long_ago_or_for_another_application_is_refused(
    world: DiscordWorld,
) -> None:
    await world.asked(AMARA)
    content = b'{"type":1}'
    signed = world.discord.signed(content, world.world.clock())
    world.world.clock.forward(301)
    url = "/channels/discord/interactions"
    response = await world.placet.post(url, content=content, headers=signed)
    assert response.status_code == 401
    press = {"type": 3, "user": {"id": ME}, "data": {}, "application_id": "1"}
    assert (await world.post(press)).json()["code"] == "another_application"


@pytest.mark.parametrize(
    "body", [[], {}, {"type": "3"}, {"type": 3}, {"type": 2, "user": {"id": "1"}, "data": {}}, 7]
)
async def test_what_is_no_interaction_is_a_problem_and_no_fault_of_ours(
    world: DiscordWorld, body: object
) -> None:
    assert (await world.post(body)).status_code == 400


async def test_a_button_of_another_time_and_an_approval_that_is_gone_are_said_to_be_so(
    world: DiscordWorld,
) -> None:
    assert note(await world.pressed("older", by=ME)) == surface_module.UNKNOWN_BUTTON
    for action in ("approve", "deny"):
        said = note(await world.pressed(f"{action}:{'0' * 27}:1", by=ME))
        assert "no such approval" in said


async def test_a_source_that_is_slow_holds_up_neither_the_answer_nor_the_truth(
    world: DiscordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface_module, "ANSWER_S", 0.1)
    world.write_backs.pause_s = 0.5
    await world.asked(AMARA, source="expenses")
    began = asyncio.get_running_loop().time()
    assert await world.press("Approve") == GONE
    assert asyncio.get_running_loop().time() - began < 0.4


async def test_while_the_store_is_away_nothing_is_said_to_be_kept(
    world: DiscordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.asked(AMARA)
    approve = world.discord.buttons_of(ME)["Approve"]

    async def hangs(*_: object, **__: object) -> Any:
        await asyncio.sleep(1)

    async def away(*_: object, **__: object) -> Any:
        raise Unavailable("down")

    monkeypatch.setattr(surface_module, "ANSWER_S", 0.1)
    monkeypatch.setattr(surface_module, "LOOK_S", 0.1)
    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "append", hangs)
        assert note(await world.pressed(approve, by=ME)) == surface_module.SLOW
    monkeypatch.setattr(MemoryStore, "read", away)
    assert note(await world.pressed(approve, by=ME)) == surface_module.AWAY


async def test_a_process_that_dies_in_mid_send_sends_no_second_card(world: DiscordWorld) -> None:
    approval_id = await world.world.ask(AMARA)
    world.world.cards.fail_next_remember = Unavailable("killed")
    with pytest.raises(Unavailable):
        await world.world.deliver()
    assert len(world.discord.messages) == 1
    for one in world.discord.messages.values():
        one["nonce"] = "forgotten after some minutes"
    world.world.restart()
    await world.world.retry_until_quiet(120)
    assert len(world.discord.messages) == 1
    assert await world.press("Approve") == GONE
    decided = [one for one in await world.events(approval_id) if isinstance(one, DecisionSubmitted)]
    assert len(decided) == 1
