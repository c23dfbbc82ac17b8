"""Folding: what each fact makes of each state, and which histories cannot be."""

from collections.abc import Mapping
from typing import get_args

import pytest

from events.approval import ApprovalEvent
from events.state import ImpossibleHistory, State, Unknown, evolve, fold
from tests.core.examples import (
    MIRRORED,
    OTHER_PAYLOAD,
    acknowledge,
    acknowledged,
    answer,
    ask,
    card,
    comment,
    commented,
    decided,
    expired,
    fail,
    failed,
    no_card,
    not_notified,
    notified,
    revised,
    submitted,
    undo,
    undone,
    withdrawn,
)
from tests.core.steps import (
    ANN,
    BOTH,
    CARL,
    answer_back,
    answered_back,
    ask_back,
    asked_back,
    escalate,
    escalated,
    reassign,
    reassigned,
    reminded,
    taken_over,
)

ANSWERED = submitted(answer())
FACTS: Mapping[str, ApprovalEvent] = {
    "requested": MIRRORED,
    "notified": notified(card()),
    "not notified": not_notified(no_card()),
    "revised": revised(ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2")),
    "commented": commented(comment()),
    "voted": submitted(answer(), complete=False),
    "submitted": ANSWERED,
    "reminded": reminded(ANN),
    "reassigned": reassigned(reassign()),
    "escalated": escalated(escalate(CARL), CARL),
    "taken over": taken_over(BOTH),
    "asked back": asked_back(ask_back()),
    "answered back": answered_back(answer_back()),
    "undone": undone(undo()),
    "failed": failed(answer(), fail()),
    "decided": decided(answer(), MIRRORED),
    "withdrawn": withdrawn(MIRRORED, "settled", "Approved."),
    "expired": expired(MIRRORED),
    "acknowledged": acknowledged(acknowledge()),
}
STATES: Mapping[str, tuple[ApprovalEvent, ...]] = {
    "Unknown": (),
    "Pending": (MIRRORED,),
    "Deciding": (MIRRORED, ANSWERED),
    "Decided": (MIRRORED, ANSWERED, decided(answer(), MIRRORED)),
    "Withdrawn": (MIRRORED, withdrawn(MIRRORED, "settled", "Approved.")),
    "Expired": (MIRRORED, expired(MIRRORED)),
}
LEGAL: Mapping[str, Mapping[str, str]] = {
    "Unknown": {"requested": "Pending"},
    "Pending": {
        "notified": "Pending",
        "not notified": "Pending",
        "revised": "Pending",
        "commented": "Pending",
        "voted": "Pending",
        "reminded": "Pending",
        "reassigned": "Pending",
        "escalated": "Pending",
        "taken over": "Pending",
        "asked back": "Pending",
        "answered back": "Pending",
        "submitted": "Deciding",
        "withdrawn": "Withdrawn",
        "expired": "Expired",
    },
    "Deciding": {
        "notified": "Deciding",
        "not notified": "Deciding",
        "commented": "Deciding",
        "undone": "Pending",
        "failed": "Pending",
        "decided": "Decided",
        "withdrawn": "Withdrawn",
    },
    "Decided": {"commented": "Decided", "acknowledged": "Decided"},
    "Withdrawn": {"commented": "Withdrawn", "acknowledged": "Withdrawn"},
    "Expired": {"commented": "Expired", "acknowledged": "Expired"},
}


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("state", STATES)
def test_a_fact_leads_to_the_state_of_the_table_or_cannot_be(state: str, fact: str) -> None:
    before = fold(STATES[state])
    expected = LEGAL[state].get(fact)
    if expected is None:
        with pytest.raises(ImpossibleHistory, match=f"{len(STATES[state]) + 1} of .* {state}$"):
            evolve(before, FACTS[fact])
    else:
        after = evolve(before, FACTS[fact])
        assert type(after).__name__ == expected
        assert after.version == before.version + 1


def test_the_table_of_histories_knows_every_fact_and_every_state() -> None:
    assert {type(fact) for fact in FACTS.values()} == set(get_args(ApprovalEvent))
    assert {type(fold(facts)) for facts in STATES.values()} == set(get_args(State))


def test_folding_goes_on_from_a_state() -> None:
    facts = STATES["Decided"]
    for cut in range(len(facts) + 1):
        assert fold(facts[cut:], fold(facts[:cut])) == fold(facts)


def test_no_facts_are_an_approval_that_nobody_asked_for() -> None:
    assert fold(()) == Unknown(version=0, comments=frozenset())


def test_a_comment_is_remembered_through_every_state() -> None:
    facts = (MIRRORED, commented(comment()), ANSWERED, decided(answer(), MIRRORED))
    assert fold(facts).comments == {"c1"}
    assert fold((*facts[:2], expired(MIRRORED))).comments == {"c1"}
    assert fold((*facts[:2], withdrawn(MIRRORED, "gone", "Gone."))).comments == {"c1"}
    assert fold((*facts[:3], failed(answer(), fail()))).comments == {"c1"}
