"""What the file of a policy may say."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, PlainValidator, model_validator

from events.approval import OnTimeout, Rule
from services.directory.fields import days_of, is_time_zone
from services.directory.preferences import NOTHING_SAID, Preferences
from services.directory.preferring import NotPreferences, order_of
from services.policies.approvers import Spec, spec_of
from services.policies.conditions import Condition, condition
from services.policies.policy import MOST_GROUPS, MOST_RUNGS, MOST_SEATS, MOST_STEPS
from services.sources.fields import fault, faults
from services.yaml_files.durations import seconds, words
from services.yaml_files.strict import DAY_S, Strict

LONGEST_S = 366 * DAY_S
_HOURS = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])\s*-\s*([01][0-9]|2[0-4]):([0-5][0-9])")
_A_DAY = 24 * 60
_PERCENT = 100
MOST_REMINDERS = 50
MOST_HOLIDAYS = 400


class Length(NamedTuple):
    """A length of time as it was written; a day of a clock is a working day."""

    text: str
    seconds: float

    def within(self, day_s: float) -> float:
        """Return its seconds, where a day has `day_s`."""
        days = self.text.strip().endswith("d")
        return self.seconds / DAY_S * day_s if days else self.seconds


class HowMany(NamedTuple):
    """A rule, and its number."""

    rule: Rule
    number: int


class Timeout(NamedTuple):
    """What becomes of an ask that nobody decided in time, and which policy takes over, if one."""

    how: OnTimeout
    policy: str | None = None


def _shown(check: Callable[[Any], Any]) -> PlainValidator:
    def validate(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise fault(str(error)) from error

    return PlainValidator(validate)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text; put it in quotes")  # noqa: TRY004 - a fault of the file, not of the program
    return value


def _length(value: object) -> Length:
    length = seconds(value)
    if not 1 <= length <= LONGEST_S:
        raise ValueError(f"must be from 1s to {words(LONGEST_S)}")
    return Length(str(value), length)


def _rule(value: object) -> HowMany:
    text = str(value).strip().lower()
    if text in ("any", "all"):
        return HowMany("any" if text == "any" else "all", 1)
    if text == "one from each":
        return HowMany("each", 1)
    if text.isascii() and text.isdigit() and not isinstance(value, bool):
        number = int(text[:9])
        if not 1 <= number <= MOST_SEATS:
            raise ValueError(f"must be from 1 to {MOST_SEATS} people")
        return HowMany("count", number)
    if text.endswith("%") and text[:-1].isascii() and text[:-1].isdigit():
        share = int(text[:9].rstrip("%"))
        if not 1 <= share <= _PERCENT:
            raise ValueError("must be from 1% to 100%")
        return HowMany("percent", share)
    raise ValueError("must be any, all, a number such as 2, a share such as 60%, or one from each")


def _hours(value: object) -> tuple[int, int]:
    read = _HOURS.fullmatch(_text(value).strip())
    if read is None:
        raise ValueError("must be such as 09:00-17:00")
    opens, closes = int(read[1]) * 60 + int(read[2]), int(read[3]) * 60 + int(read[4])
    if not opens < closes <= _A_DAY:
        raise ValueError("must end after it begins, and at 24:00 at the latest")
    return opens, closes


def _time_zone(value: object) -> str:
    if not isinstance(value, str) or not is_time_zone(value):
        raise ValueError(f"{value!r} is no time zone: write one such as Europe/Berlin")
    return value


def _holiday(value: object) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError(f"{value!r} is no day: write it as 2026-12-25") from None


def _timeout(value: object) -> Timeout:
    if value in ("expire", "approve", "reject"):
        return Timeout(value)
    if isinstance(value, dict) and list(value) == ["policy"] and isinstance(value["policy"], str):
        return Timeout("fallback", value["policy"])
    raise ValueError("must be expire, approve, reject, or {policy: NAME}")


def _notify(value: object) -> Preferences:
    if value == "silent":
        return Preferences(silent=True)
    try:
        return Preferences(order=order_of(value))
    except NotPreferences as error:
        # One path of them begins with the field of preferences, which does not stand here.
        raise faults([(path[1:], sentence) for path, sentence in error.faults]) from error


def _condition(value: object) -> Condition:
    return condition(str(value).lower() if isinstance(value, bool) else _text(value))


def _spec(value: object) -> Spec:
    return spec_of(_text(value))


Expr = Annotated[Condition, _shown(_condition)]
Duration = Annotated[Length, _shown(_length)]
Who = Annotated[Spec, _shown(_spec)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class AppliesToFile(Strict):
    """Which asks a policy is for."""

    types: tuple[Name, ...] = Field(default=(), max_length=100, strict=False)
    sources: tuple[Name, ...] = Field(default=(), max_length=100, strict=False)
    when: Expr | None = None


class StepFile(Strict):
    """Who must agree before the next step begins."""

    name: Name
    approvers: tuple[Who, ...] = Field(min_length=1, max_length=MOST_SEATS, strict=False)
    rule: Annotated[HowMany, _shown(_rule)] = HowMany("any", 1)
    deny: Annotated[int, Field(ge=1, le=MOST_SEATS)] = 1
    when: Expr | None = None

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        for place, one in enumerate(self.approvers):
            if one.kind == "silent":
                raise fault("is only known where it escalates", ("approvers", place))
        if self.rule.rule == "each":
            others = [at for at, one in enumerate(self.approvers) if one.kind != "group"]
            groups = {one.value for one in self.approvers}
            if others:
                raise fault(
                    "is no group, and `one from each` takes groups only", ("approvers", others[0])
                )
            if not 2 <= len(groups) <= MOST_GROUPS:  # noqa: PLR2004 - one of one group is `any`
                raise fault(f"takes 2 to {MOST_GROUPS} different groups", ("rule",))
        return self


class RemindFile(Strict):
    """When whoever has not answered is reminded."""

    after: Duration
    every: Duration | None = None
    most: Annotated[int, Field(ge=1, le=MOST_REMINDERS)] = 3


class RungFile(Strict):
    """Whom it is taken to as well."""

    after: Duration
    to: tuple[Who, ...] = Field(min_length=1, max_length=MOST_SEATS, strict=False)


class ClockFile(Strict):
    """When the policy's clocks run."""

    time_zone: Annotated[str, _shown(_time_zone)]
    days: Annotated[tuple[int, ...], _shown(days_of)] = (0, 1, 2, 3, 4)
    hours: Annotated[tuple[int, int], _shown(_hours)] = (0, _A_DAY)
    holidays: tuple[Annotated[date, _shown(_holiday)], ...] = Field(
        default=(), max_length=MOST_HOLIDAYS, strict=False
    )


class PolicyFile(Strict):
    """One policy."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    applies_to: AppliesToFile = AppliesToFile()
    approve_when: Expr | None = None
    reject_when: Expr | None = None
    steps: tuple[StepFile, ...] = Field(min_length=1, max_length=MOST_STEPS, strict=False)
    fallback: tuple[Who, ...] | None = Field(
        default=None, min_length=1, max_length=MOST_SEATS, strict=False
    )
    self_approval: bool = False
    remind: RemindFile | None = None
    escalate: tuple[RungFile, ...] = Field(default=(), max_length=MOST_RUNGS, strict=False)
    expires_in: Duration | None = None
    on_timeout: Annotated[Timeout | None, _shown(_timeout)] = None
    clock: ClockFile | None = None
    assurance: Literal["link", "channel", "session", "step_up"] | None = None
    notify: Annotated[Preferences, PlainValidator(_notify)] = NOTHING_SAID

    @property
    def day_s(self) -> float:
        """How long a day is, in seconds: with a clock, a working day."""
        if self.clock is None:
            return DAY_S
        opens, closes = self.clock.hours
        return (closes - opens) * 60.0
