"""A report of Acme Expenses on its way through Placet: what an approver and Acme's people see."""

from typing import Any

import httpx2

from tests.demo.acme_process import Acme
from tests.journey.running_placet import Placet, eventually
from tests.pages.reader import read

JOHN = "john.smith@example.com"


async def pending(placet: Placet, acme: Acme) -> tuple[str, dict[str, Any]]:
    """A new report of Acme's, and its approval."""
    record_id = acme.create()["id"]
    return record_id, await placet.waiting_for(JOHN, record_id)


async def settled_once(placet: Placet, acme: Acme, record_id: str, approval_id: str) -> None:
    """What must be true after an approval by whatever way."""
    record = acme.record(record_id)
    assert (record["status"], record["decided_by"]) == ("approved", JOHN)
    await placet.leaves_the_queue(JOHN, approval_id)
    [fact] = await placet.messages("approval.decided", approval_id)
    assert (fact["status"], fact["source"]["record_id"]) == ("approved", record_id)
    assert fact["decided_by"] == JOHN

    async def noted() -> list[str]:
        notes = [note["text"] for note in acme.record(record_id)["notes"]]
        return [text for text in notes if "approved" in text.lower()]

    assert len(await eventually(noted, f"{record_id} has a note about its approval")) == 1


async def test_an_approval_through_the_api_is_carried_to_acme_and_told_once(
    placet: Placet, acme: Acme
) -> None:
    record_id, waiting = await pending(placet, acme)
    assert waiting["title"] == "Expense report from Jane Doe"
    assert waiting["payload"]["total_amount"] == 12.34
    assert waiting["verified_at"] is not None
    answer = await placet.answer(waiting["id"], decision="approve", approver=JOHN, reason="Fine")
    assert answer.status_code in {200, 202}, answer.text
    approval = await placet.until_status(waiting["id"], "approved")
    assert (approval["decided_by"], approval["decision_channel"]) == (JOHN, "api")
    await settled_once(placet, acme, record_id, waiting["id"])
    again = await placet.answer(waiting["id"], decision="deny", approver=JOHN, reason="No")
    assert (again.status_code, again.json()["code"]) == (409, "already_resolved")
    assert again.json()["approval"]["status"] == "approved"


async def test_a_report_approved_in_acme_leaves_the_queue_and_its_card_says_so(
    placet: Placet, acme: Acme
) -> None:
    record_id, waiting = await pending(placet, acme)

    async def told() -> list[dict[str, Any]]:
        return await placet.cards(waiting["id"], JOHN)

    [card] = await eventually(told, "John has a card")
    assert card["shown"] == "open"
    assert acme.decide(record_id).status_code == 200
    approval = await placet.until_status(waiting["id"], "withdrawn")
    await placet.leaves_the_queue(JOHN, waiting["id"])

    async def redrawn() -> list[dict[str, Any]]:
        return [one for one in await placet.cards(waiting["id"], JOHN) if one["shown"] != "open"]

    [card] = await eventually(redrawn, "the card is redrawn")
    assert card["shown"] == "settled"
    assert "already" in card["body_text"].lower()
    assert approval["outcome"] == "approved"  # what it came to there
    assert await placet.messages("approval.decided", waiting["id"]) == []
    [fact] = await placet.messages("approval.withdrawn", waiting["id"])
    assert fact["status"] == "withdrawn"
    late = await placet.answer(waiting["id"], decision="deny", approver=JOHN, reason="Too late")
    assert (late.status_code, late.json()["code"]) == (409, "already_resolved")
    assert acme.record(record_id)["status"] == "approved"


async def test_an_answer_to_an_amount_that_was_edited_meanwhile_is_refused(
    placet: Placet, acme: Acme
) -> None:
    record_id, waiting = await pending(placet, acme)
    edited = acme.http.patch(f"/approvals/{record_id}", json={"total_amount": 1234})
    assert edited.status_code == 200, edited.text

    # Whether the sweep has seen the edit by now or not: the approver has not.
    stale = {"decision": "approve", "approver": JOHN, "revision": waiting["revision"]}
    answer = await placet.answer(waiting["id"], **stale)
    if answer.status_code == 202:
        await placet.until_status(waiting["id"], "pending")
        answer = await placet.answer(waiting["id"], **stale)
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_revision")
    assert acme.record(record_id)["status"] == "pending"

    async def revised() -> dict[str, Any] | None:
        one: dict[str, Any] = await placet.get(f"/v1/approvals/{waiting['id']}")
        return one if one["payload"]["total_amount"] == 1234 else None

    now = await eventually(revised, "the new amount is shown")
    assert (now["status"], now["round"]) == ("pending", 1)
    assert now["revision"] != waiting["revision"]
    answer = await placet.answer(waiting["id"], **stale)
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_revision")
    assert answer.json()["approval"]["payload"]["total_amount"] == 1234
    fresh = await placet.answer(
        waiting["id"], decision="approve", approver=JOHN, revision=now["revision"]
    )
    assert fresh.status_code in {200, 202}, fresh.text
    await placet.until_status(waiting["id"], "approved")
    await settled_once(placet, acme, record_id, waiting["id"])


async def test_approving_by_the_form_of_the_page_does_the_same(placet: Placet, acme: Acme) -> None:
    record_id, waiting = await pending(placet, acme)
    async with httpx2.AsyncClient(base_url=placet.url, follow_redirects=True) as browser:
        inbox = await browser.post("/login", data={"email": JOHN})
        assert inbox.status_code == 200, inbox.text
        path = f"/approvals/{waiting['id']}"
        assert [link.attributes["href"] for link in read(inbox.text).all("a", href=path)]
        page = await browser.get(path)
        assert (await placet.get(f"/v1{path}"))["status"] == "pending"  # to look decides nothing
        [form] = [
            one
            for one in read(page.text).all("form", action=f"{path}/decision")
            if one.fields()["decision"] == "approve"
        ]
        sent = {**form.fields(), "reason": "As agreed"}
        assert sent["revision"] == waiting["revision"]
        done = await browser.post(form.attributes["action"], data=sent)
        assert done.status_code == 200, done.text
        assert "take it back until" in done.text
        assert acme.record(record_id)["status"] == "pending"  # held: the source knows nothing yet
    approval = await placet.until_status(waiting["id"], "approved")
    assert (approval["decided_by"], approval["decision_channel"]) == (JOHN, "inbox")
    assert approval["decision_reason"] == "As agreed"
    await settled_once(placet, acme, record_id, waiting["id"])
