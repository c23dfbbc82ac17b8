"""The page of people: who is there, who is away, and ending a delegation."""

from datetime import UTC, datetime, timedelta

from services.directory import Delegation
from services.directory.delegations import Delegations
from services.people.csv_lines import read_lines
from services.people.importing import Imports
from tests.admin.admin_kit import ADMIN, ANN, HOSTILE, House
from tests.pages.reader import Element, read

BEN = "ben@example.com"


async def people(house: House, text: str) -> None:
    lines, wrong = read_lines(text.encode())
    assert not wrong
    imports = Imports(house.placet.parts.app_db, house.placet.parts.directories)
    await imports.take(house.workspace, lines, dry_run=False)
    await house.placet.parts.directories.fresh(house.workspace)


async def away(house: House, person: str, to: str) -> str:
    now = datetime.now(UTC)
    made = await Delegations(house.placet.parts.app_db).add(
        house.workspace,
        Delegation(
            id="",
            person=person,
            to=to,
            begins=now,
            ends=now + timedelta(days=3),
            reason=f"Holidays {HOSTILE}",
        ),
        by=person,
        now=now,
    )
    await house.placet.parts.directories.fresh(house.workspace)
    return made.id


def listed(page: Element) -> list[str]:
    return [one.one("th").text for one in page.one("tbody").all("tr")]


async def test_people_are_found_by_a_part_of_address_or_name(house: House) -> None:
    await people(
        house,
        f'email,name,groups,active\n{ANN},"Ann {HOSTILE.replace(chr(34), "")}",Finance,yes\n'
        f"{BEN},Ben Bee,,no\n",
    )
    page = await house.page("/admin/people?q=bee")
    assert listed(page) == [f"Ben Bee {BEN}"]
    assert "Deactivated" in page.one("tbody").text
    page = await house.page("/admin/people?q=ANN%40")
    assert "<script>alert" in page.one("tbody").text
    assert page.one("input", name="q").attributes["value"] == "ANN@"
    page = await house.page("/admin/people?q=nobody")
    assert "Nobody has that" in page.text


async def test_many_people_come_a_page_at_a_time(house: House) -> None:
    await people(
        house,
        "email,name\n" + "".join(f"zed{number:03}@example.com,\n" for number in range(120)),
    )
    page = await house.page("/admin/people?q=zed")
    seen = listed(page)
    while page.all("a", rel="next"):
        answer = await house.admin.get(page.one("a", rel="next").attributes["href"])
        page = read(answer.text)
        seen += listed(page)
    assert len(seen) == len(set(seen)) == 120


async def test_who_is_away_is_shown_and_the_delegation_can_be_ended(house: House) -> None:
    await people(house, f"email,name\n{ANN},Ann\n{BEN},Ben\n")
    delegation_id = await away(house, ANN, BEN)
    page = await house.page("/admin/people?q=ann")
    assert f"{BEN} answers" in page.one("tbody").text
    assert "<script>alert" in page.one("ul", class_="absences").text
    page = await house.press(f"/admin/people/delegations/{delegation_id}/end")
    assert page.one("div", class_="notice").text == f"Ended the delegation of {ANN} to {BEN}."
    assert await house.rows(
        "SELECT ended_by FROM delegations WHERE delegation_id = $1", delegation_id
    ) == [(ADMIN,)]


async def test_another_workspace_s_delegation_is_not_ended(house: House, home: House) -> None:
    delegation_id = await away(home, ANN, BEN)
    answer = await house.admin.post(f"/admin/people/delegations/{delegation_id}/end", data={})
    assert answer.status_code == 404
    assert await home.rows(
        "SELECT ended_at FROM delegations WHERE delegation_id = $1", delegation_id
    ) == [(None,)]
