"""Answers are written as the person who gave them, and refused before where that cannot be."""

import asyncio
from dataclasses import replace

import httpx2
import pytest

from events.approval import DecisionSubmitted, Person, WriteBackFailed
from events.commands import Automatic
from events.store.database import Database
from services.decision.answering import Answer
from services.grants import GrantNeeded
from services.grants.tokens import LOOK_EVERY_S, Tokens
from services.sources import SourceRefused, SourceUnavailable
from services.sources.credentials import Secret
from services.web.problems import Problem
from tests.grants.grant_kit import API_KEY, SERVICE, SOURCE, Office, texts, whose
from tests.pages.fakes import JOHN, MARIA, WORKSPACE
from tests.sources.source_kit import answer as an_answer

NEEDED = "connect it at http://placet.test/grants, then answer again."


class NotYet:
    """Whoever carries answers to sources is slow."""

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        """Not now."""


async def ends_in(app_db: Database, seconds: float | None) -> None:
    async with app_db.workspace(WORKSPACE) as connection:
        await connection.execute(
            "UPDATE grants SET expires_at = now() + make_interval(secs => $1)", seconds
        )


async def test_an_answer_is_written_as_the_person_and_all_else_as_the_service(
    office: Office,
) -> None:
    await office.connect()
    approval_id = await office.asked()
    answer = await office.approve(approval_id)
    assert answer.status_code == 303, answer.text
    assert await office.status(approval_id) == "approved"
    assert office.acme.record["decided_by"] == "john at acme"
    (written,) = office.acme.of("decision")
    assert written.authorization == "Bearer access-1"
    others = office.acme.of("GET") + office.acme.of("notes")
    assert len(others) >= 2
    assert {one.authorization for one in others} == {f"Bearer {SERVICE}"}


@pytest.mark.parametrize("place", ["header", "query"])
async def test_a_key_of_the_service_account_is_not_sent_beside_a_person_s_token(
    app_db: Database, place: str
) -> None:
    auth = {"type": "api_key", place: "x-acme-key", "key": {"env": "SERVICE_KEY"}}
    office = Office(app_db, {"http.auth": auth})
    await office.connect()
    approval_id = await office.asked()
    await office.approve(approval_id)
    assert await office.status(approval_id) == "approved"
    (written,) = office.acme.of("decision")
    sent = texts(written.url, dict(written.headers))
    assert API_KEY not in sent
    assert "x-acme-key" not in sent
    assert written.authorization == "Bearer access-1"
    read = office.acme.of("GET")[0]
    assert "x-acme-key" in (read.headers if place == "header" else read.url)


async def test_an_answer_is_refused_before_it_is_taken_where_no_account_is_connected(
    office: Office,
) -> None:
    approval_id = await office.asked()
    answer = await office.approve(approval_id)
    assert answer.status_code == 403
    assert NEEDED in answer.text
    assert '<a class="button" href="/grants">' in answer.text
    facts = await office.facts(approval_id)
    assert not any(isinstance(one, DecisionSubmitted) for one in facts)
    assert office.acme.asked == []
    with pytest.raises(Problem) as refused:
        await office.placet.answering.decide(WORKSPACE, approval_id, said())
    assert (refused.value.status, refused.value.code) == (403, "grant_needed")


def said(person: str = JOHN.email) -> Answer:
    return Answer(
        outcome="approved",
        by=Person(email=person),
        reason=None,
        channel="api",
        via=None,
        revision=None,
    )


async def test_who_may_not_answer_is_told_that_and_not_to_connect_an_account(
    office: Office,
) -> None:
    approval_id = await office.asked()
    answer = await office.approve(approval_id, office.browser_of(MARIA))
    assert answer.status_code == 403
    assert "/grants, then" not in answer.text


async def test_other_sources_are_answered_as_ever(office: Office) -> None:
    approval_id = await office.placet.world.ask(mirrored=True)
    office.placet.answering._write_backs = office.placet.world.source
    assert (await office.approve(approval_id)).status_code == 303
    assert await office.status(approval_id) == "approved"


async def test_what_nobody_answered_is_written_by_the_service_account(office: Office) -> None:
    office.login.access[SERVICE] = "the service account"
    approval_id = await office.asked(automatic=Automatic(outcome="approved", reason="It is small."))
    await office.write_backs.carry_out(WORKSPACE, approval_id)
    assert await office.status(approval_id) == "approved"
    (written,) = office.acme.of("decision")
    assert written.authorization == f"Bearer {SERVICE}"


async def test_an_account_that_was_disconnected_meanwhile_sends_the_answer_back(
    office: Office,
) -> None:
    await office.connect()
    approval_id = await office.asked()
    office.placet.answering._write_backs = NotYet()
    assert (await office.approve(approval_id)).status_code == 303
    answer = await office.browser.post(f"/grants/{SOURCE}/disconnect")
    assert answer.headers["location"] == "/grants?notice=disconnected"
    await office.write_backs.carry_out(WORKSPACE, approval_id)
    failed = (await office.facts(approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert (failed.cause, failed.reason.endswith(NEEDED)) == ("refused", True)
    assert office.acme.of("decision") == []
    assert await office.status(approval_id) == "pending"
    assert office.effects.left == []


async def test_two_processes_renew_a_token_once(office: Office, app_db: Database) -> None:
    await office.connect()
    await ends_in(app_db, 30)
    office.login.slow_s = LOOK_EVERY_S / 2
    tokens = [office.tokens, office.another_process()]
    found = await asyncio.gather(
        *(one.of(WORKSPACE, SOURCE, JOHN.email) for one in tokens for _ in range(3))
    )
    assert {one.reveal() for one in found if one} == {"access-2"}
    assert [one["grant_type"] for one in office.login.asked] == [
        "authorization_code",
        "refresh_token",
    ]
    assert set(office.login.renewal) == {"renewal-2"}, "the rotated one is kept"
    await ends_in(app_db, 30)
    assert await office.tokens.of(WORKSPACE, SOURCE, JOHN.email) == Secret("access-3")


async def test_a_token_that_lasts_is_not_renewed(office: Office, app_db: Database) -> None:
    await office.connect()
    for left_s in (70, None):
        await ends_in(app_db, left_s)
        assert await office.tokens.of(WORKSPACE, SOURCE, JOHN.email) == Secret("access-1")
    assert len(office.login.asked) == 1


async def test_what_was_taken_back_there_has_to_be_connected_again(
    office: Office, app_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await office.connect()
    approval_id = await office.asked()
    await ends_in(app_db, 30)
    office.login.renewal.clear()
    answer = await office.approve(approval_id)
    assert answer.status_code == 409, answer.text
    failed = (await office.facts(approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert failed.cause == "refused"
    assert "connect it again (it was taken back there, or is over)" in failed.reason
    page = await office.browser.get("/grants")
    assert "Has to be connected again:</strong> it was taken back there" in page.text
    again = await office.approve(approval_id)
    assert again.status_code == 403, "now it is known before"
    await office.connect()
    await ends_in(app_db, 30)
    assert (await office.approve(approval_id)).status_code == 303
    assert await office.status(approval_id) == "approved", "it is renewed as any other"
    assert "renewal-1" not in texts(await office.facts(approval_id), caplog.text)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(503),
        httpx2.Response(429, json={"error": "slow_down"}),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json={"access_token": "a b", "token_type": "Bearer"}),
        httpx2.Response(200, json={"access_token": "mac", "token_type": "mac"}),
        httpx2.Response(200, json=[]),
        httpx2.Response(400, json={"error": "invalid_client"}),
        httpx2.ConnectError("renewal-1 to nowhere"),
    ],
)
async def test_a_server_that_is_away_is_asked_again_later(
    office: Office, app_db: Database, answer: httpx2.Response | Exception
) -> None:
    await office.connect()
    await ends_in(app_db, 30)
    office.login.answer = answer
    with pytest.raises(SourceUnavailable) as away:
        await office.tokens.of(WORKSPACE, SOURCE, JOHN.email)
    assert "renewal" not in texts(away.value, away.value.__cause__, str(away.value))
    office.login.answer = None
    assert await office.tokens.of(WORKSPACE, SOURCE, JOHN.email) == Secret("access-2")


async def test_who_finds_a_renewal_that_does_not_end_comes_again(
    office: Office, app_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.grants.tokens.LOOK_EVERY_S", 0.01)
    await office.connect()
    await ends_in(app_db, 30)
    grant = await office.grants.find(whose())
    assert grant is not None
    assert await office.grants.lease(whose(), grant.version, 60)
    with pytest.raises(SourceUnavailable) as busy:
        await office.tokens.of(WORKSPACE, SOURCE, JOHN.email)
    assert busy.value.retry_after == 1
    async with app_db.workspace(WORKSPACE) as connection:
        await connection.execute("UPDATE grants SET renewing_until = now() - interval '1 s'")
    assert await office.tokens.of(WORKSPACE, SOURCE, JOHN.email) == Secret("access-2")


async def test_a_token_that_the_source_refuses_is_renewed_once(office: Office) -> None:
    await office.connect()
    approval_id = await office.asked()
    office.login.access.clear()
    assert (await office.approve(approval_id)).status_code == 303
    assert [one.authorization for one in office.acme.of("decision")] == [
        "Bearer access-1",
        "Bearer access-2",
    ]
    assert await office.status(approval_id) == "approved"
    assert [one["grant_type"] for one in office.login.asked][1:] == ["refresh_token"]


@pytest.mark.parametrize("renewable", [True, False])
async def test_an_account_that_the_source_knows_no_more_has_to_be_connected_again(
    office: Office,
    renewable: bool,  # noqa: FBT001 # the case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office.login.gives_renewal = renewable
    await office.connect()
    approval_id = await office.asked()
    monkeypatch.setattr(office.login, "who", lambda _: None)
    office.acme.quotes = True
    assert (await office.approve(approval_id)).status_code == 409
    assert len(office.acme.of("decision")) == 1 + renewable
    failed = (await office.facts(approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert "connect it again (it is not accepted there any more)" in failed.reason
    assert "access-" not in texts(await office.facts(approval_id))


async def test_a_token_that_the_source_quotes_is_hidden(office: Office) -> None:
    office.acme.quotes = True
    long = "x" * 290 + "y" * 400
    with pytest.raises(SourceRefused) as refused:
        await office.source.decide(replace(an_answer(), token=Secret(long)))
    assert "xx" not in str(refused.value)
    assert "[hidden]" in str(refused.value)
    assert long not in repr(replace(an_answer(), token=Secret(long)))


async def test_a_token_that_cannot_be_renewed_is_used_until_it_ends(
    office: Office, app_db: Database
) -> None:
    office.login.gives_renewal = False
    await office.connect()
    await ends_in(app_db, 30)
    assert await office.tokens.of(WORKSPACE, SOURCE, JOHN.email) == Secret("access-1")
    await ends_in(app_db, -1)
    page = await office.browser.get("/grants")
    assert "Has to be connected again:</strong> it is over" in page.text
    approval_id = await office.asked()
    answer = await office.approve(approval_id)
    assert answer.status_code == 403
    assert "connect it again (it is over, and cannot be renewed)" in answer.text


async def test_with_another_key_everybody_connects_again(office: Office, app_db: Database) -> None:
    await office.connect()
    tokens: Tokens = office.another_process(bytes(32))
    with pytest.raises(GrantNeeded, match="can no longer read"):
        await tokens.check(WORKSPACE, SOURCE, JOHN.email)
    assert "can no longer read what it kept" in (await office.browser.get("/grants")).text
