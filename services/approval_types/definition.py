"""What the file of an approval type may say."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import Field, model_validator

from services.channels.sensitive import parts_of
from services.sources.definition import Card
from services.sources.fields import Pointers, duration, fault, faults
from services.yaml_files.strict import DAY_S, Strict

Role = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
MOST_UNDO_S = 300.0
"""How long an answer may be held at most so that whoever gave it can take it back."""
_PLAIN_KEYS = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "items", "title"),
        *("description", "minItems", "maxItems", "uniqueItems", "examples", "default", "$schema"),
        *("$defs", "$id", "$comment"),
    )
)
"""Of a schema that names its fields itself, and not by reference or by case."""
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
    decide_from_link: bool = False
    undo: Annotated[float, duration(0, MOST_UNDO_S)] | None = None
    assurance: Literal["link", "channel", "session", "step_up"] | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    card: Card | None = None
    sensitive: Pointers = ()

    @model_validator(mode="after")
    def _can_be_answered_as_it_says(self) -> "TypeFile":
        if self.decide_from_link and self.assurance not in (None, "link"):
            raise fault(f"is of no use where {self.assurance} is demanded", ("decide_from_link",))
        if self.decide_over_mcp and self.assurance in ("session", "step_up"):
            raise fault(f"is of no use where {self.assurance} is demanded", ("decide_over_mcp",))
        return self

    @model_validator(mode="after")
    def _is_a_schema(self) -> "TypeFile":
        try:
            validator_of(self.payload)
        except ValueError as error:
            message = str(error).partition("\n")[0][:300]
            raise fault(f"is no JSON Schema (2020-12): {message}", ("payload",)) from None
        return self

    @model_validator(mode="after")
    def _hides_what_is_there(self) -> "TypeFile":
        """A field that is named wrongly would be shown: the schema tells which there are."""
        wrong: list[tuple[tuple[str | int, ...], str]] = [
            (("sensitive", place), f"{pointer}: `payload` names no such field")
            for place, pointer in enumerate(self.sensitive)
            if not _may_be_there(self.payload, parts_of(pointer))
        ]
        if wrong:
            raise faults(wrong)
        return self


def _may_be_there(schema: object, parts: Sequence[str]) -> bool:
    """Tell whether a pointer leads to something that a schema names, as far as is plain to see."""
    if not parts or not isinstance(schema, dict) or not _PLAIN_KEYS.issuperset(schema):
        return True
    if "properties" in schema:
        known = schema["properties"]
        return parts[0] in known and _may_be_there(known[parts[0]], parts[1:])
    return "items" not in schema or _may_be_there(schema["items"], parts[1:])


def validator_of(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return what checks payloads; raises `ValueError` for what is no schema.

    A schema refers to nothing outside of itself: no file and no address is ever read.
    """
    return jsonschema_rs.Draft202012Validator(
        dict(schema), retriever=_nothing_outside, validate_formats=True
    )


def _nothing_outside(uri: str) -> Any:
    raise ValueError(f"it refers to {uri}, outside of itself: put what is meant under $defs")
