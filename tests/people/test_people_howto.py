"""The commands and the files of the how-to, run as they stand there."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from services.config import read_config
from tests.cli.command_line import placet
from tests.people.people_kit import House

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-people.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_file_of_the_page_is_read(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    file = tmp_path / "placet.yaml"
    file.write_text(block, "utf-8")
    ada = read_config(file, {}).directory.find("ada@example.com")
    assert ada is not None
    assert (ada.manager, ada.groups) == ("grace@example.com", {"finance"})


async def test_the_commands_of_the_page_do_what_it_says(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await house.served.parts.keys.create(
        house.workspace, principal="hr@example.com", name="", scopes=["admin"], expires_at=None
    )
    (table,) = blocks("csv")
    (tmp_path / "people.csv").write_text(table, "utf-8")
    monkeypatch.chdir(tmp_path)
    settings = {"PLACET_URL": house.served.url, "PLACET_KEY": made.text}
    outputs: dict[str, str] = {}
    # The page's own summer is over one day.
    next_year = str(datetime.now().astimezone().year + 1)
    for line in "".join(blocks("sh")).splitlines():
        if not line.startswith("placet ") or line.startswith("placet key"):
            continue
        words = shlex.split(line.replace("2030", next_year))
        said = await placet(*words[1:], **settings)
        assert said.code == 0, (line, said.err)
        outputs[line] = said.out
    assert len(outputs) == 8
    assert "2 would be new" in outputs["placet people import people.csv --dry-run"]
    assert "finance, legal" in outputs["placet people show ada@example.com"]
    assert "1 listed" in outputs["placet delegations --person ada@example.com"]


async def test_the_call_of_the_page_is_answered(house: House) -> None:
    made = await house.served.parts.keys.create(
        house.workspace, principal="hr@example.com", name="", scopes=["admin"], expires_at=None
    )
    (block,) = [one for one in blocks("sh") if one.startswith("curl")]
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    done = await asyncio.to_thread(
        subprocess.run,
        ["/bin/sh", "-c", block],
        env={"PLACET_URL": house.served.url, "PLACET_KEY": made.text, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert '"email":"ada@example.com","known":false' in done.stdout, done.stderr
