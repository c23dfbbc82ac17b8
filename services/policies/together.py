"""Finds what is wrong between policies: namesakes, circles, and what can never be chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.policies.policy import Policy
from services.yaml_files.numbered_yaml import Numbered
from services.yaml_files.numbered_yaml import Path as Place


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy, and where each part of it stands."""

    policy: Policy
    path: Path
    numbered: Numbered

    def fault(self, place: Place, sentence: str) -> str:
        """Return a sentence with the line that it is about."""
        return f"{self.path}:{self.numbered.line(place)}: {sentence}"


def faults_between(loaded: Sequence[Loaded], *, whole: bool) -> list[str]:
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
