"""Whoever tries again and again is slowed down, and nobody else is."""

import httpx2
import pytest
from starlette.requests import Request

from services.decision.forms import signing
from services.web.problems import Problem
from services.web.throttle import MOST_KEYS, Throttle, address_of
from tests.pages.conftest import browser_of
from tests.pages.fakes import JOHN, MARIA, Placet


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_as_many_in_a_minute() -> None:
    clock = Clock()
    throttle = Throttle(3, 60, clock)
    for _ in range(3):
        throttle.take("ann")
    with pytest.raises(Problem) as refused:
        throttle.take("ann")
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "20"})
    throttle.take("bob")
    clock.now = 20.0
    throttle.take("ann")
    with pytest.raises(Problem):
        throttle.take("ann")
    clock.now = 10_000.0
    for _ in range(3):
        throttle.take("ann")
    with pytest.raises(Problem):
        throttle.take("ann")


def test_what_is_remembered_is_bounded_and_the_busy_stay() -> None:
    throttle = Throttle(1, 60, Clock())
    throttle.take("busy")
    for number in range(MOST_KEYS * 2):
        throttle.take(str(number))
        if number % 1_000 == 0:
            with pytest.raises(Problem):
                throttle.take("busy")
    assert len(throttle._left) <= MOST_KEYS


@pytest.mark.parametrize(
    ("host", "known_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_an_address_is_a_customers(host: str | None, known_as: str) -> None:
    client = (host, 1) if host else None
    assert address_of(Request({"type": "http", "client": client, "headers": []})) == known_as


async def tries(client: httpx2.AsyncClient, email: str, times: int) -> list[int]:
    return [(await client.post("/login", data={"email": email})).status_code for _ in range(times)]


async def test_signing_in_is_slowed_down_by_person_and_by_address() -> None:
    placet = Placet()
    await placet.world.ask(approvers=[JOHN, MARIA])
    async with browser_of(placet, None) as client:
        told = await tries(client, JOHN.email, signing.AS_ONE_PERSON + 1)
        assert told == [303] * signing.AS_ONE_PERSON + [429]
        assert await tries(client, MARIA.email, 1) == [303], "somebody else is not kept waiting"
        left = signing.FROM_ONE_ADDRESS - signing.AS_ONE_PERSON - 2
        for number in range(left):
            assert await tries(client, f"nobody{number}@example.com", 1) == [422]
        refused = await client.post("/login", data={"email": "another@example.com"})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "Not so fast" in refused.text
