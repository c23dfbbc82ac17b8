"""Rules about how an ask ends without an answer, with an edited one, and how its end is heard."""

import pytest

from events.approval import Outcome
from events.decider.lapsing import NOBODY
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EDITABLE,
    EVE,
    MIRRORED,
    NOW,
    OWN,
    RITA,
    acknowledge,
    acknowledged,
    answer,
    ask,
    comment,
    commented,
    decided,
    edit,
    expire,
    expired,
    minutes,
    recall,
    requested,
    submitted,
    supersede,
    withdrawn,
)
from tests.specification import given

COMMENTABLE = requested(ask(supersede_on_comment=True))


def test_a_newer_ask_of_the_same_subject_withdraws_the_older_one_and_names_itself() -> None:
    given(OWN).when(supersede()).then(
        withdrawn(
            OWN, "superseded", "Superseded by revision 2.", by=RITA.email, superseded_by="A-2"
        )
    )


def test_what_was_decided_is_not_superseded() -> None:
    given(OWN, submitted(answer()), decided(answer(), OWN)).when(supersede()).then_nothing()


def test_a_comment_by_a_person_withdraws_an_ask_that_wants_it_so() -> None:
    given(COMMENTABLE).when(comment()).then(
        commented(comment()),
        withdrawn(
            COMMENTABLE,
            "superseded",
            "bob@example.com commented on it: read the comment, and ask again.",
            by=BOB.email,
        ),
    )


def test_a_comment_by_a_program_or_by_who_asked_withdraws_nothing() -> None:
    by_program = comment(by=EVE, by_person=False)
    by_requester = comment("c2", by=RITA)
    given(COMMENTABLE).when(by_program).then(commented(by_program)).when(by_requester).then(
        commented(by_requester)
    )


def test_a_comment_withdraws_nothing_that_does_not_want_it_so() -> None:
    given(OWN).when(comment()).then(commented(comment()))


@pytest.mark.parametrize(("says", "outcome"), [("approve", "approved"), ("reject", "rejected")])
def test_an_ask_may_say_what_is_decided_when_nobody_does(says: str, outcome: Outcome) -> None:
    asked = requested(ask(on_timeout=says))  # type: ignore[arg-type]  # one of both, see above
    by_nobody = answer(
        outcome,
        NOBODY,
        reason=f"Nobody decided in time; the request said that it is then {outcome}.",
        now=NOW + DAY,
    )
    answered = given(asked).when(expire()).added
    assert [(fact.outcome, fact.by, fact.channel) for fact in answered] == [  # type: ignore[union-attr]  # both have them
        (outcome, NOBODY, "timeout")
    ] * 2
    assert answered[1].reason == by_nobody.reason  # type: ignore[union-attr]  # a decision


def test_before_its_time_nothing_is_decided_by_nobody() -> None:
    given(requested(ask(on_timeout="approve"))).when(expire(minutes(1))).then_nothing()


def test_no_clock_decides_what_a_source_holds() -> None:
    mirrored = requested(ask(mirrored=True, on_timeout="approve"))
    given(mirrored).when(expire()).then(expired(mirrored))


def test_an_approver_may_approve_other_numbers_where_the_ask_allows_it() -> None:
    edited = answer(edited=edit())
    given(EDITABLE).when(edited).then(submitted(edited), decided(edited, EDITABLE))


def test_an_ask_that_may_not_be_edited_is_not() -> None:
    given(OWN).when(answer(edited=edit())).then_refused("not_editable")
    given(MIRRORED).when(answer(edited=edit())).then_refused("not_editable")


def test_a_rejection_takes_no_edited_payload() -> None:
    given(EDITABLE).when(answer("rejected", edited=edit())).then_refused("not_editable")


def test_the_same_answer_with_another_edit_is_another_answer() -> None:
    edited = answer(edited=edit())
    story = given(EDITABLE).when(edited).then(submitted(edited), decided(edited, EDITABLE))
    story.when(edited).then_nothing()
    story.when(answer(edited=edit({"amount": 1}))).then_refused("already_resolved")


def test_whoever_waited_acknowledges_the_end_once() -> None:
    story = (
        given(OWN)
        .when(recall())
        .then(withdrawn(OWN, "recalled", "Recalled by rita@example.com.", by=RITA.email))
    )
    story.when(acknowledge()).then(acknowledged(acknowledge())).when(
        acknowledge(ANN)
    ).then_nothing()


def test_what_is_not_final_cannot_be_acknowledged() -> None:
    given(OWN).when(acknowledge()).then_refused("not_final")
    given(MIRRORED, submitted(answer())).when(acknowledge()).then_refused("not_final")


def test_its_requester_says_what_took_effect_at_once_or_later_and_once() -> None:
    ended = given(OWN, submitted(answer()), decided(answer(), OWN))
    told = acknowledge(effective=edit())
    story = ended.when(acknowledge()).then(acknowledged(acknowledge()))
    story = story.when(told).then(acknowledged(told))
    story.when(told).then_nothing()
    story.when(acknowledge()).then_nothing()
    story.when(acknowledge(effective=edit({"amount": 1}))).then_refused("already_resolved")


def test_nobody_else_says_what_took_effect_and_nothing_does_of_what_was_not_approved() -> None:
    ended = given(OWN, submitted(answer()), decided(answer(), OWN))
    ended.when(acknowledge(ANN, effective=edit())).then_refused("not_the_requester")
    by_admin = acknowledge(EVE, as_admin=True, effective=edit())
    ended.when(by_admin).then(acknowledged(by_admin))
    given(OWN, expired(OWN)).when(acknowledge(effective=edit())).then_refused("not_editable")
