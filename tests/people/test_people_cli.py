"""The commands about people: what people and scripts read, and how they end."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from services.cli import people as commands
from tests.cli.command_line import Said, placet
from tests.people.people_kit import ANN, BEN, CARA, House

Command = Callable[..., Awaitable[Said]]


@pytest.fixture
async def command(house: House) -> Command:
    """A command of somebody who may do everything in a workspace of their own."""
    made = await house.served.parts.keys.create(
        house.workspace, principal=ANN, name="cli", scopes=["admin"], expires_at=None
    )
    return partial(placet, PLACET_URL=house.served.url, PLACET_KEY=made.text)


async def test_a_file_is_taken_in_and_people_are_listed_and_shown(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"email,name,groups,slack\n{ANN},Ann [b],finance,U1\n{BEN},Ben,,\n", "utf-8")
    tried = await command("people", "import", str(file), "--dry-run")
    assert tried.out.strip() == ("2 would be new, 0 would be changed, 0 as they were, 0 refused.")
    done = await command("people", "import", str(file))
    assert (done.code, done.out.strip()) == (0, "2 new, 0 changed, 0 as they were, 0 refused.")
    listed = await command("people", "list", "--q", "ann")
    [row] = [line for line in listed.out.splitlines() if ANN in line]
    assert "Ann [b]" in row
    assert "finance" in row
    assert BEN not in listed.out
    assert [one["email"] for one in (await command("people", "list", "--json")).json["data"]] == [
        ANN,
        BEN,
    ]
    assert "slack: U1" in (await command("people", "show", ANN)).out
    assert (await command("people", "show", ANN, "--json")).json["groups"] == ["finance"]
    assert (await command("people", "show", CARA)).code == 4


async def test_refused_lines_are_told_with_their_numbers_and_end_with_one(
    command: Command,
) -> None:
    said = await command("people", "import", "-", given=f"email\n{ANN}\nnobody\n")
    assert said.code == 1
    assert "1 new" in said.out
    assert "line 3: email: 'nobody'" in said.err
    script = await command("people", "import", "-", "--json", given=f"email\n{ANN}\nnobody\n")
    assert (script.code, script.json["refused"], script.json["unchanged"]) == (1, 1, 1)
    assert script.json["data"][0]["line"] == 3
    assert (await command("people", "import", "-", given="name\nAnn\n")).code == 2
    assert (await command("people", "import", "/nowhere.csv")).code == 2


async def test_a_long_file_goes_in_parts_and_keeps_its_line_numbers(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TOGETHER", 3)
    lines = [f'p{n}@x.com,"P\n{n}"' if n == 100 else f"p{n}@x.com,P{n}" for n in range(8)]
    lines[4] = "nobody,x"
    text = "email,name\n" + "\n".join(lines) + "\n"
    said = await command("people", "import", "-", "--json", given=text)
    assert (said.json["created"], said.json["refused"]) == (7, 1)
    assert said.json["data"][0]["line"] == 6


def test_parts_hold_whole_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "TOGETHER", 2)
    text = 'email,name\na,"A\nA"\nb,B\nc,C\n'
    parts = list(commands._parts(text))
    assert [(one.text, one.skipped, one.lines) for one in parts] == [
        ('email,name\na,"A\nA"\nb,B\n', 0, 3),
        ("email,name\nc,C\n", 3, 1),
    ]
    assert [one.text for one in commands._parts("email\n")] == ["email\n"]
    assert "".join(one.text for one in commands._parts('email\n"a\nb\n')) == 'email\n"a\nb\n'


async def test_one_hands_over_for_whole_days_looks_and_ends_it(command: Command) -> None:
    today = datetime.now().astimezone().date()
    last = today + timedelta(days=2)
    said = await command(
        *("delegate", "--to", BEN, "--from", str(today), "--until", str(last)),
        *("--reason", "On holiday", "--json"),
    )
    assert said.code == 0, said.err
    made = said.json
    assert (made["person"], made["to"], made["reason"]) == (ANN, BEN, "On holiday")
    ends = datetime.fromisoformat(made["ends"]).astimezone()
    assert (ends.date(), ends.hour) == (last + timedelta(days=1), 0)
    listed = await command("delegations")
    assert made["id"] in listed.out
    assert "On holiday" in listed.out
    assert (await command("delegations", "--to", CARA, "--json")).json["data"] == []
    ended = await command("delegations", "end", made["id"])
    assert (ended.code, made["id"] in ended.out) == (0, True)
    assert (await command("delegations", "--json")).json["data"] == []
    assert (await command("delegations", "end", "dlg_0")).code == 4


async def test_for_another_person_and_to_the_minute(command: Command) -> None:
    year = datetime.now().astimezone().year + 1
    said = await command(
        *("delegate", "--to", CARA, "--person", BEN),
        *("--from", f"{year}-01-01T08:00:00Z", "--until", f"{year}-12-31T17:30:00+01:00", "--json"),
    )
    assert said.code == 0, said.err
    assert (said.json["begins"], said.json["ends"]) == (
        f"{year}-01-01T08:00:00Z",
        f"{year}-12-31T16:30:00Z",
    )


@pytest.mark.parametrize(
    ("begins", "until", "code", "said"),
    [
        ("today", "2026-12-31", 2, "--from: 'today' is neither"),
        ("2026-12-01", "2026-13-01", 2, "--until: '2026-13-01' is neither"),
        ("2026-12-01T08:00", "2026-12-31", 2, "say the time zone"),
        ("2026-12-31", "2026-12-01", 2, "before it begins"),
    ],
)
async def test_wrong_times_are_told(
    command: Command, begins: str, until: str, code: int, said: str
) -> None:
    ended = await command("delegate", "--to", BEN, "--from", begins, "--until", until)
    assert (ended.code, said in ended.err) == (code, True), ended.err


async def test_a_circle_is_refused_with_five(command: Command) -> None:
    today = datetime.now().astimezone().date()
    days = ("--from", str(today), "--until", str(today + timedelta(days=9)))
    assert (await command("delegate", "--to", BEN, *days)).code == 0
    again = await command("delegate", "--to", ANN, "--person", BEN, *days)
    assert again.code == 5
    assert "comes back to ben@example.com" in again.err
