"""Cards as text and as HTML: whatever a user wrote stays text."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.approval import Person
from projections.approval_view import ApprovalView
from projections.progress import Approver
from services.channels.card import Card
from services.channels.html import html
from services.channels.text import subject, text
from services.sources.definition import Card as SourceCard
from services.sources.templates import compiled
from tests.channels.views import AMARA, BO, NOW, card_of, course_view, question_card, said, view

EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> {{requester.email}} {% raw %} "
    "\"'>&amp; \0 \x1b[31m \u202egnirts \ud800 שלום 日本 e\u0301 👩🏽‍🚀"
)


class Tags(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def evil_view(words: str) -> object:
    return view(
        title=words,
        reason=words,
        requester=Person(email="a@x.example", name=words),
        approvers=[Approver(email=AMARA, name=words)],
        payload={words: words, "list": [{words: words}], "flat": {words: words}, "deep": [[words]]},
        status="rejected",
        decided_by=AMARA,
        decided_at=NOW,
        decision_reason=words,
    )


def evil_cards(words: str) -> list[Card]:
    """Cards that hold a user's words wherever an approval of several steps has any."""
    return [
        card_of(evil_course(words), approver=BO.email, questions=said(words)),
        card_of(evil_course(words, asked_back=True), questions=said(words)),
        question_card("changes", words),
    ]


def evil_course(words: str, *, asked_back: bool = False) -> ApprovalView:
    return course_view(
        asked_back=asked_back,
        question=words,
        step_name=words,
        warning=words,
        name=words,
        steps=2,
    )


def test_the_text_says_it_all_in_lines() -> None:
    assert text(card_of()) == (
        "Expense report EXP-1\n"
        "\n"
        "Waiting for you.\n"
        "\n"
        "Amount: 750.50 USD\n"
        "Asked by: Jane Doe (jane.doe@example.com)\n"
        "Approvers: Amara (amara@example.com)\n"
        "Urgency: high\n"
        "Answer by: 2026-12-20 17:00 UTC (29 days left when this was written)\n"
        "Why: Client visit\n"
        "\n"
        "Report id: EXP-2025-09-15-001\n"
        "Total amount: 750.50 USD\n"
        "Description: Client dinner and travel for Q3 sales meeting.\n"
        "Submitter: Jane Doe (jane.doe@example.com)\n"
        "\n"
        "Line items:\n"
        "  - Item: Client Dinner; Category: Meals & Entertainment; Amount: 250.00 USD\n"
        "  - Item: Flight to NYC; Category: Travel; Amount: 450.50 USD\n"
        "  - Item: Taxi; Category: Travel; Amount: 50.00 USD\n"
        "\n"
        "Approve or reject in Placet: "
        "https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL\n"
        "Record: expenses EXP-1 - https://acme.example/r/1\n"
    )


def test_only_a_card_that_asks_for_an_answer_says_that_its_link_is_for_one() -> None:
    assert "\nApprove or reject in Placet: https" in text(card_of())
    assert "\nIn Placet: https" in text(card_of(view(status="expired")))


def test_no_line_of_a_payload_passes_for_one_of_ours() -> None:
    forged = "x\nAsked by: the CEO\r\nIn Placet: https://evil.example"
    for card in (
        card_of(view(payload={"note": forged}, reason=forged, title=forged)),
        card_of(
            view(payload={"note": forged}),
            template=SourceCard.model_construct(
                title=compiled("{{note}}"), body=compiled("{{note}}")
            ),
        ),
    ):
        lines = text(card).splitlines()
        assert [line for line in lines if line.startswith("Asked by")] == [
            "Asked by: Jane Doe (jane.doe@example.com)"
        ]
        ours = ("In Placet", "Approve or reject in Placet")
        assert len([line for line in lines if line.startswith(ours)]) == 1


def test_a_subject_is_one_line_and_says_what_is_to_be_done() -> None:
    assert subject(card_of()) == "To approve: Expense report EXP-1"
    assert subject(card_of(view(title="a\r\nBcc: b@x.example"))) == "To approve: a Bcc: b@x.example"
    assert subject(card_of(view(status="expired"))) == "Settled: Expense report EXP-1"
    assert subject(card_of(superseded_by=view())) == "Changed: Expense report EXP-1"


def test_the_page_holds_the_same_facts_and_both_links() -> None:
    page = Tags(html(card_of()))
    for words in ("Expense report EXP-1", "750.50 USD", "Meals & Entertainment", "Client visit"):
        assert words in page.words
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [
        "https://placet.example.com/approvals/2Zq4h3bN9tVgmPuVd5sJ8oKcXyL",
        "https://acme.example/r/1",
    ]


def test_only_an_open_card_asks_for_an_answer() -> None:
    assert "Approve or reject in Placet" in html(card_of())
    settled = html(card_of(view(status="expired")))
    assert "Approve or reject" not in settled
    assert "Answer by" not in settled
    assert "Answer by" not in text(card_of(view(status="expired")))
    assert "Open in Placet" in settled


def test_a_subject_says_what_a_question_wants_and_what_waits_for_others() -> None:
    title = "Expense report EXP-1"
    assert subject(question_card("answer")) == f"To answer: {title}"
    assert subject(question_card("changes")) == f"To change: {title}"
    assert "Answer in Placet</a>" in html(question_card("answer"))
    assert "Change it in Placet</a>" in html(question_card("changes"))
    asked_back = course_view(asked_back=True)
    assert subject(card_of(asked_back)) == f"Waits: {title}"
    assert "Open in Placet</a>" in html(card_of(asked_back))


def test_progress_answers_warnings_and_what_was_said_stand_on_every_rendering() -> None:
    card = card_of(course_view(), approver=BO.email, questions=said())
    told = text(card)
    page = Tags(html(card)).words
    for label, value in (
        ("Progress", "1 of 2"),
        ("Answered", "Amara (amara@example.com) approved"),
        ("Warning", "The condition failed."),
        ("amara@example.com asked", "Who?"),
        ("jane.doe@example.com answered", "The client."),
    ):
        assert f"{label}: {value}\n" in told
        assert label in page
        assert value in page


SAFE_TAGS = {
    *("html", "head", "meta", "title", "body", "div", "h1", "h2", "p", "table", "tr", "th", "td"),
    "a",
}


def assert_harmless(document: str, links: int) -> None:
    page = Tags(document)
    assert {tag for tag, _ in page.tags} <= SAFE_TAGS
    for tag, attributes in page.tags:
        assert set(attributes) <= {
            *("style", "lang", "charset", "name", "content", "dir", "scope", "href", "rel")
        }, tag
        assert "url(" not in (attributes.get("style") or "")
    assert len([tag for tag, _ in page.tags if tag == "a"]) == links
    document.encode()
    assert "\0" not in document
    assert "\x1b" not in document


def test_what_a_user_wrote_stays_text_wherever_it_stands() -> None:
    card = card_of(evil_view(EVIL))  # type: ignore[arg-type]
    assert_harmless(html(card), links=2)
    shown = Tags(html(card)).words
    assert shown.count("<script>alert(1)</script>") >= 6
    assert "{{requester.email}} {% raw %}" in shown
    assert "שלום 日本 é 👩🏽‍🚀".replace("é", "e\u0301") in shown
    assert "\u202e" not in shown
    written = text(card)
    assert "\0" not in written
    assert "\x1b" not in written
    written.encode()


def test_a_template_escapes_nothing_and_the_page_everything() -> None:
    card = card_of(
        view(payload={"note": EVIL}),
        template=SourceCard.model_construct(
            title=compiled("<b>{{note}}</b>"), body=compiled("<b>{{note}}</b>\n<i>{{title}}</i>")
        ),
    )
    assert card.template_error is None
    assert_harmless(html(card), links=2)
    assert "<b><script>alert(1)</script>" in Tags(html(card)).words


@given(st.text())
def test_no_text_at_all_breaks_out(words: str) -> None:
    card = card_of(evil_view(words))  # type: ignore[arg-type]
    assert_harmless(html(card), links=2)
    text(card).encode()


@given(st.text())
def test_no_question_warning_or_name_breaks_out(words: str) -> None:
    for card in evil_cards(words):
        assert_harmless(html(card), links=2)
        text(card).encode()


def test_no_line_of_a_question_passes_for_one_of_ours() -> None:
    forged = "x\nAsked by: the CEO\r\nApproved by the CFO"
    for card in evil_cards(forged):
        lines = text(card).splitlines()
        assert [line for line in lines if line.startswith("Asked by")] == [
            "Asked by: Jane Doe (jane.doe@example.com)"
        ]
        assert not [line for line in lines if line.startswith("Approved by")]


@pytest.mark.parametrize("words", ["", " ", "\n\n", "\u2028", "\ufeff"])
def test_words_that_show_nothing_break_nothing(words: str) -> None:
    card = card_of(evil_view(words))  # type: ignore[arg-type]
    assert html(card)
    assert text(card)
