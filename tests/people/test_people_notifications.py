"""How people are told, over HTTP: who may choose it, what may be said, and that it is followed."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from events.store.database import Database
from services.directory.kept_preferences import LOOK_AGAIN_S
from services.directory.preferences import Turn
from services.effects import Effect, Effects
from tests.cli.command_line import placet
from tests.people.people_kit import ANN, BEN, MANAGES, House, imported

Json = dict[str, Any]
SAID: Json = {
    "order": ["outbox after 15m"],
    "quiet_hours": [{"from": "22:00", "until": "07:00", "days": ["mon", "fri"]}],
    "digest": ["09:00"],
    "silent": None,
    "outcomes": False,
    "time_zone": "Europe/Berlin",
}
NOTHING = dict.fromkeys(SAID)


def path(email: str) -> str:
    return f"/v1/people/{email}/notifications"


async def told(client: httpx2.AsyncClient, email: str) -> Json:
    answer = await client.get(path(email))
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def put(client: httpx2.AsyncClient, email: str, body: Json) -> Json:
    answer = await client.put(path(email), json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_one_chooses_sees_it_and_leaves_it_to_the_file_again(
    ann: httpx2.AsyncClient, house: House
) -> None:
    before = await told(ann, ANN)
    assert (before["own"], before["changed_at"]) == (NOTHING, None)
    assert before["channels"] == ["inbox", "outbox"]
    assert before["effective"] == NOTHING | {"time_zone": "UTC"}
    chosen = await put(ann, "Ann@Example.com", SAID)
    assert chosen["own"] == chosen["effective"] == SAID
    assert chosen["changed_at"] is not None
    assert await told(ann, ANN) == chosen
    again = await put(ann, ANN, SAID)
    assert again == chosen, "the same again changes nothing, not even the time"
    directory = await house.served.parts.directories.fresh(house.workspace)
    assert directory.preferences_of(ANN).order == (Turn("outbox", 900.0),)
    back = await put(ann, ANN, {})
    assert back["own"] == NOTHING


async def test_a_time_zone_that_is_known_of_somebody_holds_unless_they_say_another(
    manager: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    await imported(manager, f"email,time_zone\n{ANN},Asia/Tokyo\n")
    assert (await told(ann, ANN))["effective"]["time_zone"] == "Asia/Tokyo"
    chosen = await put(ann, ANN, {"time_zone": "Europe/Berlin"})
    assert chosen["effective"]["time_zone"] == "Europe/Berlin"


async def test_ones_own_only_unless_one_keeps_the_people(
    ann: httpx2.AsyncClient, manager: httpx2.AsyncClient, house: House
) -> None:
    for answer in (await ann.get(path(BEN)), await ann.put(path(BEN), json={"silent": True})):
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    await put(manager, BEN, {"silent": True})
    assert (await told(manager, BEN))["own"]["silent"] is True
    reader = await house.caller(ANN, ["approvals:read"])
    assert (await reader.get(path(ANN))).status_code == 403
    elsewhere = await house.next_door().caller("hr@example.com", MANAGES)
    assert (await told(elsewhere, BEN))["own"] == NOTHING
    assert (await manager.get(path("ben"))).status_code == 422


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"order": ["pager"]}, "/order/0"),
        ({"order": []}, "/order"),
        ({"order": "outbox"}, "/order"),
        ({"quiet_hours": [{"from": "22:00"}]}, "/quiet_hours/0/until"),
        ({"quiet_hours": [{"from": "25:00", "until": "07:00"}]}, "/quiet_hours/0/from"),
        ({"quiet_hours": [{"from": "0:00", "until": "24:00"}]}, "/quiet_hours"),
        ({"digest": ["9"]}, "/digest/0"),
        ({"digest": ["24:00"]}, "/digest/0"),
        ({"silent": "yes"}, "/silent"),
        ({"time_zone": "../etc"}, "/time_zone"),
        ({"loud": True}, "/loud"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    ann: httpx2.AsyncClient, body: Json, pointer: str
) -> None:
    answer = await ann.put(path(ANN), json=body)
    assert answer.status_code == 422, answer.text
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert (await told(ann, ANN))["own"] == NOTHING


async def test_every_process_knows_within_about_a_second(
    ann: httpx2.AsyncClient, house: House
) -> None:
    await put(ann, ANN, {"silent": True})
    began = time.monotonic()
    while not house.served.parts.directories.of(house.workspace).preferences_of(ANN).silent:
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.05)


async def test_what_waits_for_its_time_is_looked_at_anew_and_nothing_else(
    ann: httpx2.AsyncClient, house: House
) -> None:
    database: Database = house.served.parts.worker_db
    effects = Effects(database)
    names = (f"card_later:{ANN}", f"card_later:{BEN}", f"card:outbox:{ANN}")
    held = [
        Effect(workspace=house.workspace, approval_id="a" * 27, version=1, effect=name)
        for name in names
    ]
    for one in held:
        await effects.take(one)
        await effects.later(one, 3600.0, "waits")
    await put(ann, ANN, {"silent": True})
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT effect, due_at FROM effects WHERE workspace = $1", house.workspace
        )
    soon = {
        row["effect"]
        for row in rows
        if (row["due_at"] - datetime.now(UTC)).total_seconds() <= LOOK_AGAIN_S
    }
    assert soon == {f"card_later:{ANN}"}


async def test_the_command_line_tells_how_somebody_is_told(
    ann: httpx2.AsyncClient, house: House
) -> None:
    await put(ann, ANN, SAID)
    made = await house.served.parts.keys.create(
        house.workspace, principal=ANN, name="cli", scopes=["admin"], expires_at=None
    )
    here = {"PLACET_URL": house.served.url, "PLACET_KEY": made.text}
    shown = await placet("people", "notifications", ANN, **here)
    assert shown.code == 0, shown.err
    for line in ("outbox after 15m", "22:00 to 07:00 (mon, fri)", "09:00", "Europe/Berlin"):
        assert line in shown.out
    script = await placet("people", "notifications", ANN, "--json", **here)
    assert script.json["own"] == SAID
