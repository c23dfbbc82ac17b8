"""Messages that nobody can read, for each topic that is consumed, and how they are sent."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from events.kafka.topics import LOG, OBSERVED, REQUESTS

Headers = Sequence[tuple[str, bytes]]
Place = tuple[str, int, int]
"""(topic, partition, offset)"""

_ASKED = [("ce_id", b"poison-1"), ("content-type", b"application/json")]
_EVENT = [
    ("ce_type", b"approval.commented"),
    ("ce_subject", b"3" * 27),
    ("ce_time", b"2026-11-21T12:00:00+00:00"),
    ("ce_workspace", b"default"),
    ("ce_streamversion", b"1"),
    ("ce_schemaversion", b"1"),
    ("ce_causationid", b"c"),
]
_COMMENT = b'{"comment_id":"c","by":{"email":"a@b.com"},"text":"t","at":"2026-11-21T12:00:00Z"}'


@dataclass(frozen=True, slots=True)
class Poison:
    """What is wrong with a message, a part of the reason that must be told, and the message."""

    says: str
    value: bytes | None
    headers: Headers = ()


def _event(**changes: bytes | None) -> Headers:
    held = {**dict(_EVENT), **changes}
    return [(name, value) for name, value in held.items() if value is not None]


POISON: dict[str, tuple[Poison, ...]] = {
    OBSERVED.name: (
        Poison("JSON", b"no JSON at all"),
        Poison("not an observation", None),
        Poison("deep", b"[" * 5000 + b"]" * 5000),
        Poison("utf", b'{"workspace": "\xff\xfe"}'),
        Poison(
            "without `content`",
            (
                b'{"workspace":"default","source":"s","record_id":"r","revision":"1",'
                b'"state":"pending","read_at":"2026-11-21T12:00:00Z"}'
            ),
        ),
        Poison("JSON", b"a header's name has a NUL", [("ce_\0", b"\0\xff")]),
    ),
    REQUESTS.name: (
        Poison("ce_id", b"{}"),
        Poison("JSON", b"no JSON at all", _ASKED),
        Poison("requester", b'{"type":"t","title":"T","approvers":["a@example.com"]}', _ASKED),
        Poison("title", b'{"type":"t","requester":"b@example.com"}', _ASKED),
        Poison("headers", b"{}", [("ce_id", b"\xff\xfe")]),
    ),
    LOG.name: (
        Poison("ce_", _COMMENT),
        Poison("no number", _COMMENT, _event(ce_streamversion=b"first")),
        Poison("no time", _COMMENT, _event(ce_time=b"yesterday")),
        Poison("headers", _COMMENT, _event(ce_causationid=b"\xff")),
        Poison("approval.forgotten", _COMMENT, _event(ce_type=b"approval.forgotten")),
        Poison("approval.commented", b"no JSON at all", _event()),
        Poison("", _COMMENT, _event(ce_workspace=b"a\0b")),
    ),
}


@asynccontextmanager
async def sender(bootstrap: str) -> AsyncIterator[Any]:
    """Lend a plain producer."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def spoil(producer: Any, topic: str, partition: int) -> dict[Place, Poison]:
    """Send everything that is poison to a topic, and return where each came to lie."""
    found: dict[Place, Poison] = {}
    for one in POISON[topic]:
        kept = await producer.send_and_wait(
            topic, one.value, key=b"poison", headers=list(one.headers), partition=partition
        )
        found[topic, partition, kept.offset] = one
    return found
