"""An approval as Placet shows it: a JSON object whose members can also be read as attributes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, overload

from placet.digest import payload_digest
from placet.errors import (
    ArgumentsChanged,
    Expired,
    NotApproved,
    NotDecidedInTime,
    Rejected,
    Withdrawn,
)
from placet.json_values import Json

Status = Literal["pending", "deciding", "approved", "rejected", "withdrawn", "expired"]
Urgency = Literal["low", "medium", "high"]
WithdrawnCause = Literal["settled", "cancelled", "gone", "recalled", "superseded"]
FINAL: frozenset[str] = frozenset(("approved", "rejected", "withdrawn", "expired"))

T = TypeVar("T")


class _Member(Generic[T]):
    """A member of the object under the attribute's name; None when the server did not send it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, approval: None, owner: type) -> "_Member[T]": ...
    @overload
    def __get__(self, approval: "Approval", owner: type) -> T: ...
    def __get__(self, approval: "Approval | None", owner: type) -> "_Member[T] | T":
        return self if approval is None else self.read(approval.get(self._name))

    def read(self, value: Any) -> T:
        """Return the value of a member."""
        found: T = value
        return found


class _Time(_Member[T]):
    """A member that is a time."""

    def read(self, value: Any) -> T:
        found: Any = None if value is None else datetime.fromisoformat(value)
        typed: T = found
        return typed


class _Items(_Member[T]):
    """A member that is a list or an object, empty when the server did not send it."""

    def __init__(self, empty: type[T]) -> None:
        self._empty = empty

    def read(self, value: Any) -> T:
        found: T = self._empty() if value is None else value
        return found


class Approval(dict[str, Any]):
    """An approval at one moment; it does not follow what happens later: `get` or `wait` again.

    `approval["created_at"]` is the JSON that came, `approval.created_at` is a `datetime`.
    """

    id = _Member[str]()
    workspace = _Member[str]()
    type = _Member[str]()
    type_version = _Member[int | None]()
    title = _Member[str]()
    status = _Member[Status]()
    version = _Member[int]()
    round = _Member[int]()
    revision = _Member[str]()
    payload = _Member[Json]()
    payload_digest = _Member[str]()
    editable = _Member[bool]()
    edited_payload = _Member[Json]()
    edited_payload_digest = _Member[str | None]()
    requester = _Member[Mapping[str, str | None]]()
    approvers = _Items[list[dict[str, Any]]](list)
    reason = _Member[str | None]()
    urgency = _Member[Urgency]()
    source = _Member[Mapping[str, str | None] | None]()
    subject = _Member[str | None]()
    checkpoint_name = _Member[str | None]()
    execution_id = _Member[str | None]()
    agent_id = _Member[str | None]()
    links = _Items[list[dict[str, str | None]]](list)
    metadata = _Items[dict[str, Json]](dict)
    created_at = _Time[datetime]()
    updated_at = _Time[datetime]()
    expires_at = _Time[datetime]()
    verified_at = _Time[datetime | None]()
    outcome = _Member[Literal["approved", "rejected"] | None]()
    decided_by = _Member[str | None]()
    decided_at = _Time[datetime | None]()
    decision_reason = _Member[str | None]()
    decision_channel = _Member[str | None]()
    withdrawn_by = _Member[str | None]()
    withdrawn_reason = _Member[str | None]()
    withdrawn_cause = _Member[WithdrawnCause | None]()
    superseded_by = _Member[str | None]()
    acknowledged_by = _Member[str | None]()
    acknowledged_at = _Time[datetime | None]()
    progress = _Member[Mapping[str, Any] | None]()
    asked_back = _Member[Mapping[str, Any] | None]()
    held_until = _Time[datetime | None]()
    course = _Member[Mapping[str, Any] | None]()

    @property
    def is_final(self) -> bool:
        """Whether nothing more can be decided."""
        return self.status in FINAL

    @property
    def approved(self) -> bool:
        """Whether it was approved; False also while nobody has decided."""
        return self.status == "approved"

    @property
    def effective_payload(self) -> Json:
        """What was approved: the edited payload if an approver edited it, else the payload.

        `approval["effective_payload"]` is what was reported as done, if anything was.
        """
        return self.payload if self.edited_payload is None else self.edited_payload

    @property
    def effective_digest(self) -> str:
        """The digest of what was approved."""
        return self.edited_payload_digest or self.payload_digest

    def require_approved(self) -> None:
        """Raise `Rejected`, `Withdrawn`, `Expired` or `NotDecidedInTime` unless it is approved."""
        refusals: dict[str, type[NotApproved]] = {
            "rejected": Rejected,
            "withdrawn": Withdrawn,
            "expired": Expired,
        }
        if not self.approved:
            raise refusals.get(self.status, NotDecidedInTime)(self)

    def check(self, payload: object) -> None:
        """Raise unless exactly this payload was approved: call it before doing the thing.

        Raises as `require_approved` does, and `ArgumentsChanged` for another payload.
        """
        self.require_approved()
        digest = payload_digest(payload)
        if digest != self.effective_digest:
            raise ArgumentsChanged(
                f"What is about to run is not what was approved in {self.id}: its digest is "
                f"{digest}, and {self.effective_digest} was approved. Nothing was run; ask again "
                "for what it is now."
            )
