"""Bodies: what a receiver is told, always under 20 kB."""

import json
from dataclasses import replace
from typing import Any

import pytest

from events.approval import ApprovalEvent, Link, Person, SourceRecord
from events.codec import encode
from events.envelope import Recorded
from services.webhooks import bodies
from services.webhooks.bodies import MAX_BYTES, body_of, native
from services.webhooks.messages import Message, event_of, messages_of
from tests.core.examples import NOW, answer, ask, card, decided, notified, requested

ID = "2Qz5ZyV3dT8mYw6kR1bXn4cJ0Lp"


def recorded(event: ApprovalEvent, version: int = 1) -> Recorded:
    name, schema_version, data = encode(event)
    return Recorded(
        workspace="acme",
        approval_id=ID,
        version=version,
        event=event,
        type=name,
        schema_version=schema_version,
        data=data,
        command_id="c",
        recorded_at=NOW,
    )


def huge(character: str) -> ApprovalEvent:
    """The largest ask that the API takes, of the character that takes most room."""
    asked = ask(subject=character * 200, checkpoint_name=character * 200)
    source = SourceRecord(
        name=character * 200, record_id=character * 500, revision="1", url=character * 2000
    )
    about = replace(
        asked.about,
        type=character * 200,
        title=character * 500,
        requester=Person(email=character * 250, name=character * 200),
        source=source,
        links=tuple(
            Link(kind=character * 200, id=character * 200, url=character * 2000) for _ in range(50)
        ),
        agent_id=character * 200,
    )
    people = tuple(Person(email=character * 254, name=character * 200) for _ in range(50))
    return replace(requested(asked), about=about, approvers=people)


def data_of(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["data"]
    return found


@pytest.mark.parametrize("character", ["a", "\N{OWL}", "\0", '"'])
def test_the_largest_body_is_under_the_bound_and_says_that_it_was_cut(character: str) -> None:
    body = native(Message("approval.requested", recorded(huge(character))), "https://p.example")
    assert len(body) < MAX_BYTES
    data = data_of(body)
    assert data["truncated"] is True
    assert data["links"] == [] or "links" not in data
    assert (data["approval_id"], data["event_id"], data["sequence"]) == (ID, f"{ID}.1", 1)
    assert data["url"] == f"https://p.example/approvals/{ID}"
    assert data["status"] == "pending"


def test_a_long_reason_is_cut_and_short_things_stay_whole() -> None:
    asked = requested(ask(subject="trip"))
    long = replace(asked, about=replace(asked.about, links=(Link(kind="k", id="1"),) * 50))
    event = replace(decided(answer(reason="x" * 30_000), long), about=long.about)
    data = data_of(native(Message("approval.decided", recorded(event)), "https://p.example"))
    assert len(data["decision_reason"]) == 1000
    assert data["decision_reason"].endswith("\N{HORIZONTAL ELLIPSIS}")
    assert (data["subject"], data["title"], data["truncated"]) == ("trip", asked.about.title, True)


def test_an_ordinary_body_is_whole_and_is_the_same_each_time() -> None:
    message = Message("approval.requested", recorded(requested(ask())))
    body = native(message, "https://p.example")
    assert "truncated" not in data_of(body)
    assert len(data_of(body)["links"]) == 2
    assert native(message, "https://p.example") == body


def test_a_dialect_words_the_callback_and_no_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODIES", {None: native, "odd": lambda *_: b"odd"})
    asked = requested(ask(callback_url="https://c.example", callback_dialect="odd"))
    message = Message("approval.decided", recorded(decided(answer(), asked)))
    assert body_of(message, "https://p.example", is_callback=True) == b"odd"
    assert b'"approval.decided"' in body_of(message, "https://p.example", is_callback=False)
    unknown = requested(ask(callback_url="https://c.example", callback_dialect="new"))
    later = Message("approval.decided", recorded(decided(answer(), unknown)))
    assert b'"approval.decided"' in body_of(later, "https://p.example", is_callback=True)


def test_ids_are_read_back() -> None:
    asked = recorded(requested(ask(execution_id="run")), 3)
    for message in messages_of(asked):
        assert "." not in message.id
        assert event_of(message.id) == (ID, 3)
    assert event_of(asked.event_id) == (ID, 3)
    for text in ("", "msg_", f"msg_{ID}_0", f"{ID}", f"{ID}.x", f"msg_{ID}_1_b", "x" * 300):
        assert event_of(text) is None


def test_a_card_is_told_of_even_where_the_ask_is_not_known() -> None:
    body = native(Message("approval.notified", recorded(notified(card()), 2)), "https://p.example")
    assert data_of(body)["approver"] == "ann@example.com"
