"""The directory as it stands: who stands in for whom, and who is above whom."""

from datetime import UTC, datetime, timedelta

import pytest

from events.approval import Person
from services.directory import Delegation, Directory, FixedDirectories, Member, circles, label
from services.directory.delegations import closed_circle
from services.directory.postgres import overlaid

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
ANN, BEN, CARA, DAN = (f"{name}@example.com" for name in ("ann", "ben", "cara", "dan"))


def member(email: str, **more: object) -> Member:
    return Member(email=email, **more)  # type: ignore[arg-type]


def away(person: str, to: str, begins: datetime = MONDAY, days: float = 5) -> Delegation:
    return Delegation(
        id=f"{person}-{to}", person=person, to=to, begins=begins, ends=begins + days * DAY
    )


def directory(*members: Member, absences: tuple[Delegation, ...] = ()) -> Directory:
    return Directory({one.email: one for one in members}, absences)


@pytest.mark.parametrize(
    ("at", "stands_in"),
    [
        (MONDAY - timedelta(microseconds=1), None),
        (MONDAY, BEN),
        (MONDAY + 5 * DAY - timedelta(microseconds=1), BEN),
        (MONDAY + 5 * DAY, None),
    ],
)
def test_a_delegation_holds_from_its_begin_up_to_its_end(
    at: datetime, stands_in: str | None
) -> None:
    found = directory(absences=(away(ANN, BEN),)).stand_in(ANN, at)
    assert (found.email if found else None) == stands_in
    assert directory(absences=(away(ANN, BEN),)).is_away(ANN, at) == (stands_in is not None)


def test_who_is_away_as_well_passes_it_on() -> None:
    here = directory(
        member(CARA, name="Cara"), absences=(away(ANN, BEN), away(BEN, CARA), away(DAN, ANN))
    )
    assert here.stand_in(ANN, MONDAY) == Person(email=CARA, name="Cara")
    assert set(here.stands_in_for(CARA, MONDAY)) == {ANN, BEN, DAN}
    assert here.stands_in_for(BEN, MONDAY) == ()


def test_a_circle_of_delegations_leads_to_nobody() -> None:
    here = directory(absences=(away(ANN, BEN), away(BEN, CARA), away(CARA, ANN)))
    assert here.stand_in(ANN, MONDAY) is None
    assert directory(absences=(away(ANN, ANN),)).stand_in(ANN, MONDAY) is None


def test_nobody_is_asked_who_is_deactivated_or_may_not_answer() -> None:
    here = directory(member(BEN, active=False), absences=(away(ANN, BEN),))
    assert here.stand_in(ANN, MONDAY) is None
    assert directory(absences=(away(ANN, BEN),)).stand_in(ANN, MONDAY, barred={BEN}) is None


def test_of_two_delegations_the_one_that_began_last_counts() -> None:
    here = directory(absences=(away(ANN, CARA, MONDAY + DAY, 1), away(ANN, BEN)))
    found = [here.stand_in(ANN, MONDAY + days * DAY) for days in (0, 1, 2)]
    assert [one.email if one else None for one in found] == [BEN, CARA, BEN]


def test_the_manager_is_the_next_above_who_is_active() -> None:
    here = directory(
        member(ANN, manager=BEN), member(BEN, active=False, manager=CARA), member(CARA, name="C")
    )
    assert here.manager_of(ANN) == Person(email=CARA, name="C")
    assert here.manager_of(CARA) is None
    assert here.manager_of("stranger@example.com") is None
    assert directory(member(ANN, manager="boss@x.com")).manager_of(ANN) == Person(
        email="boss@x.com"
    )


def test_managers_in_a_circle_are_nobody_s_managers() -> None:
    here = directory(member(ANN, manager=BEN, active=False), member(BEN, manager=ANN, active=False))
    assert here.manager_of(ANN) is None


def test_each_circle_of_managers_is_found_once() -> None:
    found = circles({"a": "b", "b": "c", "c": "b", "d": "a", "e": "e", "f": None, "g": "gone"})
    assert sorted(found) == [("b", "c"), ("e",)]


def test_a_hundred_thousand_managers_in_a_row_are_no_circle() -> None:
    chain: dict[str, str | None] = {str(one): str(one + 1) for one in range(100_000)}
    assert circles(chain) == []
    assert len(circles(chain | {"100000": "0"})[0]) == 100_001


def test_groups_and_roles_hold_the_active_however_they_are_written() -> None:
    here = directory(
        member(ANN, groups=frozenset({"cost centre 7"}), roles=frozenset({"board"})),
        member(BEN, groups=frozenset({"cost centre 7"}), roles=frozenset({"board"}), active=False),
    )
    assert here.in_group("Cost  Centre 7") == (Person(email=ANN),)
    assert here.with_role("Board") == (Person(email=ANN),)
    assert here.has_one_of(ANN, ["legal", "BOARD"])
    assert not here.has_one_of(BEN, ["board"])
    assert here.in_group("nobody") == ()
    assert label("  Cost \t Centre 7 ") == "cost centre 7"


def test_a_stranger_is_an_address_that_can_be_asked() -> None:
    here = directory()
    assert here.is_active(ANN)
    assert here.find(ANN) is None
    assert here.known(Person(email=ANN)) == Person(email=ANN)
    assert not here.has_one_of(ANN, ["board"])


def test_what_the_file_says_wins_and_groups_are_those_of_both() -> None:
    file = member(ANN, name="Ann", roles=frozenset({"board"}), groups=frozenset({"x"}), manager=DAN)
    table = member(
        ANN,
        name="A. Other",
        active=False,
        roles=frozenset({"legal"}),
        groups=frozenset({"y"}),
        manager=BEN,
        time_zone="Asia/Tokyo",
        channels={"slack": "U1"},
    )
    found = overlaid({ANN: file}, {ANN: table, CARA: member(CARA)})
    assert list(found) == [ANN, CARA]
    assert found[ANN] == member(
        ANN,
        name="Ann",
        active=False,
        roles=frozenset({"board", "legal"}),
        groups=frozenset({"x", "y"}),
        manager=DAN,
        time_zone="Asia/Tokyo",
        channels={"slack": "U1"},
    )


def test_a_fixed_directory_is_that_of_its_workspace_only() -> None:
    fixed = FixedDirectories("mine", directory(member(ANN)))
    assert fixed.of("mine").find(ANN)
    assert fixed.of("theirs").find(ANN) is None


def test_a_circle_is_closed_only_where_all_of_it_holds_at_one_time() -> None:
    others = [away(BEN, CARA), away(CARA, DAN, MONDAY + 2 * DAY, 1)]
    assert closed_circle(away(DAN, BEN), others) == others
    assert closed_circle(away(DAN, BEN, MONDAY, 2), others) == ()
    assert closed_circle(away(DAN, BEN, MONDAY + 3 * DAY), others) == ()
    assert closed_circle(away(DAN, ANN), others) == ()
