"""Rules about answers: who may give them, to what, until when, and who was first."""

import pytest

from events.approval import Outcome
from events.commands import SubmitDecision
from events.decider import is_final
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EVE,
    MIRRORED,
    NOW,
    OTHER_PAYLOAD,
    OWN,
    RITA,
    answer,
    ask,
    confirm,
    decided,
    expire,
    expired,
    minutes,
    recall,
    revised,
    submitted,
    withdrawn,
)
from tests.specification import given


@pytest.mark.parametrize("outcome", ["approved", "rejected"])
def test_an_answer_to_an_own_ask_decides_it_at_once(outcome: Outcome) -> None:
    said = answer(outcome, BOB, now=minutes(5))
    given(OWN).when(said).then(submitted(said), decided(said, OWN))


def test_an_answer_to_a_mirrored_record_is_kept_and_waits_for_the_source() -> None:
    story = given(MIRRORED).when(answer()).then(submitted(answer()))
    assert not is_final(story.state)


def test_an_answer_to_what_nobody_asked_is_refused() -> None:
    given().when(answer()).then_refused("not_found")


def test_who_is_not_asked_cannot_answer_and_reads_whom_it_waits_for() -> None:
    given(OWN).when(answer(by=EVE)).then_refused(
        "not_an_approver", saying="ann@example.com, bob@example.com"
    )


def test_who_asks_is_no_approver_of_it() -> None:
    given(OWN).when(answer(by=RITA)).then_refused("not_an_approver")


def test_an_answer_to_the_revision_that_stands_is_taken() -> None:
    given(OWN).when(answer(revision="1")).then(submitted(answer()), decided(answer(), OWN))


def test_an_answer_to_an_older_revision_is_refused_and_reads_both() -> None:
    new = revised(ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2"))
    story = given(MIRRORED, new)
    story.when(answer(revision="1")).then_refused("stale_revision", saying="revision 1, now 2")
    story.when(answer(revision="2")).then(submitted(answer(), revision="2"))


def test_an_answer_without_a_revision_is_to_what_stands_now() -> None:
    new = revised(ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2"))
    given(MIRRORED, new).when(answer()).then(submitted(answer(), revision="2"))


def test_who_was_an_approver_before_the_revision_is_none_any_more() -> None:
    new = revised(ask(mirrored=True, approvers=(EVE,), revision="2"))
    given(MIRRORED, new).when(answer(by=ANN)).then_refused("not_an_approver")
    given(MIRRORED, new).when(answer(by=EVE)).then(submitted(answer(by=EVE), revision="2"))


def test_an_answer_in_the_last_moment_is_in_time_and_one_at_the_end_is_not() -> None:
    last = answer(now=NOW + DAY - minutes(1).resolution)
    given(MIRRORED).when(last).then(submitted(last))
    given(MIRRORED).when(answer(now=NOW + DAY)).then_refused(
        "already_resolved", saying="expired at 2026-11-22 12:00:00 UTC"
    )


def test_the_same_answer_again_while_it_is_on_its_way_adds_nothing() -> None:
    given(MIRRORED, submitted(answer())).when(answer(now=minutes(1))).then_nothing()


@pytest.mark.parametrize(
    "second", [answer("rejected"), answer(by=BOB), answer(by=EVE)], ids=["other", "bob", "eve"]
)
def test_a_second_answer_while_the_first_is_on_its_way_reads_who_was_first(
    second: SubmitDecision,
) -> None:
    given(MIRRORED, submitted(answer())).when(second).then_refused(
        "already_resolved", saying="ann@example.com has already approved this"
    )


def test_the_same_answer_to_what_is_decided_adds_nothing() -> None:
    story = given(OWN).when(answer()).then(submitted(answer()), decided(answer(), OWN))
    story.when(answer(now=minutes(9), revision="of long ago")).then_nothing()


def test_a_second_answer_reads_who_won() -> None:
    story = given(OWN).when(answer()).then(submitted(answer()), decided(answer(), OWN))
    story.when(answer("rejected")).then_refused(
        "already_resolved", saying="approved by ann@example.com at 2026-11-21 12:00:00 UTC"
    )
    story.when(answer(by=BOB)).then_refused("already_resolved", saying="ann@example.com")


def test_an_answer_to_what_was_settled_elsewhere_says_so() -> None:
    gone = withdrawn(MIRRORED, "settled", "Approved.", by="boss@example.com", outcome="approved")
    given(MIRRORED, gone).when(answer()).then_refused(
        "already_resolved",
        saying="This request is already resolved/canceled: settled by boss@example.com",
    )


def test_an_answer_to_what_nobody_is_known_to_have_settled_says_so() -> None:
    gone = withdrawn(MIRRORED, "gone", "Gone.")
    given(MIRRORED, gone).when(answer()).then_refused(
        "already_resolved", saying="already resolved/canceled: gone at 2026-11-21"
    )


def test_an_answer_to_what_has_expired_is_told_to_ask_again() -> None:
    given(OWN, expired(OWN)).when(answer(now=NOW + DAY)).then_refused(
        "already_resolved", saying="Ask the requester to ask again"
    )


def test_who_asked_can_withdraw() -> None:
    given(OWN).when(recall()).then(
        withdrawn(OWN, "recalled", "Recalled by rita@example.com.", by="rita@example.com")
    )


def test_an_administrator_can_withdraw_and_say_why() -> None:
    given(OWN).when(recall(EVE, as_admin=True, reason="A mistake")).then(
        withdrawn(OWN, "recalled", "A mistake", by="eve@example.com")
    )


def test_nobody_else_can_withdraw() -> None:
    given(OWN).when(recall(ANN)).then_refused("not_the_requester", saying="rita@example.com")


def test_a_mirrored_record_is_withdrawn_where_it_lives_even_by_an_administrator() -> None:
    for by_whom in (recall(), recall(as_admin=True)):
        given(MIRRORED).when(by_whom).then_refused("not_the_requester", saying="acme")


def test_what_nobody_asked_cannot_be_withdrawn() -> None:
    given().when(recall()).then_refused("not_found")


def test_withdrawing_twice_adds_nothing() -> None:
    story = given(OWN, withdrawn(OWN, "recalled", "No.", by="rita@example.com"))
    story.when(recall()).then_nothing()


def test_what_was_settled_elsewhere_cannot_be_withdrawn() -> None:
    given(MIRRORED, withdrawn(MIRRORED, "cancelled", "No.")).when(recall()).then_refused(
        "already_resolved", saying="already resolved/canceled: cancelled"
    )


def test_what_is_answered_cannot_be_withdrawn() -> None:
    given(MIRRORED, submitted(answer())).when(recall()).then_refused(
        "already_resolved", saying="ann@example.com has already approved this"
    )


def test_what_is_decided_cannot_be_withdrawn() -> None:
    given(OWN, submitted(answer()), decided(answer(), OWN)).when(recall()).then_refused(
        "already_resolved", saying="Already approved by ann@example.com"
    )


def test_what_has_expired_cannot_be_withdrawn() -> None:
    given(OWN, expired(OWN)).when(recall()).then_refused(
        "already_resolved", saying="Already expired"
    )


def test_it_expires_when_the_time_is_over_and_not_before() -> None:
    given(OWN).when(expire(NOW + DAY)).then(expired(OWN))
    given(OWN).when(expire(NOW + DAY - minutes(0).resolution)).then_nothing()


def test_an_answer_given_in_time_does_not_expire_on_its_way() -> None:
    story = given(MIRRORED, submitted(answer()))
    story = story.when(expire(NOW + 9 * DAY)).then_nothing()
    story.when(confirm(now=NOW + 9 * DAY)).then(decided(answer(), MIRRORED, now=NOW + 9 * DAY))


def test_the_time_of_a_revision_is_the_time_of_the_ask() -> None:
    late = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2", now=minutes(60))
    given(MIRRORED, revised(late)).when(expire(NOW + DAY)).then(expired(revised(late)))


def test_only_an_end_is_final() -> None:
    assert not is_final(given().state)
    assert not is_final(given(OWN).state)
    assert is_final(given(OWN, submitted(answer()), decided(answer(), OWN)).state)
    assert is_final(given(OWN, withdrawn(OWN, "recalled", "No.")).state)
    assert is_final(given(OWN, expired(OWN)).state)
