"""A sweep of a source: everything that is pending, and so what is not pending any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.poller.intake import Intake, Tally, batches
from services.poller.known import Known

READ_BATCH = 50
# An empty listing against a queue that holds more than this is checked before it is believed.
DOUBTED_ABOVE = 10
DOUBTED_SAMPLE = 3


class Doubtful(Exception):
    """What the source lists cannot be all that is pending: look at the query in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A complete sweep: it began at `began`; `verified` tells that every record was accounted for.

    `cursor` is what a poll may continue from.
    """

    began: datetime
    cursor: str | None
    verified: bool


async def sweep(intake: Intake, tally: Tally) -> Swept:
    """Take in everything that is pending, and read by itself what the queue holds beyond that.

    Only when every page came without an error is a record that was not listed taken for settled,
    and even then the record itself is asked. Raises `Unavailable`, `SourceRefused`, `Doubtful`.
    """
    source, outlets = intake.source, intake.outlets
    began = outlets.clock()
    # Before the first page: what the queue learns of from here on may be newer than the listing.
    held = await outlets.known.pending(source.workspace, source.name)
    listed: set[str] = set()
    cursor: str | None = None
    async for page in source.pending():
        await intake.page(page, tally, sweeping=True)
        listed.update(one.record_id for one in page.observations)
        listed.update(one.record_id for one in page.malformed if one.record_id is not None)
        cursor = page.cursor or cursor
    missing = {
        record_id: known
        for record_id, known in held.items()
        if known.status == "pending" and record_id not in listed
    }
    if not tally.listed and len(held) > DOUBTED_ABOVE:
        missing = await _checked(intake, missing, tally)
    for record_ids in batches(list(missing), READ_BATCH):
        await intake.read({one: missing[one] for one in record_ids}, tally)
    await outlets.parking.unpark_unseen(source.workspace, source.name, tally.set_aside, began)
    return Swept(began=began, cursor=cursor, verified=not tally.unreadable)


async def _checked(intake: Intake, missing: Mapping[str, Known], tally: Tally) -> dict[str, Known]:
    """Read the first records, and return the rest; raises `Doubtful` if any is pending."""
    sample = list(missing)[:DOUBTED_SAMPLE]
    readings = await intake.read({one: missing[one] for one in sample}, tally)
    pending = [one for one, observation in readings.items() if observation.state == "pending"]
    if pending:
        raise Doubtful(
            f"{intake.source.name} lists nothing as pending, but {pending[0]} is: "
            f"{len(missing)} records stay as they are. Look at list.sweep.query, and at what the "
            "credentials may see"
        )
    return {one: known for one, known in missing.items() if one not in sample}
