"""What the HTTP surface says of itself: every call is there, documented, and needs a key."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from services.bootstrap import running
from services.config import Config
from services.embedded.ports import HOST, free_port
from services.settings import SERVICES, read_settings
from tests.servers.postgres import TestingPostgres

CALLS = {
    ("get", "/v1/approvals"),
    ("post", "/v1/approvals"),
    ("get", "/v1/approvals/{approval_id}"),
    ("get", "/v1/approvals/{approval_id}/history"),
    ("get", "/v1/approvals/{approval_id}/links"),
    ("get", "/v1/approvals/{approval_id}/wait"),
    ("post", "/v1/approvals/{approval_id}/decision"),
    ("post", "/v1/approvals/{approval_id}/withdraw"),
    ("post", "/v1/approvals/{approval_id}/comments"),
    ("post", "/v1/approvals/{approval_id}/acknowledge"),
    ("post", "/v1/notify-operator"),
    ("post", "/api/v1/agents/{agent_id}/versions"),
    ("post", "/api/v1/agents/{agent_id}/executions"),
    ("get", "/api/v1/executions/{execution_id}"),
    ("get", "/api/v1/approvals"),
    ("get", "/api/v1/approvals/{approval_id}"),
    ("post", "/api/v1/approvals/{approval_id}/decide"),
    ("get", "/api/companies/{company_id}/approvals"),
    ("post", "/api/companies/{company_id}/approvals"),
    ("post", "/api/companies/{company_id}/agent-hires"),
    ("get", "/api/agents/{agent_id}"),
    ("get", "/api/approvals/{approval_id}"),
    ("get", "/api/approvals/{approval_id}/issues"),
    ("post", "/api/issues/{issue_id}/interactions"),
    ("get", "/api/issues/{issue_id}/interactions/{interaction_id}"),
    ("post", "/api/issues/{issue_id}/comments"),
    ("get", "/v1/me"),
    ("get", "/v1/types"),
    ("get", "/v1/types/{name}"),
    ("post", "/v1/decisions"),
    ("get", "/v1/queue"),
    ("get", "/v1/stream"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}
KEYED = ("/v1/", "/api/")
FIELDS = """
id workspace type title status version round revision payload payload_digest requester approvers
reason urgency source subject checkpoint_name execution_id agent_id links metadata created_at
updated_at expires_at verified_at outcome decided_by decided_at decision_reason decision_channel
withdrawn_by withdrawn_reason withdrawn_cause superseded_by supersede_on_comment type_version
editable edited_payload edited_payload_digest acknowledged_by acknowledged_at
effective_payload effective_payload_digest progress asked_back held_until course
"""


@pytest.fixture(scope="module")
async def http(postgres: TestingPostgres, migrated: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Every service that answers; whether Kafka is there does not matter here."""
    async with postgres.database(template=migrated) as dsn:
        settings = read_settings(
            {
                "PLACET_POSTGRES_DSN": dsn,
                "PLACET_KAFKA": f"{HOST}:{free_port()}",
                "PLACET_PORT": str(free_port()),
            }
        )
        async with (
            running(settings, Config(), SERVICES),
            httpx2.AsyncClient(base_url=f"http://{HOST}:{settings.port}", timeout=20) as client,
        ):
            yield client


@pytest.fixture(scope="module")
async def document(http: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def references(value: Any) -> Iterator[str]:
    """Every `$ref` below a value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for below in value.values():
            yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_call_is_in_the_document(document: dict[str, Any]) -> None:
    assert set(operations(document)) >= CALLS


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert "#/components/schemas/Problem" in found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


async def test_an_approval_is_described_with_all_its_fields(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    approval = schemas["Approval"]
    if "$ref" in approval:
        approval = schemas[approval["$ref"].rpartition("/")[2]]
    assert sorted(approval["properties"]) == sorted(FIELDS.split())
    assert sorted(approval["required"]) == sorted(FIELDS.split()), "absent things are null"


async def test_every_call_documents_its_refusals(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        if path.startswith(KEYED) and not path.startswith("/v1/sources/"):
            assert {"401", "403", "503"} <= set(operation["responses"]), (method, path)


async def test_no_call_is_answered_without_a_key(
    http: httpx2.AsyncClient, document: dict[str, Any]
) -> None:
    for method, path in operations(document):
        if not path.startswith(KEYED) or path.startswith("/v1/sources/"):
            continue
        address = re.sub(r"\{[^}]*\}", "0" * 27, path)
        for headers in ({}, {"Authorization": "Bearer plk_wrong"}, {"Authorization": "Basic YTpi"}):
            answer = await http.request(method.upper(), address, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["code"] in {"no_key", "wrong_key"}


async def test_an_address_that_is_not_there_is_a_problem_document(http: httpx2.AsyncClient) -> None:
    for method, path, status, code in (
        ("GET", "/v2/approvals", 404, "not_found"),
        ("DELETE", "/v1/approvals", 405, "method_not_allowed"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
