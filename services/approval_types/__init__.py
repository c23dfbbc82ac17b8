"""Approval types: what an ask of a kind must hold, who may ask it, and whom it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import jsonschema_rs

from events.approval import Assurance, Json, OnTimeout
from services.policies import Spec
from services.sources.definition import Card

MAX_FAULTS = 20
"""How many faults of a payload are told at once."""


@dataclass(frozen=True, slots=True)
class PayloadFault:
    """What does not fit, and where: a JSON pointer into the payload."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalType:
    """One kind of ask, as its file says.

    `requesters` are roles, none of them meaning anybody; `approvers` name who is asked when an ask
    names nobody, as they are found then. `expires_after` is None where the general time holds, and
    so is `undo_s`, for how many seconds an answer is held so that it can be taken back.
    `decide_from_link`: whoever holds the link of an e-mail may answer without signing in.
    `assurance` is how well it must be known who answers, at the least; None: as it comes.
    `sensitive` are JSON pointers to what of a payload no card says that leaves Placet.
    """

    name: str
    version: int
    title: str
    payload_schema: Mapping[str, Json]
    requesters: tuple[str, ...] = ()
    approvers: tuple[Spec, ...] = ()
    expires_after: timedelta | None = None
    on_timeout: OnTimeout = "expire"
    editable: bool = False
    decide_over_mcp: bool = False
    decide_from_link: bool = False
    undo_s: float | None = None
    assurance: Assurance | None = None
    card: Card | None = None
    sensitive: tuple[str, ...] = ()
    validator: jsonschema_rs.Draft202012Validator = field(repr=False, compare=False)

    def faults(self, payload: Json) -> list[PayloadFault]:
        """Return what of a payload does not fit the schema; nothing when it fits."""
        found: list[PayloadFault] = []
        for error in self.validator.iter_errors(payload):
            found.append(PayloadFault(_pointer(_place(error)), error.message[:500]))
            if len(found) == MAX_FAULTS:
                break
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTypes:
    """The types of one workspace, and whom an ask waits for when its type names nobody."""

    workspace: str = ""
    types: Mapping[str, ApprovalType] = field(default_factory=dict)
    default_approvers: tuple[Spec, ...] = ()
    strict: bool = False
    undo_s: float = 0.0

    def within(self, workspace: str) -> "ApprovalTypes":
        """Return what holds in a workspace: nothing at all in another one than the file's."""
        if workspace == self.workspace:
            return self
        return ApprovalTypes(workspace=workspace, undo_s=self.undo_s)

    def find(self, name: str) -> ApprovalType | None:
        """Return a type by name, or None for one that nobody defined."""
        return self.types.get(name)

    def held_for(self, name: str) -> timedelta:
        """Return for how long an answer to an ask of a type can be taken back."""
        kind = self.find(name)
        held = kind.undo_s if kind is not None else None
        return timedelta(seconds=self.undo_s if held is None else held)

    def listed(self) -> Sequence[ApprovalType]:
        """Return every type, by name."""
        return sorted(self.types.values(), key=lambda one: one.name)


def _place(error: jsonschema_rs.ValidationError) -> list[str | int]:
    """Return where a fault is; a field that is missing or too much is named itself."""
    kind, path = error.kind, list(error.instance_path)
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return [*path, kind.property]
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        return [*path, kind.unexpected[0]]
    return path


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
