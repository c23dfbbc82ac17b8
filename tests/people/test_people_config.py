"""The people of `placet.yaml`: all that may stand there, and each fault with its line."""

from pathlib import Path

import pytest

from services.config import read_config
from services.directory import Member
from services.settings import HalfConfigured

PEOPLE = """
people:
  - email: Ann@Example.com
    name: Ann
    roles: [board]
    groups: [Finance, Cost centre 7]
    manager: Ben@example.com
    time_zone: Europe/Berlin
    channels: {slack: U012AB3CD, pager: "4711"}
  - email: ben@example.com
    manager: boss@elsewhere.example
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "placet.yaml"
    file.write_text(text, "utf-8")
    return file


def errors(folder: Path, text: str) -> list[str]:
    file = written(folder, text)
    with pytest.raises(HalfConfigured) as refused:
        read_config(file, {})
    return [line.removeprefix(f"{file}:") for line in refused.value.errors]


def test_a_person_has_all_that_routing_needs(tmp_path: Path) -> None:
    directory = read_config(written(tmp_path, PEOPLE), {}).directory
    assert directory.find("ann@example.com") == Member(
        email="ann@example.com",
        name="Ann",
        roles=frozenset({"board"}),
        groups=frozenset({"finance", "cost centre 7"}),
        manager="ben@example.com",
        time_zone="Europe/Berlin",
        channels={"slack": "U012AB3CD", "pager": "4711"},
    )
    above = directory.manager_of("ben@example.com")
    assert above is not None
    assert above.email == "boss@elsewhere.example"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("groups: finance", "groups must be a list of names"),
        ("groups: [7]", "groups must be a list of names"),
        ("groups: ['']", "groups must be a list of names"),
        ("manager: the boss", "manager: 'the boss' is not an e-mail address"),
        ("manager: 7", "manager: '7' is not an e-mail address"),
        ("time_zone: Mars/Olympus", "time_zone: 'Mars/Olympus' is no time zone"),
        ("time_zone: ../../etc/passwd", "time_zone: '../../etc/passwd' is no time zone"),
        ("time_zone: [a]", "time_zone: ['a'] is no time zone"),
        ("channels: slack", "channels must be a mapping"),
        ("channels: {Slack!: U1}", "channels must be a mapping"),
        ("channels: {slack: 7}", "channels must be a mapping"),
        ("name: [a]", "name must be a text"),
        ("roles: [BOARD]", "roles must be a list of names of a-z"),
        ("team: x", "team is not known here"),
    ],
)
def test_each_fault_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    (error,) = errors(tmp_path, f"people:\n  - email: ann@example.com\n    {line}\n")
    assert error.startswith(f"3: people: {said}")


def test_people_who_manage_one_another_are_refused_at_start(tmp_path: Path) -> None:
    text = """people:
  - email: ann@x.com
    manager: ben@x.com
  - email: ben@x.com
    manager: cara@x.com
  - {email: cara@x.com, manager: ben@x.com}
  - {email: dan@x.com, manager: dan@x.com}
"""
    assert errors(tmp_path, text) == [
        "5: people: manager: these manage one another: ben@x.com → cara@x.com → ben@x.com",
        "7: people: manager: these manage one another: dan@x.com → dan@x.com",
    ]


def test_every_fault_of_everybody_is_told_at_once(tmp_path: Path) -> None:
    text = "people:\n  - {email: ann}\n  - {email: b@x.com, groups: 1}\n  - ann\n"
    assert [one.split(":")[0] for one in errors(tmp_path, text)] == ["2", "3", "4"]
