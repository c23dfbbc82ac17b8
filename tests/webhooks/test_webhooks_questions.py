"""The requester is told of what an approver asks back: by subscriptions, and by callbacks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from events.approval import ApprovalRequested, ApprovalRevised, AskedBack
from events.codec import encode
from events.envelope import Recorded
from services.webhooks.bodies import MAX_BYTES, native
from services.webhooks.messages import Message
from tests.core.examples import ANN, NOW, ask, card, notified, requested
from tests.webhooks.webhook_kit import WORKSPACE, Office, as_messages

A = "https://a.example.com/hook"
B = "https://b.example.com/hook"
CALLBACK = "https://c.example.com/done?job=7"
QUESTION = AskedBack(question_id="q1", by=ANN, text="Who was there?", wants="answer", at=NOW)


def changed(asked: ApprovalRequested) -> ApprovalRevised:
    return ApprovalRevised(
        about=replace(asked.about, revision="2", title="Dinner for two", payload_digest="2" * 64),
        payload={},
        approvers=asked.approvers,
        at=NOW,
    )


async def test_a_question_is_told_with_what_it_is_about_and_how_to_answer_it(
    office: Office,
) -> None:
    await office.subscribe(A, event_types=["approval.asked_back"], types=["expense"])
    await office.subscribe(B, event_types=["approval.asked_back"], types=["other"])
    events = await office.tell(requested(ask()), QUESTION)
    await office.settle()
    [post] = office.deliver.posts
    assert (post.url, post.json["type"]) == (A, "approval.asked_back")
    data = post.json["data"]
    assert (data["question_id"], data["question"], data["wants"], data["asked_by"]) == (
        "q1",
        "Who was there?",
        "answer",
        ANN.email,
    )
    assert (data["type"], data["status"], data["sequence"]) == ("expense", "pending", 2)
    assert data["requester"]["email"] == "rita@example.com"
    assert data["event_id"] == events[1].event_id
    assert data["url"].endswith(f"/approvals/{events[0].approval_id}")


async def test_a_question_is_told_once_however_often_the_log_brings_it(office: Office) -> None:
    webhook = await office.subscribe(A)
    asked = requested(ask(callback_url=CALLBACK))
    events = await office.happen(asked, QUESTION, replace(QUESTION, question_id="q2"))
    for _ in range(3):
        await office.webhooks.handle(as_messages(events))
    await office.settle()
    told = [post.json["data"]["question_id"] for post in office.deliver.to(CALLBACK)]
    assert sorted(told) == ["q1", "q2"], "each question once, and a second one too"
    assert len(await office.deliveries(webhook)) == 3


async def test_the_callback_of_an_approval_is_told_of_a_question_to_its_requester(
    office: Office,
) -> None:
    await office.tell(requested(ask(callback_url=CALLBACK)), notified(card()), QUESTION)
    await office.settle()
    [post] = office.deliver.posts
    assert (post.url, post.json["type"]) == (CALLBACK, "approval.asked_back")
    assert post.headers["webhook-signature"].startswith("v1,"), "signed, as every callback"


async def test_a_callback_in_other_words_has_none_for_a_question(office: Office) -> None:
    asked = requested(ask(callback_url=CALLBACK, callback_dialect="operator"))
    await office.tell(asked, QUESTION)
    await office.settle()
    assert office.deliver.posts == []


async def test_a_question_about_a_revision_tells_that_revision(office: Office) -> None:
    await office.subscribe(A, event_types=["approval.asked_back"])
    asked = requested(ask())
    later = replace(QUESTION, question_id="q2")
    await office.tell(asked, QUESTION, changed(asked), later)
    await office.settle()
    assert sorted(_shown(office)) == [
        ("q1", asked.about.revision, asked.about.title),
        ("q2", "2", "Dinner for two"),
    ]


def _shown(office: Office) -> list[tuple[str, str, str]]:
    told = [post.json["data"] for post in office.deliver.to(A)]
    return [(one["question_id"], one["revision"], one["title"]) for one in told]


async def test_a_question_is_replayed_and_made_up_for_in_the_same_words(office: Office) -> None:
    webhook = await office.subscribe(A, event_types=["approval.asked_back"])
    asked = requested(ask(callback_url=CALLBACK))
    await office.happen(asked, changed(asked), QUESTION)
    await office.logged()
    while await office.webhooks.reconciler.reconcile(settled_s=0.0):
        pass
    await office.settle()
    assert _shown(office) == [("q1", "2", "Dinner for two")]
    assert len(office.deliver.to(CALLBACK)) == 1
    since = datetime.now(UTC) - timedelta(minutes=1)
    until = datetime.now(UTC) + timedelta(minutes=1)
    for again in (webhook, await office.callback(CALLBACK)):
        await office.replays.between(WORKSPACE, again, since, until, None)
    await office.settle()
    for url in (A, CALLBACK):
        first, second = office.deliver.to(url)
        assert (first.body, first.id) == (second.body, second.id)


@pytest.mark.parametrize("character", ["a", "\N{OWL}", "\0", '"'])
def test_a_long_question_is_cut_and_what_answers_it_is_not(character: str) -> None:
    question = replace(QUESTION, text=character * 30_000, question_id="q" * 300)
    name, schema_version, data = encode(question)
    recorded = Recorded(
        workspace="acme",
        approval_id="2Qz5ZyV3dT8mYw6kR1bXn4cJ0Lp",
        version=2,
        event=question,
        type=name,
        schema_version=schema_version,
        data=data,
        command_id="c",
        recorded_at=NOW,
    )
    body = native(Message(name, recorded), "https://p.example")
    assert len(body) < MAX_BYTES
    assert b'"truncated":true' in body
    assert b'"question_id":"' + b"q" * 300 + b'"' in body
