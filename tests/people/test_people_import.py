"""People by CSV: what a line says, which lines are refused and why, and what of the rest."""

import httpx2
import pytest

from services.channel_files import KINDS
from services.people.csv_lines import NotCsv, read_lines
from tests.people.people_kit import ANN, BEN, CARA, House, imported, person
from tests.people.test_people_scim_users import created

WHOLE = f"""email,name,groups,roles,manager,time_zone,active,slack,channels.pager
Ann@Example.com,"Ann, the first",Finance; Cost centre 7,board,{BEN},Europe/Berlin,true,U1,4711
{BEN},Ben,,,,,,,
"""


async def test_every_column_reaches_the_directory(manager: httpx2.AsyncClient) -> None:
    done = await imported(manager, WHOLE)
    assert done == {
        "created": 2,
        "changed": 0,
        "unchanged": 0,
        "refused": 0,
        "dry_run": False,
        "data": [],
    }
    assert await person(manager, ANN) == {
        "email": ANN,
        "known": True,
        "name": "Ann, the first",
        "active": True,
        "manager": BEN,
        "groups": ["cost centre 7", "finance"],
        "roles": ["board"],
        "time_zone": "Europe/Berlin",
        "channels": {"slack": "U1", "pager": "4711"},
    }
    ben = await person(manager, BEN)
    assert (ben["name"], ben["groups"], ben["manager"], ben["channels"]) == ("Ben", [], None, {})


def test_every_kind_of_channel_has_a_column() -> None:
    kinds = sorted(KINDS)
    columns = [f"channels.{kind}" if kind == "email" else kind for kind in kinds]
    (line,), problems = read_lines(f"email,{','.join(columns)}\n{ANN},{','.join(kinds)}\n".encode())
    assert (problems, line.email) == ([], ANN)
    assert line.channels == {kind: kind for kind in kinds}


async def test_the_same_file_again_changes_nothing(manager: httpx2.AsyncClient) -> None:
    await imported(manager, WHOLE)
    again = await imported(manager, WHOLE)
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, 2)


async def test_a_dry_run_tells_all_and_writes_nothing(manager: httpx2.AsyncClient) -> None:
    await imported(manager, f"email,name\n{ANN},Ann\n")
    text = f"email,name\n{ANN},Anna\n{BEN},Ben\nnobody,x\n"
    done = await imported(manager, text, dry_run="true")
    assert (done["created"], done["changed"], done["refused"]) == (1, 1, 1)
    assert done["dry_run"]
    assert (await person(manager, ANN))["name"] == "Ann"
    assert not (await person(manager, BEN))["known"]


async def test_a_column_that_is_not_there_changes_nothing_and_an_empty_cell_does(
    manager: httpx2.AsyncClient,
) -> None:
    await imported(manager, WHOLE)
    await imported(manager, f"email,name\n{ANN},Anna\n")
    ann = await person(manager, ANN)
    assert (ann["name"], ann["manager"], ann["groups"]) == (
        "Anna",
        BEN,
        ["cost centre 7", "finance"],
    )
    done = await imported(manager, f"email,manager,groups,slack,active\n{ANN},,Legal,,\n")
    assert done["changed"] == 1
    ann = await person(manager, ANN)
    assert (ann["name"], ann["manager"], ann["groups"]) == ("Anna", None, ["legal"])
    assert (ann["channels"], ann["active"]) == ({"pager": "4711"}, True)


async def test_a_bad_line_is_told_with_its_number_and_stops_no_other(
    manager: httpx2.AsyncClient,
) -> None:
    text = (
        "email,name,time_zone,active,manager\n"
        "nobody,,,,\n"
        f'{ANN},"Ann\nof two lines",,,\n'
        f"{BEN},Ben,,,\n"
        f"{BEN},Ben again,,,\n"
        "\n"
        f"{CARA},Cara,Mars,,\n"
        "d@example.com,Dan,,perhaps,\n"
        "e@example.com,Eve,,,the boss\n"
        "f@example.com\n"
        "g@example.com,Gus,,,,,,\n"
        f"h@example.com,{'x' * 201},,,\n"
        "i@example.com,Ida,,no,\n"
    )
    done = await imported(manager, text)
    assert [(one["line"], one["problem"].split(":")[0]) for one in done["data"]] == [
        (2, "email"),
        (3, "name"),
        (6, "email"),
        (8, "time_zone"),
        (9, "active"),
        (10, "manager"),
        (11, "has 1 cells only, and there are 5 columns"),
        (12, "has 8 cells, and there are 5 columns"),
        (13, "name"),
    ]
    assert (done["created"], done["refused"]) == (2, 9)
    assert not (await person(manager, "i@example.com"))["active"]


async def test_managers_in_a_circle_are_refused_with_what_is_there_already(
    manager: httpx2.AsyncClient,
) -> None:
    await imported(manager, f"email,manager\n{ANN},{BEN}\n{BEN},{CARA}\n")
    done = await imported(manager, f"email,name,manager\n{CARA},Cara,{ANN}\n{BEN},Ben,{CARA}\n")
    assert [one["line"] for one in done["data"]] == [2, 3]
    assert all(BEN in one["problem"] and "→" in one["problem"] for one in done["data"])
    assert not (await person(manager, CARA))["known"]
    alone = await imported(manager, f"email,manager\n{CARA},{CARA}\n")
    assert "manage one another" in alone["data"][0]["problem"]
    # A file may as well take a circle apart.
    done = await imported(manager, f"email,manager\n{CARA},{ANN}\n{BEN},\n")
    assert (done["created"], done["changed"], done["refused"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "must name the columns"),
        (b"name\nAnn\n", "email among them"),
        (b"email,mangaer\n", "'mangaer' is not known"),
        (b"email,channels.\n", "'channels.' is not known"),
        (b"email,email\n", "there twice"),
        (b"email,discord,channels.discord\n", "are the same"),
        (b"email\n\xff\xfe\n", "not UTF-8"),
        (b'email,"na\n', "not CSV"),
        (b"email\n" + b"a@x.com\n" * 100_001, "over 100000 lines"),
    ],
)
async def test_a_file_that_is_none_is_refused_whole(
    manager: httpx2.AsyncClient, body: bytes, said: str
) -> None:
    answer = await manager.post(
        "/v1/people/import", content=body, headers={"Content-Type": "text/csv"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "not_csv")
    assert said in answer.json()["detail"]


async def test_a_file_that_is_too_large_or_no_csv_is_refused(manager: httpx2.AsyncClient) -> None:
    large = await manager.post(
        "/v1/people/import",
        content=b"email\n" + b"x" * (5 * 1024 * 1024),
        headers={"Content-Type": "text/csv"},
    )
    assert large.status_code == 413
    assert (await manager.post("/v1/people/import", json={})).status_code == 415


def test_what_a_spreadsheet_writes_is_read() -> None:
    lines, problems = read_lines("\ufeffEmail;Name\r\nann@x.com;Ann\r\n".encode())
    assert [(one.email, one.name) for one in lines] == [("ann@x.com", "Ann")]
    assert problems == []


def test_after_a_quotation_mark_that_does_not_end_nothing_more_is_read() -> None:
    lines, problems = read_lines(b'email,name\na@x.com,A\nb@x.com,"B\nc@x.com,C\n')
    assert [one.email for one in lines] == ["a@x.com"]
    assert [one.line for one in problems] == [3]
    assert "nothing after it was read" in problems[0].problem


def test_control_characters_and_too_many_groups_are_refused() -> None:
    lines, problems = read_lines(
        b"email,name,groups\na@x.com,\x00,\nb@x.com,B," + b";".join(b"g%d" % n for n in range(101))
    )
    assert (lines, [one.line for one in problems]) == ([], [2, 3])
    with pytest.raises(NotCsv):
        read_lines(b'"')


async def test_what_an_identity_provider_says_stays_its_own(
    manager: httpx2.AsyncClient, house: House
) -> None:
    user = await created(manager, ANN, active=False)
    made = await manager.post(
        "/scim/v2/Groups", json={"displayName": "Board", "members": [{"value": user["id"]}]}
    )
    assert made.status_code == 201
    done = await imported(manager, f"email,groups,active\n{ANN},Board,true\n{BEN},board,\n")
    assert [one["problem"].split(":")[0] for one in done["data"]] == ["active", "groups"]
    kept = await imported(manager, f"email,groups,slack\n{ANN},board;local,U1\n")
    assert kept["changed"] == 1
    ann = await person(manager, ANN)
    assert (ann["active"], ann["groups"], ann["channels"]) == (
        False,
        ["board", "local"],
        {"slack": "U1"},
    )


async def test_a_large_file_is_taken_in_parts(manager: httpx2.AsyncClient) -> None:
    text = "email,groups\n" + "".join(f"p{n}@x.com,g{n % 7}\n" for n in range(2500))
    done = await imported(manager, text)
    assert (done["created"], done["refused"]) == (2500, 0)
    again = await imported(manager, text)
    assert again["unchanged"] == 2500


async def test_no_more_people_are_taken_than_fit(
    manager: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.people.rows.MOST_PEOPLE", 2)
    done = await imported(manager, f"email\n{ANN}\n{BEN}\n{CARA}\n")
    assert (done["created"], [one["line"] for one in done["data"]]) == (0, [2, 3, 4])
    assert "at most 2 people" in done["data"][0]["problem"]
    assert not (await person(manager, ANN))["known"]
    assert (await imported(manager, f"email\n{ANN}\n{BEN}\n"))["created"] == 2
