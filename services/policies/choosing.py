"""Chooses the policy of an ask, and makes of it who must say yes, and by when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from events.approval import AppliedPolicy, Assurance, OnTimeout, Outcome, Person, Seat, Step
from events.commands import Automatic
from projections.working_hours import add
from services.directory import Directory
from services.policies.approvers import Found, Spec, found
from services.policies.conditions import Condition, ConditionFailed, Scope
from services.policies.facts import Facts
from services.policies.policy import Policy
from services.policies.seating import FALLBACK, any_of, seated, step_of, with_stand_ins

LONGEST = timedelta(days=366)
MOST_WARNINGS = 20


class NobodyToAsk(Exception):
    """Nobody may decide this but who asks, or nobody at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Whom an ask waits for, and until when.

    `policy` is None where any one of `approvers` decides; `approvers` are those that the ask
    named, or else everybody who may decide. `expires_at` and `on_timeout` are None where the
    policy does not say them.
    """

    policy: AppliedPolicy | None
    approvers: tuple[Person, ...]
    automatic: Automatic | None = None
    expires_at: datetime | None = None
    on_timeout: OnTimeout | None = None

    def ends(self, wanted: datetime | None, otherwise: datetime) -> datetime:
        """Return until when it waits, if the ask wants one time and its type says another.

        An ask may want less than its policy gives, but not where the time's end would approve it
        or take it to another policy: whoever asks does not choose that moment.
        """
        if self.expires_at is None:
            return wanted or otherwise
        if wanted is None or self.on_timeout in ("approve", "fallback"):
            return self.expires_at
        return min(wanted, self.expires_at)


@dataclass(frozen=True, slots=True)
class _Chosen:
    policy: Policy
    failed: str | None = None


def choose(
    policies: Sequence[Policy],
    last_resort: Sequence[Spec],
    facts: Facts,
    directory: Directory,
    now: datetime,
    demanded: Assurance | None = None,
) -> Choice:
    """Return what the first policy that applies makes of an ask.

    Where none does, any one of those who were named decides. `last_resort` is asked where nobody
    else is found; `demanded` is how well it must be known who answers, and a policy may demand
    more. Raises `NobodyToAsk` for an ask of our own that nobody could decide.
    """
    scope = Scope(facts, directory)
    chosen = _first(policies, facts, scope)
    if chosen is None:
        return _without_policy(last_resort, facts, directory, now, demanded)
    return applied(
        chosen.policy,
        last_resort,
        facts,
        directory,
        now,
        scope=scope,
        failed=chosen.failed,
        demanded=demanded,
    )


def applied(
    policy: Policy,
    last_resort: Sequence[Spec],
    facts: Facts,
    directory: Directory,
    now: datetime,
    *,
    scope: Scope | None = None,
    failed: str | None = None,
    taking_over: bool = False,
    demanded: Assurance | None = None,
) -> Choice:
    """Return what one policy makes of an ask; raises as `choose` does.

    `failed` tells that it could not be told whether it applies. One that is `taking_over` when
    the time is over decides nothing by itself.
    """
    applying = _Applying(policy, last_resort, facts, directory, now, scope, taking_over)
    return applying.choice(failed, demanded)


def _stronger(*demanded: Assurance | None) -> Assurance | None:
    known = [one for one in demanded if one is not None]
    return max(known, key=get_args(Assurance).index, default=None)


def _first(policies: Sequence[Policy], facts: Facts, scope: Scope) -> _Chosen | None:
    about = facts.about
    for policy in policies:
        applies = policy.applies_to
        if applies.types and about.type not in applies.types:
            continue
        if applies.sources and (about.source is None or about.source.name not in applies.sources):
            continue
        if applies.when is None:
            return _Chosen(policy)
        try:
            if applies.when.holds(scope):
                return _Chosen(policy)
        except ConditionFailed as error:
            return _Chosen(policy, str(error))
    return None


class _Applying:
    """One policy on its way to become the snapshot that one ask is held to."""

    def __init__(
        self,
        policy: Policy,
        last_resort: Sequence[Spec],
        facts: Facts,
        directory: Directory,
        now: datetime,
        scope: Scope | None,
        taking_over: bool,  # noqa: FBT001 - there is one caller
    ) -> None:
        self._policy = policy
        self._last_resort = last_resort
        self._facts = facts
        self._directory = directory
        self._now = now
        self._scope = scope or Scope(facts, directory)
        self._barred = () if policy.self_approval else (facts.about.requester.email,)
        self._taking_over = taking_over
        self._warnings: list[str] = []

    def choice(self, failed: str | None, demanded: Assurance | None) -> Choice:
        """Return the choice; a condition that fails takes the whole of it to the fallback."""
        policy = self._policy
        automatic: Automatic | None = None
        steps: tuple[Step, ...] = ()
        if failed is None:
            try:
                automatic = None if self._taking_over else self._automatic()
                steps = self._steps(automatic)
            except ConditionFailed as error:
                automatic, failed = None, str(error)
        if failed is not None:
            self._warnings = [f"A condition failed: {failed} The fallback is asked."]
            steps = (self._fallback(FALLBACK),)
        steps = with_stand_ins(steps, self._directory, self._now, self._barred)
        ends = None
        if policy.expires_s is not None:
            ends = add(self._now, policy.expires_s, policy.hours)
            ends = min(ends, self._now + LONGEST)
        named = self._facts.approvers
        people = {seat.person.email: seat.person for step in steps for seat in step.seats}
        return Choice(
            policy=AppliedPolicy(
                name=policy.name,
                version=policy.version,
                steps=steps,
                because=policy.applies_to.words,
                self_approval=policy.self_approval,
                reminders=policy.reminders,
                ladder=policy.ladder,
                hours=policy.hours,
                fallback_policy=policy.fallback_policy,
                warnings=tuple(dict.fromkeys(self._warnings))[:MOST_WARNINGS],
                assurance=_stronger(policy.assurance, demanded),
            ),
            approvers=named or tuple(people.values()),
            automatic=automatic,
            expires_at=ends,
            on_timeout=policy.on_timeout,
        )

    def _automatic(self) -> Automatic | None:
        """Return what the policy decides by itself; a rejection goes before an approval."""
        for outcome, when in (
            ("rejected", self._policy.reject_when),
            ("approved", self._policy.approve_when),
        ):
            if when is not None and when.holds(self._scope):
                return self._decided("rejected" if outcome == "rejected" else "approved", when)
        return None

    def _decided(self, outcome: Outcome, when: Condition) -> Automatic:
        policy = self._policy
        reason = (
            f"{outcome.capitalize()} at once by the policy {policy.name} (version "
            f"{policy.version}): {when.text}"
        )
        return Automatic(outcome=outcome, reason=reason)

    def _steps(self, automatic: Automatic | None) -> tuple[Step, ...]:
        steps: list[Step] = []
        for rule in self._policy.steps:
            if rule.when is not None and not rule.when.holds(self._scope):
                continue
            named = found(rule.approvers, self._facts, self._directory)
            step, warnings = step_of(rule, seated(named, self._directory, self._now, self._barred))
            if step is None:
                warnings = (*warnings, f"The fallback is asked in place of {rule.name!r}.")
                step = self._fallback(rule.name)
            self._warnings += warnings
            steps.append(step)
        if steps:
            return tuple(steps)
        if automatic is None:
            self._warnings.append("No step's condition holds. The fallback is asked.")
        return (self._fallback(FALLBACK),)

    def _fallback(self, name: str) -> Step:
        """Return the step of the fallback's people, or else of those whom the ask itself named."""
        named = Found({one.email: one for one in self._facts.approvers}, {}, ())
        groups = (self._policy.fallback, self._last_resort)
        for people in (*(found(one, self._facts, self._directory) for one in groups), named):
            sitting = seated(people, self._directory, self._now, self._barred)
            if sitting.seats:
                return any_of(name, sitting.seats)
        about = self._facts.about
        if about.source is None:
            raise NobodyToAsk(
                f"the policy {self._policy.name} finds nobody who may decide this but "
                f"{about.requester.email}, who asks: ask an administrator to name somebody else "
                "as its fallback."
            )
        # A record waits, whatever we find; an administrator passes it on.
        self._warnings.append(
            f"Nobody may decide this but {about.requester.email}, who asked: it waits until an "
            "administrator passes it on."
        )
        return any_of(name, [Seat(person=about.requester)])


def _without_policy(
    last_resort: Sequence[Spec],
    facts: Facts,
    directory: Directory,
    now: datetime,
    demanded: Assurance | None,
) -> Choice:
    named, about = facts.approvers, facts.about
    requester = about.requester.email
    if about.source is None and all(one.email == requester for one in named):
        raise NobodyToAsk(
            f"{requester} asks for this, and nobody decides their own request: name somebody "
            "else. A policy can allow it (`self_approval`)."
            if named
            else "name somebody who decides; neither this type nor placet.yaml says who."
        )
    if demanded is None and not any(_is_gone(one.email, directory, now) for one in named):
        return Choice(policy=None, approvers=named)
    here = {one.email: one for one in named if one.email != requester}
    people = seated(Found(here, {}, ()), directory, now, (requester,))
    seats, warnings = list(people.seats), people.warnings
    if about.source is not None:
        # The source's word stands on who decides its own records.
        seats += [Seat(person=one) for one in named if one.email == requester]
    if not seats:
        people = seated(found(last_resort, facts, directory), directory, now, (requester,))
        seats, warnings = list(people.seats), (*warnings, *people.warnings)
    if not seats and about.source is None:
        gone = ", ".join(here)
        raise NobodyToAsk(f"{gone} cannot be asked any more: name somebody else.")
    seats = seats or [Seat(person=one) for one in named]
    steps = with_stand_ins([any_of("", seats)], directory, now, (requester,))
    policy = AppliedPolicy(
        name="", version=0, steps=steps, warnings=warnings[:MOST_WARNINGS], assurance=demanded
    )
    return Choice(policy=policy, approvers=named)


def _is_gone(email: str, directory: Directory, now: datetime) -> bool:
    return not directory.is_active(email) or directory.is_away(email, now)
