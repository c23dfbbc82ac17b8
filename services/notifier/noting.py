"""Work notes in the source: the second lock against asking twice, and the trail beside a record."""

import html
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.state import Pending
from services.effects import Attempt, Effect
from services.notifier.cards import SentCard
from services.notifier.ledger import CHECK, NOTE, Ledger, delay, is_over
from services.notifier.outside import Away, Outside
from services.notifier.standing import Standing
from services.sources import Reading, Source, SourceRefused

CHECKS = 3
"""How often the source is asked for our mark before cards go out without: an approver who is told
twice is better off than one who is never told because the source is down."""
NOT_PENDING_S = 60.0
"""When to look again at a record that is settled in the source and not yet withdrawn here."""

logger = logging.getLogger(__name__)

Sources = Mapping[tuple[str, str], Source]
"""(workspace, name) to source."""


class WorkNotes:
    """Reads and leaves the marks that tell who was asked."""

    def __init__(self, sources: Sources, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._sources = sources
        self._ledger = ledger
        self._clock = clock
        self._outside: dict[tuple[str, str], Outside] = {}

    def must_check(self, standing: Standing, rows: Sequence[SentCard]) -> bool:
        """Tell whether the source is to be read first: no card of this revision is known yet."""
        if not isinstance(standing.state, Pending) or not self.mirrors(standing):
            return False
        return all(row.revision != standing.revision for row in rows) and all(
            revision != standing.revision for _, _, revision in standing.state.asked.notified
        )

    async def already_asked(
        self, standing: Standing, rows: Sequence[SentCard]
    ) -> Collection[str] | None:
        """Return the approvers whom the source says were asked, before the first card goes out.

        None: no card may go out now. Somebody else is at it, the source is to be asked again, or
        the record is settled there, which the poller is about to bring.
        """
        mirrored = self._mirrored(standing)
        if mirrored is None or not self.must_check(standing, rows):
            return ()
        effect = check_effect(standing)
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return None
        try:
            reading = await self._read(mirrored)
        except Away as error:
            if attempt.number < CHECKS:
                wait = delay(attempt.number, error.retry_after)
                await self._ledger.later(effect, wait, str(error))
                return None
            logger.warning("%s: asked without a look at its source: %s", effect.approval_id, error)
            return ()
        except SourceRefused as error:
            logger.warning("%s: asked without a look at its source: %s", effect.approval_id, error)
            return ()
        if reading.observation.state != "pending":
            logger.info("%s: nobody is asked: settled in the source", standing.approval_id)
            if is_over(attempt, self._clock()):
                await self._ledger.failed(effect, "settled in the source, and not withdrawn here")
            else:
                await self._ledger.later(effect, NOT_PENDING_S, "settled in the source")
            return None
        return {one for one in standing.approvers if is_marked(reading.notes, standing, one)}

    def mirrors(self, standing: Standing) -> bool:
        """Tell whether this is a pending record of a source that is configured."""
        return self._mirrored(standing) is not None

    async def begin(self, standing: Standing, approver: str) -> Attempt | None:
        """Write down that a note is to be left; None if it is not, or was."""
        if not self.mirrors(standing):
            return None
        return await self._ledger.take(note_effect(standing, approver))

    async def leave(
        self, standing: Standing, approver: str, attempt: Attempt, *, asked: bool, marked: bool
    ) -> None:
        """Leave the note, once the approver was `asked`, unless it is there (`marked`).

        A note that fails is tried again later and holds up nothing.
        """
        effect = note_effect(standing, approver)
        mirrored = self._mirrored(standing)
        if mirrored is None or marked:
            await self._ledger.done(effect)
            return
        if not asked:
            await self._again(effect, attempt, Away("No card is out yet."))
            return
        try:
            # An earlier try may have arrived: the source may not know our idempotency key.
            if attempt.number > 1 and is_marked(
                (await self._read(mirrored)).notes, standing, approver
            ):
                await self._ledger.done(effect)
                return
            await self._note(mirrored, note(standing, approver), effect)
        except Away as error:
            await self._again(effect, attempt, error)
        except SourceRefused as error:
            logger.warning("%s: the source takes no note: %s", standing.approval_id, error)
            await self._ledger.failed(effect, str(error))
        else:
            await self._ledger.done(effect)

    async def _again(self, effect: Effect, attempt: Attempt, away: Away) -> None:
        if is_over(attempt, self._clock()):
            await self._ledger.failed(effect, str(away))
        else:
            wait = delay(attempt.number, away.retry_after)
            await self._ledger.later(effect, wait, str(away))

    async def _read(self, mirrored: "_Mirrored") -> Reading:
        return await mirrored.outside.call(lambda: mirrored.source.read(mirrored.record_id))

    async def _note(self, mirrored: "_Mirrored", text: str, effect: Effect) -> None:
        key = effect.idempotency_key
        await mirrored.outside.call(
            lambda: mirrored.source.note(mirrored.record_id, text, idempotency_key=key)
        )

    def _mirrored(self, standing: Standing) -> "_Mirrored | None":
        if not isinstance(standing.state, Pending):
            return None
        record = standing.state.asked.about.source
        if record is None:
            return None
        key = (standing.workspace, record.name)
        source = self._sources.get(key)
        if source is None:
            return None
        outside = self._outside.setdefault(key, Outside(f"source {record.name}", self._clock))
        return _Mirrored(source, outside, record.record_id)


@dataclass(frozen=True, slots=True)
class _Mirrored:
    source: Source
    outside: Outside
    record_id: str


def check_effect(standing: Standing) -> Effect:
    """Name the look at the source before the first card of the present revision."""
    return Effect(
        workspace=standing.workspace,
        approval_id=standing.approval_id,
        version=standing.began,
        effect=CHECK,
    )


def note_effect(standing: Standing, approver: str) -> Effect:
    """Name the note that an approver was asked about the present revision."""
    return Effect(
        workspace=standing.workspace,
        approval_id=standing.approval_id,
        version=standing.began,
        effect=f"{NOTE}:{approver}",
    )


def note(standing: Standing, approver: str) -> str:
    """Return the text of the note, which holds our mark."""
    return (
        f"Placet asked {approver} to approve this "
        f"(approval {standing.approval_id}, {_round_and_revision(standing)})."
    )


def is_marked(notes: Sequence[str], standing: Standing, approver: str) -> bool:
    """Tell whether a note holds our mark, however the source wraps or escapes it."""
    mark = _plain(note(standing, approver))
    return any(mark in _plain(one) for one in notes)


def _round_and_revision(standing: Standing) -> str:
    return f"revision {standing.revision}, round {standing.view().round}"


def _plain(text: str) -> str:
    return " ".join(html.unescape(text).split()).casefold()
