"""The core is pure: what it may import is listed here, and nothing else gets in."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = (
    "approval.nouns",
    "approval.policy",
    "approval.facts",
    "approval",
    "voting",
    "course",
    "commands",
    "state",
    "decider.refusal",
    "decider.telling",
    "decider.asking",
    "decider.observing",
    "decider.answering",
    "decider.asking_back",
    "decider.lapsing",
    "decider.routing",
    "decider",
    "envelope",
)
PURE = {
    "__future__",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "itertools",
    "types",
    "typing",
}
ONLY_PENDING = {"decider.asking_back", "decider.routing"}
"""Rules of what is pending and of nothing else: one function refuses the rest, by state."""
CLOCKS = {"now", "utcnow", "today"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def impurities(source: str) -> list[str]:
    """What a module of the core must not hold: I/O, clocks, random ids, logging."""
    tree = ast.parse(source)
    found = [
        f"imports {name}"
        for name in imported(tree)
        if name.split(".")[0] not in PURE and name not in {f"events.{one}" for one in CORE}
    ]
    found += [
        f"calls .{node.func.attr}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
    ]
    found += [
        f"calls {node.func.id}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"open", "print", "input", "exec", "eval", "__import__"}
    ]
    return found


def file_of(module: str) -> Path:
    path = ROOT.joinpath("events", *module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize("module", CORE)
def test_the_core_has_no_effects(module: str) -> None:
    assert impurities(file_of(module).read_text("utf-8")) == []


def test_every_rule_stands_in_the_core_that_is_checked() -> None:
    found = {path.stem for path in (ROOT / "events" / "decider").glob("*.py")} - {"__init__"}
    assert found == {one.partition(".")[2] for one in CORE if one.startswith("decider.")}


@pytest.mark.parametrize(
    "line",
    [
        "import asyncio",
        "import random",
        "from logging import getLogger",
        "from events.store import EventStore",
        "from datetime import datetime; datetime.now()",
        "print(1)",
    ],
)
def test_an_effect_in_the_core_would_be_seen(line: str) -> None:
    assert impurities(line) != []


@pytest.mark.parametrize("module", [one for one in CORE if one.startswith(("state", "decider"))])
def test_every_match_of_the_core_is_exhaustive(module: str) -> None:
    tree = ast.parse(file_of(module).read_text("utf-8"))
    matches = [node for node in ast.walk(tree) if isinstance(node, ast.Match)]
    assert matches or module in ONLY_PENDING
    for match in matches:
        last = match.cases[-1]
        assert "assert_never" in ast.unparse(last), f"{module}.py line {match.lineno}"
