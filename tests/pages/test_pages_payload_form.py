"""A payload as fields of a form: what nobody touched comes back as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.payload_form import (
    MOST_FIELDS,
    REST,
    Faulty,
    field_at,
    form_of,
    is_field,
    payload_in,
)
from services.web.problems import Invalid

PAYLOAD: dict[str, Any] = {
    "recipients": 500,
    "budget": 120.50,
    "subject": "Hello",
    "body": "Dear all,\n\nwe open.",
    "dry_run": False,
    "segments": ["eu", "us"],
    "note": None,
}

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def sent_by_browser(payload: dict[str, Any]) -> dict[str, str]:
    """What a browser sends of an untouched form, in the way that it ends lines."""
    form = form_of(payload)
    sent = {
        one.name: one.value.replace("\n", "\r\n")
        for one in form.fields
        if one.kind != "choice" or one.value
    }
    if form.rest is not None:
        sent[REST] = form.rest.replace("\n", "\r\n")
    return sent


@given(st.dictionaries(texts, values, max_size=6))
def test_what_nobody_touched_comes_back_of_the_same_types(payload: dict[str, Any]) -> None:
    back = payload_in(payload, sent_by_browser(payload))
    assert json.dumps(back) == json.dumps(payload)


@given(st.dictionaries(texts, values, max_size=6))
def test_every_field_holds_what_a_browser_can_send_back(payload: dict[str, Any]) -> None:
    form = form_of(payload)
    shown = [one.value for one in form.fields] + ([form.rest] if form.rest is not None else [])
    for text in shown:
        assert all(one.isprintable() or one in "\n\t" for one in text)


def test_each_kind_of_value_has_its_kind_of_field() -> None:
    form = form_of(PAYLOAD)
    assert {one.key: (one.kind, one.value) for one in form.fields} == {
        "recipients": ("number", "500"),
        "budget": ("number", "120.5"),
        "subject": ("text", "Hello"),
        "body": ("lines", "Dear all,\n\nwe open."),
        "dry_run": ("choice", ""),
    }
    assert form.rest is not None
    assert json.loads(form.rest) == {"segments": ["eu", "us"], "note": None}


def test_what_was_typed_keeps_the_type_of_its_value() -> None:
    sent = sent_by_browser(PAYLOAD) | {
        "payload.recipients": " 100 ",
        "payload.budget": "90",
        "payload.subject": "007",
        "payload.dry_run": "yes",
        REST: '{"segments": ["eu"], "note": {"by": "me"}}',
    }
    back = payload_in(PAYLOAD, sent)
    assert back == {
        "recipients": 100,
        "budget": 90.0,
        "subject": "007",
        "body": "Dear all,\n\nwe open.",
        "dry_run": True,
        "segments": ["eu"],
        "note": {"by": "me"},
    }
    assert list(back) == list(PAYLOAD)
    assert isinstance(back["recipients"], int)
    assert isinstance(back["budget"], float)
    assert back["dry_run"] is True


@pytest.mark.parametrize("text", ["", "many", "1,5", "1e999", "NaN", "0x10", "١٢", "1 000"])
def test_what_is_no_number_is_told_beside_its_field(text: str) -> None:
    sent = sent_by_browser(PAYLOAD) | {"payload.budget": text}
    with pytest.raises(Faulty) as caught:
        payload_in(PAYLOAD, sent)
    assert set(caught.value.faults) == {"payload.budget"}
    assert "Write a number" in caught.value.faults["payload.budget"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Write a JSON object"),
        ("[1]", "Write a JSON object"),
        ('{"a": ', "Write a JSON object"),
        ("[" * 40 + "]" * 40, "nested deeper"),
        ('{"subject": "twice"}', "subject: has a field of its own above"),
    ],
)
def test_what_is_no_json_is_told_beside_its_field(text: str, said: str) -> None:
    with pytest.raises(Faulty) as caught:
        payload_in(PAYLOAD, sent_by_browser(PAYLOAD) | {REST: text})
    assert said in caught.value.faults[REST]


def test_all_faults_are_told_at_once() -> None:
    sent = sent_by_browser(PAYLOAD) | {"payload.budget": "x", "payload.recipients": "y", REST: "z"}
    with pytest.raises(Faulty) as caught:
        payload_in(PAYLOAD, sent)
    assert set(caught.value.faults) == {"payload.budget", "payload.recipients", REST}


def test_a_field_that_is_missing_is_no_change_by_accident() -> None:
    sent = sent_by_browser(PAYLOAD)
    del sent["payload.subject"], sent[REST]
    with pytest.raises(Faulty) as caught:
        payload_in(PAYLOAD, sent)
    assert set(caught.value.faults) == {"payload.subject", REST}


def test_a_field_that_is_not_there_any_more_is_refused() -> None:
    with pytest.raises(Invalid, match="load the page again"):
        payload_in(PAYLOAD, sent_by_browser(PAYLOAD) | {"payload.other": "1"})


def test_a_payload_of_very_many_values_has_a_bounded_number_of_fields() -> None:
    payload = {f"key_{number}": number for number in range(MOST_FIELDS + 5)}
    form = form_of(payload)
    assert len(form.fields) == MOST_FIELDS
    assert form.rest is not None
    assert len(json.loads(form.rest)) == 5
    assert payload_in(payload, sent_by_browser(payload)) == payload


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        ("/payload/budget", "payload.budget"),
        ("/payload/segments/0", REST),
        ("/payload/added", REST),
        ("/payload", REST),
        ("/title", None),
    ],
)
def test_a_fault_of_the_type_is_found_at_its_field(pointer: str, name: str | None) -> None:
    assert field_at(pointer, PAYLOAD) == name


def test_a_key_of_a_pointer_is_read_with_its_escapes() -> None:
    assert field_at("/payload/a~1b~0c", {"a/b~c": 1}) == "payload.a/b~c"


def test_only_fields_of_a_payload_are_taken_for_such() -> None:
    assert is_field("payload.x")
    assert is_field(REST)
    assert not is_field("payload")
    assert not is_field("approver")
