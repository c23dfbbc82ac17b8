"""The programs in the client's documents are programs, and use what there is."""

import ast
import inspect
import re
from pathlib import Path

import placet
import pytest
from placet.blocking import Approvals

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "client/README.md", ROOT / "docs/how-to/gate-a-tool-call.md"]
PROGRAMS = [
    pytest.param(program, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, program in enumerate(
        re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.DOTALL), start=1
    )
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_documents_is_one(program: str) -> None:
    tree = ast.parse(program)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "placet":
            assert {alias.name for alias in node.names} <= set(placet.__all__)
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="approvals"), attr=verb)):
                assert callable(getattr(Approvals, verb))
            case ast.Call(func=ast.Name(id="requires_approval")):
                compile(tree, "document", "exec")
                known = set(inspect.signature(placet.requires_approval).parameters)
                known |= set(inspect.get_annotations(placet.gate.Said))
                assert {word.arg for word in node.keywords} <= known
            case _:
                pass


def test_the_readme_names_every_call_and_every_error() -> None:
    text = DOCUMENTS[0].read_text("utf-8")
    calls = {name for name in vars(Approvals) if not name.startswith("_")}
    errors = {
        name
        for name in placet.__all__
        if inspect.isclass(getattr(placet, name))
        and issubclass(getattr(placet, name), placet.PlacetError)
    }
    assert {name for name in calls if f"`{name}(" not in text} == set()
    assert {name for name in errors if f"`{name}`" not in text} == set()
