"""How payloads of any shape read."""

import json
from typing import Any

import pytest

from services.channels.facts import headline
from services.queue.pages.payload import MAX_FACTS, MAX_ROWS, Content, read_payload
from tests.pages.fakes import EXPENSE


def facts(content: Content) -> dict[str, str]:
    return {fact.label: fact.value for fact in content.facts}


def test_an_expense_report_reads_as_facts_and_line_items() -> None:
    content = read_payload(EXPENSE)

    assert facts(content) == {
        "Report id": "EXP-2025-09-15-001",
        "Total amount": "750.50 USD",
        "Description": "Client dinner and travel for Q3 sales meeting.",
        "Submitter": "Jane Doe (jane.doe@example.com)",
    }
    (table,) = content.tables
    assert table.caption == "Line items"
    assert table.columns == (("Item", False), ("Category", False), ("Amount", True))
    assert table.rows[1] == ("Round-trip flight to NYC", "Travel", "450.50 USD")
    assert table.sum == (2, "750.50 USD")
    assert not table.contradicts
    assert content.whole
    assert json.loads(content.json) == EXPENSE


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"total_amount": 750.5, "currency": "USD"}, "750.50 USD"),
        ({"total_amount": 12_000, "currency": "JPY"}, "12,000 JPY"),
        ({"amount": 1234567.5, "currency": "EUR"}, "1,234,567.50 EUR"),
        ({"amount": 0.125, "currency": "USD"}, "0.125 USD"),
        ({"total_amount": 5}, None),
        ({"total_amount": True, "currency": "USD"}, None),
        ({"total_amount": "n/a", "total": 7, "currency": "USD"}, "7 USD"),
        ({"title": "x", "currency": "USD"}, None),
        ([1, 2], None),
        (None, None),
    ],
)
def test_the_amount_is_never_rounded_and_never_without_its_currency(
    payload: Any, said: str | None
) -> None:
    found = headline(payload)
    assert (found[1] if found else None) == said


def test_a_year_or_an_id_is_no_amount() -> None:
    payload = {"year": 2026, "cost_center_id": 44100, "amount": 44100, "currency": "USD"}
    assert facts(read_payload(payload)) == {
        "Year": "2026",
        "Cost center id": "44100",
        "Amount": "44,100 USD",
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "\N{EN DASH}"),
        ("", "\N{EN DASH}"),
        ([], "\N{EN DASH}"),
        ({}, "\N{EN DASH}"),
        (False, "No"),
        (True, "Yes"),
        (0, "0"),
        (["a", 2, None], "a, 2, \N{EN DASH}"),
        ({"email": "a@b.example"}, "a@b.example"),
        ({"name": "A", "email": "a@b.example", "id": 3}, "A (a@b.example)"),
        ([[1], [2]], "[\n  [\n    1\n  ],\n  [\n    2\n  ]\n]"),
    ],
)
def test_every_kind_of_value_reads(value: Any, said: str) -> None:
    assert facts(read_payload({"field": value})) == {"Field": said}


def test_what_stands_beside_a_name_is_not_left_out() -> None:
    payload = {"grantee": {"email": "a@b.example", "role": "admin"}}
    assert facts(read_payload(payload)) == {
        "Grantee: email": "a@b.example",
        "Grantee: role": "admin",
    }


def test_an_entry_with_a_currency_of_its_own_is_not_told_in_another() -> None:
    payload = {
        "total_amount": 30,
        "currency": "USD",
        "items": [{"what": "a", "amount": 10, "currency": "EUR"}, {"what": "b", "amount": 20}],
        "budget": {"amount": 99, "currency": "CHF"},
    }
    content = read_payload(payload)

    (table,) = content.tables
    assert [row[1] for row in table.rows] == ["10 EUR", "20 USD"]
    assert table.sum is None
    assert facts(content)["Budget: amount"] == "99 CHF"


def test_lines_that_add_up_to_something_else_are_noticed() -> None:
    payload = {"total_amount": 412.0, "currency": "USD", "lines": [{"x": "a", "amount": 400.5}]}
    (table,) = read_payload(payload).tables
    assert table.sum == (1, "400.50 USD")
    assert table.contradicts


def test_cents_add_up_exactly_and_whole_numbers_stay_whole() -> None:
    tenths = [{"x": "a", "amount": 0.1}] * 3
    (table,) = read_payload({"amount": 0.3, "currency": "USD", "lines": tenths}).tables
    assert table.sum == (1, "0.30 USD")
    assert not table.contradicts
    whole = [{"x": "a", "amount": 9_120}] * 2
    (table,) = read_payload({"amount": 18_240, "currency": "EUR", "lines": whole}).tables
    assert table.sum == (1, "18,240 EUR")
    assert not table.contradicts


def test_prices_of_one_piece_are_not_added() -> None:
    lines = [{"x": "chair", "quantity": 3, "unit_price": 10.5}]
    (table,) = read_payload({"total": 31.5, "currency": "EUR", "lines": lines}).tables
    assert table.sum is None


def test_what_is_too_long_to_show_is_said_and_stands_in_the_json() -> None:
    for payload in (
        {f"field_{number}": number for number in range(MAX_FACTS + 1)},
        {"rows": [{"a": number} for number in range(MAX_ROWS + 1)]},
        {"rows": [{f"c{number}": number for number in range(9)}]},
        {"text": "x" * 5_000},
        {"rows": [{"a": "x" * 5_000}]},
    ):
        content = read_payload(payload)
        assert not content.whole
        assert json.loads(content.json) == payload


@pytest.mark.parametrize("payload", [None, "text", 3, [1, {"a": 2}], [], {}])
def test_any_json_reads(payload: Any) -> None:
    content = read_payload(payload)
    assert json.loads(content.json) == payload
