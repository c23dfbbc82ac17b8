"""A small source file and a fake system behind it, for tests of what the file says."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
import yaml

from services.sources import Answer, Page
from services.sources.budget import Allowance, Budget, MemoryBucket
from services.sources.definition import SourceDefinition
from services.sources.http import HttpSource
from services.sources.loading import parse_source
from services.yaml_files.faults import FileInvalid

Handler = Callable[[httpx2.Request], httpx2.Response]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

FILE = """\
name: acme
http:
  base_url: http://acme.test/api
  timeout: 5s
list:
  path: /items
  records: records
map:
  record_id: id
  revision: rev
  state: status
  settled_by: decided_by
  title: "Item {{row.id}}"
  payload: "{amount: amount}"
  requester: {email: owner}
  approvers: {each: approvers, email: "@"}
states: {pending: [pending], approved: [approved], rejected: [rejected], cancelled: [cancelled]}
get:
  path: /items/{{item.record_id}}
  etag: {header: ETag}
decide:
  approve: &write
    path: /items/{{item.record_id}}/decision
    headers: {If-Match: "{{answer.precondition}}", Idempotency-Key: "{{answer.idempotency_key}}"}
    json: {answer: "{{answer.outcome}}", why: "{{answer.reason}}", who: "{{answer.by_email}}"}
  deny: *write
  already_settled: {status: [409], when: "code == 'already_settled'", record: record}
note:
  path: /items/{{item.record_id}}/notes
  json: {text: "{{note.text}}"}
notes: notes[].text
"""


def changed(changes: Mapping[str, Any], text: str = FILE) -> str:
    """Return the file with parts set (dotted keys) or, with None, taken out."""
    data = yaml.safe_load(text)
    for key, value in changes.items():
        *path, last = key.split(".")
        part = data
        for name in path:
            part = part.setdefault(name, {})
        if value is None:
            part.pop(last, None)
        else:
            part[last] = value
    return yaml.dump(data, Dumper=_Plain, sort_keys=False)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as the library calls it
        return True


def define(text: str = FILE, **environ: str) -> SourceDefinition:
    return parse_source(text, "acme.yaml", "w1", environ)


def faults_of(text: str, **environ: str) -> list[str]:
    try:
        define(text, **environ)
    except FileInvalid as error:
        return error.errors
    return []


def row(name: str = "r1", /, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "rev": 1,
        "status": "pending",
        "amount": 750.5,
        "owner": "Jane@Example.com",
        "approvers": ["john@example.com"],
    } | fields


def answers(*listings: Any) -> tuple[Handler, list[httpx2.Request]]:
    """Return a system that gives these bodies or responses in turn, and what it was asked."""
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        body = listings[min(len(asked), len(listings)) - 1]
        return body if isinstance(body, httpx2.Response) else httpx2.Response(200, json=body)

    return handle, asked


def connect(
    handler: Handler, definition: SourceDefinition | None = None, budget: Budget | None = None
) -> HttpSource:
    """Return the source whose system is `handler`."""
    return HttpSource(
        definition or define(),
        httpx2.AsyncClient(transport=httpx2.MockTransport(handler)),
        budget or Budget(MemoryBucket(), Allowance(limit=1000, per=1), 4),
        clock=lambda: NOW,
    )


async def pages_of(pages: Any) -> list[Page]:
    return [page async for page in pages]


def answer(**changes: Any) -> Answer:
    given: dict[str, Any] = {
        "record_id": "r1",
        "approval_id": "a1",
        "outcome": "approved",
        "by_email": "john@example.com",
        "by_name": None,
        "reason": None,
        "precondition": '"1-abc"',
        "idempotency_key": "k1",
    }
    return Answer(**(given | changes))
