"""The page of parked messages: why, and retrying or discarding them."""

from collections.abc import Sequence

import pytest

from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import Message
from events.kafka.parking import NOBODYS, PREVIEWED, Parking
from events.store import Unavailable
from services.bootstrap import administration
from services.queue.pages.admin.listings import parked_for
from services.settings import DEFAULT_WORKSPACE
from tests.admin.admin_kit import HOSTILE, House
from tests.pages.reader import Element, read


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What went to Kafka."""
    found: list[Message] = []

    async def send(_: object, messages: Sequence[Message]) -> None:
        found.extend(messages)

    monkeypatch.setattr(administration, "_send", send)
    return found


async def park(house: House, value: bytes, offset: int = 1) -> int:
    owner = house.workspace
    headers = [("ce_workspace", owner.encode())]
    message = Delivered("approval.requests", 0, offset, b"key", value, headers)
    rejected = Rejected(message, f"title: {HOSTILE}")
    await Parking(house.placet.parts.worker_db).park("placet.decision.requests", rejected)
    rows = await house.placet.run(
        "SELECT max(parked_id) AS id FROM parked WHERE workspace = $1", owner
    )
    return int(rows[0]["id"])


async def left(house: House) -> list[int]:
    return [
        row[0]
        for row in await house.rows(
            "SELECT parked_id FROM parked WHERE resolved_at IS NULL ORDER BY parked_id"
        )
    ]


def cards(page: Element) -> list[Element]:
    return page.one("ul", class_="cards").all("li", class_="card")


async def test_a_parked_message_shows_its_reason_and_its_beginning_as_text(house: House) -> None:
    await park(house, HOSTILE.encode() + b"\xff" * (2 * PREVIEWED))
    (card,) = cards(await house.page("/admin/parked"))
    assert "title: <script>alert" in card.one("p", class_="why").text
    assert card.one("pre").text.startswith("<script>alert")
    assert len(card.one("pre").text) <= PREVIEWED
    assert "Only the beginning is shown." in card.text


async def test_one_is_sent_again_whole_and_leaves_the_page(
    house: House, sent: list[Message]
) -> None:
    value = b"x" * (3 * PREVIEWED)
    first, second = await park(house, value), await park(house, b"{}", 2)
    page = await house.press(f"/admin/parked/{first}/retry")
    assert f"Message {first} of approval.requests" in page.one("div", class_="notice").text
    assert [(one.topic, one.key, one.value) for one in sent] == [
        ("approval.requests", b"key", value)
    ]
    assert await left(house) == [second]


async def test_all_are_sent_again(house: House, sent: list[Message]) -> None:
    for offset in range(3):
        await park(house, b"{}", offset)
    page = await house.press("/admin/parked/retry")
    assert "Sent again: 3 parked messages." in page.one("div", class_="notice").text
    assert len(sent) == 3
    assert await left(house) == []


async def test_one_is_discarded_with_a_reason_that_is_kept(
    house: House, sent: list[Message]
) -> None:
    parked_id = await park(house, b"{}")
    refused = await house.admin.post(f"/admin/parked/{parked_id}/discard", data={"reason": " "})
    assert refused.status_code == 422
    assert await left(house) == [parked_id]
    page = await house.press(f"/admin/parked/{parked_id}/discard", reason="A test of ours.")
    assert "A test of ours." in page.one("section", class_="done").text
    assert (await left(house), sent) == ([], [])


async def test_what_kafka_did_not_take_stays_parked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_: object, __: Sequence[Message]) -> None:
        raise Unavailable("Kafka cannot be reached")

    monkeypatch.setattr(administration, "_send", send)
    parked_id = await park(house, b"{}")
    answer = await house.admin.post(f"/admin/parked/{parked_id}/retry", data={})
    assert answer.status_code == 503
    assert await left(house) == [parked_id]
    page = await house.page("/admin/parked")
    assert "It is not known whether this was done." in page.one("section", class_="done").text


async def test_another_workspace_s_message_is_neither_shown_nor_sent(
    house: House, home: House, sent: list[Message]
) -> None:
    parked_id = await park(home, b"secret")
    assert "secret" not in (await house.page("/admin/parked")).text
    for verb in ("retry", "discard"):
        answer = await house.admin.post(
            f"/admin/parked/{parked_id}/{verb}", data={"reason": "x"} if verb == "discard" else {}
        )
        assert answer.status_code == 404
    await house.press("/admin/parked/retry")
    assert sent == []
    assert parked_id in await left(home)


async def test_what_belongs_to_nobody_is_for_whoever_set_placet_up(house: House) -> None:
    assert parked_for(DEFAULT_WORKSPACE) == [DEFAULT_WORKSPACE, NOBODYS]
    assert parked_for(house.workspace) == [house.workspace]


async def test_the_list_goes_on_after_a_page(house: House) -> None:
    for offset in range(51):
        await park(house, b"{}", offset)
    page = await house.page("/admin/parked")
    assert len(cards(page)) == 50
    answer = await house.admin.get(page.one("a", rel="next").attributes["href"])
    assert len(cards(read(answer.text))) == 1
    assert (await house.admin.get("/admin/parked?after=x")).status_code == 422
