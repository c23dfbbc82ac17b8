"""The compatibility checker sees what would break, and lets additions pass."""

from typing import Any

import pytest

from tests.contract.compatibility import breaks

OLD: dict[str, Any] = {
    "$ref": "#/$defs/Fact",
    "$defs": {
        "Fact": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "outcome": {"enum": ["approved", "rejected"]},
                "reason": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "by": {"$ref": "#/$defs/Person"},
                "approvers": {"type": "array", "items": {"$ref": "#/$defs/Person"}, "maxItems": 5},
                "at": {"type": "string", "format": "date-time"},
                "payload": {},
            },
            "required": ["id", "outcome", "by"],
        },
        "Person": {
            "type": "object",
            "properties": {
                "email": {"type": "string", "maxLength": 10, "pattern": "@"},
                "boss": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
            },
            "required": ["email"],
        },
    },
}


def changed(at: str, value: Any) -> dict[str, Any]:
    """OLD with one place of it changed; None takes it away."""

    def copy(schema: Any, steps: list[str]) -> Any:
        if not steps:
            return value
        step, rest = steps[0], steps[1:]
        found = dict(schema)
        if not rest and value is None:
            del found[step]
        else:
            found[step] = copy(found.get(step), rest)
        return found

    return copy(OLD, at.split("/"))  # type: ignore[no-any-return]  # a dict, as OLD is


FACT, PERSON = "$defs/Fact", "$defs/Person"


def test_the_same_schema_breaks_nothing() -> None:
    assert breaks(OLD, OLD) == []


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (f"{FACT}/properties/added", {"type": "string"}),
        (f"{PERSON}/properties/name", {"type": "string"}),
        (f"{FACT}/properties/outcome/enum", ["approved", "rejected", "abstained"]),
        (f"{FACT}/description", "Said better."),
        (f"{FACT}/properties/id/description", "Said at all."),
        (f"{FACT}/properties/approvers/maxItems", 50),
        (f"{FACT}/properties/approvers/maxItems", None),
        (f"{PERSON}/properties/email/maxLength", 11),
    ],
)
def test_additions_break_nothing(at: str, value: Any) -> None:
    assert breaks(OLD, changed(at, value)) == []


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (f"{FACT}/properties/reason", None, "$.reason: removed"),
        (f"{PERSON}/properties/email", None, "$.by.email: removed"),
        (f"{FACT}/required", ["id", "outcome", "by", "at"], "$.at: is required now"),
        (f"{PERSON}/required", ["email", "boss"], "$.approvers[].boss: is required now"),
        (f"{FACT}/required", ["id", "by"], "$.outcome: is not promised any more"),
        (
            f"{FACT}/properties/outcome/enum",
            ["approved"],
            "$.outcome: the value 'rejected' is not possible any more",
        ),
        (
            f"{FACT}/properties/outcome",
            {"const": "approved"},
            "$.outcome: the value 'rejected' is not possible any more",
        ),
        (
            f"{FACT}/properties/id",
            {"type": "integer"},
            "$.id: string is not possible any more",
        ),
        (
            f"{FACT}/properties/id",
            {"type": ["string", "null"]},
            "$.id: may be null now",
        ),
        (f"{FACT}/properties/id", {}, "$.id: may be anything now"),
        (
            f"{FACT}/properties/payload",
            {"type": "object"},
            "$.payload: was not limited to ['object']",
        ),
        (f"{FACT}/properties/reason", {"type": "string"}, "$.reason: has other alternatives"),
        (
            f"{FACT}/properties/reason/anyOf",
            [{"type": "string"}],
            "$.reason: has other alternatives",
        ),
        (
            f"{FACT}/properties/reason/anyOf",
            [{"type": "integer"}, {"type": "null"}],
            "$.reason<0>: string is not possible any more",
        ),
        (
            f"{FACT}/properties/approvers/items",
            {"type": "string"},
            "$.approvers[]: object is not possible any more",
        ),
        (
            f"{FACT}/properties/approvers/maxItems",
            4,
            "$.approvers: maxItems is 4 and was 5",
        ),
        (
            f"{FACT}/properties/id/maxLength",
            9,
            "$.id: maxLength is 9 and was None",
        ),
        (f"{FACT}/properties/id/minLength", 1, "$.id: minLength is 1 and was None"),
        (f"{FACT}/properties/at/format", "date", "$.at: format is 'date' and was 'date-time'"),
        (f"{PERSON}/properties/email/pattern", "x", "$.by.email: pattern is 'x' and was '@'"),
        (f"{FACT}/additionalProperties", False, "$: additionalProperties is False and was None"),
        (f"{FACT}/not", {"required": ["x"]}, "$: not is {'required': ['x']} and was None"),
    ],
)
def test_what_breaks_somebody_is_seen(at: str, value: Any, said: str) -> None:
    assert said in breaks(OLD, changed(at, value))


def test_what_stands_beside_a_reference_is_seen() -> None:
    assert breaks(OLD, {**OLD, "required": ["at"]}) == ["$.at: is required now"]
    beside = {**OLD, "if": {"properties": {"id": {"const": "x"}}}}
    assert len(breaks(OLD, beside)) == 1
    assert breaks(beside, beside) == []
