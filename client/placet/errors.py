"""What can go wrong, each named for what its receiver must do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from placet.approval import Approval


class FieldError(TypedDict):
    """What is wrong with one field of a request; `pointer` is a JSON pointer."""

    pointer: str
    detail: str


class PlacetError(Exception):
    """Anything that this package raises of its own.

    `status` is the HTTP status and `code` the stable code of the server's problem document; both
    are None where no server was asked.
    """

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class WrongKey(PlacetError):
    """There is no key, or it is wrong, revoked or expired (401): set another one."""


class NotAllowed(PlacetError):
    """The key may not do that (403): the message says who may, or which scope is needed."""


class NotFound(PlacetError):
    """There is no such thing in this key's workspace (404)."""


class Conflict(PlacetError):
    """The approval is not in a state for that (409); `approval` is how it is now, if known."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        approval: "Approval | None" = None,
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.approval = approval


class AlreadyResolved(Conflict):
    """Somebody was first (409): read `approval`, and take that for the outcome."""


class StaleRevision(Conflict):
    """It changed since it was looked at (409): look at `approval`, and answer that."""


class Invalid(PlacetError):
    """The request is wrong (422): `errors` names the fields. Sending it again cannot help."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.errors = list(errors)


class Unavailable(PlacetError):
    """Placet could not be reached or could not answer, after retries: come again later.

    Whether the call took effect is not known; sending it again is safe. `retry_after` is how
    many seconds the server asked to be left alone, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after = retry_after


class WrongAddress(PlacetError):
    """Something answered that is not Placet: correct the address."""


class NotApproved(PlacetError):
    """It is not approved: do not do it. `approval` is how it is now."""

    def __init__(self, approval: "Approval") -> None:
        super().__init__(self._says(approval))
        self.args = (approval,)  # by which it is copied to another process
        self.approval = approval

    def __str__(self) -> str:
        return self._says(self.approval)

    @staticmethod
    def _says(approval: "Approval") -> str:
        return f"{approval.title!r} ({approval.id}) is {approval.status}."


class Rejected(NotApproved):
    """An approver said no; `reason` is why, if they said."""

    @property
    def reason(self) -> str | None:
        """What the approver wrote."""
        return self.approval.decision_reason

    @staticmethod
    def _says(approval: "Approval") -> str:
        why = f": {approval.decision_reason}" if approval.decision_reason else "."
        return f"{approval.title!r} ({approval.id}) was rejected by {approval.decided_by}{why}"


class Withdrawn(NotApproved):
    """It was recalled, settled elsewhere, or superseded by the approval `superseded_by`."""

    @property
    def reason(self) -> str | None:
        """Why it was withdrawn."""
        return self.approval.withdrawn_reason

    @property
    def superseded_by(self) -> str | None:
        """The id of the approval that took its place: wait for that one."""
        return self.approval.superseded_by

    @staticmethod
    def _says(approval: "Approval") -> str:
        said = f"{approval.title!r} ({approval.id}) was withdrawn"
        if approval.withdrawn_reason:
            said += f": {approval.withdrawn_reason}"
        if approval.superseded_by:
            said += f" (superseded by {approval.superseded_by})"
        return said


class Expired(NotApproved):
    """Nobody decided before it expired: ask again if it is still wanted."""

    @staticmethod
    def _says(approval: "Approval") -> str:
        return f"{approval.title!r} ({approval.id}) expired before anybody decided."


class NotDecidedInTime(NotApproved):
    """Nobody decided within the time that was waited."""

    @staticmethod
    def _says(approval: "Approval") -> str:
        return (
            f"Nobody decided on {approval.title!r} ({approval.id}) within the time that was "
            f"waited: it is {approval.status}."
        )


class AlreadyCarriedOut(PlacetError):
    """What this approval allowed was done and acknowledged before: one approval, one action."""

    def __init__(self, approval: "Approval") -> None:
        super().__init__("")
        self.args = (approval,)
        self.approval = approval

    def __str__(self) -> str:
        return (
            f"{self.approval.title!r} ({self.approval.id}) was approved, carried out and "
            "acknowledged before. Use another idempotency key to ask for another action."
        )


class ArgumentsChanged(PlacetError):
    """What is about to run is not what was approved: do not run it; ask again for what it is."""


class BadSignature(PlacetError):
    """A webhook was not signed with this secret, or not lately: answer 401 and do nothing."""
