"""A record becomes an observation, or a malformed row that names the field at fault."""

import math
from typing import Any

import pytest

from events.approval import Person
from events.observation import Observation
from services.sources import Malformed
from services.sources.mapping import RecordMapper, Unmappable
from tests.sources.source_kit import NOW, changed, define, row


def mapped(record: Any, **changes: Any) -> Observation | Malformed | None:
    return RecordMapper(define(changed(changes))).listed(record, NOW)


def content_of(record: Any, **changes: Any) -> Any:
    found = mapped(record, **changes)
    assert isinstance(found, Observation), found
    return found.content


def reason_of(record: Any, **changes: Any) -> str:
    found = mapped(record, **changes)
    assert isinstance(found, Malformed), found
    return found.reason


def test_a_pending_record_is_mapped_to_the_words_of_an_approval() -> None:
    found = mapped(row(id=7, approvers=["John@Example.com", "john@example.com", "a@b"]))
    assert isinstance(found, Observation)
    assert (found.workspace, found.source, found.record_id) == ("w1", "acme", "7")
    assert (found.revision, found.state, found.read_at) == ("1", "pending", NOW)
    assert found.content is not None
    assert found.content.title == "Item 7"
    assert found.content.type == "acme"
    assert found.content.payload == {"amount": 750.5}
    assert found.content.requester == Person(email="jane@example.com")
    assert found.content.approvers == (Person(email="john@example.com"), Person(email="a@b"))
    assert found.content.urgency == "medium"


@pytest.mark.parametrize(
    ("status", "state", "outcome"),
    [
        ("approved", "settled", "approved"),
        ("rejected", "settled", "rejected"),
        ("cancelled", "cancelled", None),
    ],
)
def test_a_settled_record_says_how_and_by_whom(status: str, state: str, outcome: str) -> None:
    # Nothing but the state has to make sense for it.
    found = mapped({"id": "r1", "status": status, "decided_by": "kim@example.com", "rev": 4})
    assert isinstance(found, Observation)
    assert (found.state, found.outcome, found.settled_by) == (state, outcome, "kim@example.com")
    strange = mapped({"id": "r1", "status": status, "decided_by": {"x": 1}, "rev": [1]})
    assert isinstance(strange, Observation)
    assert (strange.state, strange.settled_by, strange.revision) == (state, None, "")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": None}, "map.record_id: is missing"),
        ({"id": ""}, "map.record_id: is empty"),
        ({"id": ".."}, "map.record_id: must not be '..'"),
        ({"id": "x" * 201}, "map.record_id: is longer than 200 characters"),
        ({"id": True}, "map.record_id: must be a text or a whole number, not True"),
        ({"id": "a\nb"}, "map.record_id: holds a character that cannot be printed"),
        ({"rev": None}, "map.revision: is missing"),
        ({"rev": 1.5}, "map.revision: must be a text or a whole number"),
        ({"status": None}, "map.state: is missing"),
        ({"status": "open"}, "map.state: is 'open', which `states` says nothing about"),
        ({"status": ["pending"]}, "map.state: is ['pending'], which `states` says nothing about"),
        ({"owner": None}, "map.requester.email: is missing"),
        ({"owner": "jane"}, "map.requester.email: must be an e-mail address, not 'jane'"),
        ({"owner": "a@b@c"}, "map.requester.email: must be an e-mail address"),
        ({"owner": "a b@c"}, "map.requester.email: must be an e-mail address"),
        ({"owner": f"{'x' * 250}@b.de"}, "map.requester.email: is longer than 254 characters"),
        ({"approvers": None}, "map.approvers.each: must be a list, not null"),
        ({"approvers": []}, "map.approvers.each: names nobody"),
        ({"approvers": [None]}, "map.approvers.each: names nobody"),
        ({"approvers": ["nobody"]}, "map.approvers.email: must be an e-mail address"),
        ({"approvers": [f"a{n}@b" for n in range(51)]}, "map.approvers.each: names more than 50"),
        ({"amount": math.nan}, "map.payload: holds a number that is not finite"),
        ({"amount": math.inf}, "map.payload: holds a number that is not finite"),
        ({"amount": 2**60}, "map.payload: cannot be kept exactly"),
        ({"amount": "\x00"}, "map.payload: holds the character NUL"),
        ({"amount": "\ud800"}, "map.payload: holds half of a character"),
        ({"amount": {"\ud800": 1}}, "map.payload: holds half of a character"),
        ({"amount": "x" * 270_000}, "map.payload: is larger than 256 KiB"),
    ],
)
def test_a_field_that_cannot_be_mapped_is_named(fields: dict[str, Any], reason: str) -> None:
    found = mapped(row(**fields))
    assert isinstance(found, Malformed), found
    assert found.reason.startswith(reason), found.reason
    assert found.reason.startswith(found.field)
    assert found.record_id == (None if "id" in fields else "r1")
    assert found.row.startswith(b"{")


@pytest.mark.parametrize("record", [None, 3, "text", [], [row()]])
def test_a_row_that_is_no_object_is_malformed(record: Any) -> None:
    assert "the record must be an object" in reason_of(record)


def test_a_payload_may_be_deep_but_not_too_deep() -> None:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    assert content_of(row(amount=deep)).payload == {"amount": deep}
    assert "nested deeper than 32 levels" in reason_of(row(amount=[[deep]]))


def test_a_large_row_is_cut_for_looking_at() -> None:
    found = mapped(row(amount="x" * 300_000))
    assert isinstance(found, Malformed)
    assert len(found.row) == 64 * 1024


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("javascript:alert(1)", "map.url: must be a URL with http or https"),
        ("https://", "map.url: must be a URL with http or https"),
        ("/items/1", "map.url: must be a URL with http or https"),
        (f"https://a.test/{'x' * 2000}", "map.url: is longer than 2000 characters"),
    ],
)
def test_a_link_that_a_browser_should_not_open_is_refused(link: str, reason: str) -> None:
    assert reason_of(row(link=link), **{"map.url": "link"}).startswith(reason)


def test_urgency_and_reason_and_names_are_mapped() -> None:
    more = {
        "map.urgency": "prio",
        "map.reason": "why",
        "map.type": "'expense'",
        "map.url": "https://acme.test/{{row.id}}",
        "map.requester.name": "owner_name",
    }
    content = content_of(row(prio="HIGH", why=" so \n that ", owner_name="Jane\tDoe"), **more)
    assert (content.urgency, content.reason, content.type) == ("high", "so \n that", "expense")
    assert (content.url, content.requester.name) == ("https://acme.test/r1", "Jane Doe")
    assert content_of(row(), **more).urgency == "medium"
    assert "map.urgency: must be low, medium or high" in reason_of(row(prio="p1"), **more)


def test_a_title_is_one_line_of_bounded_length() -> None:
    content = content_of(row(name=f"a\n b {'x' * 400}"), **{"map.title": "name"})
    assert content.title.startswith("a b xxx")
    assert len(content.title) <= 300
    assert reason_of(row(name=" "), **{"map.title": "name"}) == "map.title: is missing"


def test_a_row_that_is_not_for_us_is_left_out() -> None:
    keep = {"keep": "kind == 'ours'"}
    assert mapped(row(kind="theirs"), **keep) is None
    assert mapped(row(kind="theirs", status="odd"), **keep) is None
    assert isinstance(mapped(row(kind="ours"), **keep), Observation)
    # Even so, that it is settled is worth hearing.
    assert isinstance(mapped(row(kind="theirs", status="approved"), **keep), Observation)


def test_what_must_hold_is_checked_for_pending_records() -> None:
    rule = {"require": ["type(amount) == 'number'", "length(id) > `1`"]}
    assert isinstance(mapped(row(), **rule), Observation)
    found = mapped(row(amount="twelve"), **rule)
    assert isinstance(found, Malformed)
    assert found.field == "require[0]"
    assert "`type(amount) == 'number'` does not hold" in found.reason
    assert "require[1]: `length(id) > `1`` does not fit the record" in reason_of(row(id=7), **rule)
    assert isinstance(mapped(row(amount="x", status="approved"), **rule), Observation)


def test_ignored_states_are_left_out_of_listings_and_cancelled_when_read_alone() -> None:
    mapper = RecordMapper(define(changed({"states.ignored": ["draft"], "keep": "amount > `10`"})))
    assert mapper.listed(row(status="draft"), NOW) is None
    assert mapper.alone(row(status="draft"), "r1", NOW).state == "cancelled"
    assert mapper.alone(row(amount=1), "r1", NOW).state == "gone"
    assert mapper.alone(row(), "r1", NOW).state == "pending"


def test_a_record_read_alone_must_be_the_one_that_was_asked_for() -> None:
    with pytest.raises(Unmappable, match=r"get\.record: is the record r2, not r1"):
        RecordMapper(define()).alone(row("r2"), "r1", NOW)


def test_states_are_told_apart_by_kind_as_well_as_by_value() -> None:
    states = {"map.state": "open", "states": {"pending": [True], "settled": [1, "closed"]}}
    assert isinstance(mapped(row(open=True), **states), Observation)
    found = mapped(row(open=1), **states)
    assert isinstance(found, Observation)
    assert (found.state, found.outcome) == ("settled", None)


def test_without_a_revision_the_content_is_the_revision() -> None:
    mapper = RecordMapper(define(changed({"map.revision": None})))

    def revision(**fields: Any) -> str:
        found = mapper.listed(row(**fields), NOW)
        assert isinstance(found, Observation)
        return found.revision

    assert revision() == revision(rev=9, extra="x")
    assert len({revision(), revision(amount=1), revision(approvers=["kim@example.com"])}) == 3


def test_notes_are_texts_and_nothing_else() -> None:
    mapper = RecordMapper(define())
    assert mapper.notes({"notes": [{"text": "a"}, {"text": 3}, {}, {"text": "b"}]}) == ("a", "b")
    assert mapper.notes({}) == ()
    assert mapper.notes({"notes": "none"}) == ()
