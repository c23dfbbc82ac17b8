"""What the card of an approver says in each state."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.approval import Person, Seat, SourceRecord, WriteBackFailed
from projections.progress import Approver
from services.channels.status import MOST_REASON
from services.sources.definition import Card as SourceCard
from services.sources.templates import compiled
from tests.channels.views import AMARA, EXPENSE, NOW, card_of, course_view, view

BO = Approver(email="bo@example.com", name="Bo")


def template(title: str, body: str) -> SourceCard:
    return SourceCard.model_construct(title=compiled(title), body=compiled(body))


def test_an_open_card_says_who_asks_for_what_until_when_and_where_to_answer() -> None:
    card = card_of()
    assert card.title == "Expense report EXP-1"
    assert card.status == "Waiting for you."
    assert card.requester == "Jane Doe (jane.doe@example.com)"
    assert (card.reason, card.urgency) == ("Client visit", "high")
    assert (card.deadline, card.time_left) == ("2026-12-20 17:00 UTC", "29 days")
    assert card.link == "https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL"
    assert (card.record, card.record_link) == ("expenses EXP-1", "https://acme.example/r/1")
    assert card.shown == "open"


def test_with_others_it_says_that_one_answer_settles_it() -> None:
    card = card_of(view(approvers=[Approver(email=AMARA), BO]))
    assert card.status.startswith("Waiting for you or bo@example.com: one answer settles it.")


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (timedelta(days=1, hours=23), "1 day"),
        (timedelta(hours=5, minutes=59), "5 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(days=-3), "less than a minute"),
    ],
)
def test_time_left_is_rounded_down(left: timedelta, says: str) -> None:
    assert card_of(view(expires_at=NOW + left)).time_left == says


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"status": "approved", "decided_by": AMARA, "decided_at": NOW},
            "Approved by amara@example.com at 2026-11-21 12:00 UTC.",
        ),
        (
            {"status": "rejected", "decided_by": AMARA, "decided_at": NOW, "decision_reason": "no"},
            "Rejected by amara@example.com at 2026-11-21 12:00 UTC: no",
        ),
        (
            {"status": "withdrawn", "withdrawn_reason": "Cancelled in the source by jo@x.example."},
            "This request is already resolved/canceled: Cancelled in the source by jo@x.example.",
        ),
        ({"status": "expired"}, "Expired at 2026-12-20 17:00 UTC: nobody decided in time."),
    ],
)
def test_a_settled_card_says_how_and_asks_for_nothing(
    changes: dict[str, object], says: str
) -> None:
    card = card_of(view(**changes))
    assert (card.status, card.shown, card.time_left) == (says, "settled", None)


def test_an_answer_on_its_way_is_said() -> None:
    answered = view(status="deciding", approvers=[Approver(email=AMARA, answer="approved"), BO])
    card = card_of(answered, approver=BO.email)
    assert card.status == (
        "The answer (approved by amara@example.com) is on its way to the source."
    )


def test_a_superseded_card_names_the_new_revision() -> None:
    card = card_of(superseded_by=view(revision="7"))
    assert card.status == "The content changed: revision 7. Answer the newer card."
    assert card.shown == "superseded"
    replaced = card_of(superseded_by=view(revision="7", approvers=[BO]))
    assert replaced.status.endswith("You are not asked any more.")


def test_an_answer_that_was_not_taken_is_told_with_its_reason() -> None:
    failure = WriteBackFailed(
        outcome="approved",
        by=Person(email="bo@example.com"),
        cause="refused",
        reason="Budget is closed.",
        at=NOW,
    )
    assert card_of(failure=failure, before=view(revision="0")).status == (
        "Approved by bo@example.com, but expenses did not take the answer: Budget is closed. "
        "The content changed: revision 1. An answer to what you saw before does not count. "
        "Waiting for you."
    )


def test_the_digest_is_of_what_is_shown_and_of_nothing_else() -> None:
    card = card_of()
    assert card.digest == card_of().digest
    assert len(card.digest) == 64
    assert card.digest == replace(card, template_error="not shown").digest
    assert card.digest != card_of(view(reason="Another reason")).digest
    assert card.digest != card_of(view(payload={**EXPENSE, "total_amount": 750.51})).digest
    assert card.digest != card_of(view(status="expired")).digest


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        'https://x.example/"onmouseover=',
        "https://x.example/a b",
        "https://",
        "https://x.example/" + "a" * 3000,
        "//x.example",
        None,
    ],
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    record = SourceRecord(name="expenses", record_id="EXP-1", revision="1", url=url)
    card = card_of(view(source=record))
    assert (card.record, card.record_link) == ("expenses EXP-1", None)


def test_an_approval_of_an_agent_has_no_record() -> None:
    card = card_of(
        view(source=None, payload={"tool": "drop_table", "arguments": {"name": "users"}})
    )
    assert (card.record, card.record_link) == (None, None)
    facts = [(fact.label, fact.value) for fact in card.details.facts]
    assert facts == [("Tool", "drop_table"), ("Arguments", "Name: users")]


def test_a_sources_template_draws_title_and_body() -> None:
    drawn = card_of(
        template=template(
            "Expense Report from {{requester.name}}",
            "Total: ${{total_amount}} {{currency}}\n\nDescription: {{description}}\n\n"
            "{{#line_items}}- {{item}}: {{amount}}\n{{/line_items}}"
            "For {{#approvers}}{{name}} {{email}}{{/approvers}}",
        )
    )
    assert drawn.title == "Expense Report from Jane Doe"
    assert drawn.body == (
        "Total: $750.50 USD\n\nDescription: Client dinner and travel for Q3 sales meeting.\n\n"
        "- Client Dinner: 250.00\n- Flight to NYC: 450.50\n- Taxi: 50.00\n"
        "For Amara amara@example.com"
    )
    assert drawn.template_error is None


def test_no_payload_can_say_who_asks() -> None:
    forged = {"requester": {"name": "The CEO"}, "title": "harmless", "note": "x"}
    card = card_of(
        view(payload=forged),
        template=template("{{title}}", "{{requester.name}} / {{payload.requester.name}}"),
    )
    assert (card.title, card.body) == ("Expense report EXP-1", "Jane Doe / The CEO")


def test_a_name_without_a_value_is_empty_and_not_the_one_further_out() -> None:
    items = {"note": "outer", "rows": [{"note": None, "n": 0}, {"n": False}]}
    card = card_of(
        view(payload=items),
        template=template("t", "{{#rows}}[{{note}}|{{n}}]{{/rows}}{{absent}}"),
    )
    assert card.body == "[|0][outer|false]"


def test_what_users_wrote_is_not_taken_for_a_template() -> None:
    card = card_of(
        view(payload={"note": "{{requester.email}} {{#rows}}"}), template=template("t", "{{note}}")
    )
    assert card.body == "{{requester.email}} {{#rows}}"


class _Broken:
    def render(self, *_: object) -> str:
        raise RecursionError("too deep")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (template("t", "{{nothing}}"), "ValueError: the body is empty"),
        (template("{{nothing}}", "b"), "ValueError: the title is empty"),
        (SourceCard.model_construct(title=_Broken(), body=_Broken()), "RecursionError: too deep"),
    ],
)
def test_a_template_that_fails_leaves_the_payloads_own_fields(given: SourceCard, says: str) -> None:
    card = card_of(template=given)
    assert (card.title, card.body) == ("Expense report EXP-1", None)
    assert card.details.facts
    assert card.template_error == says


def test_a_card_tells_how_far_it_has_come_and_whom_it_waits_for() -> None:
    card = card_of(course_view(), approver=BO.email)
    assert card.progress == "1 of 2"
    assert card.answers == ("Amara (amara@example.com) approved",)
    assert card.warnings == ("The condition failed.",)
    assert card.status == "Waiting for you."
    mine = card_of(course_view())
    assert (mine.asks, mine.deadline, mine.time_left) == (None, None, None)
    assert mine.status == "You approved this. It waits for bo@example.com."


def test_one_answer_settles_only_the_last_step_of_one() -> None:
    one = course_view(needed=1, votes=())
    assert card_of(one).status == "Waiting for you or bo@example.com: one answer settles it."
    first = course_view(needed=1, votes=(), steps=2)
    assert card_of(first).status == "Waiting for you or bo@example.com."
    both = course_view(needed=2, votes=())
    assert card_of(both).status == "Waiting for you and bo@example.com."


def test_the_time_that_is_left_is_no_reason_to_draw_a_card_again() -> None:
    card = card_of()
    assert card.digest == replace(card, time_left="3 minutes").digest
    assert card.digest != replace(card, deadline="tomorrow").digest
    assert card.digest != replace(card, asks=None).digest


def test_many_people_answers_and_warnings_are_counted() -> None:
    people = [Person(email=f"p{n}@example.com") for n in range(70)]
    shown = course_view(seats=[Seat(person=one) for one in people], needed=70, votes=people[:30])
    card = card_of(shown, approver="p69@example.com")
    assert (len(card.approvers), card.approvers[-1]) == (51, "20 more")
    assert (len(card.answers), card.answers[0]) == (21, "10 earlier")
    assert card.status.startswith("Waiting for you, p30@example.com, ")
    assert "p39@example.com and 29 more." in card.status


def test_everything_is_bounded() -> None:
    long = "x" * 50_000
    card = card_of(
        view(
            title=long,
            reason=long,
            payload={"note": long, "many": [{"a": long}] * 5000},
            requester=Person(email="a@x.example", name=long),
        ),
        template=template("{{note}}", "{{note}}{{#many}}{{a}}{{/many}}"),
    )
    assert len(card.title) <= 200
    assert len(card.reason or "") == MOST_REASON
    assert len(card.body or "") == 8000
    assert len(card.requester) < 300
