"""What the client does when the server is away, busy or somebody else."""

import asyncio
import json
import logging
import time
import traceback
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
from placet import (
    Approval,
    Conflict,
    NotDecidedInTime,
    PlacetError,
    Unavailable,
    WrongAddress,
    answers,
    calls,
    flows,
    waiting,
)
from placet.flows import Flow, Pause, Send
from placet.settings import Settings, read_settings

from services.embedded.ports import free_port
from tests.api.api_kit import ANN
from tests.client.client_kit import PATIENCE_S, Caller, Kind, Office, opened
from tests.client.stub_server import HOST, Answer, stub
from tests.servers.tcp_proxy import TcpProxy

KEY = "plk_secret_of_the_tests_0123456789"
NOW = "2030-01-01T00:00:00Z"
LATER = "2030-01-01T01:00:00Z"
PENDING = {
    "id": "a" * 27,
    "title": "Send",
    "status": "pending",
    "created_at": NOW,
    "expires_at": LATER,
}
APPROVED = {**PENDING, "status": "approved"}
ASK: dict[str, Any] = {"type": "t", "title": "Send", "approvers": ["ann@example.com"]}
BUSY = Answer(status=503, body={"code": "unavailable", "detail": "Come again."})
CUT = Answer(cut=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds; how long they really are has tests of its own."""
    monkeypatch.setattr(flows, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(flows, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(waiting, "HURRIED_S", 0.01)


async def caller(clients: AsyncExitStack, kind: Kind, url: str, **more: Any) -> Caller:
    return Caller(await opened(clients, kind, url, KEY, **more))


@pytest.mark.parametrize("trouble", [BUSY, CUT, Answer(status=429), Answer(status=502, body="<")])
async def test_what_is_tried_again_is_the_same_to_the_byte(
    kind: Kind, clients: AsyncExitStack, trouble: Answer
) -> None:
    async with stub(trouble, trouble, Answer(status=201, body=PENDING)) as server:
        client = await caller(clients, kind, server.url)
        assert await client("create", **ASK) == PENDING
    assert len(server.asked) == 3
    bodies = {asked.body for asked in server.asked}
    keys = {asked.headers["idempotency-key"] for asked in server.asked}
    assert (len(bodies), len(keys)) == (1, 1)
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    assert {asked.path for asked in server.asked} == {"/v1/approvals"}


@pytest.mark.parametrize(
    ("verb", "args", "keyed"),
    [
        ("get", ["a"], False),
        ("list", [], False),
        ("withdraw", ["a"], False),
        ("acknowledge", ["a"], False),
        ("comment", ["a", "text"], True),
    ],
)
async def test_every_call_is_tried_again_and_each_comment_has_a_key(
    kind: Kind, clients: AsyncExitStack, verb: str, args: list[str], *, keyed: bool
) -> None:
    body = {"data": [], "next_cursor": None} if verb == "list" else APPROVED
    async with stub(CUT, Answer(body=body)) as server:
        await (await caller(clients, kind, server.url))(verb, *args)
        await (await caller(clients, kind, server.url))(verb, *args)
    first, again, another = server.asked
    assert ("idempotency-key" in first.headers) is keyed
    if keyed:
        assert first.headers["idempotency-key"] == again.headers["idempotency-key"]
        assert first.headers["idempotency-key"] != another.headers["idempotency-key"]


async def test_it_gives_up_after_a_number_of_attempts_and_says_so(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(BUSY) as server:
        client = await caller(clients, kind, server.url, attempts=3)
        with pytest.raises(Unavailable, match="Come again") as caught:
            await client("get", "a")
    assert (caught.value.status, caught.value.code) == (503, "unavailable")
    assert len(server.asked) == 3
    away = await caller(clients, kind, f"http://127.0.0.1:{free_port()}", attempts=2)
    with pytest.raises(Unavailable, match="attempt 2") as unreachable:
        await away("get", "a")
    assert unreachable.value.status is None


@pytest.mark.parametrize("status", [400, 404, 409, 418, 422, 500])
async def test_what_would_be_the_same_again_is_not_tried_again(
    kind: Kind, clients: AsyncExitStack, status: int
) -> None:
    async with stub(Answer(status=status, body={"code": "no", "detail": "No."})) as server:
        with pytest.raises(PlacetError, match=rf"^No\. \({status} no\)$"):
            await (await caller(clients, kind, server.url))("get", "a")
    assert len(server.asked) == 1


async def test_an_answer_that_takes_too_long_is_asked_for_again(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(Answer(body=PENDING, after_s=3), Answer(body=APPROVED)) as server:
        client = await caller(clients, kind, server.url, timeout=0.5)
        async with asyncio.timeout(PATIENCE_S):
            assert await client("get", "a") == APPROVED
    assert len(server.asked) > 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body="<html>Welcome</html>"),
        Answer(body=[1]),
        Answer(status=404, body="<html>Nothing</html>"),
        Answer(status=307, headers={"Location": "http://127.0.0.1:1/v1/approvals/a"}),
        Answer(status=405, body={"error": "method"}),
    ],
)
async def test_who_is_not_placet_is_told_apart_and_redirects_are_not_followed(
    kind: Kind, clients: AsyncExitStack, answer: Answer
) -> None:
    async with stub(answer) as server:
        with pytest.raises(WrongAddress, match="PLACET_URL"):
            await (await caller(clients, kind, server.url))("get", "a")
    assert len(server.asked) == 1


async def test_a_page_that_is_none_is_told(kind: Kind, clients: AsyncExitStack) -> None:
    async with stub(Answer(body={"items": []})) as server:
        with pytest.raises(WrongAddress):
            await (await caller(clients, kind, server.url))("list")


async def test_a_wait_outlives_a_server_that_is_started_anew(
    kind: Kind, clients: AsyncExitStack
) -> None:
    pending, approved = Answer(body=PENDING), Answer(body=APPROVED)
    async with stub(pending, CUT, CUT, CUT, BUSY, pending, BUSY, approved) as server:
        client = await caller(clients, kind, server.url, attempts=2)
        async with asyncio.timeout(PATIENCE_S):
            assert (await client("wait", "a", timeout=PATIENCE_S)).approved
    assert len(server.asked) == 8
    path, _, seconds = server.asked[0].path.partition("?timeout=")
    assert path == "/v1/approvals/a/wait"
    assert 0 < int(seconds) < PATIENCE_S


async def test_a_wait_for_a_server_that_stays_away_ends_too(
    kind: Kind, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await caller(clients, kind, f"http://127.0.0.1:{free_port()}", attempts=2)
    with pytest.raises(Unavailable):
        await client("wait", "a", timeout=0.2)
    monkeypatch.setattr(waiting, "AWAY_AT_MOST_S", 0.2)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(Unavailable):
            await client("wait", "a")


async def test_a_wait_that_has_no_time_limit_ends_some_time_after_the_approval_should_have(
    kind: Kind, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AFTER_EXPIRY_S", 0.2)
    async with stub(Answer(body={**PENDING, "expires_at": NOW})) as server:
        client = await caller(clients, kind, server.url)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(NotDecidedInTime):
                await client("wait", "a")


async def test_a_conflict_of_another_kind_carries_no_approval(
    kind: Kind, clients: AsyncExitStack
) -> None:
    body = {"code": "revision_reused", "detail": "Another payload."}
    async with stub(Answer(status=409, body=body)) as server:
        with pytest.raises(Conflict) as caught:
            await (await caller(clients, kind, server.url))("create", **ASK)
    assert type(caught.value) is Conflict
    assert (caught.value.code, caught.value.approval) == ("revision_reused", None)


async def test_the_key_is_in_no_text(
    kind: Kind, clients: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (None, "httpx2", "httpcore2"):  # a command line in this process may have quieted it
        caplog.set_level(logging.DEBUG, name)
    async with stub(BUSY, CUT, Answer(status=401, body={"code": "wrong_key"})) as server:
        client = await caller(clients, kind, server.url)
        with pytest.raises(PlacetError) as caught:
            await client("get", "a")
        with pytest.raises(PlacetError) as also:
            await (await caller(clients, kind, f"http://127.0.0.1:{free_port()}"))("get", "a")
    texts = [
        caplog.text,
        repr(client.client),
        repr(client.client.settings),
        *("".join(traceback.format_exception(one.value)) for one in (caught, also)),
        *(repr(one.value.__dict__) for one in (caught, also)),
        *(asked.path for asked in server.asked),
    ]
    assert caplog.text
    assert [text for text in texts if "secret_of_the_tests" in text] == []


# How long it pauses, without a server: what a flow yields is what is done.


@pytest.fixture
def settings() -> Settings:
    return read_settings("http://placet.invalid", KEY, 30, 5)


@pytest.fixture
def at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "FIRST_PAUSE_S", 0.25)
    monkeypatch.setattr(flows, "LONGEST_PAUSE_S", 8.0)
    monkeypatch.setattr(waiting, "HURRIED_S", 1.0)


def answer(status: int, body: object = None, **headers: str) -> answers.Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answers.Answer(status, named, json.dumps(body).encode())


def pauses(flow: Flow[Any], given: list[answers.Answer | httpx2.RequestError]) -> list[float]:
    """How long a flow pauses between these answers, all of which it must want."""
    found: list[float] = []
    step = next(flow)
    for one in given:
        assert isinstance(step, Send)
        try:
            step = flow.throw(one) if isinstance(one, httpx2.RequestError) else flow.send(one)
        except (StopIteration, Unavailable):
            assert one is given[-1]
            return found
        assert isinstance(step, Pause)
        found.append(step.seconds)
        step = flow.send(None)
    raise AssertionError("it wants to go on")


@pytest.mark.usefixtures("at_its_pace")
def test_pauses_grow_are_spread_and_have_a_bound(settings: Settings) -> None:
    many = read_settings(settings.url, KEY, 30, 9)
    seen = [
        pauses(flows.exchange(many, calls.get("a")), [httpx2.ConnectError("no")] * 9)
        for _ in range(20)
    ]
    for attempt, most in enumerate((0.25, 0.5, 1, 2, 4, 8, 8, 8)):
        at = [each[attempt] for each in seen]
        assert all(most / 2 <= one <= most for one in at)
        assert len(set(at)) > 1


@pytest.mark.usefixtures("at_its_pace")
def test_a_server_that_says_when_to_come_again_is_left_alone_until_then(
    settings: Settings,
) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    flow = flows.exchange(settings, calls.get("a"))
    first, second, third = pauses(
        flow,
        [
            answer(429, retry_after="7"),
            answer(503, retry_after=soon),
            answer(503, retry_after="whenever"),
            answer(200, PENDING),
        ],
    )
    assert first == 7
    assert 25 < second <= 30
    assert third <= 1


@pytest.mark.usefixtures("at_its_pace")
def test_a_server_that_wants_to_be_left_alone_for_long_is_reported(settings: Settings) -> None:
    flow = flows.exchange(settings, calls.get("a"))
    next(flow)
    with pytest.raises(Unavailable) as caught:
        flow.send(answer(503, {"code": "unavailable"}, retry_after="3600"))
    assert caught.value.retry_after == 3600


@pytest.mark.usefixtures("at_its_pace")
def test_nothing_is_tried_again_beyond_the_time_that_a_call_has(settings: Settings) -> None:
    until = time.monotonic() + 0.05
    flow = flows.exchange(settings, calls.get("a"), until=until)
    assert pauses(flow, [httpx2.ReadTimeout("late")]) == []


@pytest.mark.usefixtures("at_its_pace")
def test_a_wait_asks_in_pieces_and_gives_each_time_to_be_answered(settings: Settings) -> None:
    flow = waiting.wait(settings, "a", None)
    step = next(flow)
    for _ in range(3):
        assert isinstance(step, Send)
        assert (step.call.query, step.timeout_s) == ({"timeout": "30"}, 60)
        # It was not held back, as of a server that is going down: the next one must not be hurried.
        assert flow.send(answer(200, PENDING)) == Pause(waiting.HURRIED_S)
        step = flow.send(None)
    with pytest.raises(StopIteration) as done:
        flow.send(answer(200, APPROVED))
    assert isinstance(done.value.value, Approval)


async def test_an_answer_without_end_is_not_read_to_its_end(
    kind: Kind, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_BODY", 1_000)
    small, large = Answer(body={"id": "a" * 900}), Answer(body={"id": "a" * 1_000})
    async with stub(small, large) as server:
        client = await caller(clients, kind, server.url)
        assert (await client("get", "a")).id == "a" * 900
        with pytest.raises(WrongAddress, match="larger"):
            await client("get", "a")


async def test_a_wait_outlives_a_way_to_the_real_server_that_is_cut(
    office: Office, agent: Caller, ann: Caller
) -> None:
    port = int(office.placet.url.rpartition(":")[2])
    approval = await agent("create", **{**ASK, "approvers": [ANN]})
    async with TcpProxy(port, target_host=HOST) as proxy:
        url = f"http://{proxy.host}:{proxy.port}"
        key = agent.client.settings.key
        through = Caller(await opened(office.clients, office.kind, url, key, attempts=2))
        waiting = asyncio.create_task(through("wait", approval.id, timeout=PATIENCE_S))
        await asyncio.sleep(0.3)
        proxy.refuse()
        proxy.cut()
        await asyncio.sleep(0.1)
        await ann("decide", approval_id=approval.id, decision="approved")
        assert not waiting.done()
        await proxy.heal()
        async with asyncio.timeout(PATIENCE_S):
            assert (await waiting).approved
