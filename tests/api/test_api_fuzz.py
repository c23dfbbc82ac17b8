"""The HTTP surface under what its own OpenAPI document allows, and under what it does not."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import httpx2
import hypothesis
import pytest
import pytest_asyncio
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from services.web.bodies import MAX_BODY
from tests.api.api_kit import ANN, AT_WORK, BEN, PATIENCE_S, Placet, ask, decide, found
from tests.api.test_api_rights import CALLS

EXAMPLES = 40
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# A stream does not end; `test_api_waiting` reads it.
FUZZED = [call for call in CALLS if call[1] != "/v1/stream"]
OPEN = [("GET", "/healthz"), ("GET", "/metrics"), ("GET", "/asyncapi")]
WORKSPACE = "fuzzed"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is fuzzed: a document, an address, a key, and what is there."""

    schema: Any
    paths: dict[str, str]
    url: str
    key: str
    approvals: list[str]
    webhooks: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(placet: Placet) -> Target:
    key = await placet.key(WORKSPACE, ANN, (*AT_WORK, "webhooks:manage", "people:manage"))
    async with placet.client(key) as client:
        approvals = [(await ask(client, approvers=[ANN, BEN]))["id"] for _ in range(3)]
        await decide(client, approvals[0], approver=BEN)
        webhooks = [await _subscribed(client) for _ in range(3)]
    await placet.shown()
    document = placet.app.openapi()
    return Target(
        schema=schemathesis.openapi.from_dict(document),
        paths={re.sub(r"\{[^}]*\}", "{id}", path): path for path in document["paths"]},
        url=placet.url,
        key=key,
        approvals=approvals,
        webhooks=webhooks,
    )


async def _subscribed(client: httpx2.AsyncClient) -> str:
    answer = await client.post("/v1/webhooks", json={"url": "https://hooks.example.com"})
    assert answer.status_code == 201, answer.text
    return str(found(answer)["id"])


def fuzz(target: Target, method: str, path: str, mode: GenerationMode, checks: list[Any]) -> None:
    """Send what a strategy makes for one call, and check each answer."""
    operation = target.schema[target.paths[path]][method]

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(
        case=operation.as_strategy(generation_mode=mode),
        place=st.sampled_from([*range(len(target.approvals)), None]),
    )
    def send(case: schemathesis.Case[Any], place: int | None) -> None:
        known = None if place is None else target.approvals[place]
        if place is not None and method != "DELETE" and "webhook_id" in case.path_parameters:
            case.path_parameters["webhook_id"] = target.webhooks[place]
        if known is not None and "approval_id" in case.path_parameters:
            case.path_parameters["approval_id"] = known
        if known is not None and "company_id" in case.path_parameters:
            case.path_parameters["company_id"] = WORKSPACE
        # A parameter without a value is not sent, so nothing would be wrong with the call.
        hypothesis.assume(all(value not in ([], {}, None) for value in (case.query or {}).values()))
        if path.endswith("/wait"):
            _shorten(case)
        headers = {"Authorization": f"Bearer {target.key}"}
        response = case.call(base_url=target.url, headers=headers, timeout=PATIENCE_S)
        held = checks
        if response.status_code == 413:
            # A refusal as well, which that check does not count as one: but only of a large body.
            assert len(response.request.body or b"") > MAX_BODY
            held = [check for check in checks if check is not negative_data_rejection]
        case.validate_response(response, checks=held, headers=headers)

    send()


def _shorten(case: schemathesis.Case[Any]) -> None:
    """Let nobody wait for what will not happen."""
    wanted = (case.query or {}).get("timeout", 30)
    if isinstance(wanted, int) and 0 < wanted <= 60:
        case.query = {**(case.query or {}), "timeout": 0}


@pytest.mark.parametrize("call", FUZZED + OPEN)
async def test_what_the_document_allows_is_answered_as_it_says(
    target: Target, call: tuple[str, str]
) -> None:
    await asyncio.to_thread(fuzz, target, *call, GenerationMode.POSITIVE, CHECKS)


@pytest.mark.parametrize("call", FUZZED)
async def test_what_the_document_does_not_allow_is_refused_as_it_says(
    target: Target, call: tuple[str, str]
) -> None:
    checks = [*CHECKS, unsupported_method]
    if not call[1].endswith("/wait"):  # there we make a bad time a good one, so as not to wait
        checks.append(negative_data_rejection)
    await asyncio.to_thread(fuzz, target, *call, GenerationMode.NEGATIVE, checks)
