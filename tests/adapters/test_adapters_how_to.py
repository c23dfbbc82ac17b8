"""The how-to shows code that is true: it compiles, and what it imports and names exists."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "gate-a-tool-call.md"
SECTION = HOW_TO.read_text("utf-8").partition("## In your framework")[2]
PROGRAMS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)


def test_each_framework_has_a_program() -> None:
    assert len(PROGRAMS) == 4


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_the_how_to_imports_exists_and_takes_what_it_is_given(program: str) -> None:
    tree = ast.parse(program)
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            known |= {one.name: getattr(module, one.name) for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = known.get(node.func.id)
            if getattr(called, "__module__", "").startswith("placet."):
                given = {one.arg: None for one in node.keywords if one.arg}
                inspect.signature(called).bind(*node.args, **given)
