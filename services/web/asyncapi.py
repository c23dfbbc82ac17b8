"""The topics as an AsyncAPI 3.0 document: what other applications may send, and what they get."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from events.kafka.topics import LOG, OBSERVED, PUBLIC, REQUESTS, TOPICS, Topic

PATH = "/asyncapi"
ASYNCAPI = "3.0.0"
DRAFT = "application/schema+json;version=draft-2020-12"
KAFKA_BINDING = "0.5.0"
DESCRIPTION = (
    "The Kafka topics of Placet, seen by an application outside: it sends what Placet takes in, "
    "and receives what Placet tells. The values are JSON, the attributes of CloudEvents 1.0 stand "
    "in headers (`ce_*`). Messages come at least once, in order for each key: go by "
    "`ce_streamversion`, and pass over what you have seen. Fields and headers may be added within "
    "a version, so pass over those that you do not know. The calls over HTTP are described at "
    "[/openapi.json](/openapi.json)."
)

Json = dict[str, Any]


def _text(says: str, **more: Any) -> Json:
    return {"type": "string", "description": says} | more


_CLOUD_EVENT: Mapping[str, Json] = {
    "ce_specversion": _text("The version of CloudEvents.", const="1.0"),
    "ce_id": _text("The event's id: the same when it is sent again.", maxLength=255),
    "ce_source": _text("Who sends it, as a URI reference."),
    "ce_type": _text("What kind of event it is."),
    "ce_subject": _text("What it is about: the approval's id, or the record's in its source."),
    "ce_time": _text("When it was kept.", format="date-time"),
    "ce_workspace": _text("Whose it is."),
    "content-type": _text("What the value is.", const="application/json"),
}
_NUMBERED: Mapping[str, Json] = {
    "ce_streamversion": _text("The event's place in its approval's history, from 1: a number."),
    "ce_schemaversion": _text("The version of the event's schema: a number."),
    "ce_sequence": _text("The event's place in the log, without gaps: a number."),
    "ce_causationid": _text("The command that led to it."),
}
_REQUEST_HEADERS: Mapping[str, Json] = {
    **_CLOUD_EVENT,
    "ce_id": _text(
        "The idempotency key: the same key and value again ask once.", minLength=1, maxLength=255
    ),
    "ce_workspace": _text("Whose approval it becomes; `default` if it is left out."),
}
_HEADERS: Mapping[str, Json] = {
    OBSERVED.name: {"type": "object", "properties": _CLOUD_EVENT},
    REQUESTS.name: {"type": "object", "required": ["ce_id"], "properties": _REQUEST_HEADERS},
}
_KEYS: Mapping[str, str] = {
    OBSERVED.name: "Workspace, source and record, so that readings of one record stay in order.",
    REQUESTS.name: "Yours to choose; asks with the same key stay in order.",
}


def asyncapi_document(version: str) -> Json:
    """Return the document: every topic, and a message for each schema file."""
    documents = {topic.name: _messages(topic) for topic in TOPICS}
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": "Placet", "version": version, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, documents[topic.name]) for topic in TOPICS},
        "operations": dict(_operation(topic, documents[topic.name]) for topic in TOPICS),
        "components": {
            "messages": {
                name: message for found in documents.values() for name, message in found.items()
            }
        },
    }


def asyncapi_router(version: str) -> APIRouter:
    """Return the route of the document; nobody needs a key for it."""

    @cache
    def document() -> bytes:
        return msgspec.json.encode(asyncapi_document(version))

    router = APIRouter(tags=["describe"])

    @router.get(
        PATH,
        summary="The Kafka topics, as an AsyncAPI 3.0 document",
        responses={
            200: {
                "description": "The document.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
        response_class=Response,
    )
    async def asyncapi() -> Response:
        return Response(document(), media_type="application/json")

    return router


def _channel(topic: Topic, messages: Json) -> Json:
    return {
        "address": topic.name,
        "description": f"{topic.holds[0].upper()}{topic.holds[1:]}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {"retention.ms": topic.retention_ms},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(topic: Topic, messages: Json) -> tuple[str, Json]:
    action = "send" if topic.direction == "in" else "receive"
    return f"{action}.{topic.name}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in messages],
    }


def _messages(topic: Topic) -> Json:
    return {
        f"{topic.name}.{stem}" if topic is LOG else stem: _message(topic, stem, schema)
        for stem, schema in _schemas(topic)
    }


def _message(topic: Topic, stem: str, schema: Json) -> Json:
    name, _, _ = stem.rpartition(".v")
    headers = _HEADERS.get(topic.name) or _told_headers(name)
    key = _text(_KEYS.get(topic.name, "The approval's id."))
    return {
        "name": name,
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": "application/json",
        "headers": headers,
        "payload": {"schemaFormat": DRAFT, "schema": schema},
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
    }


def _told_headers(name: str) -> Json:
    properties = {**_CLOUD_EVENT, **_NUMBERED, "ce_type": _text("The fact's name.", const=name)}
    return {"type": "object", "required": list(properties), "properties": properties}


def _schemas(topic: Topic) -> Iterator[tuple[str, Json]]:
    """Yield the schema files of what a topic holds, each with its name and version."""
    folder = files("events").joinpath("schemas")
    if topic.name in PUBLIC:
        folder = folder.joinpath("public")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".json"):
            continue
        stem = file.name.removesuffix(".json")
        name, _, _ = stem.rpartition(".v")
        incoming = name in (OBSERVED.name, REQUESTS.name)
        if name == topic.name or (topic is LOG and not incoming):
            yield stem, json.loads(file.read_text("utf-8"))
