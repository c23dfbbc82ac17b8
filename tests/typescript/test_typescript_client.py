"""The TypeScript client: its own tests by Node against the real server, and its types."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "client" / "typescript"
TESTS = sorted((CLIENT / "test").glob("*.test.js"))
TYPESCRIPT = "5.9.3"
OLDEST_NODE = 18
WITHIN_S = 180
INSTALLED_WITHIN_S = 120


@pytest.fixture(scope="module")
async def node() -> str:
    """Node, or a skip that says which is missing."""
    found = shutil.which("node")
    if found is None:
        pytest.skip(f"needs Node {OLDEST_NODE} or newer: there is no `node` on the PATH")
    _, version = await ended(found, "--version", within=30)
    major = re.match(r"v(\d+)", version)
    assert major, version
    if int(major[1]) < OLDEST_NODE:
        pytest.skip(f"needs Node {OLDEST_NODE} or newer; `node` is {version.strip()}")
    return found


@pytest.fixture(scope="module")
async def type_checker(node: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pinned TypeScript in a folder of its own, or a skip that says what is missing."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"needs TypeScript {TYPESCRIPT}: there is no `npm` on the PATH to install it")
    folder = tmp_path_factory.mktemp("typescript")
    install = ("install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund")
    code, said = await ended(
        npm, *install, f"typescript@{TYPESCRIPT}", cwd=folder, within=INSTALLED_WITHIN_S
    )
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    if code or not compiler.exists():
        pytest.skip(f"needs TypeScript {TYPESCRIPT}: npm could not install it\n{said[-2000:]}")
    return str(compiler)


@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.name)
async def test_the_client_does_what_its_tests_say(
    node: str, told: Mapping[str, str], test: Path
) -> None:
    code, said = await ended(node, "--test", str(test), environ=told, within=WITHIN_S)
    assert code == 0, said
    assert re.search(r"pass [1-9]", said), said
    assert not re.search(r"skipped [1-9]", said), said


async def test_the_types_are_those_of_the_code_and_of_the_seeds(
    node: str, type_checker: str
) -> None:
    code, said = await ended(
        node, type_checker, "--project", str(CLIENT), "--pretty", "false", within=WITHIN_S
    )
    assert code == 0, said


def test_every_file_of_tests_is_run() -> None:
    assert {path.name for path in TESTS} >= {
        "approvals.test.js",
        "calls.test.js",
        "digest.test.js",
        "gate.test.js",
        "questions.test.js",
        "waits.test.js",
        "webhooks.test.js",
    }


def test_the_package_needs_nothing_and_names_what_is_there() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))
    assert package["name"] == "placet-client"
    assert not [name for name in package if name.lower().endswith("dependencies")]
    entry = package["exports"]["."]
    for path in (entry["types"], entry["default"], package["types"], *package["files"]):
        assert (CLIENT / path).exists(), path
    assert not [path.name for path in CLIENT.rglob("*lock*")]


def test_what_runs_in_browsers_imports_nothing_of_node() -> None:
    for path in (CLIENT / "placet.js", *(CLIENT / "src").glob("*.js")):
        code = re.sub(r"/\*\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        imported = re.findall(r"from '([^']+)'", code)
        assert [one for one in imported if not one.startswith("./")] == [], path.name


async def ended(
    *command: str,
    within: float,
    cwd: Path = CLIENT,
    environ: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """How a program ended and all that it said; the loop goes on serving meanwhile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**kept, **(environ or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), within)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
        return 1, f"not within {within:g} s\n{said.decode(errors='replace')}"
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")
