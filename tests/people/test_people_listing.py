"""Who is there: listed, looked up, resolved; and who may know, and whose they are."""

import httpx2
import pytest
from asyncpg import InsufficientPrivilegeError

from services.config import read_config
from tests.api.api_kit import ADMIN_KEY
from tests.people.people_kit import ANN, BEN, CARA, THESE_DAYS, House, imported, people_on, person
from tests.servers.postgres import TestingPostgres

TABLES = (
    "directories",
    "people",
    "people_groups",
    "people_group_members",
    "delegations",
    "notification_preferences",
)


async def listed(client: httpx2.AsyncClient, **query: object) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        answer = await client.get("/v1/people", params={**query, **more})  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        found += [one["email"] for one in answer.json()["data"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_people_are_listed_by_address_page_after_page(
    manager: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    emails = sorted([*(f"p{n}@example.com" for n in range(7)), "ö@example.com", ANN])
    await imported(manager, "email,name\n" + "".join(f"{one},Name of {one}\n" for one in emails))
    assert await listed(ann, limit=2) == emails
    assert await listed(ann, limit=3) == emails
    assert await listed(ann, limit=200, q="P1@") == ["p1@example.com"]
    assert await listed(ann, q="NAME OF ANN") == [ANN]
    assert await listed(ann, q="nobody") == []


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"name": "x"}])
async def test_a_list_is_not_asked_for_like_that(
    ann: httpx2.AsyncClient, query: dict[str, object]
) -> None:
    answer = await ann.get("/v1/people", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 422


async def test_one_person_is_shown_and_a_stranger_is_not_there(
    manager: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    await imported(manager, f"email,name\n{BEN},Ben\n")
    shown = await ann.get("/v1/people/Ben@Example.com")
    assert (shown.status_code, shown.json()["name"]) == (200, "Ben")
    assert (await ann.get(f"/v1/people/{CARA}")).status_code == 404


async def test_many_addresses_are_resolved_in_their_order(
    manager: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    await imported(manager, f"email,name,active\n{BEN},Ben,no\n")
    emails = [CARA, "BEN@example.com", CARA]
    answer = await ann.post("/v1/people/resolve", json={"emails": emails})
    found = answer.json()["data"]
    assert [(one["email"], one["known"], one["active"]) for one in found] == [
        (CARA, False, True),
        (BEN, True, False),
        (CARA, False, True),
    ]
    most = await ann.post("/v1/people/resolve", json={"emails": [CARA] * 200})
    assert len(most.json()["data"]) == 200
    for wrong in ([], [CARA] * 201, ["nobody"], [7], None):
        answer = await ann.post("/v1/people/resolve", json={"emails": wrong})
        assert answer.status_code == 422, wrong


async def test_who_may_only_ask_for_approvals_may_change_nobody(
    ann: httpx2.AsyncClient, house: House
) -> None:
    refused = await ann.post(
        "/v1/people/import", content="email\n", headers={"Content-Type": "text/csv"}
    )
    assert refused.status_code == 403
    assert "people:manage" in refused.json()["detail"]
    boss = await house.caller("boss@example.com", ["admin"])
    await imported(boss, f"email\n{ANN}\n")
    nobody = await house.caller("program@example.com", ["approvals:request"])
    assert (await nobody.get("/v1/people")).status_code == 403
    assert (await nobody.post("/v1/people/resolve", json={})).status_code == 403


async def test_an_agent_s_key_never_says_who_decides(house: House) -> None:
    with pytest.raises(ValueError, match="people:manage"):
        await house.served.parts.keys.create(
            house.workspace,
            principal="bot@example.com",
            name="bot",
            scopes=["people:manage"],
            expires_at=None,
            agent=True,
        )


async def test_another_workspace_sees_nobody(manager: httpx2.AsyncClient, house: House) -> None:
    await imported(manager, f"email,groups\n{ANN},finance\n")
    own = await house.caller(ANN, ["approvals:decide", "approvals:read"])
    made = await own.post("/v1/delegations", json={"to": BEN, **THESE_DAYS})
    assert made.status_code == 201
    other = house.next_door()
    spy = await other.caller(ANN, ["admin"])
    assert await listed(spy) == []
    assert not (await person(spy, ANN))["known"]
    assert (await spy.get("/v1/delegations")).json()["data"] == []
    assert (await spy.delete(f"/v1/delegations/{made.json()['id']}")).status_code == 404
    assert (await imported(spy, f"email,name\n{ANN},Another\n"))["created"] == 1
    assert (await person(manager, ANN))["name"] is None


@pytest.mark.parametrize("table", TABLES)
async def test_row_level_security_holds_in_each_table(
    table: str, manager: httpx2.AsyncClient, house: House
) -> None:
    await imported(manager, f"email,groups\n{ANN},finance\n")
    own = await house.caller(ANN, ["approvals:decide"])
    await own.post("/v1/delegations", json={"to": BEN, **THESE_DAYS})
    await own.put(f"/v1/people/{ANN}/notifications", json={"silent": True})
    database = house.served.parts.app_db
    async with database.workspace(house.workspace) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0  # noqa: S608 # ours
    async with database.workspace("elsewhere") as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 # ours
        with pytest.raises(InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO directories (workspace, change, people) VALUES ($1, 1, 0)",
                house.next_door().workspace,
            )


async def test_the_people_of_the_file_are_shown_with_those_of_the_table(
    postgres: TestingPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("config") / "placet.yaml"
    file.write_text(f"people: [{{email: {ANN}, name: Ann, groups: [board]}}]\n", "utf-8")
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with (
        postgres.database(template=migrated) as dsn,
        people_on(dsn, read_config(file, {})) as served,
        httpx2.AsyncClient(base_url=served.url, headers=headers) as admin,
    ):
        await imported(admin, f"email,name,groups,active\n{ANN},Other,legal,no\n{BEN},Ben,,\n")
        ann = await person(admin, ANN)
        assert (ann["name"], ann["groups"], ann["active"]) == ("Ann", ["board", "legal"], False)
        assert await listed(admin) == [ANN, BEN]
