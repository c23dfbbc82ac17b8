"""Reads the files of policies, and refuses what could never be satisfied, or never be chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from events.approval import Reminders, Rung, WorkingHours
from services.directory import Directory
from services.policies.approvers import Spec
from services.policies.definition import ClockFile, PolicyFile, StepFile
from services.policies.policy import AppliesTo, Policy, PolicyStep
from services.yaml_files.durations import words
from services.yaml_files.faults import FileInvalid, invalid, parse, read_text
from services.yaml_files.numbered_yaml import Fault, Numbered
from services.yaml_files.numbered_yaml import Path as Place
from services.yaml_files.strict import DAY_S


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy, and where each part of it stands."""

    policy: Policy
    path: Path
    numbered: Numbered

    def fault(self, place: Place, sentence: str) -> str:
        """Return a sentence with the line that it is about."""
        return f"{self.path}:{self.numbered.line(place)}: {sentence}"


def load_policy(path: Path, people: Directory) -> Policy:
    """Return the policy that a file describes; raises `FileInvalid` with every fault at once.

    `people` are those of `placet.yaml`: a role is somebody's there, or a fault.
    """
    return _loaded(path, people).policy


def load_policies(paths: Sequence[Path], people: Directory) -> tuple[tuple[Policy, ...], list[str]]:
    """Return the policies of several files in their order, and all that is wrong with them."""
    loaded: list[Loaded] = []
    errors: list[str] = []
    for path in paths:
        try:
            loaded.append(_loaded(path, people))
        except FileInvalid as error:
            errors.extend(error.errors)
    # What a file that cannot be read would have held is not known.
    errors.extend(_together(loaded, whole=not errors))
    return tuple(one.policy for one in loaded), errors


def _loaded(path: Path, people: Directory) -> Loaded:
    file, numbered = parse(read_text(path), str(path), PolicyFile, {})
    policy = _policy(file)
    faults = [Fault(numbered.line(place), said) for place, said in _Faults(file, people).found()]
    if faults:
        raise invalid(str(path), faults)
    return Loaded(policy, path, numbered)


def _policy(file: PolicyFile) -> Policy:
    hours = _hours(file.clock) if file.clock else None
    day_s = _day_s(file)
    remind = file.remind
    return Policy(
        name=file.name,
        version=file.version,
        steps=tuple(_step(one) for one in file.steps),
        applies_to=AppliesTo(
            types=file.applies_to.types,
            sources=file.applies_to.sources,
            when=file.applies_to.when,
        ),
        approve_when=file.approve_when,
        reject_when=file.reject_when,
        fallback=file.fallback or (),
        self_approval=file.self_approval,
        reminders=Reminders(
            after_s=remind.after.within(day_s),
            every_s=(remind.every or remind.after).within(day_s),
            most=remind.most,
        )
        if remind
        else None,
        ladder=tuple(
            Rung(after_s=rung.after.within(day_s), to=tuple(one.text for one in rung.to))
            for rung in file.escalate
        ),
        expires_s=file.expires_in.within(day_s) if file.expires_in else None,
        on_timeout=file.on_timeout.how if file.on_timeout else None,
        fallback_policy=file.on_timeout.policy if file.on_timeout else None,
        hours=hours,
    )


def _step(file: StepFile) -> PolicyStep:
    return PolicyStep(
        name=file.name,
        approvers=file.approvers,
        rule=file.rule.rule,
        number=file.rule.number,
        deny=file.deny,
        when=file.when,
    )


def _hours(file: ClockFile) -> WorkingHours:
    opens, closes = file.hours
    return WorkingHours(
        time_zone=file.time_zone,
        days=file.days,
        opens=opens,
        closes=closes,
        holidays=tuple(sorted(set(file.holidays))),
    )


def _day_s(file: PolicyFile) -> float:
    """Return how long a day is: with a clock, a working day."""
    if file.clock is None:
        return DAY_S
    opens, closes = file.clock.hours
    return (closes - opens) * 60.0


class _Faults:
    """What is wrong with one policy, beyond the shape of its file."""

    def __init__(self, file: PolicyFile, people: Directory) -> None:
        self._file = file
        self._people = people
        self._found: list[tuple[Place, str]] = []

    def found(self) -> list[tuple[Place, str]]:
        """Return each place that is wrong, with a sentence."""
        file = self._file
        names: set[str] = set()
        for place, step in enumerate(file.steps):
            if step.name in names:
                self._wrong(("steps", place, "name"), f"there are two steps named {step.name!r}")
            names.add(step.name)
            self._roles(("steps", place, "approvers"), step.approvers)
            self._quorum(place, step)
        for place, rung in enumerate(file.escalate):
            self._roles(("escalate", place, "to"), rung.to)
        self._ladder()
        self._fallback()
        self._timeout()
        return self._found

    def _roles(self, path: Place, specs: Sequence[Spec]) -> None:
        for place, one in enumerate(specs):
            if one.kind == "role" and not self._people.with_role(one.value):
                self._wrong(
                    (*path, place),
                    f"nobody has the role {one.value!r}: name it under `people` in placet.yaml",
                )

    def _quorum(self, place: int, step: StepFile) -> None:
        people = self._known(step.approvers)
        if people is None:
            return
        size = len(people)
        where: Place = ("steps", place)
        if step.rule.rule == "count" and step.rule.number > size:
            self._wrong(
                (*where, "rule"),
                f"{step.rule.number} must approve, but only {size} are named here",
            )
        if step.deny > size:
            self._wrong(
                (*where, "deny"), f"{step.deny} must reject, but only {size} are named here"
            )

    def _ladder(self) -> None:
        day_s = _day_s(self._file)
        ends = self._file.expires_in.within(day_s) if self._file.expires_in else None
        before = 0.0
        for place, rung in enumerate(self._file.escalate):
            after = rung.after.within(day_s)
            if after <= before:
                self._wrong(("escalate", place, "after"), "must come later than the rung before it")
            if ends is not None and after >= ends:
                self._wrong(
                    ("escalate", place, "after"),
                    f"never comes: it expires after {words(ends)} of the same clock",
                )
            before = max(before, after)

    def _fallback(self) -> None:
        file = self._file
        if file.fallback is not None:
            self._roles(("fallback",), file.fallback)
            for place, one in enumerate(file.fallback):
                if one.kind == "silent":
                    self._wrong(("fallback", place), "is only known where it escalates")
            if not any(one.kind in ("address", "role") for one in file.fallback):
                self._wrong(
                    ("fallback",), "could find nobody: name an address, or a role of placet.yaml"
                )
            return
        why = self._could_find_nobody()
        if why is not None:
            self._wrong(
                (),
                f"fallback: is missing, and {why}: say who is asked then: `fallback: [operator]`",
            )

    def _could_find_nobody(self) -> str | None:
        file = self._file
        conditions = [file.applies_to.when, file.approve_when, file.reject_when]
        conditions += [step.when for step in file.steps]
        if any(one is not None and one.constant is None for one in conditions):
            return "a condition could fail"
        for step in file.steps:
            people = self._known(step.approvers)
            if people is None:
                return f"the step {step.name!r} could find nobody"
            # Whoever asks does not decide.
            size = len(people) if file.self_approval else len(people) - 1
            if size < (step.rule.number if step.rule.rule == "count" else 1):
                return f"the step {step.name!r} could lack somebody who asks for it themselves"
        return None

    def _timeout(self) -> None:
        on_timeout = self._file.on_timeout
        if on_timeout is None or on_timeout.how not in ("approve", "fallback"):
            return
        if self._file.expires_in is None:
            # Otherwise whoever asks would say how soon that is.
            self._wrong(
                ("on_timeout",), "needs `expires_in`, which says after how long that happens"
            )

    def _known(self, specs: Sequence[Spec]) -> set[str] | None:
        """Return the addresses of everybody who is named, or None where that is not known yet."""
        people: set[str] = set()
        for one in specs:
            match one.kind:
                case "address":
                    people.add(one.value)
                case "role":
                    people.update(person.email for person in self._people.with_role(one.value))
                case _:
                    return None
        return people

    def _wrong(self, place: Place, sentence: str) -> None:
        shown = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" if at else part
            for at, part in enumerate(place)
        )
        self._found.append((place, f"{shown}: {sentence}" if shown else sentence))


def _together(loaded: Sequence[Loaded], *, whole: bool) -> list[str]:
    """Return what is wrong with policies beside one another."""
    errors: list[str] = []
    by_name: dict[str, Loaded] = {}
    for one in loaded:
        if one.policy.name in by_name:
            errors.append(one.fault(("name",), f"name: there are two named {one.policy.name!r}"))
        by_name.setdefault(one.policy.name, one)
    for one in loaded:
        named = one.policy.fallback_policy
        if named is not None and named not in by_name and whole:
            known = ", ".join(sorted(by_name))
            errors.append(
                one.fault(("on_timeout",), f"on_timeout: no policy {named!r}; known are {known}")
            )
    errors.extend(_circles(by_name))
    errors.extend(_never_chosen(loaded))
    return errors


def _circles(by_name: dict[str, Loaded]) -> list[str]:
    errors: list[str] = []
    told: set[str] = set()
    for name in by_name:
        way = [name]
        while True:
            following = by_name[way[-1]].policy.fallback_policy
            if following is None or following not in by_name:
                break
            if following in way:
                circle = way[way.index(following) :]
                if told.isdisjoint(circle):
                    told.update(circle)
                    shown = " → ".join((*circle, circle[0]))
                    errors.append(
                        by_name[circle[0]].fault(
                            ("on_timeout",), f"on_timeout: these take over in a circle: {shown}"
                        )
                    )
                break
            way.append(following)
    return errors


def _never_chosen(loaded: Sequence[Loaded]) -> list[str]:
    errors: list[str] = []
    taken_over = {one.policy.fallback_policy for one in loaded}
    for place, one in enumerate(loaded):
        if one.policy.name in taken_over:
            continue
        when = one.policy.applies_to.when
        if when is not None and when.constant is False:
            errors.append(
                one.fault(
                    ("applies_to", "when"),
                    "applies_to.when: never holds, and no policy goes over to this one",
                )
            )
        first = next((before for before in loaded[:place] if _covers(before, one)), None)
        if first is not None and first.policy.name != one.policy.name:
            errors.append(
                one.fault(
                    ("applies_to",),
                    f"applies_to: can never be chosen: {first.policy.name!r}, before it, applies "
                    "to all of this",
                )
            )
    return errors


def _covers(first: Loaded, second: Loaded) -> bool:
    """Tell whether the first applies to everything that the second does."""
    one, other = first.policy.applies_to, second.policy.applies_to
    same = one.when is not None and other.when is not None and one.when.text == other.when.text
    if one.when is not None and not same and one.when.constant is not True:
        return False
    return all(
        not mine or (bool(theirs) and set(theirs) <= set(mine))
        for mine, theirs in ((one.types, other.types), (one.sources, other.sources))
    )
