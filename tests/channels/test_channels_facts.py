"""What a payload says, whatever JSON it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.facts import MOST_FACTS, MOST_ROWS, MOST_VALUE, amount, details, words
from tests.channels.views import EXPENSE


def facts(payload: Any) -> dict[str, str]:
    return {fact.label: fact.value for fact in details(payload).facts}


def test_an_expense_is_read_as_a_person_would_write_it() -> None:
    assert facts(EXPENSE) == {
        "Report id": "EXP-2025-09-15-001",
        "Total amount": "750.50 USD",
        "Description": "Client dinner and travel for Q3 sales meeting.",
        "Submitter": "Jane Doe (jane.doe@example.com)",
    }
    (table,) = details(EXPENSE).tables
    assert table.label == "Line items"
    assert table.columns == ("Item", "Category", "Amount")
    assert table.rows[1] == ("Flight to NYC", "Travel", "450.50 USD")


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("total_amount", 750.5, "750.50"),
        ("totalAmount", 1234567, "1,234,567"),
        ("price", 0.125, "0.125"),
        ("price", -3.0, "-3.00"),
        ("cost", 0.1 + 0.2, "0.30000000000000004"),
        ("amount", 1e22, "10,000,000,000,000,000,000,000"),
        ("amount_cents", 75050, None),
        ("tax_rate", 0.2, None),
        ("tax_id", 12, None),
        ("quantity", 3, None),
        ("amount", True, None),
        ("amount", "12", None),
        ("amount", float("inf"), None),
    ],
)
def test_a_number_is_an_amount_only_where_its_name_says_so(
    key: str, value: object, shown: str | None
) -> None:
    assert amount(key, value) == shown


def test_an_amount_in_cents_is_never_shown_in_the_currency() -> None:
    assert facts({"amount_cents": 75050, "currency": "USD"}) == {
        "Amount cents": "75050",
        "Currency": "USD",
    }


def test_each_line_may_have_a_currency_of_its_own() -> None:
    payload = {
        "currency": "USD",
        "items": [{"price": 1.5}, {"price": 2.0, "currency": "EUR"}],
    }
    (table,) = details(payload).tables
    assert [row[0] for row in table.rows] == ["1.50 USD", "2.00 EUR"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ({"name": "Jane", "email": "j@x.example"}, "Jane (j@x.example)"),
        ({"email": "j@x.example"}, "j@x.example"),
        ({"city": "Oslo", "zip": None, "open": True}, "City: Oslo; Open: yes"),
        ({"deep": {"er": [1]}}, '{"deep": {"er": [1]}}'),
        ([[1], [2]], "[[1], [2]]"),
    ],
)
def test_other_values_are_put_in_words(value: object, shown: str) -> None:
    assert facts({"thing": value}) == {"Thing": shown}


def test_what_is_empty_is_left_out() -> None:
    assert facts({"a": None, "b": "", "c": [], "d": {}, "e": 0}) == {"E": "0"}


@pytest.mark.parametrize(
    ("payload", "shown"),
    [(None, {}), ("plain words", {"Content": "plain words"}), (7, {"Content": "7"})],
)
def test_a_payload_that_is_no_object_is_shown_all_the_same(
    payload: object, shown: dict[str, str]
) -> None:
    assert facts(payload) == shown


def test_a_payload_that_is_a_list_of_objects_is_a_table() -> None:
    (table,) = details([{"a": 1}, {"b": 2}]).tables
    assert (table.columns, table.rows) == (("A", "B"), (("1", ""), ("", "2")))


def test_what_is_too_much_is_counted_not_shown() -> None:
    shown = details({f"field_{n}": n for n in range(MOST_FACTS + 2)})
    assert len(shown.facts) == MOST_FACTS
    assert shown.left_out == "2 more fields in Placet."
    wide = {"rows": [{f"c{n}": n for n in range(7)} for _ in range(MOST_ROWS + 3)]}
    (table,) = details(wide).tables
    assert (len(table.rows), len(table.columns)) == (MOST_ROWS, 6)
    assert table.left_out == "3 more rows and 1 more column in Placet."
    assert len(facts({"essay": "x" * 100_000})["Essay"]) == MOST_VALUE


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("total_amount", "Total amount"),
        ("totalAmount", "Total amount"),
        ("URL", "URL"),
        ("cost-center", "Cost center"),
        ("Große", "Große"),
        ("", ""),
    ],
)
def test_keys_become_words(key: str, label: str) -> None:
    assert words(key) == label


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(json_values)
def test_any_json_can_be_shown_and_holds_nothing_that_cannot_be_kept(payload: object) -> None:
    shown = details(payload)
    texts = [text for fact in shown.facts for text in (fact.label, fact.value)]
    texts += [cell for table in shown.tables for row in table.rows for cell in row]
    for text in texts:
        text.encode()
        assert "\0" not in text
        assert len(text) <= MOST_VALUE + 10
    json.dumps(texts)
