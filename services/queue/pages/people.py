"""How people are called, and what they answered; pure."""

from dataclasses import dataclass

from projections.approval_view import ApprovalView


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody as a page names them; `email` is left out where it is the name already."""

    name: str
    email: str | None = None


def shown(email: str, name: str | None) -> Shown:
    """Return how somebody is named."""
    return Shown(name, email) if name else Shown(email)


def named(view: ApprovalView, email: str) -> str:
    """Return the name of somebody who asked or was asked, or else the address."""
    known = {view.requester.email: view.requester.name}
    known |= {person.email: person.name for person in view.approvers if person.name}
    return known.get(email) or email


def is_asked(view: ApprovalView, email: str) -> bool:
    """Tell whether somebody is asked to decide."""
    return any(person.email == email for person in view.approvers)
