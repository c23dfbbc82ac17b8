"""Reads the people that `placet.yaml` names; what is wrong with them is told with its line."""

import re
from collections.abc import Collection, Mapping

from services.directory import Directory, Member, circles, label
from services.directory.fields import CHANNEL, LABEL, is_time_zone
from services.directory.preferences import NOTHING_SAID, Preferences
from services.directory.preferring import NotPreferences, preferences_of
from services.web.emails import NotAnAddress, email
from services.yaml_files.faults import dotted
from services.yaml_files.numbered_yaml import Fault, Numbered, Path

_KEYS = ("email", "name", "roles", "groups", "manager", "time_zone", "channels", "notify")
_ROLE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST = 200


def read_people(
    given: object,
    numbered: Numbered,
    path: Path,
    faults: list[Fault],
    channels: Collection[str] | None = None,
) -> Directory:
    """Return the people of a file, in its order; what is wrong is added to the faults.

    `channels` are those that there are.
    """
    return _Reader(numbered, faults, channels).people(path, given)


class _Reader:
    def __init__(
        self, numbered: Numbered, faults: list[Fault], channels: Collection[str] | None
    ) -> None:
        self._numbered = numbered
        self._faults = faults
        self._channels_there = channels

    def people(self, path: Path, given: object) -> Directory:
        if not isinstance(given, list):
            self._wrong(path, "must be a list, such as `- email: ada@example.com`")
            return Directory()
        members: dict[str, Member] = {}
        places: dict[str, Path] = {}
        preferences: dict[str, Preferences] = {}
        for place, one in enumerate(given):
            member = self._member((*path, place), one)
            if member is None:
                continue
            if member.email in members:
                self._wrong((*path, place), f"{member.email} stands here twice")
            members[member.email] = member
            places[member.email] = (*path, place, "manager")
            said = self._preferences((*path, place, "notify"), one.get("notify"))
            if said is not NOTHING_SAID:
                preferences[member.email] = said
        for circle in circles({one.email: one.manager for one in members.values()}):
            way = " → ".join((*circle, circle[0]))
            self._wrong(places[circle[0]], f"manager: these manage one another: {way}")
        return Directory(members, preferences=preferences)

    def _member(self, path: Path, one: object) -> Member | None:
        if not isinstance(one, dict):
            self._wrong(path, "each must be a mapping with `email`, `name` and `roles`")
            return None
        for key in one:
            if key not in _KEYS:
                self._wrong((*path, key), f"{key} is not known here; known are {', '.join(_KEYS)}")
        address = self._address((*path, "email"), one.get("email", ""))
        if address is None:
            return None
        return Member(
            email=address,
            name=self._text((*path, "name"), one.get("name")),
            roles=self._roles((*path, "roles"), one.get("roles", [])),
            groups=self._groups((*path, "groups"), one.get("groups", [])),
            manager=self._manager((*path, "manager"), one.get("manager")),
            time_zone=self._time_zone((*path, "time_zone"), one.get("time_zone")),
            channels=self._channels((*path, "channels"), one.get("channels", {})),
        )

    def _address(self, path: Path, given: object) -> str | None:
        try:
            return email(str(given))
        except NotAnAddress as error:
            self._wrong(path, f"{path[-1]}: {error}")
            return None

    def _manager(self, path: Path, given: object) -> str | None:
        return None if given is None else self._address(path, given)

    def _text(self, path: Path, given: object) -> str | None:
        if given is None or (isinstance(given, str) and 0 < len(given) <= _LONGEST):
            return given
        self._wrong(path, f"{path[-1]} must be a text of at most {_LONGEST} characters")
        return None

    def _roles(self, path: Path, given: object) -> frozenset[str]:
        if isinstance(given, list) and all(
            isinstance(one, str) and _ROLE.fullmatch(one) for one in given
        ):
            return frozenset(given)
        self._wrong(path, "roles must be a list of names of a-z, 0-9, - and _")
        return frozenset()

    def _groups(self, path: Path, given: object) -> frozenset[str]:
        if isinstance(given, list) and all(
            isinstance(one, str) and LABEL.fullmatch(label(one)) for one in given
        ):
            return frozenset(label(one) for one in given)
        self._wrong(path, "groups must be a list of names of at most 100 characters")
        return frozenset()

    def _time_zone(self, path: Path, given: object) -> str | None:
        if given is None or (isinstance(given, str) and is_time_zone(given)):
            return given
        self._wrong(path, f"time_zone: {given!r} is no time zone: write one such as Europe/Berlin")
        return None

    def _channels(self, path: Path, given: object) -> Mapping[str, str]:
        if isinstance(given, dict) and all(
            CHANNEL.fullmatch(name) and isinstance(address, str) and 0 < len(address) <= _LONGEST
            for name, address in given.items()
        ):
            return given
        self._wrong(path, "channels must be a mapping of channels to texts, as `slack: U012AB3CD`")
        return {}

    def _preferences(self, path: Path, given: object) -> Preferences:
        if given is None:
            return NOTHING_SAID
        try:
            return preferences_of(given, self._channels_there)
        except NotPreferences as error:
            for below, sentence in error.faults:
                self._wrong((*path, *below), f"{dotted(('notify', *below))}: {sentence}")
            return NOTHING_SAID

    def _wrong(self, path: Path, sentence: str) -> None:
        self._faults.append(Fault(self._numbered.line(path), f"people: {sentence}"))
