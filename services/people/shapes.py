"""What the calls about people take and show, as the OpenAPI document has it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from services.directory.delegations import DelegationView

MOST_RESOLVED = 200

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Emails = Annotated[Sequence[Email], msgspec.Meta(min_length=1, max_length=MOST_RESOLVED)]
Reason = Annotated[str, msgspec.Meta(max_length=1000)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


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


ANSWERS: Sequence[type] = (PersonView, ImportView, DelegationView)
BODIES: Sequence[type] = (ResolveBody, DelegationBody)
