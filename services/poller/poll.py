"""One poll of a source: what changed since the cursor."""

from services.poller.intake import Intake, Tally


async def poll(intake: Intake, cursor: str | None, tally: Tally) -> str | None:
    """Take in everything that changed, and return the cursor for the next poll.

    The cursor is returned only after all of it is durable. Raises `Unavailable`, and
    `SourceRefused` when the source does not let itself be listed.
    """
    reached = cursor
    async for page in intake.source.changed(cursor):
        await intake.page(page, tally, sweeping=False)
        reached = page.cursor or reached
    return reached
