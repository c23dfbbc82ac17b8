"""Takes up what is due again, and closes what an approval has left behind."""

from collections.abc import Sequence
from typing import assert_never

from events.state import Deciding
from services.effects import Effect
from services.notifier.attending import Attending
from services.notifier.cards import Cards, Key, SentCard
from services.notifier.editing import Editing
from services.notifier.ledger import CARD, CHECK, EDITS, NOTE, TOLD, Ledger, parts
from services.notifier.noting import WorkNotes
from services.notifier.reach import Reach
from services.notifier.sending import Sending
from services.notifier.standing import Standing

ANSWERED_DELAY_S = 10.0
"""When to look again at what waits while an answer is being written back."""
MOVED_ON = "The approval moved on before this was done."


class Retrying:
    """Tries the due effects of one approval again."""

    def __init__(
        self,
        attending: Attending,
        editing: Editing,
        sending: Sending,
        notes: WorkNotes,
        cards: Cards,
        reach: Reach,
        ledger: Ledger,
    ) -> None:
        self._attending = attending
        self._editing = editing
        self._sending = sending
        self._notes = notes
        self._cards = cards
        self._reach = reach
        self._ledger = ledger

    async def retry(self, key: Key, due: Sequence[Effect]) -> None:
        """Attend to the approval, then close each effect that it does not need any more."""
        seen = await self._attending.look(key)
        if seen is None:
            for effect in due:
                await self._ledger.failed(effect, "There is no such approval.")
            return
        standing, rows = seen
        if not isinstance(standing.state, Deciding):
            check = any(parts(effect)[0] == CHECK for effect in due)
            await self._attending.attend(standing, rows, check=check)
            seen = await self._attending.look(key)
            if seen is None:
                return
            standing, rows = seen
        recovered = False
        for effect in due:
            recovered |= await self._close(standing, rows, effect)
        if recovered:
            await self._editing.bring_up(standing, await self._cards.of([key]))

    async def _close(self, standing: Standing, rows: Sequence[SentCard], effect: Effect) -> bool:
        """Close one effect, unless it is still needed; return True if that brought out a card."""
        kind, channel, approver = parts(effect)
        if isinstance(standing.state, Deciding) and kind != EDITS:
            await self._ledger.later(effect, ANSWERED_DELAY_S, "answered, being written back")
            return False
        present = effect.version == standing.began and approver in ("", *standing.approvers)
        match kind:
            case "card":
                return await self._close_card(standing, rows, effect, channel, approver, present)
            case "card_note":
                await self._close_note(standing, rows, effect, approver, present)
            case "card_check":
                needed = self._notes.must_check(standing, rows) and standing.missing(self._reach)
                if not (present and needed):
                    await self._ledger.done(effect)
            case "card_told":
                if standing.failure is None or effect.version != standing.failed_at:
                    await self._ledger.done(effect)
            case "card_edits":
                if effect.version != standing.state.version or not self._editing.outdated(
                    standing, rows
                ):
                    await self._ledger.done(effect)
            case _:
                await self._ledger.failed(effect, f"Nobody knows what {kind} was.")
        return False
