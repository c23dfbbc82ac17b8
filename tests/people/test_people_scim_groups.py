"""Groups as Okta and Entra ID send them: who is in, who is out, and by which name policies know."""

from typing import Any

import httpx2
import pytest

from tests.people.people_kit import ANN, BEN, House, imported, person
from tests.people.test_people_scim_users import PATCH, created, refused

Json = dict[str, Any]


async def made(client: httpx2.AsyncClient, name: str = "Finance", *members: Json) -> Json:
    body = {"displayName": name, "members": [{"value": one["id"]} for one in members]}
    answer = await client.post("/scim/v2/Groups", json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def changed(client: httpx2.AsyncClient, group: Json, *operations: Json) -> httpx2.Response:
    return await client.patch(
        f"/scim/v2/Groups/{group['id']}", json={"schemas": [PATCH], "Operations": list(operations)}
    )


async def members(client: httpx2.AsyncClient, group: Json) -> list[str]:
    answer = await client.get(f"/scim/v2/Groups/{group['id']}")
    assert answer.status_code == 200
    return [one["display"] for one in answer.json()["members"]]


@pytest.fixture
async def people(manager: httpx2.AsyncClient) -> dict[str, Json]:
    return {email: await created(manager, email, externalId=email) for email in (ANN, BEN)}


async def test_members_come_and_go_as_okta_says(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    group = await made(manager, "Cost Centre 7")
    ann, ben = people[ANN]["id"], people[BEN]["id"]
    add = {"op": "add", "path": "members", "value": [{"value": ann, "display": ANN}]}
    assert (await changed(manager, group, add)).status_code == 204
    assert await members(manager, group) == [ANN]
    assert (await person(manager, ANN))["groups"] == ["cost centre 7"]
    replace = {"op": "replace", "path": "members", "value": [{"value": ben}]}
    await changed(manager, group, replace)
    assert await members(manager, group) == [BEN]
    assert (await person(manager, ANN))["groups"] == []
    remove = {"op": "remove", "path": f'members[value eq "{ben}"]'}
    await changed(manager, group, remove)
    assert await members(manager, group) == []
    assert (await person(manager, BEN))["groups"] == []
    rename = {"op": "replace", "value": {"id": group["id"], "displayName": "Other"}}
    await changed(manager, group, add, rename)
    assert (await person(manager, ANN))["groups"] == ["other"]
    user = (await manager.get(f"/scim/v2/Users/{ann}")).json()
    assert [one["display"] for one in user["groups"]] == ["Other"]


async def test_members_come_and_go_as_entra_says(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    group = await made(manager)
    ann, ben = people[ANN]["id"], people[BEN]["id"]
    both = [{"$ref": None, "value": ann}, {"$ref": None, "value": ben}]
    await changed(manager, group, {"op": "Add", "path": "members", "value": both})
    assert await members(manager, group) == [ANN, BEN]
    gone = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ann}]}
    await changed(manager, group, gone)
    assert await members(manager, group) == [BEN]
    answer = await manager.get(
        f"/scim/v2/Groups/{group['id']}", params={"excludedAttributes": "members"}
    )
    assert "members" not in answer.json()
    query = {"excludedAttributes": "members", "filter": 'displayName eq "finance"'}
    listed = (await manager.get("/scim/v2/Groups", params=query)).json()
    assert [one["id"] for one in listed["Resources"]] == [group["id"]]
    assert "members" not in listed["Resources"][0]
    in_it = {"filter": f'id eq "{group["id"]}" and members eq "{ben}"'}
    assert (await manager.get("/scim/v2/Groups", params=in_it)).json()["totalResults"] == 1
    await changed(manager, group, {"op": "remove", "path": "members"})
    assert await members(manager, group) == []
    renamed = await changed(manager, group, {"op": "Replace", "path": "displayName", "value": "F"})
    assert renamed.status_code == 204


async def test_a_group_is_replaced_and_removed(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    group = await made(manager, "Finance", people[ANN])
    body = {"displayName": "Money", "externalId": "x", "members": [{"value": people[BEN]["id"]}]}
    answer = await manager.put(f"/scim/v2/Groups/{group['id']}", json=body)
    assert answer.status_code == 200
    assert answer.json()["externalId"] == "x"
    assert [(await person(manager, one))["groups"] for one in (ANN, BEN)] == [[], ["money"]]
    assert (await manager.delete(f"/scim/v2/Groups/{group['id']}")).status_code == 204
    assert (await person(manager, BEN))["groups"] == []
    refused(await manager.get(f"/scim/v2/Groups/{group['id']}"), 404)
    refused(await manager.delete(f"/scim/v2/Groups/{group['id']}"), 404)


async def test_a_removed_user_is_in_no_group(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    group = await made(manager, "Finance", people[ANN], people[BEN])
    await manager.delete(f"/scim/v2/Users/{people[ANN]['id']}")
    assert await members(manager, group) == [BEN]
    assert (await person(manager, ANN))["groups"] == []


async def test_a_group_that_an_import_made_becomes_the_provider_s(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    await imported(manager, f"email,groups\n{ANN},Finance\n")
    group = await made(manager, "finance", people[BEN])
    assert await members(manager, group) == [BEN]
    assert [(await person(manager, one))["groups"] for one in (ANN, BEN)] == [[], ["finance"]]


async def test_a_wrong_group_is_refused_and_nothing_is_changed(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    group = await made(manager, "Finance", people[ANN])
    again = await manager.post("/scim/v2/Groups", json={"displayName": " FINANCE "})
    refused(again, 409, "uniqueness")
    other = await made(manager, "Legal")
    taken = {"op": "replace", "path": "displayName", "value": "Finance"}
    refused(await changed(manager, other, taken), 409, "uniqueness")
    for name in ("", "x" * 101, 7, None):
        refused(
            await manager.post("/scim/v2/Groups", json={"displayName": name}), 400, "invalidValue"
        )
    gone = {"op": "remove", "path": "members", "value": [{"value": people[ANN]["id"]}]}
    stranger = {"op": "add", "path": "members", "value": [{"value": "nobody"}]}
    assert "nobody" in refused(await changed(manager, group, gone, stranger), 400, "invalidValue")
    assert await members(manager, group) == [ANN]
    wrong = {"op": "remove", "path": 'members[display eq "x"]'}
    refused(await changed(manager, group, wrong), 400, "invalidFilter")
    strange = await manager.get("/scim/v2/Groups", params={"filter": 'meta eq "x"'})
    refused(strange, 400, "invalidFilter")


async def test_a_list_with_too_many_members_is_refused_and_says_how(
    manager: httpx2.AsyncClient, people: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.people.scim.groups.MOST_LISTED", 1)
    await made(manager, "Finance", people[ANN], people[BEN])
    refusal = refused(await manager.get("/scim/v2/Groups"), 400, "tooMany")
    assert "excludedAttributes=members" in refusal
    some = await manager.get("/scim/v2/Groups", params={"excludedAttributes": "members"})
    assert some.json()["totalResults"] == 1


async def test_another_workspace_sees_no_group_and_takes_nobody_in(
    manager: httpx2.AsyncClient, people: dict[str, Json], house: House
) -> None:
    group = await made(manager, "Finance", people[ANN])
    other = await house.next_door().caller("hr@example.com", ["people:manage"])
    assert (await other.get("/scim/v2/Groups")).json()["totalResults"] == 0
    refused(await other.delete(f"/scim/v2/Groups/{group['id']}"), 404)
    theirs = await made(other, "Finance")
    add = {"op": "add", "path": "members", "value": [{"value": people[ANN]["id"]}]}
    refused(await changed(other, theirs, add), 400, "invalidValue")
    assert await members(manager, group) == [ANN]


async def test_another_name_is_another_group_to_everybody_in_it(
    manager: httpx2.AsyncClient, people: dict[str, Json]
) -> None:
    group = await made(manager, "Finance", people[ANN])
    assert (await person(manager, ANN))["groups"] == ["finance"]
    await changed(manager, group, {"op": "replace", "path": "displayName", "value": "Money"})
    assert (await person(manager, ANN))["groups"] == ["money"]
