"""Tells of one approval who is to be told now, on which channel, and what waits for later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from events.state import Decided, Deciding, Expired, Final, Pending, Withdrawn
from services.directory import Directories
from services.directory.preferences import NOTHING_SAID, Defaults, Preferences
from services.effects import WAITING, Effect
from services.notifier.delivery import Plan, Wishes, ordered, plan
from services.notifier.ledger import WINDOW, Ledger
from services.notifier.reach import Reach
from services.notifier.standing import Card, Due, Standing
from services.policies import Policies

LOOK_AGAIN = timedelta(hours=1)
"""After which time what waits is looked at anyhow: a file, a time zone or an address may have
changed, and nobody tells of that."""
_LONGEST_QUIET = timedelta(days=8)
_AS_USUAL = Wishes(zone=UTC)
"""Of most people: without quiet hours and digests it does not matter where they are."""


@dataclass(slots=True)
class Ahead:
    """What is to be done now, and by person when there is something to do later.

    `questions` are the channels on which the requester is asked something, `outcome` is the one on
    which they are told what became of it.
    """

    cards: list[Card] = field(default_factory=list)
    reminders: list[Due] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    outcome: str | None = None
    later: dict[str, datetime] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cards or self.reminders or self.questions or self.outcome or self.later)

    def wait(self, person: str, at: datetime) -> None:
        """Keep the earliest time at which there is something to do for somebody."""
        self.later[person] = min(at, self.later.get(person, at))


@dataclass(frozen=True, slots=True)
class Telling:
    """On which channel the requester reads the outcome, and when."""

    channel: str
    at: datetime


class Timing:
    """Knows what people, policies and the file say of telling them, and the time."""

    def __init__(
        self,
        reach: Reach,
        directories: Directories,
        policies: Policies,
        defaults: Defaults,
        clock: Callable[[], datetime],
    ) -> None:
        self._reach = reach
        self._directories = directories
        self._policies = policies
        self._defaults = defaults
        self._clock = clock

    def wishes(self, workspace: str, email: str) -> Wishes:
        """Return how somebody wants to be told."""
        general = self._defaults.within(workspace).preferences
        directory = self._directories.of(workspace)
        if general is NOTHING_SAID and directory.preferences_of(email) is NOTHING_SAID:
            return _AS_USUAL
        told = directory.told(email, general)
        return Wishes(preferences=told, zone=ZoneInfo(told.time_zone or "UTC"))

    def ahead(self, standing: Standing) -> Ahead:
        """Return what is to be done now and later; see `Plan`.

        What does not leave us is always done now: the inbox shows everything.
        """
        found, now = Ahead(), self._clock()
        missing = standing.missing(self._reach)
        for approver in dict.fromkeys(approver for approver, _ in missing):
            channels = [channel for one, channel in missing if one == approver]
            self._cards(found, standing, approver, channels, now)
        for due, at in self._reminders(standing, now):
            if at <= now:
                found.reminders.append(due)
            else:
                found.wait(due.approver, at)
        self._questions(found, standing, now)
        telling = self._telling(standing, now)
        if telling is not None and telling.at <= now:
            found.outcome = telling.channel
        elif telling is not None:
            found.wait(_requester(standing), telling.at)
        return found

    def _cards(
        self,
        found: Ahead,
        standing: Standing,
        approver: str,
        missing: Sequence[str],
        now: datetime,
    ) -> None:
        out = [channel for channel in missing if self._reach.leaves(channel)]
        planned = self.plan(standing, approver, now) if out else Plan()
        for channel in missing:
            at = planned.cards.get(channel) if channel in out else now
            if at is not None and at <= now:
                found.cards.append((approver, channel))
            elif at is not None:
                found.wait(approver, at)
            elif channel == planned.digest:
                found.wait(approver, now + LOOK_AGAIN)

    async def wait(self, ledger: Ledger, standing: Standing, ahead: Ahead) -> None:
        """Write down when the approval is to be looked at again; raises `Unavailable`."""
        now = self._clock()
        for person, at in ahead.later.items():
            effect = waiting_effect(standing, person)
            if await ledger.take(effect) is not None:
                wait = min(at - now, LOOK_AGAIN).total_seconds()
                await ledger.later(effect, max(wait, 0.0), "It waits for its time.")

    def is_later(self, at: datetime) -> bool:
        """Tell whether a time is still to come."""
        return at > self._clock()

    def plan(self, standing: Standing, approver: str, now: datetime) -> Plan:
        """Return when an approver gets their cards."""
        state = standing.state
        if not isinstance(state, Pending | Deciding):
            return Plan()
        reached = self._reached(standing.workspace, approver)
        return plan(
            reached,
            self.wishes(standing.workspace, approver),
            self._policy(standing),
            digesting=[channel for channel in reached if self._reach.digests(channel)],
            urgent=state.asked.urgency == "high",
            asked_at=_asked_at(state, approver),
            told=self._was_told(standing, approver),
            now=now,
        )

    def listed_on(self, standing: Standing, approver: str, channel: str) -> bool:
        """Tell whether something that waits for somebody may stand in their digest there."""
        said = self.wishes(standing.workspace, approver).preferences
        return any(
            turn.channel == channel for turn in ordered([channel], said, self._policy(standing))
        )

    def digest_channel(self, workspace: str, email: str) -> str | None:
        """Return on which channel somebody reads their digests, None for who has none."""
        said = self.wishes(workspace, email).preferences
        turns = ordered(self._reached(workspace, email), said, NOTHING_SAID) if said.digest else ()
        return next((one.channel for one in turns if self._reach.digests(one.channel)), None)

    def reminders(self, standing: Standing) -> list[tuple[Due, datetime]]:
        """Return the reminders that are not too old, each with the time from which it goes out.

        One goes out only where its reader gets cards now, and in no quiet hours.
        """
        return self._reminders(standing, self._clock())

    def _reminders(self, standing: Standing, now: datetime) -> list[tuple[Due, datetime]]:
        found = []
        for due in standing.reminders(self._reach, since=now - WINDOW - _LONGEST_QUIET):
            at = self._at_last(standing, due.approver, due.channel, due.event.at, now)
            if at is not None:
                found.append((due, at))
        return found

    def _at_last(
        self, standing: Standing, email: str, channel: str, since: datetime, now: datetime
    ) -> datetime | None:
        """Return when something may go out that came `since`; None: never, or it is too late."""
        if not self._reach.leaves(channel):
            return since if since > now - WINDOW else None
        wishes = self.wishes(standing.workspace, email)
        allowed = ordered([channel], wishes.preferences, self._policy(standing))
        if not allowed or not self._reach.reaches(channel, standing.workspace, email):
            return None
        if _is_urgent(standing):
            return since if since > now - WINDOW else None
        if wishes.after_quiet(since) <= now - WINDOW:
            return None
        return wishes.after_quiet(now)

    def _questions(self, found: Ahead, standing: Standing, now: datetime) -> None:
        asked_at = standing.asked_back_at
        if asked_at is None:
            return
        requester = _requester(standing)
        planned = plan(
            self._reached(standing.workspace, requester),
            self._singly(standing.workspace, requester),
            replace(self._policy(standing), silent=None),
            digesting=(),
            urgent=_is_urgent(standing),
            asked_at=standing.stream[asked_at - 1].event.at,
            told=False,
            now=now,
        )
        for channel in self._reach:
            at = planned.cards.get(channel) if self._reach.leaves(channel) else now
            if at is not None and at <= now:
                found.questions.append(channel)
            elif at is not None:
                found.wait(requester, at)

    def telling(self, standing: Standing) -> Telling | None:
        """Return how the requester is told what became of it, None where they are not.

        Who is told is known to the directory and did not settle it themselves. Of a record of a
        source, the source tells them, unless the file says otherwise.
        """
        return self._telling(standing, self._clock())

    def _telling(self, standing: Standing, now: datetime) -> Telling | None:
        state = standing.state
        if not isinstance(state, Final):
            return None
        defaults, email = self._defaults.within(standing.workspace), state.about.requester.email
        member = self._directories.of(standing.workspace).find(email)
        if member is None or not member.active or _settled_by(state) == email:
            return None
        if state.about.source is not None and not defaults.outcomes_of_sources:
            return None
        wishes = self.wishes(standing.workspace, email)
        if wishes.preferences.outcomes is False:
            return None
        reached = self._reached(standing.workspace, email)
        turns = ordered(reached, wishes.preferences, NOTHING_SAID)
        if not turns or wishes.after_quiet(state.at) <= now - WINDOW:
            return None
        return Telling(turns[0].channel, wishes.after_quiet(now))

    def _singly(self, workspace: str, email: str) -> Wishes:
        wishes = self.wishes(workspace, email)
        return replace(wishes, preferences=replace(wishes.preferences, digest=None))

    def _reached(self, workspace: str, email: str) -> list[str]:
        return [
            channel
            for channel in self._reach
            if self._reach.leaves(channel) and self._reach.reaches(channel, workspace, email)
        ]

    def _was_told(self, standing: Standing, approver: str) -> bool:
        return any(
            self._reach.leaves(channel)
            and (approver, channel, standing.revision) in standing.story.told_at
            for channel in self._reach
        )

    def _policy(self, standing: Standing) -> Preferences:
        state = standing.state
        if not isinstance(state, Pending | Deciding):
            return NOTHING_SAID
        name = state.asked.course.policy.name
        return self._policies.within(standing.workspace).notify_of(name) if name else NOTHING_SAID


def waiting_effect(standing: Standing, person: str) -> Effect:
    """Name the next look at what waits for somebody."""
    return Effect(
        workspace=standing.workspace,
        approval_id=standing.approval_id,
        version=standing.state.version,
        effect=f"{WAITING}:{person}",
    )


def _is_urgent(standing: Standing) -> bool:
    state = standing.state
    return isinstance(state, Pending | Deciding) and state.asked.urgency == "high"


def _requester(standing: Standing) -> str:
    return standing.view().requester.email


def _asked_at(state: Pending | Deciding, approver: str) -> datetime:
    """Return since when an approver is asked what waits now."""
    course = state.asked.course
    times = [seat.since for seat in course.waiting if seat.holder.email == approver and seat.since]
    return max(course.opened_at, min(times, default=course.opened_at))


def _settled_by(state: Final) -> str | None:
    match state:
        case Decided():
            return state.by.email
        case Withdrawn():
            return state.by
        case Expired():
            return None
        case _:
            assert_never(state)
