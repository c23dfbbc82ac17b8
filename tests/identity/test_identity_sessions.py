"""A session is known by a token that only its browser has, and is over when the server says so."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import asyncpg
import pytest
from starlette.requests import Request
from starlette.responses import Response

from events.store.database import Database
from services.web import session as module
from services.web.kept_sessions import MOST_AT_ONCE, PostgresSessions
from services.web.problems import Problem
from services.web.session import (
    CACHE_S,
    CACHE_SIZE,
    HOST_COOKIE,
    IDLE_S,
    LASTS_S,
    PLAIN_COOKIE,
    KeptSessions,
    Session,
    Sessions,
    Way,
    digest_of,
    refuse_cross_site,
)
from tests.identity.memory_sessions import MemorySessions

ANN = Session("default", "ann@example.com")
EVE = Session("default", "eve@example.com")
DEV = Way("dev")


def sessions(kept: KeptSessions | None = None, **given: Any) -> Sessions:
    """Sessions of one process."""
    return Sessions(kept or MemorySessions(), **{"dev_login": True, "secure": False, **given})


def request(token: str | None = None, *, cookie: str = PLAIN_COOKIE, **headers: str) -> Request:
    """A request with a cookie."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    if token is not None:
        given["cookie"] = f"{cookie}={token}"
    raw = [(name.encode(), text.encode("latin-1")) for name, text in given.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


async def started(by: Sessions, who: Session = ANN, before: str | None = None) -> tuple[str, str]:
    """The token of somebody who signs in, and the header that brings it."""
    response = Response()
    await by.start(request(before), response, who, DEV)
    header = response.headers["set-cookie"]
    return header.partition("=")[2].partition(";")[0], header


class Ages(Protocol):
    """Makes sessions older than they are."""

    async def __call__(self, *, idle_s: float = 0, age_s: float = 0) -> None: ...


@pytest.fixture(params=["memory", "postgres"])
def kept(request: pytest.FixtureRequest) -> KeptSessions:
    if request.param == "memory":
        return MemorySessions()
    app_db: Database = request.getfixturevalue("app_db")
    return PostgresSessions(app_db)


@pytest.fixture
def age(kept: KeptSessions, dsn: str) -> Ages:
    async def in_memory(*, idle_s: float = 0, age_s: float = 0) -> None:
        assert isinstance(kept, MemorySessions)
        for row in kept.rows.values():
            row.used_at -= idle_s
            row.expires_at -= age_s

    async def in_postgres(*, idle_s: float = 0, age_s: float = 0) -> None:
        owner = await asyncpg.connect(dsn)
        await owner.execute(
            "UPDATE placet.sessions SET last_used_at = last_used_at - make_interval(secs => $1),"
            " expires_at = expires_at - make_interval(secs => $2)",
            float(idle_s),
            float(age_s),
        )
        await owner.close()

    return in_memory if isinstance(kept, MemorySessions) else in_postgres


async def test_whoever_signed_in_is_signed_in_in_every_process(kept: KeptSessions) -> None:
    token, _ = await started(sessions(kept))
    assert await sessions(kept).read(request(token)) == ANN


async def test_any_name_comes_back_as_it_was(kept: KeptSessions) -> None:
    who = Session("ü; =", 'o"@é.com', "step_up")
    token, _ = await started(sessions(kept), who)
    assert await sessions(kept).read(request(token)) == who


@pytest.mark.parametrize("token", [None, "", ".", "a.b.c.d", "é.b", "x" * 5000, "A" * 43])
async def test_what_was_never_a_session_is_none(token: str | None) -> None:
    assert await sessions().read(request(token)) is None


async def test_what_was_never_a_token_is_not_even_looked_up() -> None:
    kept = MemorySessions()
    for token in ("short", "x" * 44, "not a token that anybody would have been given"):
        assert await sessions(kept).read(request(token)) is None
    assert kept.lookups == 0


async def test_a_token_is_nowhere_kept(kept: KeptSessions, dsn: str) -> None:
    token, _ = await started(sessions(kept))
    if isinstance(kept, MemorySessions):
        assert digest_of(token) in kept.rows
        return
    owner = await asyncpg.connect(dsn)
    (row,) = await owner.fetch("SELECT s.*, s::text AS whole FROM placet.sessions s")
    await owner.close()
    assert bytes(row["token_digest"]) == digest_of(token)
    assert token not in row["whole"]


async def test_signing_in_gives_a_new_token_and_ends_the_one_before(kept: KeptSessions) -> None:
    by = sessions(kept)
    before, _ = await started(by)
    after, _ = await started(by, EVE, before=before)
    assert before != after
    assert await sessions(kept).read(request(before)) is None
    assert await sessions(kept).read(request(after)) == EVE


async def test_a_token_that_somebody_brings_is_never_made_theirs(kept: KeptSessions) -> None:
    planted = secrets.token_urlsafe(32)
    token, _ = await started(sessions(kept), ANN, before=planted)
    assert token != planted
    assert await sessions(kept).read(request(planted)) is None


async def test_a_renewed_session_is_the_same_under_a_new_token(
    kept: KeptSessions, age: Ages
) -> None:
    by = sessions(kept)
    before, _ = await started(by)
    await age(age_s=LASTS_S - 60)
    response = Response()
    await by.renew(request(before), response, ANN)
    after = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert after != before
    assert await by.read(request(before)) is None
    assert await by.read(request(after)) == ANN
    await age(age_s=120)
    assert await sessions(kept).read(request(after)) is None, "it lasts no longer than it did"


async def test_a_session_ends_in_time_however_busy(kept: KeptSessions, age: Ages) -> None:
    token, _ = await started(sessions(kept))
    await age(age_s=LASTS_S - 10)
    assert await sessions(kept).read(request(token)) == ANN
    await age(age_s=20)
    assert await sessions(kept).read(request(token)) is None


async def test_a_session_that_nobody_uses_ends(kept: KeptSessions, age: Ages) -> None:
    token, _ = await started(sessions(kept))
    await age(idle_s=IDLE_S - 10)
    assert await sessions(kept).read(request(token)) == ANN  # which is a use
    await age(idle_s=IDLE_S - 10)
    assert await sessions(kept).read(request(token)) == ANN
    await age(idle_s=IDLE_S + 10)
    assert await sessions(kept).read(request(token)) is None


async def test_signing_out_ends_it_on_the_server_and_takes_the_cookie_back(
    kept: KeptSessions,
) -> None:
    by = sessions(kept)
    token, _ = await started(by)
    assert await by.read(request(token)) == ANN
    response = Response()
    await by.end(request(token), response)
    assert f'{PLAIN_COOKIE}=""' in response.headers["set-cookie"]
    assert "max-age=0" in response.headers["set-cookie"].lower()
    for process in (by, sessions(kept)):
        assert await process.read(request(token)) is None, "the token alone opens nothing"


async def test_signed_out_elsewhere_it_opens_here_for_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = MemorySessions()
    here, there = sessions(kept), sessions(kept)
    token, _ = await started(there)
    assert await here.read(request(token)) == ANN
    await there.end(request(token), Response())
    moment = module.time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: moment + CACHE_S + 0.1)
    assert await here.read(request(token)) is None
    assert CACHE_S <= 5


async def test_many_requests_look_a_session_up_once() -> None:
    kept = MemorySessions()
    by = sessions(kept)
    token, _ = await started(by)
    for _ in range(50):
        assert await by.read(request(token)) == ANN
    assert kept.lookups == 1


async def test_what_is_remembered_is_bounded() -> None:
    by = sessions()
    for _ in range(CACHE_SIZE + 10):
        await by.read(request(secrets.token_urlsafe(32)))
    assert len(by._cache) <= CACHE_SIZE


async def test_somebody_who_was_deactivated_is_signed_out_everywhere_and_for_good(
    kept: KeptSessions,
) -> None:
    inactive: set[tuple[str, str]] = set()

    def process() -> Sessions:
        return sessions(kept, is_active=lambda *who: who not in inactive)

    tokens = [(await started(process()))[0] for _ in range(2)]
    eve, _ = await started(process(), EVE)
    here = process()
    assert await here.read(request(tokens[0])) == ANN
    inactive.add(("default", ANN.email))
    assert await here.read(request(tokens[0])) is None, "also where it is remembered"
    inactive.clear()
    for token in tokens:
        assert await process().read(request(token)) is None, "back again, they sign in again"
    assert await process().read(request(eve)) == EVE


async def test_somebody_has_a_few_sessions_and_the_oldest_ends(app_db: Database) -> None:
    kept = PostgresSessions(app_db)
    tokens = [(await started(sessions(kept)))[0] for _ in range(MOST_AT_ONCE + 2)]
    opened = [await sessions(kept).read(request(token)) for token in tokens]
    assert opened == [None, None, *([ANN] * MOST_AT_ONCE)]


async def test_two_that_renew_at_once_leave_one_token(kept: KeptSessions) -> None:
    token, _ = await started(sessions(kept))
    responses = [Response(), Response()]
    await asyncio.gather(*(sessions(kept).renew(request(token), one, ANN) for one in responses))
    assert sum("set-cookie" in one.headers for one in responses) == 1


async def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http() -> None:
    _, plain = await started(sessions())
    assert plain.startswith(f"{PLAIN_COOKIE}=")
    assert "httponly" in plain.lower()
    assert "samesite=lax" in plain.lower()
    assert "secure" not in plain.lower()
    _, over_https = await started(sessions(secure=True))
    assert over_https.startswith(f"{HOST_COOKIE}=")
    attributes = {one.strip().lower() for one in over_https.split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes
    assert not any(one.startswith("domain") for one in attributes)


async def test_over_https_a_cookie_without_the_prefix_is_none() -> None:
    kept = MemorySessions()
    token = kept.signed_in(ANN)
    by = sessions(kept, secure=True)
    assert await by.read(request(token, cookie=HOST_COOKIE)) == ANN
    assert await by.read(request(token, cookie=PLAIN_COOKIE)) is None


FORMS: list[tuple[Mapping[str, str], bool]] = [
    ({"sec_fetch_site": "same-origin"}, True),
    ({"sec_fetch_site": "none"}, True),
    ({"origin": "https://placet.example.com", "host": "placet.example.com"}, True),
    ({}, True),
    ({"sec_fetch_site": "cross-site"}, False),
    ({"sec_fetch_site": "same-site"}, False),
    ({"sec_fetch_site": "cross-site", "origin": "https://a.example", "host": "a.example"}, False),
    ({"origin": "https://evil.example", "host": "placet.example.com"}, False),
    ({"origin": "https://placet.example.com.evil.example", "host": "placet.example.com"}, False),
    ({"origin": "null", "host": "placet.example.com"}, False),
]


@pytest.mark.parametrize(("headers", "ours"), FORMS)
def test_a_form_counts_only_if_our_own_pages_sent_it(
    headers: Mapping[str, str],
    ours: bool,  # noqa: FBT001 # the case
) -> None:
    if ours:
        refuse_cross_site(request(**headers))
        return
    with pytest.raises(Problem) as refused:
        refuse_cross_site(request(**headers))
    assert (refused.value.status, refused.value.code) == (403, "cross_site")
