"""Events as Kafka messages and back, with CloudEvents attributes, and what is Unreadable."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given

from events.approval import (
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalWithdrawn,
)
from events.codec import WIRE_NAMES, Unreadable, decode, encode
from events.envelope import Recorded
from events.kafka.messages import Message, attributes, messages, recorded
from events.kafka.topics import LOG, PUBLIC, TOPICS
from events.observation import (
    Observation,
    ObservedContent,
    decode_observation,
    encode_observation,
)
from tests.core.examples import (
    ANN,
    BOB,
    MIRRORED,
    NOW,
    OWN,
    PAYLOAD,
    RITA,
    answer,
    comment,
    commented,
    decided,
    expired,
    submitted,
    withdrawn,
)
from tests.core.making import PATIENT, any_fact

END = decided(answer(), MIRRORED)


def stored(event: ApprovalEvent, *, version: int = 3) -> Recorded:
    name, schema_version, data = encode(event)
    return Recorded(
        workspace="wörk",
        approval_id="2abc",
        version=version,
        event=event,
        type=name,
        schema_version=schema_version,
        data=data,
        command_id="k é",
        recorded_at=NOW,
    )


@PATIENT
@given(any_fact())
def test_every_fact_comes_back_from_its_message_as_it_was(fact: ApprovalEvent) -> None:
    kept = stored(fact)
    logged = messages(17, kept)[0]
    assert recorded(logged.headers, logged.value) == kept


@PATIENT
@given(any_fact())
def test_every_fact_is_encoded_and_decoded_to_itself(fact: ApprovalEvent) -> None:
    name, version, data = encode(fact)
    assert decode(name, version, data) == fact
    assert decode(name, version, data.decode()) == fact
    assert encode(decode(name, version, data))[2] == data


def test_a_message_of_the_log_bears_the_attributes_of_cloudevents() -> None:
    (logged,) = messages(17, stored(commented(comment())))
    assert (logged.topic, logged.key) == ("approval.log", b"2abc")
    found = dict(attributes(logged.headers))
    assert found == {
        "ce_specversion": "1.0",
        "ce_id": "2abc.3",
        "ce_source": "/placet",
        "ce_type": "approval.commented",
        "ce_subject": "2abc",
        "ce_time": "2026-11-21T12:00:00+00:00",
        "ce_workspace": "wörk",
        "ce_streamversion": "3",
        "ce_schemaversion": "1",
        "ce_sequence": "17",
        "ce_causationid": "k é",
        "content-type": "application/json",
    }
    assert len(logged.headers) == len(found), "no header stands twice"
    assert datetime.fromisoformat(found["ce_time"]).tzinfo is not None
    for name in found:
        assert name == "content-type" or name.removeprefix("ce_").isalnum()
        assert name.islower()


def test_the_log_carries_the_bytes_of_the_store() -> None:
    kept = stored(commented(comment(text="NUL \0 é")))
    assert messages(1, kept)[0].value is kept.data


PUBLIC_FACTS: Mapping[type[ApprovalEvent], ApprovalEvent] = {
    ApprovalRequested: MIRRORED,
    ApprovalDecided: END,
    ApprovalWithdrawn: withdrawn(MIRRORED, "gone", "Gone."),
    ApprovalExpired: expired(MIRRORED),
}


@pytest.mark.parametrize("kind", WIRE_NAMES)
def test_every_fact_goes_to_the_log_and_the_public_ones_to_a_topic_of_their_own(
    kind: type[ApprovalEvent],
) -> None:
    fact = PUBLIC_FACTS.get(kind, submitted(answer()))
    sent = messages(1, stored(fact))
    topics = [message.topic for message in sent]
    if kind in PUBLIC_FACTS:
        assert topics == [LOG.name, WIRE_NAMES[kind]]
        assert sent[0].headers == sent[1].headers
        assert sent[1].key == sent[0].key
    else:
        assert topics == [LOG.name]


def test_each_public_topic_is_in_the_table_of_topics() -> None:
    assert set(PUBLIC) == {WIRE_NAMES[kind] for kind in PUBLIC_FACTS}
    assert {topic.name for topic in TOPICS} >= {*PUBLIC, LOG.name}
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def body(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(message.value)
    return found


def test_a_public_fact_is_complete_in_itself_and_carries_no_payload() -> None:
    fact = body(messages(17, stored(END))[1])
    assert fact["approval_id"] == "2abc"
    assert (fact["status"], fact["type"], fact["version"]) == ("approved", "expense", 3)
    assert fact["source"] == {
        "name": "acme",
        "record_id": "R-1",
        "revision": "1",
        "url": "http://acme.example/R-1",
    }
    assert (fact["decided_by"], fact["decided_at"]) == ("ann@example.com", "2026-11-21T12:00:00Z")
    assert (fact["decision_reason"], fact["decision_channel"]) == ("Within budget", "inbox")
    assert fact["payload_digest"] == MIRRORED.about.payload_digest
    assert "payload" not in fact


@pytest.mark.parametrize(
    ("fact", "status"),
    [
        (MIRRORED, "pending"),
        (OWN, "pending"),
        (decided(answer("rejected"), OWN), "rejected"),
        (withdrawn(MIRRORED, "settled", "There.", outcome="approved"), "withdrawn"),
        (expired(OWN), "expired"),
    ],
)
def test_a_public_fact_says_the_status(fact: ApprovalEvent, status: str) -> None:
    assert body(messages(1, stored(fact))[1])["status"] == status


def broken(**changes: bytes | None) -> list[tuple[str, bytes]]:
    """Headers of a good message in which some are replaced, or left out."""
    headers = dict(messages(1, stored(END))[0].headers)
    for name, value in changes.items():
        if value is None:
            del headers[name]
        else:
            headers[name] = value
    return list(headers.items())


NEEDED = [
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_workspace",
    "ce_streamversion",
    "ce_schemaversion",
    "ce_causationid",
]


@pytest.mark.parametrize("name", NEEDED)
def test_a_message_without_a_header_is_unreadable_and_says_which(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        recorded(broken(**{name: None}), stored(END).data)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ce_streamversion": b"three"}, "no number or no time"),
        ({"ce_streamversion": b""}, "no number or no time"),
        ({"ce_schemaversion": b"1.0"}, "no number or no time"),
        ({"ce_schemaversion": b"2"}, "we read up to 1"),
        ({"ce_schemaversion": b"0"}, "version 0"),
        ({"ce_time": b"yesterday"}, "no number or no time"),
        ({"ce_type": b"approval.unheard_of"}, "unknown event type 'approval.unheard_of'"),
        ({"ce_type": b""}, "unknown event type ''"),
        ({"ce_type": b"approval.expired "}, "unknown event type"),
        ({"ce_type": b"approval.commented"}, "missing required field"),
        ({"ce_workspace": b"\xff"}, "headers are not text"),
        ({"anything": b"\xc3\x28"}, "headers are not text"),
    ],
)
def test_a_message_with_a_broken_header_is_unreadable_and_says_why(
    changes: dict[str, bytes], reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        recorded(broken(**changes), stored(END).data)


def test_a_header_without_a_value_is_unreadable() -> None:
    headers: Any = [("ce_type", None)]
    with pytest.raises(Unreadable, match="headers are not text"):
        recorded(headers, b"{}")
    with pytest.raises(Unreadable, match="missing"):
        recorded([], b"{}")


BROKEN_BODIES = {
    "nothing": None,
    "empty": b"",
    "cut off": stored(END).data[:-1],
    "not JSON": b"<xml/>",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": stored(END).data.replace(b"Within", b"\xff\xfe"),
    "half a surrogate pair": stored(END).data.replace(b"Within", b"\\ud800"),
    "nested without end": b'{"a":' + b"[" * 100_000,
    "another type": stored(END).data.replace(b'"approved"', b"7"),
    "another word": stored(END).data.replace(b'"approved"', b'"maybe"'),
    "a year too many": stored(END).data.replace(b"2026-", b"99999-"),
}


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_a_broken_body_is_unreadable(name: str) -> None:
    headers = messages(1, stored(END))[0].headers
    with pytest.raises(Unreadable, match=r"approval\.decided version 1: "):
        recorded(headers, BROKEN_BODIES[name])


def test_fields_that_a_later_release_added_are_left_out() -> None:
    data = stored(END).data[:-1] + b',"added_later":{"deep":[1]}}'
    headers = messages(1, stored(END))[0].headers
    read = recorded(headers, data)
    assert read.event == END
    assert read.data == data, "what is passed on is what was written"


def test_headers_in_any_order_and_with_strangers_among_them_are_read() -> None:
    headers = [("traceparent", b"00-1-2-03"), *reversed(messages(1, stored(END))[0].headers)]
    assert recorded(headers, stored(END).data).event == END


SEEN = Observation(
    workspace="w",
    source="acme",
    record_id="R-1",
    revision="7",
    state="pending",
    read_at=NOW,
    content=ObservedContent(
        type="expense", title="Oslo", payload=PAYLOAD, requester=RITA, approvers=(ANN, BOB)
    ),
)


def test_an_observation_comes_back_as_it_was() -> None:
    gone = replace(SEEN, state="gone", content=None, settled_by="x", outcome="rejected")
    for seen in (SEEN, gone):
        assert decode_observation(encode_observation(seen)) == seen
    assert SEEN.record_key == "acme/R-1"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not an observation"),
        (b"[]", "not an observation"),
        (b'{"workspace":"\xff"}', "not an observation"),
        (b'{"a":' + b"[" * 100_000, "not an observation"),
        (encode_observation(SEEN).replace(b'"pending"', b'"unsure"'), "unsure"),
        (encode_observation(replace(SEEN, content=None)), "without `content`"),
    ],
)
def test_a_broken_observation_is_unreadable(value: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        decode_observation(value)
