"""Checks how events were carried: every one in the log and on the topics, in order, unaltered."""

from collections import Counter
from collections.abc import Iterator, Sequence

from events.codec import Unreadable, decode
from events.envelope import Recorded
from events.kafka.topics import LOG, PUBLIC
from events.state import ImpossibleHistory, fold
from tests.faults.evidence import Evidence, Published
from tests.faults.finding import Finding

Place = tuple[str, int]


def carriage(evidence: Evidence) -> Iterator[Finding]:
    """Return what is wrong with the table `log` and with what Kafka holds."""
    yield from _logged(evidence)
    yield from _published(evidence)
    yield from _public(evidence)


def _logged(evidence: Evidence) -> Iterator[Finding]:
    stored = {(one.approval_id, one.version) for one in evidence.store}
    rows = sorted(evidence.log, key=lambda row: row.seq)
    times = Counter((row.approval_id, row.version) for row in rows)
    for approval_id, version in sorted(stored - times.keys()):
        sentence = f"Event {version} of {approval_id} is stored and never came into the log."
        yield Finding("not_logged", approval_id, sentence)
    for (approval_id, version), count in times.items():
        if count > 1:
            sentence = f"Event {version} of {approval_id} stands {count} times in the log."
            yield Finding("logged_twice", approval_id, sentence)
    for before, row in zip([0, *(row.seq for row in rows)], rows, strict=False):
        if row.seq != before + 1:
            yield Finding("log_gap", str(row.seq), f"The log goes from {before} to {row.seq}.")
    last: dict[str, int] = {}
    for row in rows:
        if row.version < last.get(row.approval_id, 0):
            sentence = (
                f"The log has event {last[row.approval_id]} of {row.approval_id} before event "
                f"{row.version}."
            )
            yield Finding("log_disorder", row.approval_id, sentence)
        last[row.approval_id] = max(row.version, last.get(row.approval_id, 0))
    if evidence.chain is not None:
        yield Finding("chain_broken", "log", f"The log's chain does not hold: {evidence.chain}.")


def _published(evidence: Evidence) -> Iterator[Finding]:
    delivered: dict[str, list[Published]] = {approval_id: [] for approval_id in evidence.streams}
    for message in evidence.topics:
        if message.topic == LOG.name:
            delivered.setdefault(message.key, []).append(message)
    for approval_id, messages in delivered.items():
        stream = evidence.streams.get(approval_id, ())
        known = {one.version for one in stream}
        firsts, partitions = _first_deliveries(messages)
        strange = sorted(firsts.keys() - known)
        missing = sorted(known - firsts.keys())
        if strange:
            sentence = f"Events {strange} of {approval_id} were published and are not in the store."
            yield Finding("foreign", approval_id, sentence)
        if missing:
            sentence = f"Events {missing} of {approval_id} are not on {LOG.name}."
            yield Finding("not_published", approval_id, sentence)
        if list(firsts) != sorted(firsts) or len(partitions) > 1:
            sentence = (
                f"Events of {approval_id} came first in the order {list(firsts)}, "
                f"in partitions {sorted(partitions)}."
            )
            yield Finding("out_of_order", approval_id, sentence)
        elif not strange and not missing and not _adds_up(stream, messages, list(firsts.values())):
            sentence = f"What {LOG.name} says of {approval_id} is not what is stored."
            yield Finding("fold_differs", approval_id, sentence)


def _first_deliveries(messages: Sequence[Published]) -> tuple[dict[int, Published], set[int]]:
    firsts: dict[int, Published] = {}
    for message in sorted(messages, key=lambda one: (one.partition, one.offset)):
        firsts.setdefault(message.version, message)
    return firsts, {message.partition for message in messages}


def _adds_up(
    stream: Sequence[Recorded], messages: Sequence[Published], firsts: Sequence[Published]
) -> bool:
    """Tell whether each delivery says what is stored, and all of them fold to the same state."""
    stored = {one.version: (one.type, one.schema_version, one.data) for one in stream}
    if any((one.type, one.schema_version, one.value) != stored[one.version] for one in messages):
        return False
    try:
        carried = fold(decode(one.type, one.schema_version, one.value) for one in firsts)
        return carried == fold(one.event for one in stream)
    except ImpossibleHistory:
        return True  # the store's own fault, and told as such
    except Unreadable:
        return False


def _public(evidence: Evidence) -> Iterator[Finding]:
    found = {(one.topic, one.key, one.version) for one in evidence.topics}
    for one in evidence.store:
        topic = PUBLIC.get(one.type)
        if topic is not None and (topic.name, one.approval_id, one.version) not in found:
            sentence = f"{one.type} of {one.approval_id} is not on {topic.name}."
            yield Finding("no_public_fact", one.approval_id, sentence)
