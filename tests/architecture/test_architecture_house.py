"""The tree shows the architecture: names say what a module does, SQL has files of its own."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("events", "projections", "services")
CLIENT = ROOT / "client" / "placet"
MODULES = sorted(
    path
    for folder in (*(ROOT / package for package in PACKAGES), CLIENT)
    for path in folder.rglob("*.py")
)
VAGUE = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc", "core", "lib"}
LONGEST = 480
SQL = re.compile(
    r"\b(INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|SELECT\s.+\sFROM)\b", re.DOTALL
)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [
        named(path)
        for path in MODULES
        for part in path.relative_to(ROOT).with_suffix("").parts
        if VAGUE & set(part.split("_"))
    ]
    assert vague == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_has_one_job_and_says_it(path: Path) -> None:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    says = ast.get_docstring(tree)
    assert says, "no sentence at its head"
    assert says.split("\n\n")[0].rstrip().endswith((".", "!")), says.split("\n\n")[0]
    assert source.count("\n") <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_sql_stands_in_sql_files(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    inline = [
        f"line {node.lineno}: {node.value[:60]}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and SQL.search(node.value)
        and "pg_" not in node.value  # a question to the server itself, not to our tables
    ]
    assert inline == []


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }


def test_the_client_and_the_server_know_nothing_of_each_other() -> None:
    for path in MODULES:
        server = {*PACKAGES, "asyncpg", "aiokafka", "fastapi", "msgspec", "starlette"}
        wrong = server if path.is_relative_to(CLIENT) else {"placet"}
        assert not imports_of(path) & wrong, named(path)


def test_migrations_are_numbered_without_gaps_and_never_share_a_name() -> None:
    for folder in {path.parent for p in PACKAGES for path in (ROOT / p).rglob("migrations/*.sql")}:
        numbers = sorted(int(path.name.split("_")[0]) for path in folder.glob("*.sql"))
        assert numbers == list(range(1, len(numbers) + 1)), named(folder)
