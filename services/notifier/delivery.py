"""Decides when somebody is told, and on which channel: from what was said, and nothing else."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from services.directory.preferences import NOTHING_SAID, Preferences, Turn
from services.notifier.quiet import after_quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How somebody wants to be told, with what is more general under it, and where they are."""

    preferences: Preferences = NOTHING_SAID
    zone: tzinfo

    def after_quiet(self, at: datetime) -> datetime:
        """Return the first time from `at` on that is in no quiet hours."""
        quiet = self.preferences.quiet_hours
        return after_quiet(at, quiet, self.zone) if quiet else at


@dataclass(frozen=True, slots=True)
class Plan:
    """When a card goes out on each channel; never on one that is not there.

    In place of cards, `digest` is the channel on which it is listed.
    """

    cards: Mapping[str, datetime] = field(default_factory=dict)
    digest: str | None = None


def plan(
    channels: Sequence[str],
    wishes: Wishes,
    policy: Preferences,
    *,
    digesting: Collection[str],
    urgent: bool,
    asked_at: datetime,
    told: bool,
    now: datetime,
) -> Plan:
    """Return when somebody is told of what they were asked.

    `channels` are those that leave us and reach them, in their order; `digesting` are those of
    them that can list what waits. What is urgent goes through quiet hours and comes singly; who is
    silent is not told of it either. The order of a policy stands before that of a person. `told`
    tells that they have a card of it: then what was due before they changed their preferences does
    not go out on account of the change.
    """
    said = wishes.preferences
    turns = ordered(channels, said, policy)
    if not urgent and said.digest:
        listed = next((turn.channel for turn in turns if turn.channel in digesting), None)
        if listed is not None:
            return Plan(digest=listed)
    cards: dict[str, datetime] = {}
    for turn in turns:
        due = asked_at + timedelta(seconds=turn.after_s)
        if told and said.changed_at is not None and due < said.changed_at:
            continue
        # What is due at once is due now: the clock of whoever took the ask may be ahead of ours.
        out = max(due, now) if turn.after_s else now
        cards[turn.channel] = out if urgent else wishes.after_quiet(out)
    return Plan(cards)


def ordered(channels: Sequence[str], said: Preferences, policy: Preferences) -> Sequence[Turn]:
    """Return the channels on which somebody is told, in their order; none for who is silent."""
    if said.silent or policy.silent:
        return ()
    order = policy.order or said.order
    if order is None:
        return [Turn(channel) for channel in channels]
    return [turn for turn in order if turn.channel in channels]
