"""Who must say yes and who stands in for whom: people, delegations and policies."""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from placet.call import Call, Entries, Entry, entries, entry, reading, sending, time_of
from placet.errors import NotFound
from placet.flows import Flow, exchange
from placet.settings import Settings

if TYPE_CHECKING:
    from placet.asynchronous import AsyncPlacet
    from placet.blocking import Placet

PAGE = 200
MOST_PAGES = 500

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def _resolving(emails: Sequence[str]) -> Call[Entries]:
    return sending("/v1/people/resolve", entries, {"emails": list(emails)})


def _person(email: str) -> Call[Entry]:
    return reading(f"/v1/people/{quote(email, safe='@')}", entry)


def _delegations(settings: Settings, person: str | None, to: str | None) -> Flow[Entries]:
    """Return those of all pages, of which there are at most `MOST_PAGES`."""
    found: Entries = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        call = reading("/v1/delegations", entry, person=person, to=to, limit=PAGE, cursor=cursor)
        page = yield from exchange(settings, call)
        found += entries(page)
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    return found


def _delegating(
    to: str,
    begins: datetime | str,
    ends: datetime | str,
    person: str | None,
    reason: str | None,
) -> Call[Entry]:
    body = {
        "to": to,
        "begins": time_of(begins, "begins"),
        "ends": time_of(ends, "ends"),
        "person": person,
        "reason": reason,
    }
    return sending("/v1/delegations", entry, body, key=str(uuid.uuid4()))


def _ending(delegation_id: str) -> Call[Entry]:
    if not _ID.fullmatch(delegation_id):
        # It would be another address.
        raise NotFound(f"There is no such delegation: {delegation_id!r} is no id of one.")
    return Call(method="DELETE", path=f"/v1/delegations/{delegation_id}", read=entry, query={})


def _policies() -> Call[Entries]:
    return reading("/v1/policies", entries)


class People:
    """Who is who; every call raises `PlacetError`s."""

    def __init__(self, client: "Placet") -> None:
        self._client = client

    def get(self, email: str) -> Entry:
        """Return what is known of one person; raises `NotFound`."""
        return self._client.run(exchange(self._client.settings, _person(email)))

    def resolve(self, emails: Sequence[str]) -> Entries:
        """Return what is known of up to 200 people, in their order; `known` tells whether any is.

        Raises `Invalid` for more.
        """
        return self._client.run(exchange(self._client.settings, _resolving(emails)))


class Delegations:
    """Who stands in for whom, and from when until when; every call raises `PlacetError`s."""

    def __init__(self, client: "Placet") -> None:
        self._client = client

    def list(self, *, person: str | None = None, to: str | None = None) -> Entries:
        """Return the delegations of somebody, to somebody, or all that hold now or later."""
        return self._client.run(_delegations(self._client.settings, person, to))

    def create(
        self,
        *,
        to: str,
        begins: datetime | str,
        ends: datetime | str,
        person: str | None = None,
        reason: str | None = None,
    ) -> Entry:
        """Let `to` stand in for `person`, left out: for the key's own, for a while.

        Raises `Invalid` for what would be a circle, and `ValueError` for a time without a zone.
        """
        call = _delegating(to, begins, ends, person, reason)
        return self._client.run(exchange(self._client.settings, call))

    def end(self, delegation_id: str) -> Entry:
        """End a delegation now; raises `NotFound`."""
        return self._client.run(exchange(self._client.settings, _ending(delegation_id)))


class Policies:
    """Who must say yes to what; every call raises `PlacetError`s."""

    def __init__(self, client: "Placet") -> None:
        self._client = client

    def list(self) -> Entries:
        """Return the policies in the order in which they are tried."""
        return self._client.run(exchange(self._client.settings, _policies()))


class AsyncPeople:
    """Who is who; every call raises `PlacetError`s."""

    def __init__(self, client: "AsyncPlacet") -> None:
        self._client = client

    async def get(self, email: str) -> Entry:
        """Return what is known of one person; raises `NotFound`."""
        return await self._client.run(exchange(self._client.settings, _person(email)))

    async def resolve(self, emails: Sequence[str]) -> Entries:
        """Return what is known of up to 200 people, in their order; `known` tells whether any is.

        Raises `Invalid` for more.
        """
        return await self._client.run(exchange(self._client.settings, _resolving(emails)))


class AsyncDelegations:
    """Who stands in for whom, and from when until when; every call raises `PlacetError`s."""

    def __init__(self, client: "AsyncPlacet") -> None:
        self._client = client

    async def list(self, *, person: str | None = None, to: str | None = None) -> Entries:
        """Return the delegations of somebody, to somebody, or all that hold now or later."""
        return await self._client.run(_delegations(self._client.settings, person, to))

    async def create(
        self,
        *,
        to: str,
        begins: datetime | str,
        ends: datetime | str,
        person: str | None = None,
        reason: str | None = None,
    ) -> Entry:
        """Let `to` stand in for `person`, left out: for the key's own, for a while.

        Raises `Invalid` for what would be a circle, and `ValueError` for a time without a zone.
        """
        call = _delegating(to, begins, ends, person, reason)
        return await self._client.run(exchange(self._client.settings, call))

    async def end(self, delegation_id: str) -> Entry:
        """End a delegation now; raises `NotFound`."""
        return await self._client.run(exchange(self._client.settings, _ending(delegation_id)))


class AsyncPolicies:
    """Who must say yes to what; every call raises `PlacetError`s."""

    def __init__(self, client: "AsyncPlacet") -> None:
        self._client = client

    async def list(self) -> Entries:
        """Return the policies in the order in which they are tried."""
        return await self._client.run(exchange(self._client.settings, _policies()))
