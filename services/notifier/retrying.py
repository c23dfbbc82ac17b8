"""Takes up what is due again, and closes what an approval has left behind."""

from collections.abc import Sequence

from events.state import Deciding
from services.effects import WAITING, Effect
from services.notifier.attending import Attending
from services.notifier.cards import Key, SentCard
from services.notifier.editing import Editing
from services.notifier.ledger import (
    CARD,
    CHECK,
    EDITS,
    NOTE,
    OUTCOME,
    QUESTION,
    REMINDER,
    Ledger,
    parts,
)
from services.notifier.noting import WorkNotes
from services.notifier.sending import Sending
from services.notifier.standing import Standing
from services.notifier.timing import Timing

ANSWERED_DELAY_S = 10.0
"""When to look again at what waits while an answer is being written back."""
NOT_NOW_S = 900.0
"""When to look again at what its reader does not want just now."""
NOT_NOW = "It is not the time for it."
MOVED_ON = "The approval moved on before this was done."


class Retrying:
    """Tries the due effects of one approval again."""

    def __init__(
        self,
        attending: Attending,
        editing: Editing,
        sending: Sending,
        notes: WorkNotes,
        timing: Timing,
        ledger: Ledger,
    ) -> None:
        self._attending = attending
        self._editing = editing
        self._sending = sending
        self._notes = notes
        self._timing = timing
        self._ledger = ledger

    async def retry(self, key: Key, due: Sequence[Effect]) -> None:
        """Attend to the approval, then close each effect that it does not need any more.

        Raises `Unavailable` when our own store is away.
        """
        cases = await self._attending.look([key])
        if not cases:
            for effect in due:
                await self._ledger.failed(effect, "There is no such approval.")
            return
        check = any(parts(effect)[0] == CHECK for effect in due)
        await self._attending.attend(cases, check=check)
        recovered = False
        for case in await self._attending.look([key]):
            for effect in due:
                recovered |= await self._close(*case, effect)
        if recovered:
            await self._attending.attend(await self._attending.look([key]), check=check)

    async def _close(self, standing: Standing, rows: Sequence[SentCard], effect: Effect) -> bool:
        """Close one effect, unless it is still needed; return True if a card was found again."""
        kind = parts(effect)[0]
        if isinstance(standing.state, Deciding) and kind != EDITS:
            await self._ledger.later(effect, ANSWERED_DELAY_S, "answered, being written back")
        elif kind in (CARD, QUESTION):
            return await self._close_card(standing, rows, effect)
        elif kind == REMINDER:
            await self._close_reminder(standing, effect)
        elif kind == NOTE:
            await self._close_note(standing, rows, effect)
        elif not self._is_needed(standing, rows, effect):
            await self._ledger.done(effect)
        return False

    def _is_needed(self, standing: Standing, rows: Sequence[SentCard], effect: Effect) -> bool:
        match parts(effect)[0]:
            case kind if kind == CHECK:
                is_present = effect.version == standing.began
                still = bool(self._timing.ahead(standing).cards)
                return is_present and still and self._notes.must_check(standing, rows)
            case kind if kind == EDITS:
                is_present = effect.version == standing.state.version
                return is_present and bool(self._editing.outdated(standing, rows))
            case kind if kind == WAITING:
                is_present = effect.version == standing.state.version
                return is_present and parts(effect)[2] in self._timing.ahead(standing).later
            case kind if kind == OUTCOME:
                return self._timing.telling(standing) is not None
            case _:
                return False

    async def _close_card(
        self, standing: Standing, rows: Sequence[SentCard], effect: Effect
    ) -> bool:
        _, channel, approver = parts(effect)
        if effect.version == standing.asked_back_at:
            revision = standing.began_at(effect.version)
            is_missing = all((row.channel, row.revision) != (channel, revision) for row in rows)
            if is_missing and channel not in self._timing.ahead(standing).questions:
                await self._ledger.later(effect, NOT_NOW_S, NOT_NOW)
        else:
            is_present = effect.version == standing.began
            wanted = self._timing.ahead(standing).cards
            is_missing = is_present and (approver, channel) in wanted
        if is_missing:
            return False  # it was tried again just now, and waits for the next time
        return await self._sending.recover(standing, rows, effect)

    async def _close_reminder(self, standing: Standing, effect: Effect) -> None:
        _, channel, approver = parts(effect)
        named = (approver, channel, effect.version)
        for one, at in self._timing.reminders(standing):
            if (one.approver, one.channel, one.version) == named:
                if self._timing.is_later(at):
                    await self._ledger.later(effect, NOT_NOW_S, NOT_NOW)
                return
        await self._ledger.failed(effect, MOVED_ON)

    async def _close_note(
        self, standing: Standing, rows: Sequence[SentCard], effect: Effect
    ) -> None:
        _, _, approver = parts(effect)
        asked = any(row.approver == approver and row.revision == standing.revision for row in rows)
        is_present = effect.version == standing.began and not standing.is_final
        if not is_present or not (asked or approver in standing.approvers):
            await self._ledger.failed(effect, MOVED_ON)
            return
        attempt = await self._notes.begin(standing, approver)
        if attempt is None:
            return  # it was left just now, while the approval was attended to
        await self._notes.leave(standing, approver, attempt, asked=asked, marked=False)
