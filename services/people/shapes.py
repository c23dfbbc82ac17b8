"""What the calls about people take and show, as the OpenAPI document has it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from services.directory.delegations import DelegationView
from services.directory.preferring import MOST_DIGESTS, MOST_QUIET, MOST_TURNS

MOST_RESOLVED = 200

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Emails = Annotated[Sequence[Email], msgspec.Meta(min_length=1, max_length=MOST_RESOLVED)]
Reason = Annotated[str, msgspec.Meta(max_length=1000)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Short = Annotated[str, msgspec.Meta(max_length=100)]
Clock = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,2}:[0-9]{2}$")]
Days = Annotated[
    Sequence[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]],
    msgspec.Meta(min_length=1, max_length=7),
]


class PersonView(msgspec.Struct, kw_only=True):
    """Somebody by address; who is not `known` is an address that can be asked, and no more."""

    email: str
    known: bool
    name: str | None
    active: bool
    manager: str | None
    groups: Sequence[str]
    roles: Sequence[str]
    time_zone: str | None
    channels: Mapping[str, str]


class ResolveBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Addresses to look up."""

    emails: Emails


class LineProblem(msgspec.Struct, kw_only=True):
    """Why a line of a file was not taken; the header is line 1."""

    line: int
    problem: str


class ImportView(msgspec.Struct, kw_only=True):
    """What became of a file; `data` are the first of the `refused` lines, with why."""

    created: int
    changed: int
    unchanged: int
    refused: int
    dry_run: bool
    data: Sequence[LineProblem]


class DelegationBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`to` answers for `person`, who is the caller if left out, from `begins` up to `ends`."""

    to: Email
    begins: Time
    ends: Time
    person: Email | None = None
    reason: Reason | None = None


class QuietHours(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A stretch of quiet hours, by the person's clock, on the days on which it begins.

    One that does not end after it begins ends on the next day; a whole day is 00:00 until 24:00.
    """

    begins: Clock = msgspec.field(name="from")
    until: Clock
    days: Days | None = None


class Told(msgspec.Struct, kw_only=True):
    """How somebody is told; null where nothing is said."""

    order: Sequence[str] | None
    quiet_hours: Sequence[QuietHours] | None
    digest: Sequence[str] | None
    silent: bool | None
    outcomes: bool | None
    time_zone: str | None


class NotificationsBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How somebody wants to be told; what is left out is left to `placet.yaml`."""

    order: Annotated[Sequence[Short], msgspec.Meta(max_length=MOST_TURNS)] | None = None
    quiet_hours: Annotated[Sequence[QuietHours], msgspec.Meta(max_length=MOST_QUIET)] | None = None
    digest: Annotated[Sequence[Clock], msgspec.Meta(max_length=MOST_DIGESTS)] | None = None
    silent: bool | None = None
    outcomes: bool | None = None
    time_zone: Short | None = None


class NotificationsView(msgspec.Struct, kw_only=True):
    """What somebody said of being told, what holds, and the channels that there are."""

    email: str
    own: Told
    effective: Told
    channels: Sequence[str]
    changed_at: datetime | None


ANSWERS: Sequence[type] = (PersonView, ImportView, DelegationView, NotificationsView)
BODIES: Sequence[type] = (ResolveBody, DelegationBody, NotificationsBody)
