"""Files of approval types: every fault is told at the start, with its line."""

from pathlib import Path

import pytest

from services.config import Config, read_config
from services.settings import HalfConfigured

GOOD = """name: deletion
version: 3
title: Delete data
approvers: [operator]
requesters: [operator]
expires_in: 1h
on_timeout: reject
payload: {type: object, required: [table]}
card: {title: "Delete {{table}}", body: "All of {{table}}."}
"""
PEOPLE = "people: [{email: Otto@Example.com, name: Otto, roles: [operator]}]\n"


def read(folder: Path, type_file: str = GOOD, placet_yaml: str = PEOPLE) -> Config:
    (folder / "deletion.yaml").write_text(type_file)
    (folder / "placet.yaml").write_text(f"types: [deletion.yaml]\n{placet_yaml}")
    return read_config(folder / "placet.yaml", {})


def errors(folder: Path, type_file: str = GOOD, placet_yaml: str = PEOPLE) -> list[str]:
    with pytest.raises(HalfConfigured) as caught:
        read(folder, type_file, placet_yaml)
    return [one.replace(f"{folder}/", "") for one in caught.value.errors]


def test_a_type_is_read_with_whom_it_names(tmp_path: Path) -> None:
    kind = read(tmp_path).types.find("deletion")
    assert kind is not None
    assert [one.text for one in kind.approvers] == ["operator"]
    assert (kind.version, kind.on_timeout, kind.requesters) == (3, "reject", ("operator",))
    assert [fault.pointer for fault in kind.faults({})] == ["/table"]
    assert kind.faults({"table": "users"}) == []


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("version: 3", "version: three", "deletion.yaml:2: version: must be a whole number"),
        ("version: 3", "", "deletion.yaml:1: version: is missing"),
        ("approvers: [operator]", "approvers: [board]", "deletion.yaml:4: approvers: nobody has"),
        ("requesters: [operator]", "requesters: [boss]", "deletion.yaml:5: requesters: nobody has"),
        ("approvers: [operator]", "approvers: [a@b@c]", "deletion.yaml:4: approvers: "),
        ("expires_in: 1h", "expires_in: 3600", "deletion.yaml:6: expires_in: needs a unit"),
        ("expires_in: 1h", "expires_in: 9000d", "deletion.yaml:6: expires_in: must be from"),
        ("on_timeout: reject", "on_timeout: shrug", "deletion.yaml:7: on_timeout: must be"),
        ("type: object", "type: thing", "deletion.yaml:8: payload: is no JSON Schema"),
        (
            "{type: object, required: [table]}",
            '{$ref: "https://elsewhere.example/schema.json"}',
            "deletion.yaml:8: payload: is no JSON Schema (2020-12): ",
        ),
        ("{{table}}.", "{{table.", "deletion.yaml:9: card.body: "),
        ("title: Delete data", "titel: Delete data", "deletion.yaml:3: titel: is not known here"),
        (
            "version: 3",
            "version: 3\nsensitive: [salary]",
            "deletion.yaml:3: sensitive[0]: must be a JSON pointer, such as /employee/salary",
        ),
    ],
)
def test_a_fault_of_a_type_is_told_with_its_line(
    tmp_path: Path, line: str, instead: str, said: str
) -> None:
    assert line in GOOD
    assert any(one.startswith(said) for one in errors(tmp_path, GOOD.replace(line, instead)))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "placet.yaml").write_text("types: [gone.yaml]\n")
    with pytest.raises(HalfConfigured, match=r"gone\.yaml: the file cannot be read"):
        read_config(tmp_path / "placet.yaml", {})


@pytest.mark.parametrize(
    ("placet_yaml", "said"),
    [
        ("strict_types: maybe\n" + PEOPLE, "placet.yaml:2: strict_types: must be true or false"),
        ("approvers: [board]\n" + PEOPLE, "placet.yaml:2: approvers: nobody has the role 'board'"),
        ("people: {}\n", "placet.yaml:2: people: must be a list"),
        ("people: [ann]\n", "placet.yaml:2: people: each must be a mapping"),
        ("people: [{email: ann}]\n", "placet.yaml:2: people: email: "),
        ("people: [{email: a@x.com, roles: board}]\n", "placet.yaml:2: people: roles must be"),
        ("people: [{email: a@x.com, role: b}]\n", "placet.yaml:2: people: role is not known"),
        ("people: [{email: a@x.com}, {email: A@x.com}]\n", "placet.yaml:2: people: a@x.com stands"),
    ],
)
def test_a_fault_of_people_is_told_with_its_line(
    tmp_path: Path, placet_yaml: str, said: str
) -> None:
    assert any(one.startswith(said) for one in errors(tmp_path, GOOD, placet_yaml))


def test_two_types_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "second.yaml").write_text(GOOD)
    (tmp_path / "deletion.yaml").write_text(GOOD)
    (tmp_path / "placet.yaml").write_text(f"types: [deletion.yaml, second.yaml]\n{PEOPLE}")
    with pytest.raises(HalfConfigured, match="there are two named 'deletion'"):
        read_config(tmp_path / "placet.yaml", {})


FIELDS = """
payload:
  type: object
  properties:
    table: {type: string}
    rows: {type: array, items: {type: object, properties: {iban: {type: string}}}}
    owner: {$ref: "#/$defs/person"}
  $defs: {person: {type: object}}
sensitive: [%s]
"""


@pytest.mark.parametrize("pointer", ["/table", "/rows/*/iban", "/rows/0", "/owner/mail", '""'])
def test_a_type_says_what_of_a_payload_is_sensitive(tmp_path: Path, pointer: str) -> None:
    given = GOOD.replace("payload: {type: object, required: [table]}", FIELDS % pointer)
    kind = read(tmp_path, given).types.find("deletion")
    assert kind is not None
    assert kind.sensitive == (pointer.strip('"'),)


@pytest.mark.parametrize("pointer", ["/tabel", "/rows/*/ibna"])
def test_a_sensitive_field_that_the_schema_does_not_know_would_be_shown(
    tmp_path: Path, pointer: str
) -> None:
    given = GOOD.replace("payload: {type: object, required: [table]}", FIELDS % pointer)
    (said,) = errors(tmp_path, given)
    assert said.endswith(f"sensitive[0]: {pointer}: `payload` names no such field")
