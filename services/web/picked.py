"""Several approvals that somebody selected on a page, and what became of each."""

from dataclasses import dataclass

from projections.approval_view import ApprovalView

MOST_PICKED = 200


@dataclass(frozen=True, slots=True)
class Picked:
    """One that was selected, the revision of it, and the digest of what was shown of it then."""

    approval_id: str
    revision: str
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one: the approval after it, or the sentence that says why nothing did."""

    picked: Picked
    view: ApprovalView | None
    refusal: str | None = None
