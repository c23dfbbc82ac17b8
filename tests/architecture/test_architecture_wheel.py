"""What is installed from the wheel is whole: it runs away from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARRIED = {".sql", ".json", ".jinja", ".html", ".css", ".js", ".txt", ".svg", ".ico"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr[-2000:]
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_packages_and_no_other_package(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("events", "projections", "services")
        for path in (ROOT / package).rglob("*")
        if path.suffix in CARRIED | {".py"}
    }
    assert wanted <= held, sorted(wanted - held)[:10]
    tops = {name.split("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "events",
        "projections",
        "services",
    }


def test_the_client_is_a_wheel_of_its_own_that_runs_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path]
    built = subprocess.run(
        [*command, ROOT / "client"], capture_output=True, text=True, timeout=120, check=False
    )
    assert built.returncode == 0, built.stderr[-2000:]
    (path,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(path).namelist() if ".dist-info/" not in name}
    there = {
        str(one.relative_to(ROOT / "client"))
        for one in (ROOT / "client" / "placet").rglob("*")
        if one.suffix == ".py" or one.name == "py.typed"
    }
    assert held == there
    zipfile.ZipFile(path).extractall(tmp_path / "alone")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path / "alone")!r})
import placet
assert placet.__file__.startswith({str(tmp_path)!r}), placet.__file__
foreign = {{"events", "projections", "services", "msgspec", "fastapi", "agents"}} & set(sys.modules)
assert not foreign, foreign
print(placet.Placet(key="k" * 20))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "k" * 20 not in run.stdout


def test_the_wheel_is_private_and_says_its_licence(wheel: Path) -> None:
    """Its packages have names of everyday: it must never reach a public index by mistake."""
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    text = archive.read(metadata).decode()
    assert "Classifier: Private :: Do Not Upload" in text
    assert "License-Expression: Apache-2.0" in text


def test_the_command_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    archive.extractall(tmp_path)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import events, projections, services
from events.store.migrate import migrations
from services.cli import main
for package in (events, projections, services):
    assert package.__file__.startswith({str(tmp_path)!r}), package.__file__
sys.argv = ["placet", "--help"]
main()
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "one approval queue for people" in run.stdout
