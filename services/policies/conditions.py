"""Conditions of policies: what a CEL expression says of one ask, within bounds of time and size.

A text is held to what ends in good time whatever is asked: it walks over lists and never builds
any, no walk stands in another, and what it walks over is bounded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cel

from services.directory import Directory
from services.policies.facts import Facts

MOST_CHARS = 2_000
MOST_NESTED = 24
MOST_VALUES = 2_000
"""How many values an ask may hold that a condition walks over: its time grows with the square."""

VARIABLES = (
    "payload",
    "type",
    "source",
    "title",
    "requester",
    "urgency",
    "subject",
    "agent_id",
    "metadata",
    "reason",
)
_TYPES = frozenset(("bool", "bytes", "double", "int", "list", "map", "string", "uint"))
_FUNCTIONS = frozenset(
    (
        "contains",
        "double",
        "duration",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "int",
        "matches",
        "size",
        "startsWith",
        "string",
        "timestamp",
        "type",
        "uint",
    )
)
_WALKS = frozenset(("all", "exists", "exists_one", "existsOne"))
_BUILDS = frozenset(("map", "filter"))
_NAME = re.compile(r"[A-Za-z]\w*")
_STRINGS_AND_COMMENTS = re.compile(
    r"""
    [bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')
    | [bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}
      |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    | //[^\n]*
    """,
    re.VERBOSE,
)
_BRACKETS_AND_MACROS = re.compile(
    r"\.\s*(?P<macro>all|exists|exists_one|existsOne|map|filter)\s*\(\s*(?P<bound>\w+)?"
    r"|(?P<opens>[(\[{])|(?P<closes>[)\]}])"
)


class ConditionFailed(Exception):
    """What is asked does not fit the condition: a field is missing, or is of another kind."""


class Scope:
    """The variables of conditions for one ask; made only when a condition looks at them."""

    def __init__(self, facts: Facts | None, directory: Directory) -> None:
        self._facts = facts
        self._directory = directory

    @cached_property
    def context(self) -> cel.Context:
        """The variables, as conditions take them."""
        return cel.Context(self._variables(self._facts) if self._facts else {})

    @cached_property
    def values(self) -> int:
        """How many values a condition could walk over, counted no further than is allowed."""
        count = 0
        waiting: list[Any] = [self._facts.payload, self._facts.metadata] if self._facts else []
        while waiting and count <= MOST_VALUES:
            value = waiting.pop()
            count += 1
            if isinstance(value, Mapping):
                waiting.extend(value.values())
            elif isinstance(value, list | tuple):
                waiting.extend(value)
        return count

    def _variables(self, facts: Facts) -> dict[str, Any]:
        about = facts.about
        member = self._directory.find(about.requester.email)
        manager = self._directory.manager_of(about.requester.email)
        return {
            "payload": facts.payload,
            "type": about.type,
            "source": about.source.name if about.source else None,
            "title": about.title,
            "requester": {
                "email": about.requester.email,
                "name": about.requester.name or (member.name if member else None),
                "roles": sorted(member.roles) if member else [],
                "groups": sorted(member.groups) if member else [],
                "manager": manager.email if manager else None,
            },
            "urgency": facts.urgency,
            "subject": about.subject,
            "agent_id": about.agent_id,
            "metadata": facts.metadata,
            "reason": facts.reason,
        }


NOTHING = Scope(None, Directory())
"""Without any variable."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, checked; `text` is as the file has it."""

    text: str
    program: cel.Program = field(repr=False, compare=False)
    variables: frozenset[str] = field(repr=False, compare=False)
    walks: bool = field(repr=False, compare=False)

    def holds(self, scope: Scope) -> bool:
        """Tell whether it holds; raises `ConditionFailed` where that cannot be told."""
        if self.walks and scope.values > MOST_VALUES:
            raise ConditionFailed(
                f"`{self.text}` walks over lists, and there are more than {MOST_VALUES} values."
            )
        try:
            found = self.program.execute(scope.context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the library is no `Exception`
            raise ConditionFailed(f"`{self.text}` cannot be told: {_why(error)}.") from error
        if not isinstance(found, bool):
            raise ConditionFailed(f"`{self.text}` is neither true nor false.")
        return found

    @property
    def constant(self) -> bool | None:
        """What it always is, if it looks at nothing of the ask."""
        if self.variables:
            return None
        return self.holds(NOTHING)


def condition(text: str) -> Condition:
    """Return the condition of a text; raises `ValueError` with a sentence for what is none."""
    if len(text) > MOST_CHARS:
        raise ValueError(f"is longer than {MOST_CHARS} characters")
    bare = _STRINGS_AND_COMMENTS.sub('""', text)
    try:
        program = cel.compile(text)
        named, called = set(program.variables()), set(program.functions())
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"is no CEL: {_fault(error)}") from None
    bound, walks = _walks(bare)
    unknown = sorted(named - set(VARIABLES) - _TYPES - bound)
    if unknown:
        raise ValueError(f"{unknown[0]} is not known here; known are {', '.join(VARIABLES)}")
    strange = sorted(name for name in called - _FUNCTIONS if _NAME.fullmatch(name))
    if strange:
        known = ", ".join(sorted(_FUNCTIONS))
        raise ValueError(f"{strange[0]}() is not known here; known are {known}")
    found = Condition(text, program, frozenset(named & set(VARIABLES)), walks)
    if not found.variables:
        try:
            found.holds(NOTHING)
        except ConditionFailed as error:
            raise ValueError(str(error)) from None
    return found


def _walks(bare: str) -> tuple[set[str], bool]:
    """Return the names that walks over lists bring in, and whether there are any.

    Raises `ValueError` for a walk within another, for what builds lists, and for deep nesting.
    """
    bound: set[str] = set()
    walking: list[bool] = []
    for found in _BRACKETS_AND_MACROS.finditer(bare):
        macro = found["macro"]
        if macro in _BUILDS:
            raise ValueError(
                f"{macro}() is not taken: it grows too slow with long lists; use exists() or all()"
            )
        if macro in _WALKS:
            if any(walking):
                raise ValueError(f"{macro}() stands within another walk over a list")
            bound.add(found["bound"] or "")
        if macro or found["opens"]:
            walking.append(bool(macro))
            if len(walking) > MOST_NESTED:
                raise ValueError(f"is nested deeper than {MOST_NESTED} brackets")
        elif walking:
            walking.pop()
    return bound, bool(bound)


def _fault(error: Exception) -> str:
    """Return the first fault that the parser names, without the text that it repeats."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", str(error))
    if found is None:
        return str(error).partition("\n")[0][:200]
    said = found[3].removeprefix("Syntax error: ").partition(" expecting ")[0]
    return f"at character {found[2]}: {said[:200]}"


def _why(error: BaseException) -> str:
    match error:
        case KeyError():
            return f"there is no {str(error.args[0])[:100]!r}"
        case TypeError():
            return "the values are of kinds that do not go together"
        case _:
            return (str(error).partition("\n")[0] or type(error).__name__)[:200].rstrip(".")
