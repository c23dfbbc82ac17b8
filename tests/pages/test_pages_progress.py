"""What the pages show of who must say yes: steps, progress, absences, questions and clocks."""

from datetime import timedelta

import httpx2
import pytest

from events.approval import AppliedPolicy, Person, Seat, Step
from events.commands import Automatic, EscalateApproval, RemindApprovers
from services.decision.answering import Answer
from services.queue.pages.steps import rule_words
from tests.pages.conftest import browser_of
from tests.pages.fakes import JANE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.policies import (
    ALICE,
    BOB,
    LENA,
    approved,
    asked_back,
    one_each,
    policy,
    two_of,
)
from tests.pages.reader import Element, read

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>\u202e{{7*7}}"""


async def page(client: httpx2.AsyncClient, path: str) -> Element:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def any_of(people: int) -> Step:
    seats = tuple(Seat(person=Person(email=f"p{n}@example.com")) for n in range(people))
    return Step(name="", rule="any", needed=1, deny=1, seats=seats)


def actions_of(shown: Element) -> set[str]:
    """What the forms of a page do."""
    forms = (form.attributes.get("action", "") for form in shown.all("form"))
    return {action.rpartition("/")[2] for action in forms}


def people_of(step: Element) -> dict[str, str]:
    """Each person of a step, with all that is said of them."""
    return {one.all("span")[0].text: one.text for one in step.one("ul").all("li")}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (two_of(JOHN, MARIA, BOB), "Two of three"),
        (two_of(JOHN, MARIA), "Both of them"),
        (
            one_each([(JOHN, "finance"), (MARIA, "legal")]),
            "One from each of finance and legal; two rejections reject it",
        ),
        (any_of(1), "This one person"),
        (any_of(3), "Any one of three"),
        (any_of(12), "Any one of 12"),
    ],
)
def test_a_rule_is_said_in_words(step: Step, said: str) -> None:
    assert rule_words(step) == said


async def test_the_inbox_says_how_far_it_has_come_and_who_is_missing(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    groups = [(JOHN, "finance"), (MARIA, "legal"), (BOB, "security")]
    approval_id = await placet.world.ask(policy=policy(one_each(groups)))
    await approved(placet, approval_id, MARIA)
    row = (await page(john, "/inbox")).one("li", data_id=approval_id)
    assert "1 of 3, finance and security missing" in row.text


async def test_one_approver_alone_is_no_progress_to_speak_of(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    alone = Step(name="Boss", rule="any", needed=1, deny=1, seats=(Seat(person=JOHN),))
    approval_id = await placet.world.ask(policy=policy(alone))
    assert "0 of 1" not in (await page(john, "/inbox")).text
    shown = await page(john, f"/approvals/{approval_id}")
    assert "0 of 1" not in shown.text
    assert "This one person" in shown.text


async def test_a_row_names_who_the_reader_stands_in_for(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    step = Step(
        name="Team", rule="any", needed=1, deny=1, seats=(Seat(person=ALICE, held_by=JOHN),)
    )
    approval_id = await placet.world.ask(policy=policy(step))
    row = (await page(john, "/inbox")).one("li", data_id=approval_id)
    assert "For Alice Meyer , who is away" in row.text
    shown = await page(john, f"/approvals/{approval_id}")
    answer = shown.one("section", aria_labelledby="answer")
    assert "For Alice Meyer , who is away." in answer.text
    asked = shown.one("section", aria_labelledby="asked")
    assert (
        "stands in for Alice Meyer , who is away" in people_of(asked.one("ol"))["John Smith (you)"]
    )


async def test_little_time_is_said_loudly_and_much_is_not(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    soon = await world.ask("Soon", expires_in=timedelta(hours=2, minutes=11))
    later = await world.ask("Later", expires_in=timedelta(hours=5))
    inbox = await page(john, "/inbox")
    assert inbox.one("li", data_id=soon).one("span", class_="hurry").text == "10 min left"
    assert not inbox.one("li", data_id=later).all("span", class_="hurry")
    assert "2 h left" in inbox.one("li", data_id=later).text


async def test_a_row_says_that_it_was_reminded_of_and_escalated(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    approval_id = await world.ask(policy=policy(two_of(JOHN, MARIA)))
    for number in (1, 2):
        command = RemindApprovers(
            by=None, as_admin=False, approver=JOHN.email, number=number, now=world.clock()
        )
        await world.send(approval_id, command)
    seats = (Seat(person=LENA),)
    await world.send(approval_id, EscalateApproval(step=0, rung=1, seats=seats, now=world.clock()))

    row = (await page(john, "/inbox")).one("li", data_id=approval_id)

    assert "Escalated" in row.text
    assert "Reminded 2 times" in row.text
    steps = (await page(john, f"/approvals/{approval_id}")).one("ol", class_="steps")
    people = people_of(steps)
    assert "reminded 2 times" in people["John Smith (you)"]
    assert "reminded" not in people["Maria Garcia"]
    assert "asked now" in people["Lena Novak"]


async def test_the_page_tells_each_step_with_its_people_and_what_they_answered(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(
        policy=policy(
            two_of(JOHN, MARIA, BOB),
            one_each([(JOHN, "finance"), (LENA, "legal")]),
            warnings=("The group empty has nobody in it.",),
        )
    )
    await approved(placet, approval_id, MARIA)

    shown = await page(john, f"/approvals/{approval_id}")

    section = shown.one("section", aria_labelledby="asked")
    assert section.one("h2").text == "Who must say yes"
    team, money = (one for one in section.one("ol").children if isinstance(one, Element))
    assert team.attributes["aria-current"] == "step"
    assert team.one("h3").text == "1. Team now"
    assert team.one("p").text == "Two of three: 1 of 2"
    bar = team.one("progress")
    assert (bar.attributes["value"], bar.attributes["max"]) == ("1", "2")
    assert bar.attributes["aria-label"] == "Approved so far: 1 of 2"
    assert "Approved" in people_of(team)["Maria Garcia"]
    assert "asked now" in people_of(team)["John Smith (you)"]
    assert money.one("h3").text == "2. Money later"
    assert "aria-current" not in money.attributes
    assert "not asked yet" in people_of(money)["Lena Novak"]
    assert "for legal" in people_of(money)["Lena Novak"]
    assert "Policy access , version 3, because it applies to payload.amount > 500 ." in section.text
    assert "The group empty has nobody in it." in section.text
    heading = shown.one("header", class_="heading")
    assert heading.one("span", class_="counted").text == "Step 1 of 2, Team: 1 of 2"


async def test_a_step_that_is_through_is_done_and_the_next_one_waits(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(
        policy=policy(two_of(MARIA, BOB), one_each([(JOHN, "finance"), (LENA, "legal")]))
    )
    before = await page(john, f"/approvals/{approval_id}")
    assert before.one("h2", id="answer").text == "Not your turn yet"
    for one in (MARIA, BOB):
        await approved(placet, approval_id, one)

    shown = await page(john, f"/approvals/{approval_id}")

    team, money = (
        one for one in shown.one("ol", class_="steps").children if isinstance(one, Element)
    )
    assert team.one("h3").text == "1. Team done"
    assert money.one("h3").text == "2. Money now"
    assert shown.one("h2", id="answer").text == "Your answer"
    async with browser_of(placet, MARIA) as client:
        told = await page(client, f"/approvals/{approval_id}")
        assert told.one("h2", id="answer").text == "You have answered"


async def test_at_the_end_the_page_tells_who_had_to_say_yes_and_did(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(policy=policy(two_of(JOHN, MARIA, BOB)))
    for one in (MARIA, BOB):
        await approved(placet, approval_id, one)
    shown = await page(john, f"/approvals/{approval_id}")
    section = shown.one("section", aria_labelledby="asked")
    assert section.one("h2").text == "Who had to say yes"
    people = people_of(section.one("ol"))
    assert "Approved" in people["Maria Garcia"]
    assert "Approved" in people["Bob Tanaka"]
    assert "no answer" in people["John Smith (you)"]
    assert "asked now" not in section.text


async def test_who_answered_for_somebody_is_named_beside_them(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    seats = (Seat(person=ALICE, held_by=BOB), Seat(person=JOHN))
    step = Step(name="Team", rule="all", needed=2, deny=1, seats=seats)
    approval_id = await placet.world.ask(policy=policy(step))
    await approved(placet, approval_id, ALICE)
    steps = (await page(john, f"/approvals/{approval_id}")).one("ol", class_="steps")
    assert "answered by Alice Meyer" in people_of(steps)["Bob Tanaka"]


async def test_a_question_waits_in_the_inbox_of_the_requester_and_no_more_in_the_approver_s(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire", requester=JOHN, approvers=[MARIA])
    await asked_back(placet, approval_id, MARIA, "For which team?")

    row = (await page(john, "/inbox")).one("li", data_id=approval_id)

    assert row.attributes["data-mine"] == "yes"
    assert "Maria Garcia asks you: For which team?" in row.text
    assert "You asked" in row.text
    assert "clock stopped" in row.text
    assert not row.all("form")
    answer = row.one("a", class_="button primary")
    assert answer.attributes["href"] == f"/approvals/{approval_id}#reply"
    assert answer.attributes["aria-label"] == "Answer…: Hire"
    assert not (await page(maria, "/inbox")).all("li", data_id=approval_id)
    shown = await page(john, f"/approvals/{approval_id}")
    assert shown.one("form", id="reply").attributes["action"] == f"/approvals/{approval_id}/answers"
    assert "The clock stands still since" in shown.text


async def test_everybody_else_reads_the_question_and_the_approver_may_go_on_without_an_answer(
    placet: Placet, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire", requester=JOHN, approvers=[MARIA])
    await asked_back(placet, approval_id, MARIA, "For which team?")
    shown = await page(maria, f"/approvals/{approval_id}")
    assert "For which team? Maria Garcia asked John Smith" in shown.one("blockquote").text
    assert "Waits for John Smith to answer a question" in shown.text
    assert "You can decide without that" in shown.text
    assert len(shown.all("form", action=f"/approvals/{approval_id}/decision")) == 2
    assert not shown.all("form", action=f"/approvals/{approval_id}/questions")


async def test_what_was_returned_for_changes_takes_no_answer_until_it_is_changed(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire", {"pay": 9}, requester=JOHN, approvers=[MARIA])
    await asked_back(placet, approval_id, MARIA, "Less pay.", changes=True)
    theirs = await page(maria, f"/approvals/{approval_id}")
    assert theirs.one("h2", id="answer").text == "Returned for changes"
    assert not theirs.all("form", action=f"/approvals/{approval_id}/decision")
    mine = await page(john, f"/approvals/{approval_id}")
    assert "open" in mine.one("details", id="revise").attributes
    row = (await page(john, "/inbox")).one("li", data_id=approval_id)
    assert "Maria Garcia returned it to you: Less pay." in row.text
    assert row.one("a", class_="button primary").text == "Change…"


async def test_questions_and_answers_stand_among_the_comments(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire", requester=JOHN, approvers=[MARIA])
    await asked_back(placet, approval_id, MARIA, "For which team?")
    await placet.changing.answer_back(
        WORKSPACE, approval_id, by=JOHN, as_admin=False, text="Support."
    )
    said = (await page(john, f"/approvals/{approval_id}")).one("ul", class_="comments")
    question, answer = said.all("li")
    assert question.text.startswith("Maria Garcia asked")
    assert "For which team?" in question.text
    assert answer.text.startswith("John Smith answered")


async def test_what_a_policy_decided_by_itself_is_told_as_such(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    by_itself = Automatic(outcome="approved", reason="Under the limit.")
    approval_id = await placet.world.ask(policy=policy(two_of(JOHN, MARIA)), automatic=by_itself)
    shown = await page(john, f"/approvals/{approval_id}")
    assert "Approved by its policy" in shown.text
    assert "Under the limit." in shown.text
    assert "policy@placet" not in shown.one("header", class_="heading").text


async def test_what_was_approved_with_changes_stands_beside_what_was_proposed(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    payload = {"chairs": 12, "amount": 2400.0, "currency": "EUR", "lines": [{"item": "Chair"}]}
    approval_id = await placet.world.ask(payload=payload, editable=True)
    answer = Answer(
        outcome="approved",
        by=JOHN,
        reason=None,
        channel="api",
        via=None,
        revision=None,
        payload={**payload, "chairs": 10, "lines": [{"item": "Stool"}], "colour": "red"},
    )
    await placet.answering.decide(WORKSPACE, approval_id, answer)

    table = (await page(john, f"/approvals/{approval_id}")).one("table", class_="compared")

    assert [one.text for one in table.all("th", scope="col")] == ["Field", "Proposed", "Approved"]
    rows = {
        row.one("th", scope="row").text: [cell.text for cell in row.all("td")]
        for row in table.one("tbody").all("tr")
    }
    assert rows == {"Chairs": ["12", "10"], "Colour": ["\N{EN DASH}", "red"]}
    assert "Lines differ" in (await page(john, f"/approvals/{approval_id}")).text


async def test_the_requester_s_page_offers_what_a_requester_can_do(placet: Placet) -> None:
    own = await placet.world.ask("Mine", {"pay": 9})
    mirrored = await placet.world.ask("Theirs", mirrored=True)
    async with browser_of(placet, JANE) as client:
        shown = await page(client, f"/approvals/{own}")
        actions = actions_of(shown)
        assert {"remind", "revise", "withdraw"} <= actions
        assert not actions & {"decision", "questions", "reassign", "answers"}
        shown = await page(client, f"/approvals/{mirrored}")
        actions = actions_of(shown)
        assert "remind" in actions
        assert not actions & {"revise", "withdraw"}


async def test_nobody_is_offered_to_decide_their_own_request(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Mine", requester=JOHN, approvers=[JOHN, MARIA])
    shown = await page(john, f"/approvals/{approval_id}")
    assert shown.one("h2", id="answer").text == "Your request"
    assert "Waits for you" not in shown.text
    assert not shown.all("form", action=f"/approvals/{approval_id}/decision")
    row = (await page(john, "/inbox")).one("li", data_id=approval_id)
    assert not row.all("form")


async def test_an_edit_is_offered_only_where_one_answer_settles_it(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    alone = Step(name="Boss", rule="any", needed=1, deny=1, seats=(Seat(person=JOHN),))
    by_one = await world.ask("A", {"x": 1}, editable=True, policy=policy(alone))
    by_two = await world.ask("B", {"x": 1}, editable=True, policy=policy(two_of(JOHN, MARIA)))
    not_at_all = await world.ask("C", {"x": 1})
    offered = [
        bool((await page(john, f"/approvals/{one}")).all("details", id="edit"))
        for one in (by_one, by_two, not_at_all)
    ]
    assert offered == [True, False, False]


async def test_what_others_wrote_becomes_no_markup_in_any_new_place(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    evil = Person(email="evil@example.com", name=EVIL)
    step = Step(
        name=EVIL,
        rule="each",
        needed=2,
        deny=1,
        groups=(EVIL, "b"),
        seats=(Seat(person=evil, held_by=JOHN, groups=(EVIL,)), Seat(person=MARIA, groups=("b",))),
    )
    held_to = AppliedPolicy(name=EVIL, version=1, steps=(step,), because=EVIL, warnings=(EVIL,))
    payload = {EVIL: EVIL, "n": 1, "plain": "<b>bold</b>", "nested": {EVIL: [EVIL]}}
    ids = [await placet.world.ask(EVIL, payload, policy=held_to, requester=evil)]
    ids.append(await placet.world.ask(EVIL, payload, requester=JOHN, approvers=[evil]))
    await asked_back(placet, ids[1], evil, EVIL, changes=True)
    ids.append(await placet.world.ask(EVIL, payload, editable=True))
    answer = Answer(
        outcome="approved",
        by=JOHN,
        reason=EVIL,
        channel="inbox",
        via=None,
        revision=None,
        payload={**payload, EVIL: f"other {EVIL}"},
    )
    await page(john, f"/approvals/{ids[2]}")
    await placet.answering.decide(WORKSPACE, ids[2], answer)
    for path in ("/inbox", "/inbox/rows", *(f"/approvals/{one}" for one in ids)):
        shown = await page(john, path)
        assert not any("onerror" in one.attributes for one in shown.all("img"))
        assert all(one.attributes["src"].startswith("/assets/") for one in shown.all("script"))
        assert not shown.all("b")
        assert "{{7*7}}" in shown.text
        assert "\u202e" not in shown.text
