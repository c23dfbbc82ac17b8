"""Conditions end in good time, whatever they say and whatever they are said of."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.policies.conditions import (
    MOST_CHARS,
    MOST_NESTED,
    MOST_VALUES,
    NOTHING,
    ConditionFailed,
    Scope,
    condition,
)
from tests.policies.policy_kit import OFFICE, facts


def holds(text: str, payload: Any = None) -> bool:
    return condition(text).holds(Scope(replace(facts(), payload=payload), OFFICE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no CEL: at character 1"),
        ("payload.x = 3", "is no CEL: at character 11"),
        ("payload.x and true", "is no CEL: at character 11"),
        ("payload.x.map(one, one)", r"map\(\) is not taken: it grows too slow"),
        ("payload.x.filter(one, one).size() > 1", r"filter\(\) is not taken"),
        ("payload.x.all(a, payload.x.all(b, a < b))", r"all\(\) stands within another walk"),
        ("payload.x.exists(a, payload.x . exists_one (b, a < b))", "stands within another walk"),
        ("payload.x.exists(a, a > 1) && b > 1", "b is not known here; known are payload"),
        ("'.exists(b,' == '' && b > 1", "b is not known here"),
        ("nope", "nope is not known here"),
        ("payload.x.trim() == ''", r"trim\(\) is not known here; known are contains"),
        ("now() > 1", r"now\(\) is not known here"),
        ("1 / 0 > 1", "cannot be told"),
        ("'text'", "is neither true nor false"),
        ("'" + "a" * MOST_CHARS + "' == ''", "is longer than 2000 characters"),
        ("(" * 25 + "true" + ")" * 25, f"is nested deeper than {MOST_NESTED} brackets"),
        ("(" * 400 + "true" + ")" * 400, "is no CEL|is nested deeper"),
        ("[" * 900 + "]" * 900, "is no CEL|is nested deeper"),
    ],
)
def test_what_is_no_condition_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        condition(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("payload.a > 50", True),
        ("payload.a > 50.5", True),
        ("payload.b == 1", True),
        ("payload.list.exists(one, one.x > 2 && one.x < payload.a)", True),
        ("payload.list.all(one, one.x > 2)", False),
        ("payload.list.exists(one, one.x > 1) || payload.list.all(two, two.x > 9)", True),
        ("payload.text.matches('^[A-Z]{3}$') && size(payload.text) == 3", True),
        ("payload.text in ['EUR', 'USD'] ? payload.a > 100 : true", False),
        ("payload['a'] > 50 && !has(payload.nothing)", True),
        ("type(payload.text) == string", True),
        ("payload.day < timestamp('2026-12-01T00:00:00Z') || true", True),
        ("double(payload.a) * 1.1 > 66.0 // with tax", True),
    ],
)
def test_a_condition_says_what_it_says(text: str, value: bool) -> None:  # noqa: FBT001 - a column of the table
    payload = {"a": 61, "b": 1.0, "text": "USD", "list": [{"x": 1}, {"x": 3}], "day": "later"}
    assert holds(text, payload) is value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("payload.x > 1", "there is no 'x'"),
        ("payload.a > '1'", "the values are of kinds that do not go together"),
        ("payload.none > 1", "the values are of kinds that do not go together"),
        ("payload.list[7] > 1", "index out of bounds"),
        ("payload.a / 0 > 1", "division by zero"),
        ("payload.big + 1 > 1", "overflow"),
        ("payload.a + 1", "is neither true nor false"),
    ],
)
def test_a_condition_that_does_not_fit_what_is_asked_says_why(text: str, why: str) -> None:
    payload = {"a": 1, "none": None, "list": [1], "big": 2**63 - 1}
    with pytest.raises(ConditionFailed, match=why):
        holds(text, payload)


def test_a_walk_over_too_long_a_list_fails_instead_of_taking_for_ever() -> None:
    slow = "payload.list.exists(one, payload.list[0] > 5 || one < 0)"
    begun = time.monotonic()
    assert holds(slow, {"list": [1] * (MOST_VALUES - 3)}) is False
    with pytest.raises(ConditionFailed, match="walks over lists, and there are more than 2000"):
        holds(slow, {"list": [1] * MOST_VALUES})
    with pytest.raises(ConditionFailed, match="walks over lists"):
        holds(slow, {"list": [], "others": [[1] * 1_000] * 3})
    assert time.monotonic() - begun < 5
    assert holds("size(payload.list) > 5000", {"list": [1] * 6_000})


def test_a_constant_is_told_without_anything_that_is_asked() -> None:
    assert condition("true").constant is True
    assert condition("1 > 2").constant is False
    assert condition("payload.x").constant is None
    assert condition("true").holds(NOTHING)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    payload=_json | st.dictionaries(st.sampled_from(["a", "list"]), _json),
    text=st.sampled_from(
        [
            "payload.a > 50",
            "payload.list.exists(one, one.a > 2)",
            "payload.a.matches(payload.a)",
            "payload.list[payload.a] == payload",
            "has(payload.a) && payload.a in payload.list",
            "timestamp(payload.a) > timestamp('2026-01-01T00:00:00Z')",
            "int(payload.a) + 1 > 2",
        ]
    ),
)
def test_whatever_is_asked_a_condition_holds_or_not_or_fails(payload: Any, text: str) -> None:
    try:
        said = holds(text, payload)
    except ConditionFailed as error:
        said = str(error).startswith(f"`{text}`")
    assert said in (True, False)
