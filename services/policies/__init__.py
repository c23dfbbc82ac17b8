"""Policies: who must say yes to what is asked, by when, and what if they are away.

All of it is reckoned from what it is given: the files' policies, what is asked, the people as they
are, and the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from events.approval import Assurance, Person, Reassignment, Seat
from events.commands import Fallback
from events.state import Pending
from services.directory import Directory
from services.directory.preferences import NOTHING_SAID, Preferences
from services.policies import routing
from services.policies.approvers import Spec, addresses, found, spec_of
from services.policies.choosing import Choice, NobodyToAsk, choose
from services.policies.facts import Facts, facts_of
from services.policies.loading import load_policies, load_policy
from services.policies.policy import Policy

__all__ = [
    "EXPIRES_AFTER",
    "Choice",
    "Facts",
    "NobodyToAsk",
    "Policies",
    "Policy",
    "Spec",
    "addresses",
    "facts_of",
    "found",
    "load_policies",
    "load_policy",
    "spec_of",
]

EXPIRES_AFTER = timedelta(days=30)
"""How long an ask waits where nothing says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policies of one workspace, in the order in which they are tried.

    `last_resort` are those whom `placet.yaml` names for whatever names nobody; `demanded` is what
    approval types demand of whoever answers, by their names, with a policy and without.
    """

    workspace: str = ""
    policies: tuple[Policy, ...] = ()
    last_resort: tuple[Spec, ...] = ()
    demanded: Mapping[str, Assurance] = field(default_factory=dict)

    def within(self, workspace: str) -> "Policies":
        """Return what holds in a workspace: nothing at all in another one than the file's."""
        return self if workspace == self.workspace else Policies(workspace=workspace)

    def listed(self) -> Sequence[Policy]:
        """Return every policy, in the order in which they are tried."""
        return self.policies

    def notify_of(self, name: str) -> Preferences:
        """Return what a policy says of how its approvers are told: nothing, if it is gone."""
        found = next((one.notify for one in self.policies if one.name == name), None)
        return found or NOTHING_SAID

    def choose(self, facts: Facts, directory: Directory, now: datetime) -> Choice:
        """Return whom an ask waits for, and by when; raises `NobodyToAsk`."""
        demanded = self.demanded.get(facts.about.type)
        return choose(self.policies, self.last_resort, facts, directory, now, demanded)

    def rung_seats(self, state: Pending, directory: Directory, now: datetime) -> tuple[Seat, ...]:
        """Return who is asked as well on the next rung; nobody, if nobody new is found."""
        return routing.rung_seats(state, directory, now)

    def fallback_for(self, state: Pending, directory: Directory, now: datetime) -> Fallback | None:
        """Return the policy that takes over when the time is over, if one does."""
        return routing.fallback_for(
            self.policies, self.last_resort, state, directory, now, now + EXPIRES_AFTER
        )

    def routed(
        self, email: str, state: Pending, directory: Directory, now: datetime
    ) -> tuple[Person, Reassignment] | None:
        """Return who is asked instead of somebody who is gone, and why; None: it stays."""
        return routing.routed(self.policies, self.last_resort, email, state, directory, now)
