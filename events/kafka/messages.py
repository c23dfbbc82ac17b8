"""A recorded event as Kafka messages, and back: CloudEvents 1.0 in headers, JSON in the value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.codec import Unreadable, decode
from events.envelope import Recorded
from events.kafka.topics import LOG, PUBLIC
from events.public import public_fact

SOURCE = "/placet"
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a topic; the key decides the partition, and so the order."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def messages(seq: int, recorded: Recorded) -> list[Message]:
    """Return the event for the log, and the public fact for its own topic if it has one."""
    key = recorded.approval_id.encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", recorded.event_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", recorded.type.encode()),
        ("ce_subject", key),
        ("ce_time", recorded.recorded_at.isoformat().encode()),
        ("ce_workspace", recorded.workspace.encode()),
        ("ce_streamversion", str(recorded.version).encode()),
        ("ce_schemaversion", str(recorded.schema_version).encode()),
        ("ce_sequence", str(seq).encode()),
        ("ce_causationid", recorded.command_id.encode()),
        ("content-type", b"application/json"),
    ]
    sent = [Message(LOG.name, key, recorded.data, headers)]
    fact = public_fact(recorded)
    if fact is not None:
        sent.append(Message(PUBLIC[recorded.type].name, key, fact, headers))
    return sent


def attributes(headers: Headers) -> Mapping[str, str]:
    """Return a message's headers as text; raises `Unreadable` for bytes that are none."""
    try:
        return {name: value.decode() for name, value in headers}
    except (UnicodeDecodeError, AttributeError) as error:
        raise Unreadable(f"headers are not text: {error}") from error


def recorded(headers: Headers, value: bytes | None) -> Recorded:
    """Return the event in a message of the log; raises `Unreadable` with the reason."""
    found = attributes(headers)
    try:
        version = int(found["ce_streamversion"])
        schema_version = int(found["ce_schemaversion"])
        return Recorded(
            workspace=found["ce_workspace"],
            approval_id=found["ce_subject"],
            version=version,
            event=decode(found["ce_type"], schema_version, value or b""),
            type=found["ce_type"],
            schema_version=schema_version,
            data=value or b"",
            command_id=found["ce_causationid"],
            recorded_at=datetime.fromisoformat(found["ce_time"]),
        )
    except KeyError as error:
        raise Unreadable(f"header {error} is missing") from error
    except ValueError as error:
        raise Unreadable(f"a header is no number or no time: {error}") from error
