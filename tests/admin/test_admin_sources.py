"""The page of sources, and what its forms do."""

import secrets
from datetime import UTC, datetime, timedelta

from events.approval import Person
from events.commands import ObservePending
from events.handling import Order, handle
from events.observation import Observation, ObservedContent
from services.decision.identifiers import new_approval_id, new_command_id
from services.decision.intake import ask_of
from services.sources.desk import Pauses
from tests.admin.admin_kit import ADMIN, HOME, HOSTILE, House
from tests.pages.reader import Element


async def state(home: House, **columns: object) -> None:
    """Leave a source as its poller would."""
    names = ", ".join(columns)
    values = ", ".join(f"${number}" for number, _ in enumerate(columns, 2))
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
    await home.rows(
        f"INSERT INTO source_checkpoints (workspace, source, {names}) VALUES ($1, 'acme', {values})"  # noqa: S608 # our own names
        f" ON CONFLICT (workspace, source) DO UPDATE SET {changes}",
        HOME,
        *columns.values(),
    )


def measure(card: Element, name: str) -> str:
    (found,) = (one for one in card.all("div") if one.all("dt") and one.one("dt").text == name)
    return found.one("dd").text


async def test_a_source_shows_how_old_its_word_is_and_what_went_wrong(home: House) -> None:
    now = datetime.now(UTC)
    await state(
        home,
        polled_at=now - timedelta(seconds=40),
        swept_at=now - timedelta(minutes=7),
        last_error=f"sweep: {HOSTILE}",
        last_error_at=now,
        failing_since=now - timedelta(hours=2),
        failures=3,
    )
    page = await home.page("/admin/sources")
    card = page.one("li", class_="card")
    assert measure(card, "Verified") == "7 min ago"
    assert measure(card, "Last poll").startswith("4")
    assert "3 failures in a row , since" in card.text
    assert "<script>alert" in card.one("pre").text, "it is shown as text"
    assert "\u202e" not in card.one("pre").text


async def test_a_pause_is_said_on_the_page_and_written_down(home: House) -> None:
    page = await home.press("/admin/sources/acme/pause")
    assert page.one("div", class_="notice").text.startswith("Paused acme until it is resumed.")
    assert page.one("li", class_="card").one("span", class_="tag high").text == "Paused"
    assert not page.all("form", action="/admin/sources/acme/poll")
    latest = page.one("section", class_="done").all("li")[0].text
    assert "Paused acme" in latest
    assert ADMIN in latest
    pauses = Pauses(home.placet.parts.worker_db)
    await pauses.look()
    assert pauses(HOME, "acme")

    page = await home.press("/admin/sources/acme/resume")
    assert page.one("div", class_="notice").text.startswith("Resumed acme.")
    assert await home.rows(
        "SELECT paused_at, wanted_at IS NOT NULL FROM source_checkpoints WHERE source = 'acme'"
    ) == [(None, True)]


async def test_what_was_not_done_is_said_and_written_down_as_that(home: House) -> None:
    answer = await home.admin.post("/admin/sources/acme/resume", data={})
    assert answer.status_code == 409
    assert "It is not paused." in answer.text
    page = await home.page("/admin/sources")
    latest = page.one("section", class_="done").all("li")[0].text
    assert latest.startswith("Resuming acme: not done. It is not paused.")


async def test_a_source_is_polled_at_once_when_somebody_wants_that(home: House) -> None:
    page = await home.press("/admin/sources/acme/poll")
    assert "polled and swept within seconds" in page.one("div", class_="notice").text
    assert await home.rows(
        "SELECT wanted_at IS NOT NULL FROM source_checkpoints WHERE source = 'acme'"
    ) == [(True,)]


async def test_what_came_from_a_paused_source_says_so_in_the_inbox(home: House) -> None:
    pauses = home.placet.parts.pauses
    approval_id = await mirrored(home)
    await home.placet.shown()
    john = await home.placet.browser(HOME, "john@example.com")
    for paused in (False, True):
        if paused:
            await home.press("/admin/sources/acme/pause")
        await pauses.look()
        for path in ("/inbox", f"/approvals/{approval_id}"):
            assert ("ago in Acme, which is paused" in (await john.get(path)).text) is paused


async def mirrored(home: House) -> str:
    """A pending approval that mirrors a record of the source, which John decides."""
    now = datetime.now(UTC)
    observation = Observation(
        workspace=HOME,
        source="acme",
        record_id=secrets.token_hex(4),
        revision="1",
        state="pending",
        read_at=now,
        content=ObservedContent(
            type="expense",
            title="A record",
            payload={"amount": 5},
            requester=Person(email="jane@example.com"),
            approvers=(Person(email="john@example.com"),),
        ),
    )
    ask = ask_of(observation, round_=1, now=now, expires_after=timedelta(days=1))
    assert ask is not None
    order = Order(
        approval_id=new_approval_id(now),
        command=ObservePending(ask=ask, read_at=now),
        command_id=new_command_id(),
    )
    await handle(home.placet.parts.store, HOME, order)
    return order.approval_id


async def test_a_source_that_does_not_exist_is_no_source(home: House) -> None:
    for name in ("nobody", "acme%2Fpause", "../keys"):
        answer = await home.admin.post(f"/admin/sources/{name}/pause", data={})
        assert answer.status_code in (404, 405), name


async def test_an_unknown_field_is_refused(home: House) -> None:
    answer = await home.admin.post("/admin/sources/acme/pause", data={"force": "yes"})
    assert answer.status_code == 422
    assert await home.rows("SELECT 1 FROM source_checkpoints WHERE paused_at IS NOT NULL") == []
