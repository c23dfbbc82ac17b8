"""A card as Slack's blocks: whatever users wrote, within the limits, and never markup."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channels.card import Card
from services.channels.differences import Difference
from services.channels.facts import Details, Fact, Table
from services.channels.slack.blocks import MOST_CARD, blocks, fallback
from services.channels.slack.escaping import BREAK, length, mrkdwn, plain, unescaped
from services.channels.slack.modals import OPENS_MODAL, modal
from tests.channels.views import card_of, view
from tests.servers.fake_slack import mentions_and_links
from tests.servers.slack_rules import faults_of_message, faults_of_view

HOSTILE = (
    "<!channel> <@U0CEO> <https://evil.example|Approve> *bold* _it_ ~no~ `code` :tada:\n"
    "> quoted &lt;"
)

words = st.one_of(
    st.text(max_size=40),
    st.sampled_from([HOSTILE, "", " ", "\n", "&" * 400, "😀" * 2000, "*_~`<>&:" * 500, "a" * 5000]),
)
some = st.lists(words, max_size=12).map(tuple)
facts = st.lists(st.builds(Fact, label=words, value=words), max_size=40).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.lists(words, min_size=1, max_size=3))
    row = st.tuples(*[words for _ in columns])
    rows = draw(st.lists(row, min_size=1, max_size=5))
    left_out = draw(st.one_of(st.none(), words))
    return Table(label=draw(words), columns=tuple(columns), rows=tuple(rows), left_out=left_out)


cards = st.builds(
    Card,
    approval_id=st.just("2Zq4h3bN9tVgmPuVd5sJ8oKcXyL"),
    revision=st.one_of(words, st.just("r" * 1990)),
    title=words,
    status=words,
    shown=st.sampled_from(["open", "superseded", "settled"]),
    asks=st.sampled_from(["decision", "answer", "changes", None]),
    requester=words,
    approvers=some,
    progress=st.none() | words,
    answers=some,
    warnings=some,
    said=facts,
    urgency=st.sampled_from(["low", "medium", "high"]),
    reason=st.none() | words,
    amount=st.none() | words,
    differences=st.lists(
        st.builds(Difference, label=words, before=st.none() | words, after=st.none() | words),
        max_size=30,
    ).map(tuple),
    deadline=st.none() | words,
    time_left=words,
    body=st.none() | words,
    details=st.builds(
        Details,
        facts=facts,
        tables=st.lists(tables(), max_size=3).map(tuple),
        left_out=st.none() | words,
    ),
    link=st.just("https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL"),
    record=st.none() | words,
    record_link=st.sampled_from([None, "https://acme.example/1"]),
)


@settings(max_examples=60, deadline=None)
@given(cards)
def test_any_card_is_within_every_limit_and_mentions_nobody(card: Card) -> None:
    shown = blocks(card)
    message = {"text": fallback(card), "blocks": shown}
    assert faults_of_message(message) == []
    texts = [text["text"] for text in _texts(shown) if text["type"] == "mrkdwn"]
    for text in [fallback(card), *(one.removeprefix("*").removesuffix("*") for one in texts)]:
        assert mentions_and_links(text) == []
        assert _bare_marks(text) == ""
    # What comes back with a click is read whole; 9 bytes are the most for a character of it.
    assert sum(length(one["text"]) for one in _texts(shown)) < MOST_CARD + 6000


@given(st.text().map(str.strip))
def test_what_is_escaped_reads_as_it_was_written(text: str) -> None:
    expected = text.replace(BREAK, "")
    assert unescaped(mrkdwn(text, 10**6)) == (expected or ("" if text else "\u2013"))
    assert plain(text, 10**6) == (text or "\u2013")


@given(words, st.integers(min_value=10, max_value=200))
def test_a_cut_never_leaves_half_an_entity(text: str, most: int) -> None:
    cut = mrkdwn(text, most)
    assert length(cut) <= most
    rest = cut
    for entity in ("&amp;", "&lt;", "&gt;"):
        rest = rest.replace(entity, "")
    assert "&" not in rest


def test_a_title_that_mentions_everybody_is_shown_as_it_is() -> None:
    card = card_of(view(title="<!channel> *urgent*"))
    [header] = [one for one in blocks(card) if one["type"] == "header"]
    assert header["text"] == {"type": "plain_text", "text": "<!channel> *urgent*", "emoji": False}
    assert fallback(card).startswith("To approve")
    assert "<" not in fallback(card)


@pytest.mark.parametrize(
    ("asks", "actions"),
    [
        ("decision", ["approve", "deny", "ask", "open"]),
        ("answer", ["answer", "open"]),
        ("changes", ["open"]),
        (None, ["open"]),
    ],
)
def test_there_is_to_press_what_the_card_asks_for(asks: Any, actions: list[str]) -> None:
    assert _actions(_card(asks=asks)) == actions


def test_what_a_button_sends_is_the_approval_and_the_revision_and_nothing_else() -> None:
    card = _card(asks="decision", revision="7:b")
    values = {one["value"] for one in blocks(card)[-1]["elements"] if "value" in one}
    assert values == {f"{card.approval_id}:7:b"}


def test_a_revision_too_long_for_a_button_is_answered_in_placet() -> None:
    assert _actions(_card(asks="decision", revision="r" * 1980)) == ["open"]


def test_approving_asks_once_more_with_what_is_approved() -> None:
    [approve, deny, *_] = blocks(_card(asks="decision", amount="750.50 USD"))[-1]["elements"]
    assert approve["style"] == "primary"
    assert approve["confirm"]["text"]["text"] == "Expense report EXP-1\n750.50 USD"
    assert (deny["style"], "confirm" in deny) == ("danger", False)


def test_a_reader_sees_facts_differences_and_the_record() -> None:
    card = _card(
        amount="750.50 USD",
        differences=(Difference(label="Amount", before="75.05 USD", after="750.50 USD"),),
    )
    shown = [one["text"] for one in _texts(blocks(card))]
    assert shown[2:4] == ["*Amount*", "750.50 USD"]
    assert "Amount: 75.05 USD \N{RIGHTWARDS ARROW} 750.50 USD" in shown
    assert "*Total amount*" in shown
    assert any("Item: Taxi; Category: Travel; Amount: 50.00 USD" in one for one in shown)


@given(st.sampled_from(sorted(OPENS_MODAL)), st.none() | words)
def test_a_window_is_within_every_limit(action: str, about: str | None) -> None:
    assert faults_of_view(modal(action, value="x" * 2000, about=about)) == []


def _card(**changes: Any) -> Card:
    return replace(card_of(view()), **{"record_link": None, **changes})


def _actions(card: Card) -> list[str]:
    return [one["action_id"] for one in blocks(card)[-1]["elements"]]


def _texts(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [text for one in node for text in _texts(one)]
    if not isinstance(node, dict):
        return []
    if node.get("type") in ("plain_text", "mrkdwn"):
        return [node]
    return [text for one in node.values() for text in _texts(one)]


def _bare_marks(text: str) -> str:
    """The marks that Slack would take as such: those without a break on both sides."""
    return "".join(
        character
        for place, character in enumerate(text)
        if character in "*_~`:" and not (text[place - 1] == text[place + 1 : place + 2] == BREAK)
    )
