"""How somebody wants to be told: on which channels, in which order, and when not."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from services.directory.fields import DAYS
from services.yaml_files.durations import words

A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Turn:
    """A channel, and how many seconds after the ask its card goes out if it still waits then."""

    channel: str
    after_s: float = 0.0

    @property
    def text(self) -> str:
        """As it is written in a file: `slack`, `email after 15m`."""
        return f"{self.channel} after {words(self.after_s)}" if self.after_s else self.channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A stretch of quiet hours that begins on `days` (0 is Monday), in minutes of the day.

    One that does not end after it begins ends on the next day.
    """

    begins: int
    ends: int
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)

    @property
    def overnight(self) -> bool:
        """Whether it ends on the day after the one on which it begins."""
        return self.ends <= self.begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What was said; None where nothing was, so that something more general holds.

    Channels that `order` does not name get nothing. At the minutes of the day of `digest`, one
    message lists what waits, in place of a card for each. `silent` leaves only the inbox.
    `outcomes`: be told what became of what one asked for. `changed_at` is when they were last
    changed, if that is known.
    """

    order: tuple[Turn, ...] | None = None
    quiet_hours: tuple[Quiet, ...] | None = None
    digest: tuple[int, ...] | None = None
    silent: bool | None = None
    outcomes: bool | None = None
    time_zone: str | None = None
    changed_at: datetime | None = None

    def over(self, below: "Preferences") -> "Preferences":
        """Return these, and what `below` says where these say nothing."""
        if below is NOTHING_SAID:
            return self
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return Preferences(
            **{
                name: value if value is not None else getattr(below, name)
                for name, value in said.items()
            }
        )


NOTHING_SAID = Preferences()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for everybody of the file's workspace who says nothing else.

    `outcomes_of_sources`: also tell who asked in a source what became of it.
    """

    workspace: str = ""
    preferences: Preferences = NOTHING_SAID
    outcomes_of_sources: bool = False

    def within(self, workspace: str) -> "Defaults":
        """Return what holds in a workspace: nothing at all in another one than the file's."""
        return self if workspace == self.workspace else Defaults(workspace=workspace)


def said(preferences: Preferences) -> Mapping[str, Any]:
    """Return what was said as plain values, as files and callers write it."""
    order, quiet, digest = preferences.order, preferences.quiet_hours, preferences.digest
    return {
        "order": [one.text for one in order] if order is not None else None,
        "quiet_hours": [_said_quiet(one) for one in quiet] if quiet is not None else None,
        "digest": [clock(one) for one in digest] if digest is not None else None,
        "silent": preferences.silent,
        "outcomes": preferences.outcomes,
        "time_zone": preferences.time_zone,
    }


def clock(minute: int) -> str:
    """Return a minute of the day as a clock shows it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _said_quiet(quiet: Quiet) -> Mapping[str, Any]:
    return {
        "from": clock(quiet.begins),
        "until": clock(quiet.ends),
        "days": [DAYS[day] for day in quiet.days],
    }
