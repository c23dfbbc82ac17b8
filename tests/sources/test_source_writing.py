"""Answers and notes as they are written back, and every way in which a source may take them."""

import json

import httpx2
import pytest

from services.sources import AlreadySettled, RecordChanged, SourceRefused, SourceUnavailable
from tests.sources.source_kit import answer, answers, changed, connect, define, row


def body_of(request: httpx2.Request) -> object:
    return json.loads(request.content)


async def test_an_answer_is_written_conditionally_and_with_its_key() -> None:
    handler, asked = answers({})
    await connect(handler).decide(answer(reason='Fine, "ok"'))
    (request,) = asked
    assert (request.method, request.url.path) == ("POST", "/api/items/r1/decision")
    assert request.headers["if-match"] == '"1-abc"'
    assert request.headers["idempotency-key"] == "k1"
    assert request.headers["content-type"] == "application/json"
    assert body_of(request) == {
        "answer": "approved",
        "why": 'Fine, "ok"',
        "who": "john@example.com",
    }


async def test_what_an_answer_does_not_have_is_not_sent() -> None:
    handler, asked = answers({})
    await connect(handler).decide(answer(precondition=None))
    assert "if-match" not in asked[0].headers
    assert body_of(asked[0]) == {"answer": "approved", "who": "john@example.com"}


async def test_approval_and_denial_are_requests_of_their_own() -> None:
    handler, asked = answers({})
    definition = define(
        changed({"decide.deny": {"path": "/no/{{item.record_id}}", "method": "PUT"}})
    )
    await connect(handler, definition).decide(answer(outcome="rejected"))
    assert (asked[0].method, asked[0].url.path, asked[0].content) == ("PUT", "/api/no/r1", b"")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_an_acceptance_whatever_the_body(status: int) -> None:
    handler, _ = answers(httpx2.Response(status, text="<ok/>"))
    await connect(handler).decide(answer())


async def test_an_answer_that_came_second_reads_who_was_first() -> None:
    record = row(status="rejected", decided_by="kim@example.com", rev=2)
    handler, _ = answers(httpx2.Response(409, json={"code": "already_settled", "record": record}))
    with pytest.raises(AlreadySettled) as caught:
        await connect(handler).decide(answer())
    how = caught.value.how
    assert how is not None
    assert (how.state, how.outcome, how.settled_by) == ("settled", "rejected", "kim@example.com")


@pytest.mark.parametrize("record", [None, 3, row("other", status="approved"), row(status="?")])
async def test_settled_is_settled_even_when_the_record_makes_no_sense(record: object) -> None:
    body = {"code": "already_settled", "record": record}
    handler, _ = answers(httpx2.Response(409, json=body))
    with pytest.raises(AlreadySettled) as caught:
        await connect(handler).decide(answer())
    assert caught.value.how is None


async def test_a_conflict_with_a_record_that_is_still_pending_is_a_change() -> None:
    body = {"code": "already_settled", "record": row()}
    handler, _ = answers(httpx2.Response(409, json=body))
    with pytest.raises(RecordChanged):
        await connect(handler).decide(answer())


async def test_a_conflict_of_another_kind_is_a_refusal() -> None:
    for response in (
        httpx2.Response(409, json={"code": "key_reused", "detail": "Use another key."}),
        httpx2.Response(409, text="conflict"),
    ):
        handler, _ = answers(response)
        with pytest.raises(SourceRefused) as caught:
            await connect(handler).decide(answer())
        assert caught.value.status == 409


async def test_a_record_that_changed_is_told_from_one_that_is_settled() -> None:
    handler, _ = answers(httpx2.Response(412, json={"detail": "Read it again."}))
    with pytest.raises(RecordChanged, match="Read it again"):
        await connect(handler).decide(answer())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_definite_no_is_told_in_the_words_of_the_source(status: int) -> None:
    handler, _ = answers(httpx2.Response(status, json={"detail": "You may not approve this."}))
    with pytest.raises(SourceRefused, match="You may not approve this"):
        await connect(handler).decide(answer())


async def test_a_source_without_decide_takes_no_answers() -> None:
    handler, asked = answers({})
    with pytest.raises(SourceRefused, match="answer there"):
        await connect(handler, define(changed({"decide": None}))).decide(answer())
    assert asked == []


async def test_a_note_is_left_or_not_if_the_source_takes_none() -> None:
    handler, asked = answers({})
    await connect(handler).note("r 1", 'Asked "John"\nby Placet', idempotency_key="n1")
    assert asked[0].url.raw_path == b"/api/items/r%201/notes"
    assert body_of(asked[0]) == {"text": 'Asked "John"\nby Placet'}
    await connect(handler, define(changed({"note": None}))).note("r1", "x", idempotency_key="n1")
    assert len(asked) == 1


async def test_a_note_can_be_refused_or_fail() -> None:
    handler, _ = answers(httpx2.Response(404))
    with pytest.raises(SourceRefused):
        await connect(handler).note("r1", "x", idempotency_key="n1")
    handler, _ = answers(httpx2.Response(500))
    with pytest.raises(SourceUnavailable) as caught:
        await connect(handler).note("r1", "x", idempotency_key="n1")
    assert caught.value.may_have_written
