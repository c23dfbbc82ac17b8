"""Tells what a changed policy would have made of what was really asked, and for whom."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median

from events.approval import AppliedPolicy, ApprovalEvent, Person
from services.directory import Directory
from services.policies import NobodyToAsk, Policies
from services.policies.past import Past
from services.policies.policy import Policy
from services.policies.replaying import (
    Ending,
    Kind,
    Life,
    Rules,
    compared,
    gain,
    imagined,
    life_of,
)

MOST_KEPT = 1_000
"""How many differences are kept one by one; all of them are counted."""

Told = Callable[[int, int], None]
"""Called with (approvals lived again, approvals in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One approval that would have gone another way; `sooner_s` is negative for later."""

    approval_id: str
    type: str
    title: str
    requester: str
    asked_at: datetime
    kind: Kind
    really: Ending
    would: Ending
    sooner_s: float | None
    warnings: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Simulation:
    """What came of it: `touched` approvals are those that the policy is for, or was.

    `asked` counts how many approvals each person was asked about, `would_ask` how many they would
    have been; `gains_s` are the seconds won by each that would have ended at another time.
    """

    policy: str
    version: int
    seen: int = 0
    touched: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    at_once: int = 0
    warned: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    would_ask: Counter[str] = field(default_factory=Counter)
    gains_s: list[float] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def median_gain_s(self) -> float | None:
        """How much sooner the middle one of those with another time would have ended."""
        return median(self.gains_s) if self.gains_s else None

    def shifts(self) -> list[tuple[str, int, int]]:
        """Return whom the policy would ask more or less often: who, really, would; most first."""
        people = {*self.asked, *self.would_ask}
        moved = [(who, self.asked[who], self.would_ask[who]) for who in people]
        return sorted(
            (one for one in moved if one[1] != one[2]), key=lambda one: (one[1] - one[2], one[0])
        )


class Simulator:
    """Lives approvals again under the policies of a workspace, one of which is changed.

    People are taken as they are now; who was away then is not known any more.
    """

    def __init__(self, policies: Policies, changed: Policy, directory: Directory) -> None:
        self._policies = with_changed(policies, changed)
        self._changed = changed
        self._directory = directory
        self.result = Simulation(policy=changed.name, version=changed.version)

    async def run(self, past: Past, told: Told = lambda _done, _all: None) -> Simulation:
        """Live all of the past again; raises `Unavailable`."""
        total, done = await past.count(), 0
        async for approval_id, events in past.approvals():
            self.add(approval_id, events)
            done += 1
            told(done, max(total, done))
        return self.result

    def add(self, approval_id: str, events: Sequence[ApprovalEvent]) -> None:
        """Live one approval again."""
        life = life_of(events)
        if life is None:
            return
        self.result.seen += 1
        was = life.first.policy is not None and life.first.policy.name == self._changed.name
        try:
            choice = self._policies.choose(life.facts, self._directory, life.asked_at)
        except NobodyToAsk as error:
            if was:
                ending = Ending(status="pending", words=f"would be refused: {error}")
                self._note(approval_id, life, "waits", ending, ())
            return
        would = choice.policy is not None and choice.policy.name == self._changed.name
        if not was and not would:
            return
        rules = Rules(
            policy=choice.policy,
            approvers=choice.approvers,
            automatic=choice.automatic,
            expires_at=choice.ends(None, life.first.expires_at),
            on_timeout=choice.on_timeout or life.first.on_timeout,
        )
        ending = imagined(life, rules)
        self.result.at_once += rules.automatic is not None
        self.result.asked.update(_asked(life))
        self.result.would_ask.update(_would_ask(rules))
        warnings = choice.policy.warnings if choice.policy is not None else ()
        self.result.warned += bool(warnings)
        self._note(approval_id, life, compared(life, ending), ending, warnings)

    def _note(
        self, approval_id: str, life: Life, kind: Kind, would: Ending, warnings: tuple[str, ...]
    ) -> None:
        result = self.result
        result.touched += 1
        result.kinds[kind] += 1
        won = gain(life, would)
        if kind in ("sooner", "later") and won is not None:
            result.gains_s.append(won.total_seconds())
        if kind == "same" or len(result.differences) >= MOST_KEPT:
            return
        result.differences.append(
            Difference(
                approval_id=approval_id,
                type=life.facts.about.type,
                title=life.facts.about.title,
                requester=life.facts.about.requester.email,
                asked_at=life.first.at,
                kind=kind,
                really=life.ending,
                would=would,
                sooner_s=won.total_seconds() if won is not None else None,
                warnings=warnings,
            )
        )


def with_changed(policies: Policies, changed: Policy) -> Policies:
    """Return policies with one in the place of its namesake, or before all others if it is new."""
    names = [one.name for one in policies.policies]
    if changed.name in names:
        held = tuple(changed if one.name == changed.name else one for one in policies.policies)
    else:
        held = (changed, *policies.policies)
    return replace(policies, policies=held)


def _asked(life: Life) -> set[str]:
    return set() if life.by_itself else _people(life.first.policy, life.first.approvers)


def _would_ask(rules: Rules) -> set[str]:
    return set() if rules.automatic else _people(rules.policy, rules.approvers)


def _people(policy: AppliedPolicy | None, approvers: Iterable[Person]) -> set[str]:
    if policy is None:
        return {person.email for person in approvers}
    return {seat.holder.email for step in policy.steps for seat in step.seats}
