"""Rules about asking: by a person or an agent, and by a record that is seen to be pending."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.approval import ApprovalEvent, Outcome, WithdrawalCause
from events.decider import CLOCK_TOLERANCE, content_changed, reopens
from events.state import Deciding, Pending
from tests.core.examples import (
    ANN,
    BOB,
    DAY,
    EVE,
    MIRRORED,
    NOW,
    OTHER_PAYLOAD,
    OWN,
    PAYLOAD,
    answer,
    ask,
    confirm,
    decided,
    expire,
    expired,
    minutes,
    pending,
    requested,
    revised,
    settled,
    submitted,
    withdrawn,
)
from tests.specification import given


def test_an_ask_is_kept_with_all_that_was_said() -> None:
    given().when(ask()).then(requested(ask()))


def test_an_ask_for_what_was_asked_already_adds_nothing() -> None:
    given(OWN).when(ask(payload=OTHER_PAYLOAD, now=minutes(1))).then_nothing()


def test_a_record_seen_to_be_pending_asks_for_itself() -> None:
    given().when(pending()).then(MIRRORED)


def test_a_record_seen_a_thousand_times_is_asked_once() -> None:
    story = given(MIRRORED)
    for sight in range(1000):
        story = story.when(pending(ask(mirrored=True, now=minutes(sight)))).then_nothing()
    assert story.facts == (MIRRORED,)


def test_a_record_with_a_new_payload_is_revised() -> None:
    new = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2")
    given(MIRRORED).when(pending(new)).then(revised(new))


def test_a_record_with_a_new_title_is_revised() -> None:
    new = ask(mirrored=True, title="Travel to Rome", revision="2")
    given(MIRRORED).when(pending(new)).then(revised(new))


def test_a_record_with_other_approvers_is_revised() -> None:
    new = ask(mirrored=True, approvers=(ANN, EVE), revision="2")
    given(MIRRORED).when(pending(new)).then(revised(new))


def test_the_order_and_names_of_approvers_are_no_change() -> None:
    new = ask(mirrored=True, approvers=(BOB, replace(ANN, name="Ann B.")), revision="2")
    given(MIRRORED).when(pending(new)).then_nothing()


def test_a_new_revision_of_the_same_content_is_no_change() -> None:
    given(MIRRORED).when(pending(ask(mirrored=True, revision="2"))).then_nothing()


def test_true_in_place_of_one_is_a_change() -> None:
    # 1 == True in Python, and not in the record that somebody approves.
    before, after = {"urgent": 1}, {"urgent": True}
    new = ask(mirrored=True, payload=after, revision="2")
    given(requested(ask(mirrored=True, payload=before))).when(pending(new)).then(revised(new))


def test_a_source_that_keeps_its_revision_is_told_apart_by_the_version() -> None:
    new = ask(mirrored=True, payload=OTHER_PAYLOAD)
    given(MIRRORED).when(pending(new)).then(revised(new, revision="1+1"))


def test_a_source_that_never_changes_its_revision_is_told_apart_every_time() -> None:
    """The second change must not bear the name of the content that was shown first."""
    second = ask(mirrored=True, payload=OTHER_PAYLOAD)
    third = ask(mirrored=True, payload={"amount": 5})
    story = given(MIRRORED).when(pending(second)).then(revised(second, revision="1+1"))
    story = story.when(pending(third)).then(revised(third, revision="1+2"))
    story.when(answer(revision="1")).then_refused("stale_revision", saying="1+2")


def test_content_that_comes_back_under_its_old_revision_is_shown_anew() -> None:
    second = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2")
    back = ask(mirrored=True, payload=PAYLOAD, revision="1")
    story = given(MIRRORED).when(pending(second)).then(revised(second))
    story.when(pending(back)).then(revised(back, revision="1+2"))


def test_while_an_answer_is_written_back_a_change_waits_for_the_write_back_to_see_it() -> None:
    new = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2")
    given(MIRRORED, submitted(answer())).when(pending(new)).then_nothing()


def test_content_can_be_compared_while_it_is_pending_and_while_it_is_written_back() -> None:
    waiting = given(MIRRORED).state
    answered = given(MIRRORED, submitted(answer())).state
    assert isinstance(waiting, Pending)
    assert isinstance(answered, Deciding)
    for state in (waiting, answered):
        assert not content_changed(ask(mirrored=True), state)
        assert content_changed(ask(mirrored=True, title="Another"), state)


@pytest.mark.parametrize(
    "end",
    [
        (submitted(answer()), decided(answer(), MIRRORED)),
        (withdrawn(MIRRORED, "gone", "Gone."),),
        (expired(MIRRORED, NOW),),
    ],
    ids=["decided", "withdrawn", "expired"],
)
def test_a_settled_record_that_is_pending_again_needs_a_new_round(
    end: tuple[ApprovalEvent, ...],
) -> None:
    story = given(MIRRORED, *end)
    later = NOW + CLOCK_TOLERANCE
    shown = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2", now=later)
    story.when(pending(shown)).then_nothing()
    assert not reopens(pending(shown, read_at=later), story.state)
    assert reopens(pending(shown, read_at=later + timedelta(microseconds=1)), story.state)


def test_what_is_not_settled_cannot_be_pending_again() -> None:
    shown = pending(read_at=NOW + DAY)
    assert not reopens(shown, given().state)
    assert not reopens(shown, given(MIRRORED).state)
    assert not reopens(shown, given(MIRRORED, submitted(answer())).state)


@pytest.mark.parametrize(
    ("cause", "by", "outcome", "reason"),
    [
        ("settled", "boss@x.example", "approved", "Approved in the source by boss@x.example."),
        ("settled", None, "rejected", "Rejected in the source."),
        ("settled", None, None, "Settled in the source."),
        ("cancelled", "rita@x.example", None, "Cancelled in the source by rita@x.example."),
        ("cancelled", None, None, "Cancelled in the source."),
        ("gone", "rita@x.example", None, "The source does not know this record any more."),
        ("recalled", "rita@x.example", None, "Recalled by rita@x.example."),
        ("superseded", None, None, "Superseded."),
    ],
)
def test_a_record_settled_elsewhere_leaves_the_queue_and_says_how(
    cause: WithdrawalCause, by: str | None, outcome: Outcome | None, reason: str
) -> None:
    seen = settled(cause, by=by, outcome=outcome, now=minutes(3))
    given(MIRRORED).when(seen).then(
        withdrawn(MIRRORED, cause, reason, by=by, outcome=seen.outcome, now=minutes(3))
    )


def test_a_record_that_was_never_asked_for_needs_no_settling() -> None:
    given().when(settled()).then_nothing()


def test_a_record_settled_while_our_answer_is_on_its_way_may_be_our_own_doing() -> None:
    given(MIRRORED, submitted(answer())).when(settled()).then_nothing()


def test_a_record_settled_by_our_own_write_adds_nothing() -> None:
    story = given(MIRRORED).when(answer()).then(submitted(answer()))
    story = story.when(confirm()).then(decided(answer(), MIRRORED))
    story.when(settled()).then_nothing()


def test_nothing_follows_the_expiry_of_a_record() -> None:
    story = given(MIRRORED).when(expire()).then(expired(MIRRORED))
    story.when(settled()).then_nothing()
