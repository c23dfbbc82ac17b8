"""How people are called; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from projections.approval_view import ApprovalView

MOST_NAMES = 3


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
    return names_in(view).get(email, email)


def names_in(view: ApprovalView) -> Mapping[str, str]:
    """Return the names that an approval knows, by address."""
    people = [(view.requester.email, view.requester.name)]
    people += [(one.email, one.name) for one in view.approvers]
    if view.course is not None:
        for step in view.course.policy.steps:
            people += [(seat.person.email, seat.person.name) for seat in step.seats]
        people += [(vote.by.email, vote.by.name) for vote in view.course.votes]
    return {email: name for email, name in people if name}


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """Return some names in a row, and how many more there are: `A, B and 2 more`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return joined(names)


def joined(names: Sequence[str]) -> str:
    """Return all names in a row: `A, B and C`."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
