"""A `placet.yaml` and its sources are read at once, and every error is told with its line."""

from pathlib import Path

import pytest

from services.config import CHANNELS, Config, read_config
from services.settings import HalfConfigured
from tests.demo.acme_process import DEMO

SECRET = "whsec_" + "c2VjcmV0" * 6


def written(folder: Path, text: str) -> Path:
    """A configuration file."""
    file = folder / "placet.yaml"
    file.write_text(text, "utf-8")
    return file


def source(folder: Path, name: str = "expenses", **replaced: str) -> Path:
    """A source file: the demo's under another name, with parts of it replaced."""
    text = (DEMO / "acme-expenses.yaml").read_text("utf-8")
    for old, new in {"name: acme-expenses": f"name: {name}", **replaced}.items():
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / f"{name}.yaml"
    file.write_text(text, "utf-8")
    return file


def errors(file: Path, **environ: str) -> list[str]:
    """What is said of a file, without the path before the line."""
    with pytest.raises(HalfConfigured) as refused:
        read_config(file, environ)
    return [line.removeprefix(f"{file.parent}/") for line in refused.value.errors]


def test_without_a_file_nothing_is_mirrored_and_every_channel_is_used() -> None:
    assert read_config(None, {}) == Config(sources=(), channels=CHANNELS)


def test_an_empty_file_means_the_same(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "# nothing\n"), {}) == Config()


def test_sources_stand_beside_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    source(folder)
    monkeypatch.chdir(tmp_path)
    text = "workspace: finance\nsources: [expenses.yaml]\nchannels: [inbox]\n"
    config = read_config(written(folder, text), {})
    assert [(one.workspace, one.name) for one in config.sources] == [("finance", "expenses")]
    assert config.channels == ("inbox",)


def test_every_error_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    source(tmp_path, **{"record_id: id": "record_idd: id"})
    text = (
        "workspace: 7\nsourcs: []\nsources:\n  - expenses.yaml\n  - none.yaml\n"
        "channels:\n  - inbox\n  - pigeon\n"
    )
    found = errors(written(tmp_path, text))
    assert "placet.yaml:1: workspace: must be a text" in found
    assert (
        "placet.yaml:2: sourcs is not known here; known are workspace, sources, channels, people, "
        "types, strict_types, policies, approvers, undo, notify" in found
    )
    assert (
        "placet.yaml:8: channels: 'pigeon' is none of inbox, outbox, and no .yaml file of another "
        "channel" in found
    )
    assert any(line.startswith("none.yaml: the file cannot be read") for line in found)
    lines = (tmp_path / "expenses.yaml").read_text("utf-8").splitlines()
    mapped = next(number for number, line in enumerate(lines, 1) if "record_idd" in line)
    assert any(line.startswith(f"expenses.yaml:{mapped}: map.record_idd") for line in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources: [a", "placet.yaml:1: this is not YAML"),
        ("\n- inbox\n", "placet.yaml:2: the file must be a mapping"),
        ("\nsources: expenses.yaml\n", "placet.yaml:2: sources: must be a list of texts"),
        ("channels: [inbox]\nsources: [7]\n", "placet.yaml:2: sources: must be a list of texts"),
        ("channels:\n", "placet.yaml:1: channels: must be a list of texts"),
    ],
)
def test_a_file_that_is_something_else_is_told(tmp_path: Path, text: str, told: str) -> None:
    [found] = errors(written(tmp_path, text))
    assert found.startswith(told)


def test_two_sources_of_one_name_are_told_at_the_second(tmp_path: Path) -> None:
    source(tmp_path)
    source(tmp_path, "again", **{"name: again": "name: expenses"})
    text = "sources:\n  - expenses.yaml\n  - again.yaml\n"
    assert errors(written(tmp_path, text)) == [
        "placet.yaml:3: sources: there are two named 'expenses'"
    ]


def test_a_secret_is_taken_from_the_environment_only(tmp_path: Path) -> None:
    by_name = "{env: ACME_EXPENSES_TOKEN}"
    source(tmp_path)
    file = written(tmp_path, "sources: [expenses.yaml]\n")
    config = read_config(
        file, {"ACME_EXPENSES_TOKEN": "t0ken", "ACME_EXPENSES_WEBHOOK_SECRET": SECRET}
    )
    assert "t0ken" not in repr(config)
    assert SECRET not in repr(config)
    source(tmp_path, **{by_name: "t0ken"})
    found = errors(file)
    assert len(found) == 1
    assert "http.auth.token" in found[0]
    assert "env" in found[0]
    assert "t0ken" not in found[0]


def test_a_secret_that_is_not_set_is_told_by_its_name(tmp_path: Path) -> None:
    source(tmp_path, **{"{env: ACME_EXPENSES_TOKEN}, optional: true": "{env: ACME_EXPENSES_TOKEN}"})
    [found] = errors(written(tmp_path, "sources: [expenses.yaml]\n"))
    assert found.startswith("expenses.yaml:")
    assert "ACME_EXPENSES_TOKEN" in found
