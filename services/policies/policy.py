"""A policy as its file says it: when it applies, who must say yes, and by when."""

from dataclasses import dataclass

from events.approval import Assurance, OnTimeout, Reminders, Rule, Rung, WorkingHours
from services.directory.preferences import NOTHING_SAID, Preferences
from services.policies.approvers import Spec
from services.policies.conditions import Condition

MOST_STEPS = 20
MOST_SEATS = 50
MOST_GROUPS = 10
MOST_RUNGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliesTo:
    """Which asks a policy is for: all that is given must hold."""

    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    when: Condition | None = None

    @property
    def words(self) -> str:
        """Why it is chosen, where it is."""
        parts = []
        if self.types:
            parts.append(f"type {' or '.join(self.types)}")
        if self.sources:
            parts.append(f"source {' or '.join(self.sources)}")
        said = ", ".join(parts) or "everything"
        return f"applies to {said}" + (f" when {self.when.text}" if self.when else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStep:
    """One step; `number` is how many must approve, or how many in a hundred."""

    name: str
    approvers: tuple[Spec, ...]
    rule: Rule = "any"
    number: int = 1
    deny: int = 1
    when: Condition | None = None

    @property
    def rule_words(self) -> str:
        """The rule as a file has it."""
        match self.rule:
            case "count":
                return str(self.number)
            case "percent":
                return f"{self.number}%"
            case "each":
                return "one from each"
            case "any" | "all":
                return self.rule

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of which it needs one each."""
        if self.rule != "each":
            return ()
        return tuple(dict.fromkeys(one.value for one in self.approvers if one.kind == "group"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy; lengths of time are in seconds that its clock counts.

    `on_timeout` is None where the approval type says it, `expires_s` where the general time holds.
    `notify` is what it says of how its approvers are told: nothing, silent, or an order.
    `assurance` is how well it must be known who answers, at the least; None: as it comes.
    """

    name: str
    version: int
    steps: tuple[PolicyStep, ...]
    applies_to: AppliesTo
    approve_when: Condition | None = None
    reject_when: Condition | None = None
    fallback: tuple[Spec, ...] = ()
    self_approval: bool = False
    reminders: Reminders | None = None
    ladder: tuple[Rung, ...] = ()
    expires_s: float | None = None
    on_timeout: OnTimeout | None = None
    fallback_policy: str | None = None
    hours: WorkingHours | None = None
    notify: Preferences = NOTHING_SAID
    assurance: Assurance | None = None
