"""What a card says has changed since its reader saw it."""

from typing import Any

import pytest

from services.channels.differences import MOST_DIFFERENCES, MOST_TEXT, differences
from services.channels.html import html
from services.channels.text import text
from tests.channels.views import EXPENSE, card_of, view


def told(before: Any, after: Any, *sensitive: str) -> list[tuple[str, str | None, str | None]]:
    found = differences(("T", before), ("T", after), sensitive)
    return [(one.label, one.before, one.after) for one in found]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (EXPENSE, dict(reversed(EXPENSE.items())), []),
        (
            {"total_amount": 750.5, "currency": "USD"},
            {"total_amount": 900, "currency": "EUR"},
            [("Total amount", "750.50 USD", "900 EUR"), ("Currency", "USD", "EUR")],
        ),
        ({"note": "a"}, {"note": "a", "city": "Oslo"}, [("City", None, "Oslo")]),
        ({"note": "a", "city": "Oslo"}, {"note": "a"}, [("City", "Oslo", None)]),
        ({"note": None}, {}, []),
        ({"note": None}, {"note": ""}, []),
        ({"flag": True}, {"flag": 1}, [("Flag", "yes", "1")]),
        (
            {"owner": {"email": "a@x.example", "role": "boss"}},
            {"owner": {"email": "a@x.example", "role": "clerk"}},
            [("Owner: role", "boss", "clerk")],
        ),
        (
            {"deep": {"a": {"b": 1}}},
            {"deep": {"a": {"b": 2}}},
            [("Deep: a", "B: 1", "B: 2")],
        ),
        (
            {"items": [{"item": "Taxi", "amount": 50.0}, {"item": "Dinner"}]},
            {"items": [{"item": "Taxi", "amount": 80.0}, {"item": "Dinner"}]},
            [
                (
                    "Items",
                    "2 entries, of which gone: Item: Taxi; Amount: 50.00",
                    "2 entries, of which new: Item: Taxi; Amount: 80.00",
                )
            ],
        ),
        ({"n": [1]}, {"n": [1, 1]}, [("N", "1 entry", "2 entries, of which new: 1")]),
        (
            {"n": [1, 2]},
            {"n": [2, 1]},
            [("N", "2 entries, in another order", "2 entries, in another order")],
        ),
        ({"n": []}, {"n": [1]}, [("N", None, "1")]),
        ("all of it", "none of it", [("Content", "all of it", "none of it")]),
        ({"a": 1}, "none", [("Content", None, "none"), ("A", "1", None)]),
        (
            {"note": "pay"},
            {"note": "pay\u202e"},
            [("Note", "pay", "pay (it differs in what is not shown here)")],
        ),
    ],
)
def test_each_change_is_told_and_nothing_else(before: Any, after: Any, says: list[Any]) -> None:
    assert told(before, after) == says


def test_a_changed_title_is_told_first() -> None:
    found = differences(("Old", {"a": 1}), ("New", {"a": 2}))
    assert [(one.label, one.before, one.after) for one in found] == [
        ("Title", "Old", "New"),
        ("A", "1", "2"),
    ]


def test_long_texts_are_shown_from_where_they_part() -> None:
    same = "word " * 500
    ((_, before, after),) = told({"note": f"{same}red"}, {"note": f"{same}blue"})
    assert before is not None
    assert after is not None
    assert before.endswith("word red")
    assert after.endswith("word blue")
    assert len(before) < MOST_TEXT


def test_everything_is_bounded() -> None:
    old = {f"field_{n}": "a" * 10_000 for n in range(500)}
    new = {f"field_{n}": "b" * 10_000 for n in range(500)}
    found = differences(("T", old), ("T", new))
    assert len(found) == MOST_DIFFERENCES + 1
    assert found[-1].label == f"{500 - MOST_DIFFERENCES} more"
    assert all(len(one.before or "") <= MOST_TEXT for one in found)


def test_of_what_is_sensitive_it_says_only_that_it_changed() -> None:
    hidden = ("left out here", "changed: see it in Placet")
    before = {"name": "A", "salary": 10, "bank": {"iban": "1", "city": "Oslo"}}
    after = {"name": "A", "salary": 20, "bank": {"iban": "2", "city": "Rome"}}
    assert told(before, after, "/salary", "/bank/iban") == [
        ("Salary", *hidden),
        ("Bank: iban", *hidden),
        ("Bank: city", "Oslo", "Rome"),
    ]
    assert told(before, after, "") == [("Salary", *hidden), ("Bank", *hidden)]
    assert told({}, {"salary": 20}, "/salary") == [
        ("Salary", None, "left out here: see it in Placet")
    ]


def test_a_card_tells_of_changes_as_long_as_it_is_open() -> None:
    before = view(revision="0", payload={**EXPENSE, "total_amount": 700.0})
    card = card_of(before=before)
    assert "Changed since you saw it:\n  - Total amount: 700.00 USD -> 750.50 USD\n" in text(card)
    assert "700.00 USD" in html(card)
    assert "revision 1. An answer to what you saw before does not count." in card.status
    assert card.digest != card_of().digest, "it is a part of what is shown"
    assert card_of(view(status="expired"), before=before).differences == ()
    assert card_of(before=before, superseded_by=view(revision="2")).differences == ()


def test_no_label_of_a_payload_passes_for_a_line_of_ours() -> None:
    before = view(revision="0", payload={"In Placet": "https://evil.example"})
    lines = text(card_of(view(payload={}), before=before)).splitlines()
    ours = ("In Placet", "Approve or reject in Placet")
    assert [one for one in lines if one.startswith(ours)] == [
        "Approve or reject in Placet: https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL"
    ]
