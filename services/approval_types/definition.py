"""What the file of an approval type may say."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import Field, model_validator

from services.sources.definition import Card
from services.sources.fields import duration, fault
from services.yaml_files.strict import DAY_S, Strict

Role = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Who = Annotated[str, Field(min_length=1, max_length=254)]


class TypeFile(Strict):
    """One approval type."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    requesters: tuple[Role, ...] = Field(default=(), max_length=50, strict=False)
    approvers: tuple[Who, ...] = Field(default=(), max_length=50, strict=False)
    expires_in: Annotated[float, duration(1, 366 * DAY_S)] | None = None
    on_timeout: Literal["expire", "approve", "reject"] = "expire"
    editable: bool = False
    decide_over_mcp: bool = False
    payload: dict[str, Any] = Field(default_factory=dict)
    card: Card | None = None

    @model_validator(mode="after")
    def _is_a_schema(self) -> "TypeFile":
        try:
            validator_of(self.payload)
        except ValueError as error:
            message = str(error).partition("\n")[0][:300]
            raise fault(f"is no JSON Schema (2020-12): {message}", ("payload",)) from None
        return self


def validator_of(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return what checks payloads; raises `ValueError` for what is no schema.

    A schema refers to nothing outside of itself: no file and no address is ever read.
    """
    return jsonschema_rs.Draft202012Validator(
        dict(schema), retriever=_nothing_outside, validate_formats=True
    )


def _nothing_outside(uri: str) -> Any:
    raise ValueError(f"it refers to {uri}, outside of itself: put what is meant under $defs")
