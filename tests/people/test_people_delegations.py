"""Absences over HTTP: who may hand over, for how long, to whom, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.people.people_kit import ANN, BEN, CARA, DAN, READS, House
from tests.people.test_people_scim_users import created

Json = dict[str, Any]
NOW = datetime.now(UTC)


def times(begins_days: float = 0, ends_days: float = 7) -> Json:
    return {
        "begins": (NOW + timedelta(days=begins_days)).isoformat(),
        "ends": (NOW + timedelta(days=ends_days)).isoformat(),
    }


async def handed(client: httpx2.AsyncClient, to: str, **more: Any) -> Json:
    answer = await client.post("/v1/delegations", json={"to": to, **times(), **more})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def refused(client: httpx2.AsyncClient, status: int, code: str, **body: Any) -> Json:
    answer = await client.post("/v1/delegations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    found: Json = answer.json()
    return found


async def test_one_hands_over_sees_it_and_takes_it_back(
    ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    made = await handed(ann, "Ben@Example.com", reason="On holiday")
    assert (made["person"], made["to"], made["reason"], made["created_by"]) == (
        ANN,
        BEN,
        "On holiday",
        ANN,
    )
    for query in ({}, {"person": ANN}, {"to": BEN}, {"person": ANN, "to": BEN}):
        listed = (await ben.get("/v1/delegations", params=query)).json()
        assert listed == {"data": [made], "next_cursor": None}
    for query in ({"person": BEN}, {"to": ANN}):
        assert (await ben.get("/v1/delegations", params=query)).json()["data"] == []
    ended = await ann.delete(f"/v1/delegations/{made['id']}")
    assert ended.status_code == 200
    assert ended.json()["ended_by"] == ANN
    assert (await ben.get("/v1/delegations")).json()["data"] == []
    again = await ann.delete(f"/v1/delegations/{made['id']}")
    assert again.json() == ended.json()


async def test_what_is_handed_over_reaches_the_directory(
    ann: httpx2.AsyncClient, house: House
) -> None:
    directories = house.served.parts.directories
    made = await handed(ann, BEN)
    now = datetime.now(UTC)
    directory = await directories.fresh(house.workspace)
    stand_in = directory.stand_in(ANN, now)
    assert stand_in is not None
    assert stand_in.email == BEN
    await ann.delete(f"/v1/delegations/{made['id']}")
    assert (await directories.fresh(house.workspace)).stand_in(ANN, now) is None


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"to": ANN, **times()}, "same_person", "/to"),
        ({"to": "ANN@example.com", **times()}, "same_person", "/to"),
        ({"to": BEN, **times(3, 3)}, "ends_before_it_begins", "/ends"),
        ({"to": BEN, **times(3, 2)}, "ends_before_it_begins", "/ends"),
        ({"to": BEN, **times(-3, -1)}, "is_over", "/ends"),
        ({"to": BEN, **times(0, 366.1)}, "too_long", "/ends"),
        ({"to": "ben", **times()}, "invalid", "/to"),
        ({"to": BEN, **times(), "person": "the boss"}, "invalid", "/person"),
        ({"to": BEN, **times(), "begins": "2026-01-01T00:00:00"}, "invalid", "/begins"),
        ({"to": BEN, **times(), "begins": "0001-01-01T00:00:00+14:00"}, "invalid", "/begins"),
        ({"to": BEN, **times(), "begins": "tomorrow"}, "invalid", "/begins"),
        ({"to": BEN, **times(), "until": "x"}, "invalid", "/until"),
        ({"to": BEN, **times(), "reason": "a\u0000b"}, "invalid", "/reason"),
        ({"begins": times()["begins"]}, "invalid", "/to"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    house: House, body: Json, code: str, pointer: str
) -> None:
    own = await house.caller(ANN, [*READS, "people:manage"])
    document = await refused(own, 422, code, **body)
    assert [one["pointer"] for one in document["errors"]] == [pointer]
    assert (await own.get("/v1/delegations")).json()["data"] == []


async def test_a_year_is_not_too_long(ann: httpx2.AsyncClient) -> None:
    await handed(ann, BEN, **times(0, 366))


async def test_a_circle_is_refused_and_told_where_times_overlap(
    ann: httpx2.AsyncClient, ben: httpx2.AsyncClient, house: House
) -> None:
    cara = await house.caller(CARA, READS)
    first = await handed(ann, BEN)
    second = await handed(ben, CARA, **times(2, 4))
    document = await refused(cara, 409, "delegation_circle", to=ANN, **times(3, 5))
    for told in (first["id"], second["id"], f"{ANN} to {BEN}", f"{BEN} to {CARA}"):
        assert told in document["detail"]
    await refused(ben, 409, "delegation_circle", to=ANN, **times(6, 8))
    await handed(cara, ANN, **times(4, 6))
    await ben.delete(f"/v1/delegations/{second['id']}")
    await handed(cara, ANN, **times(2, 4))


async def test_nothing_is_handed_over_to_somebody_deactivated(
    ann: httpx2.AsyncClient, manager: httpx2.AsyncClient
) -> None:
    await created(manager, BEN, active=False)
    await refused(ann, 422, "deactivated", to=BEN, **times())
    await handed(ann, CARA)


async def test_for_somebody_else_it_takes_the_scope_to_manage_people(
    ann: httpx2.AsyncClient, manager: httpx2.AsyncClient, house: House
) -> None:
    document = await refused(ann, 403, "missing_scope", to=BEN, person=DAN, **times())
    assert "people:manage" in document["detail"]
    made = await handed(manager, BEN, person=DAN)
    assert (made["person"], made["created_by"]) == (DAN, "hr@example.com")
    assert (await ann.delete(f"/v1/delegations/{made['id']}")).status_code == 403
    dan = await house.caller(DAN, READS)
    assert (await dan.delete(f"/v1/delegations/{made['id']}")).status_code == 200
    own = await refused(manager, 403, "missing_scope", to=BEN, **times())
    assert "approvals:decide" in own["detail"]
    reader = await house.caller(ANN, ["approvals:read"])
    await refused(reader, 403, "missing_scope", to=BEN, **times())
    assert (await reader.delete("/v1/delegations/x")).status_code == 403


async def test_the_list_is_paged_the_first_to_begin_first(
    manager: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    for days in (3, 1, 2):
        await handed(ann, BEN, **times(days, days + 1))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await manager.get("/v1/delegations", params=query)).json()
        seen += [one["begins"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == sorted(seen)
    assert len(set(seen)) == 3
    assert (await manager.get("/v1/delegations", params={"cursor": "x"})).status_code == 422
    assert (await manager.get("/v1/delegations", params={"whose": "x"})).status_code == 422


async def test_nobody_hands_over_without_end(
    ann: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.directory.delegations.MOST_OWN", 2)
    await handed(ann, BEN)
    made = await handed(ann, BEN, **times(ends_days=8))
    await refused(ann, 409, "too_many_delegations", to=BEN, **times(ends_days=9))
    await ann.delete(f"/v1/delegations/{made['id']}")
    await handed(ann, BEN, **times(ends_days=9))


async def test_the_same_asked_for_again_is_the_same_until_it_ends(ann: httpx2.AsyncClient) -> None:
    made = await handed(ann, BEN)
    assert (await handed(ann, BEN))["id"] == made["id"]
    await ann.delete(f"/v1/delegations/{made['id']}")
    assert (await handed(ann, BEN))["id"] != made["id"]


@pytest.mark.parametrize("delegation_id", ["dlg_none", "ÿ", "a.b", "0" * 300])
async def test_an_id_that_is_nobody_s_is_not_there(
    ann: httpx2.AsyncClient, delegation_id: str
) -> None:
    assert (await ann.delete(f"/v1/delegations/{delegation_id}")).status_code == 404
