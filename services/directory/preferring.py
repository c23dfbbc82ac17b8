"""Reads preferences as files and callers write them, and names everything that is wrong."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from services.directory.fields import days_of, is_time_zone
from services.directory.preferences import A_DAY, Preferences, Quiet, Turn
from services.yaml_files.durations import seconds, words

FIELDS = ("order", "quiet_hours", "digest", "silent", "outcomes", "time_zone")
MOST_TURNS = 20
MOST_QUIET = 7
MOST_DIGESTS = 6
LONGEST_DELAY_S = 7 * 86400.0
WEEK = 7 * A_DAY

_CHANNEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_INBOX = "inbox"

Path = tuple[str | int, ...]


class NotPreferences(ValueError):
    """Nothing was read; `faults` are a path and a sentence for each thing that is wrong."""

    def __init__(self, faults: list[tuple[Path, str]]) -> None:
        super().__init__("; ".join(sentence for _, sentence in faults))
        self.faults = faults


def preferences_of(given: object, channels: Collection[str] | None = None) -> Preferences:
    """Return what was said; raises `NotPreferences`.

    `channels` are those that there are, if that is known here.
    """
    reader = _Reader(channels)
    preferences = reader.preferences(given)
    if reader.faults:
        raise NotPreferences(reader.faults)
    return preferences


def order_of(given: object) -> tuple[Turn, ...]:
    """Return an order of channels alone; raises `NotPreferences`."""
    order = preferences_of({"order": given}).order
    return order or ()


class _Reader:
    def __init__(self, channels: Collection[str] | None) -> None:
        self._channels = channels
        self.faults: list[tuple[Path, str]] = []

    def preferences(self, given: object) -> Preferences:
        if not isinstance(given, Mapping):
            self.faults.append(((), f"must be a mapping with any of {', '.join(FIELDS)}"))
            return Preferences()
        for name in given:
            if name not in FIELDS:
                self.faults.append(
                    ((str(name),), f"is not known here; known are {', '.join(FIELDS)}")
                )
        return Preferences(
            order=self._field(given, "order", self._order),
            quiet_hours=self._field(given, "quiet_hours", self._quiet_hours),
            digest=self._field(given, "digest", self._digest),
            silent=self._field(given, "silent", _flag),
            outcomes=self._field(given, "outcomes", _flag),
            time_zone=self._field(given, "time_zone", _time_zone),
        )

    def _field(self, given: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> Any:
        value = given.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except NotPreferences as error:
            self.faults += [((name, *path), sentence) for path, sentence in error.faults]
        except ValueError as error:
            self.faults.append(((name,), str(error)))
        return None

    def _order(self, given: object) -> tuple[Turn, ...]:
        turns = _each(given, MOST_TURNS, self._turn)
        if not turns:
            raise ValueError("must name at least one channel; for none at all, say silent: true")
        named = [turn.channel for turn in turns]
        for place, name in enumerate(named):
            if name in named[:place]:
                raise NotPreferences([((place,), f"{name} stands here twice")])
        return turns

    def _turn(self, given: object) -> Turn:
        parts = str(given).split() if isinstance(given, str) else []
        match parts:
            case [channel]:
                return Turn(self._channel(channel))
            case [channel, "after", length]:
                return Turn(self._channel(channel), _delay(length))
            case _:
                raise ValueError("must be a channel, such as slack, or email after 15m")

    def _channel(self, name: str) -> str:
        if name == _INBOX:
            raise ValueError("the inbox always shows it, and stands in no order")
        if not _CHANNEL.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a channel")
        if self._channels is not None and name not in self._channels:
            known = ", ".join(one for one in self._channels if one != _INBOX) or "none"
            raise ValueError(f"there is no channel {name}; there is {known}")
        return name

    def _quiet_hours(self, given: object) -> tuple[Quiet, ...]:
        stretches = _each([given] if isinstance(given, Mapping) else given, MOST_QUIET, _quiet)
        if _covers_the_week(stretches):
            raise ValueError("leave no time at all; for no message ever, say silent: true")
        return stretches

    def _digest(self, given: object) -> tuple[int, ...]:
        times = given.split(",") if isinstance(given, str) else given
        return tuple(sorted(set(_each(times, MOST_DIGESTS, _time_of_digest))))


def _each(given: object, most: int, read: Callable[[Any], Any]) -> tuple[Any, ...]:
    if not isinstance(given, list) or len(given) > most:
        raise ValueError(f"must be a list of at most {most}")
    found, faults = [], []
    for place, one in enumerate(given):
        try:
            found.append(read(one))
        except NotPreferences as error:
            faults += [((place, *path), sentence) for path, sentence in error.faults]
        except ValueError as error:
            faults.append(((place,), str(error)))
    if faults:
        raise NotPreferences(faults)
    return tuple(found)


def _quiet(given: object) -> Quiet:
    if not isinstance(given, Mapping):
        raise ValueError("must be a mapping with from, until and days")  # noqa: TRY004 - a fault of the file, not of the program
    faults: list[tuple[Path, str]] = [
        ((str(name),), "is not known here; known are from, until, days")
        for name in given
        if name not in ("from", "until", "days")
    ]
    read: dict[str, Any] = {}
    for name, check in (("from", _minute), ("until", _minute), ("days", days_of)):
        value = given.get(name)
        try:
            if value is not None:
                read[name] = check(value)
            elif name != "days":
                faults.append(((name,), "is missing"))
        except ValueError as error:
            faults.append(((name,), str(error)))
    if not faults and read["from"] in (read["until"], A_DAY):
        faults.append(
            (("until",), "must be another time than from; a whole day is 00:00 until 24:00")
        )
    if faults:
        raise NotPreferences(faults)
    every_day = tuple(range(7))
    return Quiet(begins=read["from"], ends=read["until"], days=read.get("days", every_day))


def _minute(given: object) -> int:
    found = _CLOCK.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        raise ValueError("must be a time of the day such as 08:00")
    return int(found[1] or found[3]) * 60 + int(found[2] or found[4])


def _time_of_digest(given: object) -> int:
    minute = _minute(given)
    if minute == A_DAY:
        raise ValueError("must be a time of the day such as 08:00")
    return minute


def _flag(given: object) -> bool:
    if not isinstance(given, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - a fault of the file, not of the program
    return given


def _time_zone(given: object) -> str:
    if not isinstance(given, str) or not is_time_zone(given):
        raise ValueError(f"{given!r} is no time zone: write one such as Europe/Berlin")
    return given


def _delay(text: str) -> float:
    length = seconds(text)
    if not 1 <= length <= LONGEST_DELAY_S:
        raise ValueError(f"{text}: must be from 1s to {words(LONGEST_DELAY_S)}")
    return length


def _covers_the_week(stretches: tuple[Quiet, ...]) -> bool:
    quiet: set[int] = set()
    for one in stretches:
        length = one.ends - one.begins + (A_DAY if one.overnight else 0)
        for day in one.days:
            start = day * A_DAY + one.begins
            quiet.update(minute % WEEK for minute in range(start, start + length))
    return len(quiet) == WEEK
