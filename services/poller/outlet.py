"""Where findings go, and what the poller is told of the queue: Kafka and the read models."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ksuid import KsuidMs

from events.kafka.messages import SOURCE, Message
from events.kafka.producer import KafkaProducer
from events.kafka.topics import OBSERVED
from events.observation import Observation, encode_observation
from events.store import Unavailable
from projections.approval_view import OPEN, ApprovalView
from projections.queries import Mirror
from services.poller.known import Known


class Observations:
    """Publishes to `approval.observed`; after an error the next call begins with a new producer."""

    def __init__(self, open_producer: Callable[[], Awaitable[KafkaProducer]]) -> None:
        self._open_producer = open_producer
        self._producer: KafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def publish(self, observations: Sequence[Observation]) -> None:
        """Return once every observation is kept; raises `Unavailable`."""
        if not observations:
            return
        async with self._opening:
            if self._producer is None:
                self._producer = await self._open_producer()
        producer = self._producer
        try:
            await producer.send([_message(observation) for observation in observations])
        except Unavailable:
            self._producer = None
            await producer.close()
            raise

    async def close(self) -> None:
        """Let go of the connection."""
        if self._producer is not None:
            await self._producer.close()


def _message(observation: Observation) -> Message:
    return Message(
        OBSERVED.name,
        f"{observation.workspace}/{observation.record_key}".encode(),
        encode_observation(observation),
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(KsuidMs()).encode()),
            ("ce_source", f"{SOURCE}/sources/{observation.source}".encode()),
            ("ce_type", OBSERVED.name.encode()),
            ("ce_subject", observation.record_id.encode()),
            ("ce_time", observation.read_at.isoformat().encode()),
            ("ce_workspace", observation.workspace.encode()),
            ("content-type", b"application/json"),
        ],
    )


class Records:
    """What the read models hold of a source's records; see `KnownRecords`."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    async def pending(self, workspace: str, source: str) -> Mapping[str, Known]:
        """See `KnownRecords.pending`."""
        return _known(await self._mirror.open(workspace, source))

    async def of(
        self, workspace: str, source: str, record_ids: Sequence[str]
    ) -> Mapping[str, Known]:
        """See `KnownRecords.of`."""
        return _known(await self._mirror.of(workspace, source, record_ids))


def _known(views: Mapping[str, ApprovalView]) -> Mapping[str, Known]:
    return {
        record_id: Known(
            approval_id=view.id,
            status=view.status,
            revision=view.source.revision if view.source else view.revision,
            settled_at=None if view.status in OPEN else view.updated_at,
            payload_digest=view.payload_digest,
        )
        for record_id, view in views.items()
    }
