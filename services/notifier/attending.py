"""Attends to one approval: edits the cards that are out, then sends those that are missing."""

from collections.abc import Sequence

from events.store import EventStore
from services.notifier.cards import Cards, Key, SentCard
from services.notifier.editing import Editing
from services.notifier.noting import WorkNotes
from services.notifier.reach import Reach
from services.notifier.sending import Sending
from services.notifier.standing import Standing, standing_of

ROUNDS = 3
"""How often an approval is attended to again at once because it moved on in the meantime."""


class Attending:
    """Does what an approval needs just now; doing it again does nothing more."""

    def __init__(
        self,
        store: EventStore,
        cards: Cards,
        reach: Reach,
        editing: Editing,
        sending: Sending,
        notes: WorkNotes,
    ) -> None:
        self._store = store
        self._cards = cards
        self._reach = reach
        self._editing = editing
        self._sending = sending
        self._notes = notes

    async def look(self, key: Key) -> tuple[Standing, Sequence[SentCard]] | None:
        """Return how an approval stands and which cards are out; None if nobody asked for it."""
        workspace, approval_id = key
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        standing = standing_of(workspace, approval_id, stream)
        if standing is None:
            return None
        return standing, await self._cards.of([key])

    def needs_nothing(self, standing: Standing, rows: Sequence[SentCard]) -> bool:
        """Tell, without asking anybody, whether there is nothing to do: the rule on a replay."""
        return (
            standing.failure is None
            and not standing.missing(self._reach)
            and not self._editing.outdated(standing, rows)
        )

    async def attend(
        self, standing: Standing, rows: Sequence[SentCard], *, check: bool = True
    ) -> None:
        """Edit what is out of date, tell of a failure, send what is missing.

        `check` asks the source before the first card of a revision; a retry of a single card
        comes after that. Raises `Unavailable` when our own store is away.
        """
        for _ in range(ROUNDS):
            await self._editing.bring_up(standing, rows)
            await self._editing.tell_failure(standing, rows)
            if await self._send_missing(standing, rows, check=check):
                return
            # It was settled or changed while a card was on its way: edit that card now, since no
            # further message may come to make us do so.
            seen = await self.look(standing.key)
            if seen is None:
                return
            standing, rows = seen

    async def _send_missing(
        self, standing: Standing, rows: Sequence[SentCard], *, check: bool
    ) -> bool:
        """Send cards; return False when the approval moved on in the meantime."""
        missing = standing.missing(self._reach)
        if not missing:
            return True
        marked = await self._notes.already_asked(standing, rows) if check else ()
        if marked is None:
            return True
        still = True
        for approver in dict.fromkeys(approver for approver, _ in missing):
            channels = [channel for one, channel in missing if one == approver]
            still = await self._ask(standing, rows, approver, channels, marked=approver in marked)
            if not still:
                break
        await self._notes.checked(standing)
        return still

    async def _ask(
        self,
        standing: Standing,
        rows: Sequence[SentCard],
        approver: str,
        channels: Sequence[str],
        *,
        marked: bool,
    ) -> bool:
        noting = await self._notes.begin(standing, approver)
        for channel in channels:
            if not await self._sending.send(standing, rows, approver, channel, marked=marked):
                return False
        if noting is not None:
            asked = any(
                row.approver == approver and row.revision == standing.revision
                for row in await self._cards.of([standing.key])
            )
            await self._notes.leave(standing, approver, noting, asked=asked, marked=marked)
        return True
