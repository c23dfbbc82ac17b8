"""Who stands in for whom, as the page of delegations and the inbox show it; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from events.approval import Person
from services.directory import Delegation, Directory
from services.queue.pages.people import Shown, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A delegation; `first` and `last` are days, and both are of it. `who` answers, or is away."""

    id: str
    who: Shown
    first: date
    last: date
    now: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """Everything on the page of delegations; `zone` is where the days begin."""

    mine: tuple[Absence, ...]
    for_others: tuple[Absence, ...]
    zone: str
    today: date


def delegations(directory: Directory, me: str, now: datetime) -> Delegated:
    """Return the delegations of and to `me` that hold now or later, the next one first."""
    zone = _zone(directory, me)
    coming = sorted(
        (one for one in directory.delegations if one.ends > now), key=lambda one: one.begins
    )
    return Delegated(
        mine=_shown((one for one in coming if one.person == me), directory, zone, now, to=True),
        for_others=_shown((one for one in coming if one.to == me), directory, zone, now, to=False),
        zone=str(zone),
        today=now.astimezone(zone).date(),
    )


def absence(directory: Directory, me: str, now: datetime) -> Absence | None:
    """Return who answers for `me` at a time, through others too; None where nobody does."""
    holding = [one for one in directory.delegations if one.person == me and one.holds(now)]
    stand_in = directory.stand_in(me, now)
    if not holding or stand_in is None:
        return None
    latest = max(holding, key=lambda one: (one.begins, one.id))
    zone = _zone(directory, me)
    return _absence(latest, shown(stand_in.email, stand_in.name), zone, now)


def _shown(
    found: Iterable[Delegation], directory: Directory, zone: tzinfo, now: datetime, *, to: bool
) -> tuple[Absence, ...]:
    people = ((one, directory.known(Person(email=one.to if to else one.person))) for one in found)
    return tuple(_absence(one, shown(who.email, who.name), zone, now) for one, who in people)


def _absence(one: Delegation, who: Shown, zone: tzinfo, now: datetime) -> Absence:
    return Absence(
        id=one.id,
        who=who,
        first=one.begins.astimezone(zone).date(),
        # It ends before this moment: what ends at midnight has the day before as its last.
        last=(one.ends - timedelta(microseconds=1)).astimezone(zone).date(),
        now=one.holds(now),
        reason=one.reason,
    )


def _zone(directory: Directory, me: str) -> tzinfo:
    name = directory.time_zone_of(me)
    return ZoneInfo(name) if name else UTC
