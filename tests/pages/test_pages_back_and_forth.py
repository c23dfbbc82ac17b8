"""What goes back and forth by forms before a decision, and answers that change what is approved."""

from typing import Any

import httpx2
import jsonschema_rs
import pytest

from events.approval import ApprovalReassigned, AskedBack, Json
from projections.approval_view import ApprovalView
from services.approval_types import ApprovalType, ApprovalTypes
from tests.pages.conftest import browser_of
from tests.pages.fakes import JANE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.policies import ALICE, BOB, LENA, approved, asked_back, policy, two_of
from tests.pages.reader import Element, read

ONCE = "0123456789abcdef01234567"
QUESTION = {"wants": "answer", "text": "For which team?", "revision": "1", "question_id": ONCE}
PAYLOAD: dict[str, Json] = {
    "recipients": 500,
    "budget": 120.5,
    "subject": "Hello",
    "dry_run": False,
    "segments": ["eu", "us"],
}


async def known(placet: Placet, approval_id: str) -> ApprovalView:
    view = await placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    return view


async def page(client: httpx2.AsyncClient, path: str) -> Element:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


async def follow(client: httpx2.AsyncClient, answer: httpx2.Response) -> Element:
    assert answer.status_code == 303, answer.text
    return await page(client, answer.headers["location"])


def notice(shown: Element) -> str:
    return shown.one("div", class_="notice").text


def alert(answer: httpx2.Response) -> str:
    return read(answer.text).one("div", role="alert").text


def fault(answer: httpx2.Response, field: str) -> str:
    """What is said beside a field, which points at it."""
    shown = read(answer.text)
    (found,) = [
        one
        for tag in ("input", "textarea")
        for one in shown.all(tag, name=field)
        if "aria-invalid" in one.attributes
    ]
    return shown.one("p", id=found.attributes["aria-describedby"]).text


async def sent_as_it_is(
    client: httpx2.AsyncClient, approval_id: str, fold: str, **changes: str
) -> httpx2.Response:
    """Send the form that is folded away on the page of an approval, with some fields changed."""
    shown = await page(client, f"/approvals/{approval_id}")
    form = shown.one("details", id=fold).one("form")
    fields = {
        one.attributes["name"]: one.attributes.get("value", "")
        for one in form.all("input")
        if one.attributes.get("type") != "checkbox" or "checked" in one.attributes
    }
    for area in form.all("textarea"):
        text = "".join(one for one in area.children if isinstance(one, str))
        fields[area.attributes["name"]] = text.removeprefix("\n")
    return await client.post(form.attributes["action"], data=fields | changes)


async def test_a_vote_that_settles_nothing_yet_tells_whom_it_waits_for_and_leaves_the_inbox(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(
        "Access", policy=policy(two_of(JOHN, MARIA), two_of(BOB, LENA, name="Money"))
    )
    await page(john, "/inbox")
    placet.world.queue_lags = True
    fields = {"decision": "approve", "revision": "1", "next": "inbox"}
    answer = await john.post(f"/approvals/{approval_id}/decision", data=fields)
    inbox = await follow(john, answer)
    assert "You approved this. It now waits for Maria Garcia (step 1 of 2, 1 of 2)." in notice(
        inbox
    )
    assert not inbox.all("li", data_id=approval_id)
    assert inbox.one("h1").text == "Nothing waits for you"


async def test_an_answer_may_be_changed_while_others_are_still_to_answer(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Access", policy=policy(two_of(JOHN, MARIA, BOB)))
    await approved(placet, approval_id, JOHN)
    shown = await page(john, f"/approvals/{approval_id}")
    assert shown.one("h2", id="answer").text == "You have answered"
    deny = shown.one("form", id="deny")
    fields = deny.fields() | {"reason": "No, after all."}
    answer = await john.post(deny.attributes["action"], data=fields)
    assert "Rejected." in notice(await follow(john, answer))


async def test_an_approver_asks_and_the_requester_answers(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire")
    form = (await page(john, f"/approvals/{approval_id}")).one(
        "form", action=f"/approvals/{approval_id}/questions"
    )
    assert len(form.all("input", type="radio")) == 2
    hidden = {
        one.attributes["name"]: one.attributes["value"] for one in form.all("input", type="hidden")
    }
    for _ in range(2):  # a second click asks no second time
        fields = hidden | {"wants": "answer", "text": "For which\r\nteam?"}
        shown = await follow(john, await john.post(form.attributes["action"], data=fields))
    assert "Your question went to Jane Doe. The clock stands still" in notice(shown)
    view = await known(placet, approval_id)
    assert view.asked_back is not None
    assert view.asked_back.text == "For which\nteam?"
    stream = (await placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
    assert len([one for one in stream if isinstance(one.event, AskedBack)]) == 1

    async with browser_of(placet, JANE) as jane:
        form = (await page(jane, f"/approvals/{approval_id}")).one("form", id="reply")
        fields = form.fields() | {"text": "Support."}
        shown = await follow(jane, await jane.post(form.attributes["action"], data=fields))
        assert "Your answer stands in the history. The clock runs on." in notice(shown)
    assert (await known(placet, approval_id)).waits_for == [JOHN.email]


async def test_an_approver_returns_it_and_the_requester_changes_it(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    held_to = policy(two_of(JOHN, MARIA, BOB))
    approval_id = await placet.world.ask("Hire", PAYLOAD, policy=held_to)
    await approved(placet, approval_id, MARIA)
    fields = {**QUESTION, "wants": "changes", "text": "Fewer."}
    answer = await john.post(f"/approvals/{approval_id}/questions", data=fields)
    assert "It went back to Jane Doe." in notice(await follow(john, answer))

    async with browser_of(placet, JANE) as jane:
        changes = {"title": "Hire fewer", "payload.recipients": "100"}
        answer = await sent_as_it_is(jane, approval_id, "revise", **changes)
        assert "This is revision 2 now." in notice(await follow(jane, answer))

    view = await known(placet, approval_id)
    assert (view.title, view.revision) == ("Hire fewer", "2")
    assert view.payload == {**PAYLOAD, "recipients": 100}
    assert view.asked_back is None
    assert all(one.answer is None for one in view.approvers)


async def test_an_empty_question_and_an_empty_answer_are_not_sent(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire")
    path = f"/approvals/{approval_id}"
    answer = await john.post(f"{path}/questions", data={**QUESTION, "text": " \r\n"})
    assert answer.status_code == 422
    assert fault(answer, "text") == "Write something first."
    assert (await known(placet, approval_id)).asked_back is None
    await asked_back(placet, approval_id, JOHN, "Why?")
    async with browser_of(placet, JANE) as jane:
        fields = {"text": "", "question_id": f"{JOHN.email} Why?"}
        answer = await jane.post(f"{path}/answers", data=fields)
        assert answer.status_code == 422
        assert fault(answer, "text") == "Write something first."


async def test_a_refused_question_says_why_and_keeps_what_was_written(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire", approvers=[JOHN, MARIA])
    await asked_back(placet, approval_id, MARIA, "Mine first?")
    answer = await john.post(f"/approvals/{approval_id}/questions", data=QUESTION)
    assert answer.status_code == 409
    assert "maria.garcia@example.com has asked jane.doe@example.com already" in alert(answer)

    other = await placet.world.ask("Hire")
    answer = await john.post(
        f"/approvals/{other}/questions", data={**QUESTION, "wants": "changes", "revision": "0"}
    )
    assert answer.status_code == 409
    assert "This changed since you saw it" in alert(answer)
    shown = read(answer.text)
    area = shown.one("textarea", id="question-text")
    assert area.text == "For which team?"
    (chosen,) = [one for one in shown.all("input", name="wants") if "checked" in one.attributes]
    assert chosen.attributes["value"] == "changes"


async def test_a_mirrored_record_is_asked_about_but_not_returned(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Report", mirrored=True)
    form = (await page(john, f"/approvals/{approval_id}")).one(
        "form", action=f"/approvals/{approval_id}/questions"
    )
    assert form.fields()["wants"] == "answer"
    fields = {**QUESTION, "wants": "changes"}
    answer = await john.post(form.attributes["action"], data=fields)
    assert answer.status_code == 422
    assert "This mirrors a record of acme-expenses" in alert(answer)


async def test_only_the_requester_answers_or_changes_or_reminds_or_withdraws(
    placet: Placet, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Hire", {"pay": 9})
    await asked_back(placet, approval_id, JOHN, "Why?")
    before = (await known(placet, approval_id)).version
    for path, fields in (
        ("answers", {"text": "Because.", "question_id": f"{JOHN.email} Why?"}),
        ("revise", {"title": "Other", "revision": "1", "payload.pay": "1"}),
        ("remind", {}),
        ("withdraw", {}),
    ):
        answer = await maria.post(f"/approvals/{approval_id}/{path}", data=fields)
        assert answer.status_code in (403, 409), path
        assert "jane.doe@example.com" in alert(answer)
    assert (await known(placet, approval_id)).version == before


async def test_a_change_that_changes_nothing_is_told_so(placet: Placet) -> None:
    approval_id = await placet.world.ask("Hire", PAYLOAD)
    async with browser_of(placet, JANE) as jane:
        answer = await sent_as_it_is(jane, approval_id, "revise")
        assert answer.status_code == 422
        assert "Nothing was changed" in alert(answer)
        answer = await sent_as_it_is(jane, approval_id, "revise", title=" ")
        assert fault(answer, "title") == "Say in a few words what is asked."
    assert (await known(placet, approval_id)).version == 1


async def test_it_is_passed_on_to_somebody_else(placet: Placet, john: httpx2.AsyncClient) -> None:
    placet.people.know(BOB)
    approval_id = await placet.world.ask("Hire")
    fields = {"to": " Bob.Tanaka@example.com ", "reason": "Your field."}
    answer = await john.post(f"/approvals/{approval_id}/reassign", data=fields)
    assert "Passed on. It waits for Bob Tanaka." in notice(await follow(john, answer))
    stream = (await placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
    (event,) = [one.event for one in stream if isinstance(one.event, ApprovalReassigned)]
    assert (event.by, event.to, event.reason) == (JOHN.email, BOB, "Your field.")


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("", "Name who is to be asked instead"),
        ("bob", "is not an e-mail address"),
    ],
)
async def test_who_it_is_passed_on_to_is_held_to_be_an_address(
    placet: Placet, john: httpx2.AsyncClient, to: str, said: str
) -> None:
    approval_id = await placet.world.ask("Hire")
    fields = {"to": to, "reason": "Kept."}
    answer = await john.post(f"/approvals/{approval_id}/reassign", data=fields)
    assert answer.status_code == 422
    assert said in fault(answer, "to")
    shown = read(answer.text)
    assert shown.one("input", id="reassign-reason").attributes["value"] == "Kept."
    fold = shown.one("form", action=f"/approvals/{approval_id}/reassign").parent
    assert fold is not None
    assert "open" in fold.attributes


async def test_a_refusal_to_pass_it_on_reads_why(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask("Hire")
    answer = await john.post(f"/approvals/{approval_id}/reassign", data={"to": JANE.email})
    assert answer.status_code == 422
    assert "nobody decides their own request" in alert(answer)


async def test_the_requester_reminds_and_at_most_hourly(placet: Placet) -> None:
    approval_id = await placet.world.ask("Hire", approvers=[JOHN, MARIA])
    async with browser_of(placet, JANE) as jane:
        answer = await jane.post(f"/approvals/{approval_id}/remind")
        assert "Reminded: John Smith and Maria Garcia." in notice(await follow(jane, answer))
        again = await jane.post(f"/approvals/{approval_id}/remind")
        assert again.status_code == 409
        assert alert(again)


async def test_the_requester_takes_it_back(placet: Placet) -> None:
    approval_id = await placet.world.ask("Hire")
    async with browser_of(placet, JANE) as jane:
        answer = await jane.post(f"/approvals/{approval_id}/withdraw", data={"reason": "Not now."})
        assert "Withdrawn. Nobody is asked any more." in notice(await follow(jane, answer))
    view = await known(placet, approval_id)
    assert (view.status, view.withdrawn_by) == ("withdrawn", JANE.email)


async def test_an_approval_with_changes_keeps_what_was_changed_and_the_types(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Send", PAYLOAD, editable=True)
    changes = {
        "payload.recipients": "100",
        "payload.dry_run": "yes",
        "payload-rest": '{"segments": ["eu"]}',
        "reason": "Begin small.",
    }
    answer = await sent_as_it_is(john, approval_id, "edit", **changes)
    assert "Approved." in notice(await follow(john, answer))
    view = await known(placet, approval_id)
    assert view.edited_payload == {
        "recipients": 100,
        "budget": 120.5,
        "subject": "Hello",
        "dry_run": True,
        "segments": ["eu"],
    }
    assert view.payload == PAYLOAD
    assert view.decision_reason == "Begin small."


async def test_approved_with_no_change_is_just_approved(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Send", PAYLOAD, editable=True)
    await follow(john, await sent_as_it_is(john, approval_id, "edit"))
    view = await known(placet, approval_id)
    assert (view.status, view.edited_payload_digest) == ("approved", None)


async def test_what_is_wrong_in_an_edit_is_told_beside_each_field_and_all_is_kept(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Send", PAYLOAD, editable=True)
    changes = {
        "payload.recipients": "<many>",
        "payload.subject": "Typed & kept",
        "payload.dry_run": "yes",
        "payload-rest": "{",
    }
    answer = await sent_as_it_is(john, approval_id, "edit", **changes)
    assert answer.status_code == 422
    assert "look at what is marked" in alert(answer)
    assert "Write a number" in fault(answer, "payload.recipients")
    assert "Write a JSON object" in fault(answer, "payload-rest")
    shown = read(answer.text)
    fold = shown.one("details", id="edit")
    assert "open" in fold.attributes
    assert fold.one("input", name="payload.recipients").attributes["value"] == "<many>"
    assert fold.one("input", name="payload.subject").attributes["value"] == "Typed & kept"
    assert "checked" in fold.one("input", type="checkbox").attributes
    assert fold.one("textarea", name="payload-rest").text == "{"
    assert (await known(placet, approval_id)).status == "pending"


async def test_an_edit_is_held_to_the_type_and_its_faults_stand_at_their_fields() -> None:
    placet = Placet(types=typed())
    approval_id = await placet.world.ask("Send", {"recipients": 500, "tags": ["a"]}, editable=True,
                                         kind="newsletter")  # fmt: skip
    async with browser_of(placet, JOHN) as john:
        changes = {"payload.recipients": "900", "payload-rest": '{"tags": "a"}'}
        answer = await sent_as_it_is(john, approval_id, "edit", **changes)
        assert answer.status_code == 422
        assert "500" in fault(answer, "payload.recipients")
        assert "array" in fault(answer, "payload-rest")
        answer = await sent_as_it_is(john, approval_id, "edit", **{"payload.recipients": "400"})
        assert answer.status_code == 303


async def test_an_edit_of_what_has_changed_is_refused_and_what_was_typed_is_kept(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Send", PAYLOAD, editable=True)
    fields = {
        "decision": "approve",
        "edited": "yes",
        "revision": "0",
        "payload.recipients": "7",
    }
    answer = await john.post(f"/approvals/{approval_id}/decision", data=fields)
    assert answer.status_code == 409
    assert "This changed since you saw it" in alert(answer)
    recipients = read(answer.text).one("input", name="payload.recipients")
    assert recipients.attributes["value"] == "7"
    assert (await known(placet, approval_id)).status == "pending"


async def test_what_may_not_be_edited_is_not(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask("Send", {"x": 1})
    fields = {"decision": "approve", "edited": "yes", "revision": "1", "payload.x": "2"}
    answer = await john.post(f"/approvals/{approval_id}/decision", data=fields)
    assert answer.status_code == 422
    assert "may not be edited" in alert(answer)


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("questions", {**QUESTION, "wants": "money"}, "wants"),
        ("questions", {**QUESTION, "question_id": "mine"}, "question_id"),
        ("questions", {**QUESTION, "text": "x" * 10_001}, "text"),
        ("questions", {"text": "x"}, "wants"),
        ("answers", {"text": "x", "question_id": "x" * 601}, "question_id"),
        ("answers", {"text": "x\0", "question_id": "x"}, "text"),
        ("revise", {"title": "x" * 501, "revision": "1"}, "title"),
        ("revise", {"title": "x", "revision": "1", "approver": "x"}, "approver"),
        ("reassign", {"to": "x" * 300}, "to"),
        ("remind", {"text": "x"}, "text"),
        ("withdraw", {"reason": "x" * 10_001}, "reason"),
    ],
)
async def test_a_form_that_is_none_of_ours_is_refused_by_its_field(
    placet: Placet, john: httpx2.AsyncClient, path: str, fields: dict[str, str], named: str
) -> None:
    approval_id = await placet.world.ask("Hire")
    answer = await john.post(f"/approvals/{approval_id}/{path}", data=fields)
    assert answer.status_code == 422
    assert read(answer.text).one("p", role="alert").text.startswith(f"{named}:")
    assert (await known(placet, approval_id)).version == 1


@pytest.mark.parametrize(
    "path", ["questions", "answers", "revise", "reassign", "remind", "withdraw"]
)
@pytest.mark.parametrize("approval_id", ["0" * 27, "nonsense"])
async def test_of_an_unknown_approval_nothing_can_be_asked(
    john: httpx2.AsyncClient, path: str, approval_id: str
) -> None:
    fields: dict[str, dict[str, str]] = {
        "questions": QUESTION,
        "answers": {"text": "x", "question_id": "x"},
        "revise": {"title": "x", "revision": "1"},
        "reassign": {"to": ALICE.email},
        "remind": {},
        "withdraw": {},
    }
    answer = await john.post(f"/approvals/{approval_id}/{path}", data=fields[path])
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "code", ["asked", "replied", "revised", "passed_on", "reminded", "withdrawn"]
)
async def test_a_link_cannot_make_the_page_tell_of_what_nobody_did(
    placet: Placet, john: httpx2.AsyncClient, code: str
) -> None:
    approval_id = await placet.world.ask("Hire")
    shown = await page(john, f"/approvals/{approval_id}?notice={code}")
    assert not shown.all("div", class_="notice")


def typed() -> ApprovalTypes:
    """One type, with a schema."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "recipients": {"type": "integer", "maximum": 500},
            "tags": {"type": "array"},
        },
    }
    newsletter = ApprovalType(
        name="newsletter",
        version=1,
        title="Newsletter",
        payload_schema=schema,
        editable=True,
        validator=jsonschema_rs.Draft202012Validator(schema),
    )
    return ApprovalTypes(workspace=WORKSPACE, types={"newsletter": newsletter})


async def test_a_change_of_what_has_changed_meanwhile_is_refused(placet: Placet) -> None:
    approval_id = await placet.world.ask("Hire", PAYLOAD)
    async with browser_of(placet, JANE) as jane:
        fields = {"revision": "0", "payload.recipients": "7"}
        answer = await sent_as_it_is(jane, approval_id, "revise", **fields)
        assert answer.status_code == 409
        assert "This changed since you saw it" in alert(answer)
        recipients = read(answer.text).one("input", name="payload.recipients")
        assert recipients.attributes["value"] == "7"
    assert (await known(placet, approval_id)).version == 1
