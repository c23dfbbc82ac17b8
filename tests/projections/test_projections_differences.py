"""Where the records of an approval differ, place by place."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.approval import Person
from projections.approval_view import ApprovalView
from projections.differences import MOST_SHOWN, Difference, differences_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


def approved(proposed: Any, edited: Any, *effective: Any) -> ApprovalView:
    """An approval that was approved with another payload."""
    return ApprovalView(
        verified_at=None,
        id="0" * 27,
        workspace="w",
        type="t",
        title="t",
        status="approved",
        version=3,
        round=1,
        revision="1",
        payload=proposed,
        payload_digest="d",
        requester=Person(email="agent@example.com"),
        approvers=[],
        reason=None,
        urgency="medium",
        source=None,
        subject=None,
        checkpoint_name=None,
        execution_id=None,
        agent_id=None,
        links=(),
        metadata={},
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW,
        outcome="approved",
        edited_payload=edited,
        edited_payload_digest="e",
        effective_payload=effective[0] if effective else None,
        effective_payload_digest="f" if effective else None,
    )


def places(proposed: Any, edited: Any, *effective: Any) -> list[Difference]:
    return differences_of(approved(proposed, edited, *effective)).data


def test_a_place_that_differs_in_depth_is_named_by_its_pointer() -> None:
    assert places({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}) == [
        Difference(pointer="/a/b/1", proposed=2, approved=3)
    ]


def test_what_was_added_or_left_out_is_shown_whole() -> None:
    assert places({"a": {"b": 1}, "c": 0}, {"c": 0, "d": {}}) == [
        Difference(pointer="/a", proposed={"b": 1}),
        Difference(pointer="/d", approved={}),
    ]


def test_a_change_after_the_approval_is_shown_beside_what_was_approved() -> None:
    assert places({"a": 1}, {"a": 1}, {"a": 2}) == [
        Difference(pointer="/a", proposed=1, approved=1, effective=2)
    ]


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (False, 0), (1, "1"), (None, 0), ([], {}), ([1], 1)]
)
def test_values_of_two_kinds_are_never_the_same(one: Any, other: Any) -> None:
    assert [found.pointer for found in places({"a": one}, {"a": other})] == ["/a"]


def test_a_number_is_the_same_however_it_is_written() -> None:
    assert places({"a": 1}, {"a": 1.0}) == []


def test_signs_that_mean_something_in_a_pointer_are_escaped() -> None:
    assert [found.pointer for found in places({"a/b~c": 1}, {"a/b~c": 2})] == ["/a~1b~0c"]


def test_a_payload_that_is_no_object_differs_as_a_whole() -> None:
    assert places([], "x") == [Difference(pointer="", proposed=[], approved="x")]


def test_of_too_many_places_all_are_counted_and_some_are_shown() -> None:
    many = MOST_SHOWN + 7
    found = differences_of(approved({"a": [0] * many}, {"a": [1] * many}))
    assert (len(found.data), found.count) == (MOST_SHOWN, many)


@given(JSON)
def test_what_is_the_same_differs_nowhere(value: Any) -> None:
    assert differences_of(approved(value, value, value)).count == 0


@given(JSON, JSON)
def test_what_differs_is_found_and_every_place_shows_what_stands_there(
    one: Any, other: Any
) -> None:
    found = places(one, other)
    assert bool(found) == (not same(one, other))
    for place in found:
        assert place.proposed == standing(one, place.pointer)
        assert place.approved == standing(other, place.pointer)


def same(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def standing(value: Any, pointer: str) -> Any:
    """What a JSON pointer points at; None for nothing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        else:
            value = value[int(key)] if int(key) < len(value) else None
    return value
