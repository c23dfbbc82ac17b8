"""Users as Okta and Entra ID send them: created, found, changed, deactivated, removed."""

from typing import Any

import httpx2
import pytest

from tests.people.people_kit import ANN, BEN, CARA, THESE_DAYS, House, imported, person

SCIM = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

Json = dict[str, Any]


def okta_user(email: str, **more: Any) -> Json:
    """The body with which Okta creates a user."""
    return {
        "schemas": [USER],
        "userName": email,
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": email, "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
        **more,
    }


async def created(client: httpx2.AsyncClient, email: str, **more: Any) -> Json:
    answer = await client.post("/scim/v2/Users", json=okta_user(email, **more))
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == SCIM
    found: Json = answer.json()
    assert answer.headers["location"] == found["meta"]["location"]
    return found


async def patch(client: httpx2.AsyncClient, user: Json, *operations: Json) -> httpx2.Response:
    body = {"schemas": [PATCH], "Operations": list(operations)}
    return await client.patch(
        f"/scim/v2/Users/{user['id']}", json=body, headers={"Content-Type": SCIM}
    )


async def patched(client: httpx2.AsyncClient, user: Json, *operations: Json) -> Json:
    answer = await patch(client, user, *operations)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def refused(answer: httpx2.Response, status: int, scim_type: str | None = None) -> str:
    """The detail of an error, which must be one of SCIM's."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == SCIM
    body = answer.json()
    assert body["schemas"] == [ERROR]
    assert body["status"] == str(status)
    assert body.get("scimType") == scim_type, body
    return str(body["detail"])


async def found(client: httpx2.AsyncClient, filter_: str, **query: Any) -> list[str]:
    answer = await client.get("/scim/v2/Users", params={"filter": filter_, **query})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
    assert body["totalResults"] >= body["itemsPerPage"] == len(body["Resources"])
    return [one["userName"] for one in body["Resources"]]


async def test_okta_looks_for_a_user_creates_it_and_finds_it_again(
    manager: httpx2.AsyncClient,
) -> None:
    assert await found(manager, f'userName eq "{ANN}"', startIndex=1, count=100) == []
    user = await created(manager, "Ann@Example.com")
    assert (user["userName"], user["active"], user["groups"]) == ("Ann@Example.com", True, [])
    assert "password" not in user
    assert "locale" not in user
    for filter_ in (
        f'userName eq "{ANN}"',
        'userName EQ "ANN@example.com"',
        'externalId eq "00ujl29u0le5T6Aj10h7"',
        f'emails[type eq "work"].value eq "{ANN}"',
        'displayName eq "test user" and active eq true',
        f'id eq "{user["id"]}"',
        "active eq true",
    ):
        assert await found(manager, filter_) == ["Ann@Example.com"], filter_
    assert await found(manager, f'userName eq "{ANN}" and active eq false') == []
    assert await found(manager, "active eq false") == []
    again = await manager.post("/scim/v2/Users", json=okta_user(ANN))
    assert ANN in refused(again, 409, "uniqueness")
    ann = await person(manager, ANN)
    assert (ann["known"], ann["name"], ann["active"]) == (True, "Test User", True)


async def test_okta_deactivates_and_activates(manager: httpx2.AsyncClient) -> None:
    user = await created(manager, ANN)
    off = await patched(manager, user, {"op": "replace", "value": {"active": False}})
    assert off["active"] is False
    assert (await person(manager, ANN))["active"] is False
    await patched(manager, user, {"op": "replace", "value": {"active": True}})
    assert (await person(manager, ANN))["active"] is True


async def test_okta_replaces_a_whole_user(manager: httpx2.AsyncClient) -> None:
    user = await created(manager, ANN, roles=[{"value": "board"}])
    body = okta_user(ANN, displayName="Ann New", id=user["id"], meta=user["meta"])
    del body["active"]
    answer = await manager.put(f"/scim/v2/Users/{user['id']}", json=body)
    assert answer.status_code == 200
    assert answer.json()["displayName"] == "Ann New"
    ann = await person(manager, ANN)
    assert (ann["name"], ann["roles"], ann["active"]) == ("Ann New", [], True)
    await patched(manager, user, {"op": "replace", "value": {"active": False}})
    answer = await manager.put(f"/scim/v2/Users/{user['id']}", json=body)
    assert answer.json()["active"] is False


async def test_entra_changes_a_user_in_its_own_way(manager: httpx2.AsyncClient) -> None:
    boss = await created(manager, BEN, externalId="boss", displayName="Ben Boss")
    user = await created(manager, ANN, externalId="ann")
    changed = await patched(
        manager,
        user,
        {"op": "Replace", "path": "displayName", "value": "Ann E."},
        {"op": "Replace", "path": "name.familyName", "value": "Entra"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "ann.e@example.com"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+49"},
        {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss["id"]},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Sales"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:x:2.0:User:tag", "value": 1},
    )
    assert changed["emails"] == [{"value": "ann.e@example.com", "type": "work", "primary": True}]
    assert changed["name"] == {"givenName": "Test", "familyName": "Entra"}
    assert changed[ENTERPRISE] == {"manager": {"value": boss["id"], "displayName": "Ben Boss"}}
    ann = await person(manager, "ann.e@example.com")
    assert (ann["known"], ann["name"], ann["manager"]) == (True, "Ann E.", BEN)
    assert not (await person(manager, ANN))["known"]
    off = await patched(manager, user, {"op": "Replace", "path": "active", "value": "False"})
    assert off["active"] is False


async def test_entra_sends_paths_as_names_without_a_path(manager: httpx2.AsyncClient) -> None:
    boss = await created(manager, BEN, externalId="boss")
    user = await created(manager, ANN, externalId="ann")
    value = {
        "displayName": "Ann",
        "name.givenName": "Anna",
        'emails[type eq "work"].value': "anna@example.com",
        f"{ENTERPRISE}:manager": {"$ref": "http://x/Users/1", "value": boss["id"]},
        f"{ENTERPRISE}:employeeNumber": "7",
        "timezone": "Asia/Tokyo",
        "active": "True",
    }
    changed = await patched(manager, user, {"op": "replace", "value": value})
    assert changed["name"]["givenName"] == "Anna"
    ann = await person(manager, "anna@example.com")
    assert (ann["manager"], ann["time_zone"]) == (BEN, "Asia/Tokyo")
    gone = await patched(manager, user, {"op": "Remove", "path": f"{ENTERPRISE}:manager"})
    assert ENTERPRISE not in gone
    assert (await person(manager, "anna@example.com"))["manager"] is None


@pytest.mark.parametrize(
    ("operations", "roles"),
    [
        ([{"op": "Add", "path": "roles", "value": [{"value": "Legal", "primary": "True"}]}], 2),
        ([{"op": "Replace", "path": "roles", "value": [{"value": "Legal"}]}], ["legal"]),
        ([{"op": "Add", "path": 'roles[primary eq "True"].value', "value": "Legal"}], 2),
        ([{"op": "Replace", "path": "roles", "value": "Legal"}], ["legal"]),
        (
            [
                {
                    "op": "replace",
                    "path": "roles",
                    "value": [{"value": '{"id": "1", "value": "Legal", "displayName": "L"}'}],
                }
            ],
            ["legal"],
        ),
        ([{"op": "remove", "path": 'roles[value eq "Board"]'}], []),
        ([{"op": "remove", "path": "roles", "value": [{"value": "board"}]}], []),
        ([{"op": "remove", "path": "roles"}], []),
        ([{"op": "remove", "path": 'roles[value eq "other"]'}], ["board"]),
    ],
)
async def test_roles_come_and_go(
    manager: httpx2.AsyncClient, operations: list[Json], roles: list[str] | int
) -> None:
    user = await created(manager, ANN, roles=[{"value": "board"}])
    await patched(manager, user, *operations)
    wanted = ["board", "legal"] if roles == 2 else roles
    assert (await person(manager, ANN))["roles"] == wanted


async def test_the_address_is_that_of_the_primary_e_mail_or_the_user_name(
    manager: httpx2.AsyncClient,
) -> None:
    several = [
        {"value": "home@example.com", "type": "home"},
        {"value": "Work@example.com", "type": "work"},
    ]
    await created(manager, "login-1", externalId="1", emails=several)
    assert (await person(manager, "work@example.com"))["known"]
    await created(
        manager, "login-2", externalId="2", emails=[*several[:1], {"value": CARA, "primary": True}]
    )
    assert (await person(manager, CARA))["known"]
    await created(manager, BEN, externalId="3", emails=[])
    assert (await person(manager, BEN))["known"]
    none = await manager.post("/scim/v2/Users", json=okta_user("login-4", emails=[]))
    assert "userName" in refused(none, 400, "invalidValue")


async def test_a_removed_user_is_gone_for_scim_and_deactivated_for_everybody_else(
    manager: httpx2.AsyncClient,
) -> None:
    user = await created(manager, ANN, roles=[{"value": "board"}])
    address = f"/scim/v2/Users/{user['id']}"
    answer = await manager.delete(address)
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await manager.get(address), 404)
    refused(await manager.delete(address), 404)
    assert await found(manager, f'userName eq "{ANN}"') == []
    ann = await person(manager, ANN)
    assert (ann["known"], ann["active"], ann["roles"]) == (True, False, [])
    again = await created(manager, ANN)
    assert again["active"] is True
    assert (await person(manager, ANN))["active"] is True


async def test_somebody_who_was_imported_becomes_a_user_and_keeps_what_scim_does_not_name(
    manager: httpx2.AsyncClient,
) -> None:
    await imported(manager, f"email,name,roles,slack\n{ANN},Imported,board,U1\n")
    assert await found(manager, f'userName eq "{ANN}"') == [ANN]
    user = await created(manager, ANN)
    ann = await person(manager, ANN)
    assert (ann["name"], ann["roles"], ann["channels"]) == ("Test User", ["board"], {"slack": "U1"})
    await patched(manager, user, {"op": "add", "path": "roles", "value": [{"value": "legal"}]})
    assert (await person(manager, ANN))["roles"] == ["legal"]


async def test_an_address_that_changes_takes_managers_and_absences_with_it(
    manager: httpx2.AsyncClient, house: House
) -> None:
    boss = await created(manager, BEN, externalId="boss")
    await created(
        manager, ANN, externalId="ann", **{ENTERPRISE: {"manager": {"value": boss["id"]}}}
    )
    own = await house.caller(BEN, ["approvals:decide", "people:manage"])
    for body in ({"to": CARA}, {"to": BEN, "person": "dan@example.com"}):
        assert (await own.post("/v1/delegations", json=body | THESE_DAYS)).status_code == 201
    changed = okta_user("benjamin@example.com", externalId="boss")
    assert (await manager.put(f"/scim/v2/Users/{boss['id']}", json=changed)).status_code == 200
    assert (await person(manager, ANN))["manager"] == "benjamin@example.com"
    listed = (await manager.get("/v1/delegations")).json()["data"]
    assert sorted((one["person"], one["to"]) for one in listed) == [
        ("benjamin@example.com", CARA),
        ("dan@example.com", "benjamin@example.com"),
    ]


async def test_a_manager_may_be_named_by_address_and_never_be_oneself(
    manager: httpx2.AsyncClient,
) -> None:
    user = await created(manager, ANN)
    path = f"{ENTERPRISE}:manager"
    by_address = {"op": "add", "path": path, "value": [{"value": "Boss@Example.com"}]}
    assert (await patched(manager, user, by_address))[ENTERPRISE]["manager"]["value"] == (
        "boss@example.com"
    )
    nobody = await patch(manager, user, {"op": "add", "path": path, "value": "not-an-id"})
    assert "not-an-id" in refused(nobody, 400, "invalidValue")
    oneself = await patch(manager, user, {"op": "add", "path": path, "value": user["id"]})
    refused(oneself, 400, "invalidValue")
    assert (await person(manager, ANN))["manager"] == "boss@example.com"


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "move", "path": "active", "value": True}, "invalidSyntax"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "replace", "path": "userName", "value": 7}, "invalidValue"),
        ({"op": "replace", "path": "userName", "value": "a\u0000b"}, "invalidValue"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "path": "timezone", "value": "Mars"}, "invalidValue"),
        ({"op": "replace", "path": "emails", "value": [{"value": "nobody"}]}, "invalidValue"),
        ({"op": "replace", "path": "emails[", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'emails[type gt "x"].value', "value": "x"}, "invalidFilter"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "value": 7}, "invalidValue"),
        ({"op": "replace", "path": 7, "value": 7}, "invalidPath"),
        ({"op": "add", "path": "roles", "value": [{"value": "x" * 101}]}, "invalidValue"),
        (
            {"op": "add", "path": "roles", "value": [{"value": str(n)} for n in range(51)]},
            "invalidValue",
        ),
    ],
)
async def test_a_wrong_change_is_refused_and_nothing_is_changed(
    manager: httpx2.AsyncClient, operation: Json, scim_type: str
) -> None:
    user = await created(manager, ANN)
    first = {"op": "replace", "path": "displayName", "value": "Another"}
    refused(await patch(manager, user, first, operation), 400, scim_type)
    assert (await person(manager, ANN))["name"] == "Test User"


async def test_two_users_have_neither_one_address_nor_one_name(
    manager: httpx2.AsyncClient,
) -> None:
    await created(manager, ANN, externalId="1")
    ben = await created(manager, BEN, externalId="2")
    mail = {"op": "replace", "path": 'emails[type eq "work"].value', "value": ANN}
    assert "address" in refused(await patch(manager, ben, mail), 409, "uniqueness")
    name = {"op": "replace", "path": "userName", "value": ANN.upper()}
    assert "userName" in refused(await patch(manager, ben, name), 409, "uniqueness")


async def test_pages_are_counted_from_one_and_bounded(manager: httpx2.AsyncClient) -> None:
    for number in range(5):
        await created(manager, f"p{number}@example.com", externalId=str(number))
    seen: list[str] = []
    for start in (1, 3, 5):
        answer = await manager.get("/scim/v2/Users", params={"startIndex": start, "count": 2})
        body = answer.json()
        assert (body["totalResults"], body["startIndex"]) == (5, start)
        seen += [one["userName"] for one in body["Resources"]]
    assert sorted(seen) == [f"p{number}@example.com" for number in range(5)]
    counted = (await manager.get("/scim/v2/Users", params={"count": 0})).json()
    assert (counted["totalResults"], counted["Resources"]) == (5, [])
    low = (await manager.get("/scim/v2/Users", params={"startIndex": -3, "count": 999})).json()
    assert (low["startIndex"], low["itemsPerPage"]) == (1, 5)
    refused(await manager.get("/scim/v2/Users", params={"count": "x"}), 400, "invalidValue")


@pytest.mark.parametrize(
    "filter_",
    ["userName", 'userName co "a"', 'title eq "x"', 'userName eq "a" or id eq "b"', 'id eq "', "("],
)
async def test_a_filter_that_is_not_known_is_refused(
    manager: httpx2.AsyncClient, filter_: str
) -> None:
    answer = await manager.get("/scim/v2/Users", params={"filter": filter_})
    refused(answer, 400, "invalidFilter")


async def test_only_what_is_asked_for_is_shown(manager: httpx2.AsyncClient) -> None:
    user = await created(manager, ANN)
    address = f"/scim/v2/Users/{user['id']}"
    some = (await manager.get(address, params={"attributes": "userName,name.givenName"})).json()
    assert set(some) == {"schemas", "id", "meta", "userName", "name"}
    rest = (await manager.get(address, params={"excludedAttributes": "emails,id"})).json()
    assert "emails" not in rest
    assert rest["id"] == user["id"]


async def test_the_provider_s_key_must_be_allowed_to_manage_people(
    ann: httpx2.AsyncClient, house: House, manager: httpx2.AsyncClient
) -> None:
    assert "people:manage" in refused(await ann.get("/scim/v2/Users"), 403)
    async with httpx2.AsyncClient(base_url=house.served.url) as nobody:
        answer = await nobody.get("/scim/v2/ServiceProviderConfig")
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    user = await created(manager, ANN)
    other = await house.next_door().caller("hr@example.com", ["people:manage"])
    refused(await other.get(f"/scim/v2/Users/{user['id']}"), 404)
    assert await found(other, f'userName eq "{ANN}"') == []
    refused(await patch(other, user, {"op": "replace", "path": "active", "value": False}), 404)
    assert (await person(manager, ANN))["active"]


async def test_a_body_that_is_none_is_refused_as_scim_does(manager: httpx2.AsyncClient) -> None:
    for body in (b"{", b"[]", b'"x"', b"[" * 100, b""):
        answer = await manager.post(
            "/scim/v2/Users", content=body, headers={"Content-Type": "application/json"}
        )
        refused(answer, 400, "invalidSyntax")
    large = await manager.post("/scim/v2/Users", json={"userName": "x" * 2_100_000})
    refused(large, 413)
    text = await manager.post("/scim/v2/Users", content=b"x", headers={"Content-Type": "text/xml"})
    refused(text, 415)


async def test_what_is_there_can_be_discovered(manager: httpx2.AsyncClient) -> None:
    config = (await manager.get("/scim/v2/ServiceProviderConfig")).json()
    assert config["patch"] == {"supported": True}
    assert config["bulk"]["supported"] is False
    types = (await manager.get("/scim/v2/ResourceTypes")).json()["Resources"]
    assert [one["endpoint"] for one in types] == ["/Users", "/Groups"]
    schemas = (await manager.get("/scim/v2/Schemas")).json()
    assert schemas["totalResults"] == 3
    one = (await manager.get(f"/scim/v2/Schemas/{USER}")).json()
    assert one["name"] == "User"
    assert (await manager.get("/scim/v2/ResourceTypes/Group")).json()["id"] == "Group"
    refused(await manager.get("/scim/v2/Schemas/x"), 404)
