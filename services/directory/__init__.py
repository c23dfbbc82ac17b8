"""The people of a workspace as they are just now: groups, roles, managers, and who is away."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Protocol

from events.approval import Person
from services.directory.preferences import NOTHING_SAID, Preferences


def label(text: str) -> str:
    """Return the name of a group or a role as it is compared: in lower case, evenly spaced."""
    return " ".join(text.split()).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is known: by address in lower case, with all that routing needs to know.

    Groups and roles are written as `label` has them. `channels` holds their address on each
    channel, by the channel's name.
    """

    email: str
    name: str | None = None
    active: bool = True
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    manager: str | None = None
    time_zone: str | None = None
    channels: Mapping[str, str] = field(default_factory=dict)

    @property
    def person(self) -> Person:
        """The member as an approval keeps people."""
        return Person(email=self.email, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """`to` answers for `person` from `begins` up to, and not including, `ends`."""

    id: str
    person: str
    to: str
    begins: datetime
    ends: datetime
    reason: str | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether it holds at a time."""
        return self.begins <= at < self.ends


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody of one workspace; somebody who is not in it is an address and nothing more.

    `preferences` are by address, also of people who are no members.
    """

    members: Mapping[str, Member] = field(default_factory=dict)
    delegations: Sequence[Delegation] = ()
    preferences: Mapping[str, Preferences] = field(default_factory=dict)
    _stand_ins: Mapping[str, Sequence[Delegation]] = field(init=False, repr=False, compare=False)
    _having: dict[str, Mapping[str, Sequence[Member]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        by_person: dict[str, list[Delegation]] = {}
        for one in sorted(self.delegations, key=lambda one: (one.begins, one.id)):
            by_person.setdefault(one.person, []).append(one)
        object.__setattr__(self, "_stand_ins", by_person)

    def find(self, email: str) -> Member | None:
        """Return somebody who is known, active or not."""
        return self.members.get(email)

    def preferences_of(self, email: str) -> Preferences:
        """Return how somebody wants to be told, as far as they said."""
        return self.preferences.get(email, NOTHING_SAID)

    def told(self, email: str, general: Preferences) -> Preferences:
        """Return how somebody is told: as they said, or else as `general` says.

        Their clock is the one that they said, or that is known of them.
        """
        own = self.preferences_of(email)
        zone = own.time_zone or self.time_zone_of(email) or general.time_zone or "UTC"
        return replace(own.over(general), time_zone=zone)

    def known(self, person: Person) -> Person:
        """Return somebody with the name that is known, if none was given."""
        member = self.members.get(person.email)
        return member.person if member is not None and person.name is None else person

    def is_active(self, email: str) -> bool:
        """Tell whether somebody can be asked: also a stranger, who is an address only."""
        member = self.members.get(email)
        return member is None or member.active

    def with_role(self, role: str) -> tuple[Person, ...]:
        """Return everybody active who has a role."""
        return tuple(one.person for one in self._by("roles").get(label(role), ()))

    def in_group(self, group: str) -> tuple[Person, ...]:
        """Return everybody active in a group."""
        return tuple(one.person for one in self._by("groups").get(label(group), ()))

    def has_one_of(self, email: str, roles: Collection[str]) -> bool:
        """Tell whether somebody active has at least one of some roles."""
        member = self.members.get(email)
        if member is None or not member.active:
            return False
        return not member.roles.isdisjoint(label(role) for role in roles)

    def time_zone_of(self, email: str) -> str | None:
        """Return somebody's time zone, if it is known."""
        member = self.members.get(email)
        return member.time_zone if member is not None else None

    def manager_of(self, email: str) -> Person | None:
        """Return the next active manager above somebody, or None; a circle has none."""
        seen = {email}
        member = self.members.get(email)
        while member is not None and member.manager is not None and member.manager not in seen:
            seen.add(member.manager)
            above = self.members.get(member.manager)
            if above is None:
                return Person(email=member.manager)
            if above.active:
                return above.person
            member = above
        return None

    def is_away(self, email: str, at: datetime) -> bool:
        """Tell whether somebody has handed over to somebody else at a time."""
        return self._holding(email, at) is not None

    def stand_in(self, email: str, at: datetime, barred: Collection[str] = ()) -> Person | None:
        """Return who answers for somebody at a time, following delegations to their end.

        None where nobody does: no delegation holds, it ends in a circle or at somebody who is not
        active, or at one of `barred`, who may not answer for them.
        """
        seen = {email}
        now, delegation = email, self._holding(email, at)
        while delegation is not None:
            now = delegation.to
            if now in seen:
                return None
            seen.add(now)
            delegation = self._holding(now, at)
        if now == email or now in barred or not self.is_active(now):
            return None
        return self.known(Person(email=now))

    def stands_in_for(self, email: str, at: datetime) -> tuple[str, ...]:
        """Return for whom somebody answers at a time, also through others."""
        away = [person for person in self._stand_ins if person != email]
        return tuple(
            person
            for person in away
            if (found := self.stand_in(person, at)) is not None and found.email == email
        )

    def _holding(self, email: str, at: datetime) -> Delegation | None:
        """Return the delegation that holds: of several, the one that began last."""
        for one in reversed(self._stand_ins.get(email, ())):
            if one.holds(at):
                return one
        return None

    def _by(self, what: Literal["roles", "groups"]) -> Mapping[str, Sequence[Member]]:
        """Return the active members by role or group: sorted out when it is first asked for."""
        if what not in self._having:
            found: dict[str, list[Member]] = {}
            for one in self.members.values():
                if one.active:
                    for name in one.roles if what == "roles" else one.groups:
                        found.setdefault(name, []).append(one)
            self._having[what] = found
        return self._having[what]


def circles(managers: Mapping[str, str | None]) -> list[tuple[str, ...]]:
    """Return each circle of people who are managed by one another, by who has whom as manager."""
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for start in managers:
        path: dict[str, int] = {}
        now: str | None = start
        while now is not None and now not in seen:
            path[now] = len(path)
            seen.add(now)
            now = managers.get(now)
        if now is not None and now in path:
            found.append(tuple(path)[path[now] :])
    return found


class Directories(Protocol):
    """Who knows the people of each workspace, a second old at most."""

    def of(self, workspace: str) -> Directory:
        """Return the people of a workspace as they were last seen; never waits."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDirectories:
    """The same people always: what the file says, in its workspace; nobody in others."""

    workspace: str = ""
    directory: Directory = field(default_factory=Directory)

    def of(self, workspace: str) -> Directory:
        """Return the people of a workspace."""
        return self.directory if workspace == self.workspace else Directory()
