"""Reading: lists and their filters, pages, the queue's order, one approval, history and links."""

import asyncio
from datetime import datetime
from typing import Any

import httpx2
import pytest

from tests.api.api_kit import (
    ANN,
    BEN,
    REQUESTER,
    Office,
    ask,
    decide,
    found,
    ids,
    pointers,
    refused,
)


async def test_what_was_just_asked_is_read_back_before_any_projection(
    agent: httpx2.AsyncClient,
) -> None:
    approval = await ask(agent, payload={"amount": 5})
    assert found(await agent.get(f"/v1/approvals/{approval['id']}")) == approval
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert [one["type"] for one in history] == ["approval.requested"]


async def test_what_was_just_decided_is_read_back_over_a_projection_that_lags(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await office.placet.shown()
    decided = found(await decide(ann, approval["id"]))
    assert found(await agent.get(f"/v1/approvals/{approval['id']}")) == decided
    lagging = found(await agent.get("/v1/approvals"))["data"]
    assert [one["status"] for one in lagging] == ["pending"]
    await office.placet.shown()
    assert found(await agent.get("/v1/approvals"))["data"] == [decided]
    assert found(await agent.get(f"/v1/approvals/{approval['id']}")) == decided


async def test_each_filter_narrows_the_list(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    plain = (await ask(agent))["id"]
    other = (await ask(agent, type="purchase", approvers=[BEN], subject="chairs"))["id"]
    rita = (await ask(agent, requester="rita@example.com", approvers=[ANN, BEN]))["id"]
    record = await office.mirrored()
    await decide(ann, plain)
    await office.placet.shown()
    everything = [record, rita, other, plain]
    wanted: list[tuple[dict[str, str], list[str]]] = [
        ({}, everything),
        ({"status": "approved"}, [plain]),
        ({"status": "pending"}, [record, rita, other]),
        ({"status": "expired"}, []),
        ({"approver": ANN}, [record, rita, plain]),
        ({"approver": "BEN@Example.com"}, [rita, other]),
        ({"requester": "rita@example.com"}, [rita]),
        ({"requester": REQUESTER}, [record, other, plain]),
        ({"type": "purchase"}, [other]),
        ({"source": "erp"}, [record]),
        ({"subject": "chairs"}, [other]),
        ({"approver": BEN, "type": "purchase"}, [other]),
        ({"approver": BEN, "source": "erp"}, []),
    ]
    for query, expected in wanted:
        assert await ids(agent, "/v1/approvals", **query) == expected, query
        assert await ids(agent, "/v1/approvals", **query, limit=1) == expected, query


async def test_pages_show_each_approval_once_while_others_are_added(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    before = [(await ask(agent))["id"] for _ in range(7)]
    await office.placet.shown()
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = found(await agent.get("/v1/approvals", params=query))
        seen.extend(one["id"] for one in page["data"])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
        await asyncio.gather(ask(agent), ask(agent))
        await office.placet.shown()
    assert seen == before[::-1]


async def test_pages_of_the_queue_show_each_approval_once_while_others_are_added(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    before = [(await ask(agent, urgency="low"))["id"] for _ in range(5)]
    await office.placet.shown()
    first = found(await ann.get("/v1/queue", params={"limit": 2}))
    await ask(agent, urgency="high")
    last = (await ask(agent, urgency="low"))["id"]
    await office.placet.shown()
    rest = await ids(ann, "/v1/queue", limit=2, cursor=first["next_cursor"])
    seen = [one["id"] for one in first["data"]] + rest
    # `ids` begins with the given cursor, and the most urgent one stands on a page before it.
    assert seen == [*before, last]


async def test_the_queue_is_most_urgent_first_then_oldest(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    asked = [
        (urgency, (await ask(agent, urgency=urgency))["id"])
        for urgency in ("low", "high", "medium", "high", "low", "medium")
    ]
    decided = (await ask(agent, urgency="high"))["id"]
    await decide(ann, decided)
    await ask(agent, approvers=[BEN])
    await office.placet.shown()
    order = {"high": 0, "medium": 1, "low": 2}
    expected = [one for _, one in sorted(asked, key=lambda one: (order[one[0]], one[1]))]
    answer = found(await ann.get("/v1/queue"))
    assert [one["id"] for one in answer["data"]] == expected
    assert answer["count"] == 6
    assert await ids(agent, "/v1/queue", approver="ANN@example.com", limit=2) == expected
    for one in answer["data"]:
        assert 0 <= one["age_seconds"] < 3600
        assert 29 * 86_400 < one["time_left_seconds"] <= 30 * 86_400
        assert one["verified_at"] is None
    assert found(await agent.get("/v1/queue")) == {"data": [], "count": 0, "next_cursor": None}


async def test_a_mirrored_approval_says_when_it_was_verified(
    office: Office, ann: httpx2.AsyncClient
) -> None:
    approval_id = await office.mirrored()
    await office.placet.shown()
    (row,) = found(await ann.get("/v1/queue"))["data"]
    assert row["id"] == approval_id
    assert datetime.fromisoformat(row["verified_at"]).tzinfo is not None


async def test_the_history_tells_everything_oldest_first(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}"
    await agent.post(f"{path}/comments", json={"text": "Please."})
    await decide(ann, approval["id"], "deny", reason="No budget.")
    told = found(await agent.get(f"{path}/history"))["data"]
    assert [(one["version"], one["type"], one["by"]) for one in told] == [
        (1, "approval.requested", REQUESTER),
        (2, "approval.commented", REQUESTER),
        (3, "approval.decision_submitted", ANN),
        (4, "approval.decided", ANN),
    ]
    assert "No budget." in told[-1]["summary"]
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)
    await office.placet.shown()
    assert found(await agent.get(f"{path}/history"))["data"] == told


async def test_the_links_are_those_that_were_sent(agent: httpx2.AsyncClient) -> None:
    links = [
        {"kind": "issue", "id": "1", "url": None},
        {"kind": "pr", "id": "2", "url": "http://x.y"},
    ]
    approval = await ask(agent, links=links)
    answer = await agent.get(f"/v1/approvals/{approval['id']}/links")
    assert found(answer) == {"data": links}
    bare = await ask(agent)
    assert found(await agent.get(f"/v1/approvals/{bare['id']}/links")) == {"data": []}


@pytest.mark.parametrize("call", ["", "/history", "/links", "/wait"])
@pytest.mark.parametrize("approval_id", ["0" * 27, "x", "%F0%9F%A6%89", "%00", "%FF", "a" * 3000])
async def test_what_is_not_there_is_not_found(
    agent: httpx2.AsyncClient, call: str, approval_id: str
) -> None:
    refused(await agent.get(f"/v1/approvals/{approval_id}{call}"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/v1/approvals", "limit=0", "/limit"),
        ("/v1/approvals", "limit=201", "/limit"),
        ("/v1/approvals", "limit=" + "9" * 5000, "/limit"),
        ("/v1/approvals", "limit=ten", "/limit"),
        ("/v1/queue", "limit=-1", "/limit"),
        ("/v1/approvals", "status=open", "/status"),
        ("/v1/approvals", "approver=ann", "/approver"),
        ("/v1/approvals", "requester=a%00@b.c", "/requester"),
        ("/v1/approvals", "type=%00", "/type"),
        ("/v1/approvals", "source=a%0Ab", "/source"),
        ("/v1/approvals", "subject=%1F", "/subject"),
        ("/v1/approvals", "type=" + "x" * 255, "/type"),
        ("/v1/queue", "approver=%E2%80%A8", "/approver"),
        ("/v1/approvals", "aprover=ann@example.com", "/aprover"),
        ("/v1/queue", "status=pending", "/status"),
    ],
)
async def test_a_query_that_cannot_be_is_refused_by_name(
    agent: httpx2.AsyncClient, path: str, query: str, pointer: str
) -> None:
    answer = await agent.get(f"{path}?{query}")
    assert pointers(refused(answer, 422, "invalid")) == [pointer]


@pytest.mark.parametrize("path", ["/v1/approvals", "/v1/queue"])
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!!",
        "AAAA",
        "%00",
        "LTEK",  # -1 and no id
        "LTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkKeA",  # a number that no column holds
        "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkKeA",
        "NDAwMDAKeA",  # 40000: more than a smallint
        "LS0xCng",  # --1
        "w7wKeA",  # not ASCII
        "x" * 201,
        "AAoKAAo",
    ],
)
async def test_a_cursor_that_nobody_gave_is_refused_or_leads_nowhere(
    agent: httpx2.AsyncClient, path: str, cursor: str
) -> None:
    answer = await agent.get(f"{path}?cursor={cursor}")
    if answer.status_code == 200:
        assert found(answer)["data"] == []
    else:
        assert pointers(refused(answer, 422, "invalid")) == ["/cursor"]


async def test_the_cursor_of_one_list_is_none_of_the_other(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    await asyncio.gather(ask(agent), ask(agent))
    await office.placet.shown()
    listed = found(await ann.get("/v1/approvals", params={"limit": 1}))["next_cursor"]
    queued = found(await ann.get("/v1/queue", params={"limit": 1}))["next_cursor"]
    refused(await ann.get("/v1/queue", params={"cursor": listed}), 422, "invalid")
    refused(await ann.get("/v1/approvals", params={"cursor": queued}), 422, "invalid")
