"""A Placet in memory, and people who look at it through HTTP."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from events.approval import Person
from tests.pages.fakes import JOHN, MARIA, Placet
from tests.pages.site import chromium, site

__all__ = ["chromium", "site"]

ORIGIN = "http://placet.test"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def browser_of(placet: Placet, person: Person | None) -> httpx2.AsyncClient:
    """A client that sends what a browser does, as somebody or as nobody."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=placet.app),
        base_url=ORIGIN,
        headers=SAME_ORIGIN,
        cookies=dict(placet.cookies(person)) if person else None,
    )


@pytest.fixture
def placet() -> Placet:
    return Placet()


@pytest_asyncio.fixture(loop_scope="session")
async def john(placet: Placet) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(placet, JOHN) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def maria(placet: Placet) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(placet, MARIA) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(placet: Placet) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser_of(placet, None) as client:
        yield client
