"""`placet source test`: a file is proved against the live system before it is used."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.embedded.ports import free_port
from tests.cli.command_line import placet
from tests.demo.acme_process import DEMO, Acme

FILE = DEMO / "acme-expenses.yaml"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    with Acme(tmp_path_factory.mktemp("acme") / "acme.sqlite3", "--empty") as running:
        running.create()
        yield running


async def test_a_good_file_shows_what_it_maps_and_changes_nothing(acme: Acme) -> None:
    before = acme.everything()
    said = await placet("source", "test", str(FILE), ACME_EXPENSES_URL=acme.url)
    assert said.code == 0
    assert "1 record" in said.out
    assert "This file can be used." in said.out
    assert acme.everything() == before
    report = (await placet("source", "test", str(FILE), "--json", ACME_EXPENSES_URL=acme.url)).json
    assert report["passed"] is True
    assert report["records"][0]["record_id"] == before[0]["id"]


async def test_a_saved_listing_is_mapped_without_asking_anybody(acme: Acme, tmp_path: Path) -> None:
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps({"records": acme.everything()}))
    nobody = f"http://127.0.0.1:{free_port()}"
    arguments = ("source", "test", str(FILE), "--sample")
    said = await placet(*arguments, str(sample), ACME_EXPENSES_URL=nobody)
    assert said.code == 0, said.out
    sample.write_text("{")
    broken = await placet(*arguments, str(sample), ACME_EXPENSES_URL=nobody)
    assert broken.code == 2
    assert f"{sample} cannot be read as JSON" in broken.err


async def test_a_system_that_is_not_there_fails_the_trial() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    said = await placet("source", "test", str(FILE), ACME_EXPENSES_URL=nobody)
    assert said.code == 1
    assert "was not reached" in said.out
    assert f"{FILE}:" in said.out


async def test_a_wrong_file_is_told_line_by_line_without_its_secrets(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = FILE.read_text("utf-8").replace("record_id: id", "record_idd: id")
    file.write_text(text.replace("{env: ACME_EXPENSES_TOKEN}", "s3cret"))
    said = await placet("source", "test", str(file))
    assert said.code == 2
    lines = text.splitlines()
    mapped = next(number for number, line in enumerate(lines, 1) if "record_idd" in line)
    assert f"{file}:{mapped}: map.record_idd" in said.err
    assert f"{file} cannot be used until this is put right." in said.err
    assert "http.auth.token" in said.err
    assert "s3cret" not in said.out + said.err
