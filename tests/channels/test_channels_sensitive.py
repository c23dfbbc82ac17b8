"""What is sensitive stands on no card that leaves Placet, whatever the payload looks like."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.card import Card
from services.channels.html import html
from services.channels.sensitive import LEFT_OUT, parts_of, without
from services.channels.text import text
from services.sources.definition import Card as SourceCard
from services.sources.templates import compiled
from tests.channels.views import EXPENSE, card_of, view

SECRET = "zq9secret7vx"


@pytest.mark.parametrize(
    ("payload", "pointer", "left"),
    [
        ({"a": 1, "b": 2}, "/a", {"a": LEFT_OUT, "b": 2}),
        ({"b": 2}, "/a", {"b": 2}),
        ({"a": None}, "/a", {"a": None}),
        ({"a": {"b": 1, "c": 2}}, "/a/b", {"a": {"b": LEFT_OUT, "c": 2}}),
        ({"a/b": 1, "~": 2, "": 3}, "/a~1b", {"a/b": LEFT_OUT, "~": 2, "": 3}),
        ({"~": 2}, "/~0", {"~": LEFT_OUT}),
        ({"": 3}, "/", {"": LEFT_OUT}),
        ({"a": [1, 2]}, "/a/1", {"a": [1, LEFT_OUT]}),
        (
            {"a": [{"b": 1}, {"b": 2, "c": 3}]},
            "/a/*/b",
            {"a": [{"b": LEFT_OUT}, {"b": LEFT_OUT, "c": 3}]},
        ),
        ({"a": 1}, "", LEFT_OUT),
        ({"a": {"x": {"b": 1, "c": 2}}}, "/a/*/b", {"a": {"x": {"b": LEFT_OUT, "c": 2}}}),
        # What has another shape than whoever named it had thought.
        ({"a": "text"}, "/a/b", {"a": LEFT_OUT}),
        ({"a": [{"b": 1}]}, "/a/b", {"a": LEFT_OUT}),
        ([{"a": 1}], "/a", LEFT_OUT),
        ({"a": {"b": 1}}, "/a/0/b", {"a": LEFT_OUT}),
        ("text", "/a", LEFT_OUT),
    ],
)
def test_what_a_pointer_names_is_left_out(payload: Any, pointer: str, left: Any) -> None:
    assert without(payload, [pointer]) == left


@pytest.mark.parametrize("pointer", ["a", "a/b", "/a~2", "/~"])
def test_what_is_no_pointer_is_told(pointer: str) -> None:
    with pytest.raises(ValueError, match="must be a JSON pointer, such as /employee/salary"):
        parts_of(pointer)


def test_an_amount_that_is_left_out_is_not_replaced_by_another_one() -> None:
    payload = {**EXPENSE, "total": 12.0}
    assert card_of(view(payload=payload)).amount == "750.50 USD"
    assert card_of(view(payload=payload), sensitive=["/total_amount"]).amount is None
    assert card_of(view(payload=payload), sensitive=["/currency"]).amount is None


def test_a_template_shows_the_words_in_place_of_the_value() -> None:
    template = SourceCard.model_construct(
        title=compiled("Pay {{salary}}"), body=compiled("{{payload.salary}} / {{name}}")
    )
    card = card_of(
        view(payload={"salary": SECRET, "name": "Bo"}), template=template, sensitive=["/salary"]
    )
    assert (card.title, card.body) == (f"Pay {LEFT_OUT}", f"{LEFT_OUT} / Bo")


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just(SECRET) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "total", "currency", "0"]), inner, max_size=3)
    ),
    max_leaves=12,
)
EVERYTHING = SourceCard.model_construct(
    title=compiled("{{a}}{{b}} {{payload}}"),
    body=compiled(
        "{{a}}{{#b}}{{a}}{{/b}}{{payload.total}} {{payload}}{{#payload}}{{a}}{{/payload}}."
    ),
)


def places(node: Any, at: str = "") -> list[str]:
    """Where the secret stands."""
    if isinstance(node, dict):
        return [one for key, inner in node.items() for one in places(inner, f"{at}/{key}")]
    if isinstance(node, list):
        return [one for n, inner in enumerate(node) for one in places(inner, f"{at}/{n}")]
    return [at] if node == SECRET else []


def renderings(card: Card) -> str:
    return f"{text(card)}{html(card)}{card}"


@given(json, json, st.sampled_from([None, EVERYTHING]))
def test_no_value_that_is_sensitive_stands_on_any_rendering(
    payload: Any, before: Any, template: SourceCard | None
) -> None:
    sensitive = [*places(payload), *places(before)]
    card = card_of(
        view(payload=payload),
        before=view(payload=before, revision="0"),
        template=template,
        sensitive=sensitive,
    )
    assert SECRET not in renderings(card)
    if places(payload) and template is None:
        assert LEFT_OUT in renderings(card)


@pytest.mark.parametrize("pointer", ["/a", "/a/b", "/a/*/b", "/a/0/b"])
@pytest.mark.parametrize("value", [{"b": {"b": SECRET}}, [{"b": [SECRET]}], SECRET, [[SECRET]]])
def test_nor_where_the_shape_is_another_than_thought(pointer: str, value: Any) -> None:
    assert SECRET not in str(without({"a": value}, [pointer]))
