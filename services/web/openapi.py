"""The shapes of the public contract for the OpenAPI document, from the code that holds them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.web.app import DESCRIPTION, PROBLEM_SCHEMA, VERSION

REF = "#/components/schemas/{name}"
SECURITY = {"key": {"type": "http", "scheme": "bearer"}}


def describe(
    app: FastAPI, answers: Sequence[type], bodies: Sequence[type], more: dict[str, Any]
) -> None:
    """Let the application's OpenAPI document hold these shapes, and say how to authenticate.

    Every field of an answer is always there; of a body, those without a default.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title="Placet", version=VERSION, description=DESCRIPTION, routes=app.routes
            )
            _, told = msgspec.json.schema_components(list(answers), ref_template=REF)
            _, taken = msgspec.json.schema_components(list(bodies), ref_template=REF)
            for shape in told.values():
                if "properties" in shape:
                    shape["required"] = list(shape["properties"])
            held = document.setdefault("components", {})
            held.setdefault("schemas", {}).update(taken | told | more | {"Problem": PROBLEM_SCHEMA})
            held["securitySchemes"] = SECURITY
            _require_keys(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _require_keys(document: dict[str, Any]) -> None:
    for path, calls in document["paths"].items():
        for call in calls.values():
            if path.startswith(("/v1/", "/api/")) and not path.endswith("/webhook"):
                call["security"] = [{"key": []}]
