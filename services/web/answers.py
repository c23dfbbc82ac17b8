"""What calls answer with, and how the OpenAPI document says so."""

from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json"


def json_answer(value: object, status: int = 200) -> Response:
    """Return a value as the answer."""
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)


def shows(schema: str, description: str) -> dict[str, Any]:
    """Return the documentation of an answer that is one thing."""
    return _documented({"$ref": f"#/components/schemas/{schema}"}, description)


def lists(
    schema: str,
    description: str = "A list.",
    *,
    cursor: str | None = "next_cursor",
    counted: bool = False,
) -> dict[str, Any]:
    """Return the documentation of an answer that is a list, or a page of one.

    `cursor` is what leads to the next page, None where there is none; `counted` lists tell how
    many there are in all.
    """
    properties: dict[str, Any] = {
        "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}
    }
    if cursor is not None:
        properties[cursor] = {"type": ["string", "null"]}
    if counted:
        properties["count"] = {"type": "integer"}
    shape = {"type": "object", "required": list(properties), "properties": properties}
    return _documented(shape, description)


def takes(
    body: str, parameters: list[dict[str, Any]] | None = None, *, required: bool = True
) -> dict[str, Any]:
    """Return the documentation of a request body."""
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{body}"}}}
    extra: dict[str, Any] = {"requestBody": {"required": required, "content": content}}
    if parameters:
        extra["parameters"] = parameters
    return extra


def _documented(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}
