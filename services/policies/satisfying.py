"""Finds what could never be satisfied in one policy: roles, quorums, rungs, fallbacks."""

from collections.abc import Sequence

from services.directory import Directory
from services.policies.approvers import Spec
from services.policies.definition import PolicyFile, StepFile
from services.yaml_files.durations import words
from services.yaml_files.numbered_yaml import Path as Place


def faults_of(file: PolicyFile, people: Directory) -> list[tuple[Place, str]]:
    """Return what is wrong with a policy that can be read, and where; `people` are the file's."""
    return _Faults(file, people).found()


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
        day_s = self._file.day_s
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
