"""What a poller or a webhook saw in a system of record: the message of `approval.observed`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from events.approval import Json, Outcome, Person, SourceRecord, Urgency
from events.codec import NOT_JSON, Unreadable

RecordState = Literal["pending", "settled", "cancelled", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedContent:
    """What a pending record asks for, mapped to the words of an approval."""

    type: str
    title: str
    payload: Json
    requester: Person
    approvers: tuple[Person, ...]
    reason: str | None = None
    urgency: Urgency = "medium"
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One reading of one record.

    `read_at` is when the reading began, so that it can be told from what happened since.
    `content` is there when the record is pending; `outcome` and `settled_by` when it is settled
    and the source says how and by whom.
    """

    workspace: str
    source: str
    record_id: str
    revision: str
    state: RecordState
    read_at: datetime
    content: ObservedContent | None = None
    outcome: Outcome | None = None
    settled_by: str | None = None

    @property
    def record_key(self) -> str:
        """Names the record among all sources of a workspace."""
        return f"{self.source}/{self.record_id}"

    @property
    def record(self) -> SourceRecord:
        """The record as an approval refers to it."""
        return SourceRecord(
            name=self.source,
            record_id=self.record_id,
            revision=self.revision,
            url=self.content.url if self.content else None,
        )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Observation)


def encode_observation(observation: Observation) -> bytes:
    """Return the message's JSON."""
    return _encoder.encode(observation)


def decode_observation(value: bytes) -> Observation:
    """Return the reading in a message; raises `Unreadable` with the reason."""
    try:
        observation = _decoder.decode(value)
    except NOT_JSON as error:
        raise Unreadable(f"not an observation: {error}") from error
    if observation.state == "pending" and observation.content is None:
        raise Unreadable("not an observation: a pending record without `content`")
    return observation
