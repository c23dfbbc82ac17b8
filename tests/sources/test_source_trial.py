"""The trial of a source file says what is wrong, and on which line."""

import io
import json
from typing import Any

import httpx2
import pytest
from rich.console import Console

from services.sources.definition import SourceDefinition
from services.sources.trial import try_sample, try_source
from services.sources.trial_report import TrialReport
from services.sources.trial_view import as_json, render
from tests.sources.source_kit import Handler, changed, define, row

TIME = {"list.cursor": {"type": "time", "field": "at", "param": "since"}}


def system(
    rows: list[Any], *, record: Any = None, headers: dict[str, str] | None = None
) -> Handler:
    def handle(request: httpx2.Request) -> httpx2.Response:
        assert request.method == "GET", "a trial only reads"
        if request.url.path.endswith("/items"):
            return httpx2.Response(200, json={"records": rows})
        return httpx2.Response(
            200, json=record or rows[0], headers={"ETag": '"1"'} if headers is None else headers
        )

    return handle


async def tried(handler: Handler, definition: SourceDefinition | None = None) -> TrialReport:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return await try_source(definition or define(), client)


def shown(report: TrialReport) -> str:
    out = io.StringIO()
    render(report, Console(file=out, width=160))
    return out.getvalue()


def errors(report: TrialReport) -> list[tuple[str, int | None]]:
    return [(one.sentence, one.line) for one in report.findings if one.level == "error"]


async def test_a_good_file_passes_and_shows_what_it_makes() -> None:
    card = {"card": {"title": "T {{amount}}", "body": "{{amount}} for you"}}
    report = await tried(system([row(), row("r2")]), define(changed(card)))
    assert report.passed
    assert [one.record_id for one in report.records] == ["r1", "r2"]
    assert report.card == ("T 750.5", "750.5 for you")
    assert report.answer is not None
    assert report.answer.headers["If-Match"] == '"1"'
    text = shown(report)
    assert "2 records mapped" in text
    assert "POST /items/r1/decision" in text
    assert "This file can be used." in text
    assert json.loads(json.dumps(as_json(report)))["records"][0]["title"] == "Item r1"


async def test_a_malformed_row_is_shown_with_the_line_that_maps_its_field() -> None:
    rows = [row(), row("r2", owner="?"), None, row("r3", approvers=["?"])]
    report = await tried(system(rows))
    assert [(one.record_id, one.line) for one in report.malformed] == [
        ("r2", 15),
        (None, 8),
        ("r3", 16),
    ]
    assert not report.passed
    assert "3 records cannot be mapped" in shown(report)


@pytest.mark.parametrize(
    ("response", "sentence", "line"),
    [
        (httpx2.Response(401), "acme answered 401 to GET /items. Look at the credentials", 2),
        (httpx2.Response(404), "acme answered 404 to GET /items", 6),
        (httpx2.Response(500), "acme answered 500 to GET /items", 3),
        (httpx2.Response(200, text="<html>"), "that is not JSON", 3),
        (httpx2.Response(200, json={}), "without a list at `records`", 6),
    ],
)
async def test_a_listing_that_fails_is_explained(
    response: httpx2.Response, sentence: str, line: int
) -> None:
    ((said, where),) = errors(await tried(lambda _: response))
    assert sentence in said
    assert where == line


async def test_a_system_that_is_not_there_is_told() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("All connection attempts failed")

    report = await tried(handle)
    ((said, line),) = errors(report)
    assert "was not reached" in said
    assert line == 3
    assert "This file cannot be used yet." in shown(report)


async def test_an_empty_listing_is_a_warning() -> None:
    report = await tried(system([]))
    assert report.passed
    warnings = [one.sentence for one in report.findings if one.level == "warning"]
    assert "Nothing is listed as pending" in warnings[0]
    assert "there was nothing to map" in shown(report)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"1"'}])
async def test_a_missing_or_weak_etag_is_an_error(headers: dict[str, str]) -> None:
    ((said, line),) = errors(await tried(system([row()], headers=headers)))
    assert "the record came without ETag, or with a weak one" in said
    assert line == 20


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (row(rev=2), "has the revision 1 in the listing, and 2 by itself"),
        (row(amount=1), "reads differently by itself than in the listing"),
        (row(status="approved"), "is listed as pending, but reads as settled"),
        (row(owner="?"), "map.requester.email: must be an e-mail address"),
    ],
)
async def test_a_listing_that_disagrees_with_the_record_is_an_error(
    record: dict[str, Any], sentence: str
) -> None:
    ((said, line),) = errors(await tried(system([row()], record=record)))
    assert sentence in said
    assert line is not None


async def test_a_cursor_field_that_holds_no_time_is_an_error() -> None:
    definition = define(changed(TIME))
    report = await tried(system([row(), None, row(at="soon")]), definition)
    ((said, line),) = errors(report)
    assert "list.cursor.field: 'soon' is no time of the format rfc3339" in said
    assert line == definition.line_of("list", "cursor", "field")
    good = await tried(system([row(), row("r2", at="2026-03-01T12:00:00Z")]), definition)
    assert errors(good) == []


async def test_a_poll_that_the_system_refuses_is_an_error() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if "since" in request.url.params:
            return httpx2.Response(422, json={"detail": "since must be a date"})
        return system([row(at="2026-03-01T12:00:00Z")])(request)

    definition = define(changed(TIME))
    ((said, line),) = errors(await tried(handle, definition))
    assert "since must be a date" in said
    assert line == definition.line_of("list", "cursor")


async def test_names_that_a_card_will_never_fill_are_a_warning() -> None:
    definition = define(changed({"card": {"title": "{{totl}}", "body": "{{amount}}"}}))
    report = await tried(system([row()]), definition)
    (finding,) = [one for one in report.findings if one.level == "warning"]
    assert finding.sentence.startswith("totl: not in the payload")
    assert finding.line == definition.line_of("card", "title")


async def test_credentials_over_plain_http_are_a_warning() -> None:
    auth = {"http.auth": {"type": "bearer", "token": {"env": "T"}}}
    report = await tried(system([row()]), define(changed(auth), T="s3cr3t"))
    assert any("unencrypted" in one.sentence for one in report.findings)
    assert "s3cr3t" not in f"{shown(report)}{as_json(report)}"


async def test_what_a_record_holds_is_no_order_to_the_terminal() -> None:
    title = {"map.title": "name", "card": {"title": "{{name}}", "body": "{{name}}"}}
    payload = {"map.payload": "{name: name}"}
    record = row(name="[bold red]x[/] \x1b[2J\x1b]0;owned\x07")
    text = shown(await tried(system([record]), define(changed(title | payload))))
    assert "[bold red]x[/]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_saved_listing_can_be_mapped_without_the_system() -> None:
    report = try_sample(define(), {"records": [row(), row("r2", owner="?")]})
    assert [one.record_id for one in report.records] == ["r1"]
    assert report.malformed[0].line == 15
    assert not try_sample(define(), {"rows": []}).passed
