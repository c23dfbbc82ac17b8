"""The documents of the HTTP surface and of the topics say what is there, and all of it."""

import json
import re
from importlib.resources import files
from typing import Any

import httpx2
import jsonschema
import pytest
from starlette.routing import Route

from events.codec import WIRE_NAMES
from events.kafka.messages import messages
from events.kafka.topics import LOG, OBSERVED, PUBLIC, REQUESTS, TOPICS
from tests.api.api_kit import Office, Placet, ask, decide, found, refused

SCHEMAS = files("events").joinpath("schemas")
Json = dict[str, Any]


def routes(placet: Placet) -> set[tuple[str, str]]:
    """Every method and path that is served, but for pages and documents."""
    return {
        (method, route.path)
        for router in placet.parts.routers
        for route in router.routes
        if isinstance(route, Route) and route.include_in_schema
        for method in route.methods or ()
    }


async def test_every_route_is_documented_and_every_documented_call_is_there(
    placet: Placet, office: Office
) -> None:
    nobody = await office.stranger(None)
    document = found(await nobody.get("/openapi.json"))
    documented = {
        (method.upper(), path) for path, calls in document["paths"].items() for method in calls
    }
    assert documented == routes(placet) | {("GET", "/asyncapi")}
    for method, path in documented:
        address = re.sub(r"\{[^}]*\}", "0" * 27, path.replace("{source}", "erp"))
        answer = await nobody.request(method, address)
        assert answer.status_code != 405
        there = str(answer.status_code) in document["paths"][path][method.lower()]["responses"]
        assert there, (method, path, answer.status_code)


async def test_the_pages_and_forms_are_no_part_of_the_api(office: Office) -> None:
    nobody = await office.stranger(None)
    paths = found(await nobody.get("/openapi.json"))["paths"]
    for path in paths:
        known = ("/v1/", "/api/", "/healthz", "/readyz", "/metrics", "/asyncapi")
        assert path.startswith(known)
    assert "text/html" in (await nobody.get("/docs")).headers["content-type"]


async def test_the_two_documents_lead_to_each_other(office: Office) -> None:
    nobody = await office.stranger(None)
    assert "(/asyncapi)" in found(await nobody.get("/openapi.json"))["info"]["description"]
    assert "(/openapi.json)" in found(await nobody.get("/asyncapi"))["info"]["description"]


async def test_every_reference_of_the_openapi_document_leads_somewhere(office: Office) -> None:
    nobody = await office.stranger(None)
    document = found(await nobody.get("/openapi.json"))
    for reference in references(document):
        assert resolved(document, reference), reference


async def test_a_problem_and_an_approval_are_as_the_document_says(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    document = found(await agent.get("/openapi.json"))
    approval = await ask(agent, links=[{"kind": "a", "id": "b"}])
    await decide(ann, approval["id"])
    problem = refused(await decide(ann, approval["id"], "deny"), 409, "already_resolved")
    invalid = refused(await agent.post("/v1/approvals", json={}), 422, "invalid")
    await office.placet.shown()
    listed = found(await agent.get("/v1/approvals"))["data"]
    for name, instance in [
        ("Problem", problem),
        ("Problem", invalid),
        ("Approval", approval),
        *(("Approval", one) for one in listed),
    ]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(instance)


@pytest.fixture
async def topics(office: Office) -> Json:
    nobody = await office.stranger(None)
    answer = await nobody.get("/asyncapi")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return found(answer)


def references(node: object) -> list[str]:
    """Every `$ref` of a document, but for those within schemas with an address of their own."""
    if isinstance(node, list):
        return [one for item in node for one in references(item)]
    if not isinstance(node, dict) or "$id" in node:
        return []
    here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return here + [one for item in node.values() for one in references(item)]


def resolved(document: Json, reference: str) -> Any:
    found_here: Any = document
    assert reference.startswith("#/")
    for part in reference.removeprefix("#/").split("/"):
        found_here = found_here[part]
    return found_here


def payloads(topics: Json, topic: str) -> list[Json]:
    """The schemas of a channel's messages."""
    channel = topics["channels"][topic]
    return [
        resolved(topics, message["$ref"])["payload"]["schema"]
        for message in channel["messages"].values()
    ]


def of_files(folder: Any, *names: str) -> list[Json]:
    return [json.loads(folder.joinpath(f"{name}.v1.json").read_text("utf-8")) for name in names]


def test_every_topic_stands_in_the_document_and_no_other(topics: Json) -> None:
    assert set(topics["channels"]) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        channel = topics["channels"][topic.name]
        assert channel["address"] == topic.name
        assert topic.holds[1:] in channel["description"]
        assert channel["bindings"]["kafka"]["topic"] == topic.name


def test_an_application_outside_sends_what_comes_in_and_receives_what_goes_out(
    topics: Json,
) -> None:
    told = {
        one["channel"]["$ref"].removeprefix("#/channels/"): one["action"]
        for one in topics["operations"].values()
    }
    assert told == {
        topic.name: "send" if topic.direction == "in" else "receive" for topic in TOPICS
    }


def test_the_messages_are_those_of_the_schema_files(topics: Json) -> None:
    assert payloads(topics, OBSERVED.name) == of_files(SCHEMAS, OBSERVED.name)
    assert payloads(topics, REQUESTS.name) == of_files(SCHEMAS, REQUESTS.name)
    assert payloads(topics, LOG.name) == of_files(SCHEMAS, *sorted(WIRE_NAMES.values()))
    for name in PUBLIC:
        assert payloads(topics, name) == of_files(SCHEMAS.joinpath("public"), name)
    for topic in TOPICS:
        for schema in payloads(topics, topic.name):
            jsonschema.Draft202012Validator.check_schema(schema)


def test_the_document_has_the_structure_of_asyncapi_3(topics: Json) -> None:
    assert topics["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(topics["info"])
    for reference in references(topics):
        assert resolved(topics, reference)
    for operation in topics["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = resolved(topics, operation["channel"]["$ref"])
        # An operation names the messages of its channel by the channel, not by the components.
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")
        assert len(operation["messages"]) == len(channel["messages"])
    for message in topics["components"]["messages"].values():
        assert {"name", "title", "headers", "payload", "contentType"} <= set(message)
        assert message["headers"]["type"] == "object"
        assert message["payload"]["schemaFormat"]
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


async def test_what_is_sent_is_what_the_document_says(
    office: Office, topics: Json, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await decide(ann, approval["id"])
    read = await office.placet.parts.store.read(office.workspace, [approval["id"]])
    sent = [one for event in read[approval["id"]] for one in messages(1, event)]
    assert len(sent) == 5  # three events, two of which are public facts
    for one in sent:
        headers = {name: value.decode() for name, value in one.headers}
        channel = topics["channels"][one.topic]
        (message,) = [
            found_here
            for reference in channel["messages"].values()
            if (found_here := resolved(topics, reference["$ref"]))["name"] == headers["ce_type"]
        ]
        jsonschema.validate(headers, message["headers"])
        assert set(headers) == set(message["headers"]["required"])
        jsonschema.validate(json.loads(one.value), message["payload"]["schema"])
        assert one.key.decode() == approval["id"]
