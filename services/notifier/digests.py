"""Sends digests: to each reader, at each of their times, one message that lists what waits."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from events.state import Pending
from events.store import Unavailable
from services.channels import ChannelRefused
from services.channels.card import Card
from services.channels.digest import Digest
from services.directory import Directories
from services.directory.preferences import Defaults
from services.effects import Attempt, Effect
from services.notifier.attending import Attending
from services.notifier.backlog import FROM_THE_START, Backlog
from services.notifier.cards import Key, SentCard
from services.notifier.drawing import Drawing
from services.notifier.ledger import Ledger, delay
from services.notifier.outside import Away
from services.notifier.parallel import side_by_side
from services.notifier.quiet import last_digest
from services.notifier.reach import First, Reach
from services.notifier.recording import Recording
from services.notifier.sending import Out
from services.notifier.standing import Standing
from services.notifier.timing import Timing

DIGEST = "digest"
LISTED = 25
"""How many a digest lists; the others are counted."""
READ = 100
READERS = 1000
TOGETHER = 200
LATE = timedelta(hours=2)
"""How much later than its time a digest still goes out, such as after an outage."""
ABOUT = "digest"
"""Stands in place of an approval's id: a digest is about many."""
_MINUTE_S = 60

logger = logging.getLogger(__name__)


class Digests:
    """Any number of these may run: each digest goes out once."""

    def __init__(
        self,
        backlog: Backlog,
        attending: Attending,
        timing: Timing,
        reach: Reach,
        ledger: Ledger,
        drawing: Drawing,
        recording: Recording,
        directories: Directories,
        defaults: Defaults,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._backlog = backlog
        self._attending = attending
        self._timing = timing
        self._reach = reach
        self._ledger = ledger
        self._drawing = drawing
        self._recording = recording
        self._directories = directories
        self._defaults = defaults
        self._public_url = public_url.rstrip("/")
        self._clock = clock
        self._taken_up: dict[Key, int] = {}

    async def send_due(self) -> int:
        """Send what is due now, and return how many were taken up; raises `Unavailable`."""
        due = dict.fromkeys(await self._backlog.due_digests(TOGETHER))
        after = FROM_THE_START
        while True:
            readers = await self._backlog.readers(after, READERS)
            for workspace, email in readers:
                effect = self._due(workspace, email)
                if effect is not None:
                    due[effect] = None
            if len(readers) < READERS:
                break
            after = readers[-1]
        await side_by_side(partial(self._send_or_leave, effect) for effect in due)
        return len(due)

    def _due(self, workspace: str, email: str) -> Effect | None:
        """Name the digest of somebody that is due, None if this process has taken it up before."""
        own = self._directories.of(workspace).preferences_of(email)
        if not own.digest and not self._defaults.within(workspace).preferences.digest:
            return None
        wishes, now = self._timing.wishes(workspace, email), self._clock()
        said = wishes.preferences
        if said.silent or not said.digest:
            return None
        last = last_digest(now, said.digest, said.quiet_hours or (), wishes.zone)
        if last is None or last[1] <= now - LATE:
            return None
        if said.changed_at is not None and last[1] <= said.changed_at:
            return None  # it was not wanted yet
        minute = int(last[0].timestamp()) // _MINUTE_S
        if self._taken_up.get((workspace, email)) == minute:
            return None
        return Effect(
            workspace=workspace,
            approval_id=ABOUT,
            version=minute,
            effect=f"{DIGEST}:{email}",
        )

    async def _send_or_leave(self, effect: Effect) -> None:
        try:
            await self._send(effect)
        except Unavailable:
            raise
        except Exception:
            # That of one reader must not stand before those of others; its lease brings it back.
            logger.exception("%s: a digest could not be sent", effect.idempotency_key)

    async def _send(self, effect: Effect) -> None:
        attempt = await self._ledger.take(effect)
        workspace, email = effect.workspace, effect.effect.partition(":")[2]
        self._taken_up[workspace, email] = effect.version
        if attempt is None:
            return
        channel = self._timing.digest_channel(workspace, email)
        listed, count = await self._listed(workspace, email, channel)
        if channel is None or not listed:
            await self._ledger.done(effect)
            return
        if attempt.sent and not self._reach.repeats(channel):
            # Two would be worse than none: the next one lists all of it again.
            logger.warning("%s: perhaps sent, not sent again", effect.idempotency_key)
            await self._ledger.done(effect)
            return
        shown = listed[:LISTED]
        digest = Digest(
            cards=tuple(card for _, card in shown),
            more=count - len(shown),
            link=f"{self._public_url}/inbox",
            settings_link=f"{self._public_url}/preferences",
        )
        try:
            first = None if self._reach.repeats(channel) else self._first(effect, attempt)
            await self._reach.send_digest(channel, effect, digest, to=email, first=first)
        except _Overtaken:
            return
        except Away as error:
            await self._put_off(effect, attempt, error)
            return
        except ChannelRefused as error:
            logger.warning("%s: %s takes no digest: %s", effect.idempotency_key, channel, error)
            await self._ledger.failed(effect, str(error))
            return
        await self._ledger.done(effect)
        await self._record(shown, email, channel)

    async def _listed(
        self, workspace: str, email: str, channel: str | None
    ) -> tuple[Sequence[tuple[Standing, Card]], int]:
        """Return what waits for somebody, as the store has it, and how much it is in all."""
        if channel is None:
            return (), 0
        waits = await self._backlog.waits_for(workspace, email, READ)
        places = {approval_id: place for place, approval_id in enumerate(waits.ids)}
        cases = await self._attending.look([(workspace, one) for one in waits.ids])
        standings = [
            standing
            for standing, _ in cases
            if _waits_for(standing, email) and self._timing.listed_on(standing, email, channel)
        ]
        standings.sort(key=lambda standing: places[standing.approval_id])
        cards = [(one, self._drawing.card(one, email, one.revision)) for one in standings]
        return cards, len(cards) + waits.count - len(waits.ids)

    async def _record(
        self, shown: Sequence[tuple[Standing, Card]], email: str, channel: str
    ) -> None:
        """Let the histories say that they were told: there is no card of theirs to edit."""
        told = [
            Out(
                standing=standing,
                row=SentCard(
                    workspace=standing.workspace,
                    approval_id=standing.approval_id,
                    approver=email,
                    channel=channel,
                    revision=standing.revision,
                    reference=None,
                    digest=card.digest,
                    shown="open",
                ),
                effect=None,
            )
            for standing, card in shown
            if not standing.has(email, channel)
        ]
        await self._recording.record(told)

    async def _put_off(self, effect: Effect, attempt: Attempt, away: Away) -> None:
        if self._clock() - attempt.first_at >= LATE:
            await self._ledger.failed(effect, str(away))
            return
        wait = delay(attempt.number, away.retry_after)
        sent = attempt.sent or away.perhaps_done
        await self._ledger.later(effect, wait, str(away), sent=sent)

    def _first(self, effect: Effect, attempt: Attempt) -> First:
        async def leaves() -> None:
            if not await self._ledger.leaving(effect, attempt):
                raise _Overtaken

        return leaves


def _waits_for(standing: Standing, email: str) -> bool:
    is_open = isinstance(standing.state, Pending) and standing.asked_back_at is None
    return is_open and email in standing.approvers


class _Overtaken(Exception):
    """Somebody else sends it now."""
