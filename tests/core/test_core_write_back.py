"""Rules about the way of an answer into its source, and about notes beside it."""

from collections.abc import Callable

import pytest

from events.approval import ApprovalEvent, WriteBackFailed, WriteBackFailure
from events.commands import Command
from tests.core.examples import (
    ANN,
    BOB,
    MIRRORED,
    OTHER_PAYLOAD,
    OWN,
    answer,
    ask,
    card,
    changed,
    comment,
    commented,
    confirm,
    decided,
    expired,
    fail,
    failed,
    found_settled,
    minutes,
    no_card,
    not_notified,
    notified,
    revised,
    submitted,
    withdrawn,
)
from tests.specification import given

ANSWERED = given(MIRRORED, submitted(answer()))
FINAL: list[tuple[ApprovalEvent, ...]] = [
    (OWN, submitted(answer()), decided(answer(), OWN)),
    (OWN, withdrawn(OWN, "recalled", "No.")),
    (OWN, expired(OWN)),
]


def test_it_is_decided_once_the_source_has_accepted_the_answer() -> None:
    ANSWERED.when(confirm(now=minutes(2))).then(decided(answer(), MIRRORED, now=minutes(2)))


@pytest.mark.parametrize("cause", ["refused", "unreachable", "changed"])
def test_an_answer_that_the_source_did_not_take_is_pending_again(cause: WriteBackFailure) -> None:
    end = fail(cause=cause, now=minutes(3))
    story = ANSWERED.when(end).then(failed(answer(), end))
    again = answer("rejected", BOB, now=minutes(4))
    story.when(again).then(submitted(again))


def test_a_record_found_changed_is_shown_anew_and_the_answer_is_void() -> None:
    end = changed()
    void = WriteBackFailed(
        outcome="approved",
        by=ANN,
        cause="changed",
        reason="The record changed in the source since it was shown. Look at it again.",
        at=minutes(2),
    )
    story = ANSWERED.when(end).then(void, revised(end.ask))
    story.when(answer(revision="1")).then_refused("stale_revision")
    story.when(answer(revision="2")).then(submitted(answer(), revision="2"))


def test_a_record_found_changed_under_its_old_revision_is_told_apart() -> None:
    end = changed(one=ask(mirrored=True, payload=OTHER_PAYLOAD, now=minutes(2)))
    answered = ANSWERED.when(end)
    assert answered.added[1] == revised(end.ask, revision="1+2")


def test_a_record_found_settled_by_somebody_else_is_withdrawn() -> None:
    ANSWERED.when(found_settled(now=minutes(4))).then(
        withdrawn(
            MIRRORED,
            "settled",
            "Rejected in the source by boss@example.com.",
            by="boss@example.com",
            outcome="rejected",
            now=minutes(4),
        )
    )


ENDS = [confirm, fail, changed, found_settled]


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_another_answer_changes_nothing(end: Callable[[int], Command]) -> None:
    for version in (1, 3):
        ANSWERED.when(end(version)).then_nothing()


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_first_answer_does_not_end_the_second(end: Callable[[int], Command]) -> None:
    ended = fail()
    story = ANSWERED.when(ended).then(failed(answer(), ended))
    again = answer(now=minutes(9))
    story = story.when(again).then(submitted(again))
    story.when(end(2)).then_nothing()
    assert story.when(end(4)).added


@pytest.mark.parametrize("end", ENDS)
def test_without_an_answer_there_is_nothing_to_end(end: Callable[[int], Command]) -> None:
    for facts in [(), (MIRRORED,), *FINAL]:
        given(*facts).when(end(2)).then_nothing()


def test_a_card_is_noted_with_its_reference() -> None:
    given(OWN).when(card()).then(notified(card()))


def test_a_card_is_noted_while_the_answer_is_on_its_way() -> None:
    ANSWERED.when(card(BOB)).then(notified(card(BOB)))


def test_each_card_is_noted_once_for_approver_channel_and_revision() -> None:
    story = given(OWN, notified(card()))
    story.when(card(now=minutes(1))).then_nothing()
    for other in (card(BOB), card(channel="email"), card(revision="2")):
        story = story.when(other).then(notified(other))


def test_a_card_that_could_not_be_sent_is_noted_with_the_reason() -> None:
    given(OWN).when(no_card()).then(not_notified(no_card()))
    ANSWERED.when(no_card(BOB)).then(not_notified(no_card(BOB)))


def test_the_same_failure_to_send_is_noted_once_and_another_one_again() -> None:
    story = given(OWN, not_notified(no_card()))
    story.when(no_card(now=minutes(1))).then_nothing()
    other = no_card(reason="account_inactive")
    story = story.when(other).then(not_notified(other))
    story.when(no_card(BOB)).then(not_notified(no_card(BOB)))


@pytest.mark.parametrize("facts", [(), *FINAL])
def test_a_card_that_comes_too_late_is_not_noted(facts: tuple[ApprovalEvent, ...]) -> None:
    given(*facts).when(card()).then_nothing()
    given(*facts).when(no_card()).then_nothing()


@pytest.mark.parametrize("facts", [(OWN,), ANSWERED.facts, *FINAL])
def test_a_comment_may_be_left_at_any_time(facts: tuple[ApprovalEvent, ...]) -> None:
    story = given(*facts).when(comment()).then(commented(comment()))
    story.when(comment(text="Sent twice", now=minutes(1))).then_nothing()
    story.when(comment("c2")).then(commented(comment("c2")))


def test_a_comment_on_what_nobody_asked_is_refused() -> None:
    given().when(comment()).then_refused("not_found")


def test_a_comment_does_not_disturb_an_answer_on_its_way() -> None:
    story = ANSWERED.when(comment()).then(commented(comment()))
    story.when(confirm(2)).then(decided(answer(), MIRRORED))
