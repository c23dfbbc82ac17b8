"""SCIM under nonsense: whatever comes in is answered in SCIM's words, and never with a 5xx."""

import asyncio
from typing import Any

import httpx2
import hypothesis
from hypothesis import strategies as st

from tests.people.people_kit import ANN, House
from tests.people.test_people_scim_users import ENTERPRISE, USER, created

NAMES = [
    *("userName", "externalId", "displayName", "timezone", "active", "name", "name.givenName"),
    *("emails", 'emails[type eq "work"].value', "emails.value", "emails[primary eq true]", "roles"),
    *('roles[primary eq "True"].value', "members", 'members[value eq "x"]', "groups", "id"),
    *(ENTERPRISE, f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value", f"{USER}:userName"),
    *("Operations", "schemas", "meta", "title", "urn:x:y:z", "", "[", "a.b.c", "x[y eq 1].z"),
]
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from([ANN, "b@x.com", "True", "board", "\0"]))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["value", "type", "primary", "givenName", "manager", *NAMES]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
OPERATIONS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "Replace", "remove", "x"])},
            optional={"path": st.one_of(st.sampled_from(NAMES), TEXTS, VALUES), "value": VALUES},
        ),
        VALUES,
    ),
    max_size=3,
)
CALLS = st.one_of(
    st.tuples(st.sampled_from([("POST", "/Users"), ("POST", "/Groups")]), BODIES),
    st.tuples(st.sampled_from([("PUT", "/Users/{user}"), ("PUT", "/Groups/{group}")]), BODIES),
    st.tuples(
        st.sampled_from([("PATCH", "/Users/{user}"), ("PATCH", "/Groups/{group}")]),
        st.fixed_dictionaries({"Operations": OPERATIONS}),
    ),
)


async def test_no_body_brings_it_down(manager: httpx2.AsyncClient, house: House) -> None:
    user = await created(manager, ANN)
    group = (await manager.post("/scim/v2/Groups", json={"displayName": "g"})).json()
    loop = asyncio.get_running_loop()

    async def sent(call: tuple[tuple[str, str], Any]) -> None:
        (method, path), body = call
        address = "/scim/v2" + path.format(user=user["id"], group=group["id"])
        answer = await manager.request(method, address, json=body)
        assert answer.status_code in (200, 201, 204, 400, 409), (answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["status"] == str(answer.status_code)
        if answer.status_code == 201:
            shown = await manager.get(answer.json()["meta"]["location"])
            assert shown.status_code == 200

    @hypothesis.settings(
        max_examples=150,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(call=CALLS)
    def send(call: tuple[tuple[str, str], Any]) -> None:
        asyncio.run_coroutine_threadsafe(sent(call), loop).result(30)

    await asyncio.to_thread(send)
    directory = await house.served.parts.directories.fresh(house.workspace)
    assert all("@" in email for email in directory.members)


async def test_no_query_brings_it_down(manager: httpx2.AsyncClient) -> None:
    await created(manager, ANN)
    loop = asyncio.get_running_loop()

    async def sent(path: str, query: dict[str, str]) -> None:
        answer = await manager.get(f"/scim/v2/{path}", params=query)
        assert answer.status_code in (200, 400), (answer.status_code, answer.text)

    filters = st.one_of(
        st.text(max_size=40),
        st.builds(
            "{} {} {}".format,
            st.sampled_from([*NAMES, "id", "emails.value"]),
            st.sampled_from(["eq", "EQ", "co", "pr"]),
            st.sampled_from(['"x"', "true", "null", "7", '"\\u0000"', '"', "x"]),
        ),
    )
    queries = st.fixed_dictionaries(
        {},
        optional={
            "filter": filters,
            "startIndex": st.one_of(st.integers().map(str), st.text(max_size=5)),
            "count": st.one_of(st.integers().map(str), st.text(max_size=5)),
            "attributes": st.text(max_size=20),
            "excludedAttributes": st.text(max_size=20),
        },
    )

    @hypothesis.settings(
        max_examples=120,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(path=st.sampled_from(["Users", "Groups"]), query=queries)
    def send(path: str, query: dict[str, str]) -> None:
        asyncio.run_coroutine_threadsafe(sent(path, query), loop).result(30)

    await asyncio.to_thread(send)
