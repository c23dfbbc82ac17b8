"""An answer that is held is taken back, by whoever gave it and as long as it is held."""

from datetime import timedelta

import httpx2

from events.approval import Person
from services.approval_types import ApprovalTypes
from services.bootstrap.parts import now
from services.decision.answering import Answer, Answering
from services.decision.identifiers import new_approval_id
from tests.api.api_kit import ANN, BEN, Office, ask, decide, found, refused


class Carrying:
    """Carries nothing out."""

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        pass


async def answered_in_the_inbox(office: Office, approval_id: str, held_s: float = 60) -> None:
    at = now if held_s > 0 else lambda: now() - timedelta(seconds=30)
    types = ApprovalTypes(workspace=office.workspace, undo_s=abs(held_s))
    answering = Answering(office.placet.parts.store, Carrying(), at, types)
    answer = Answer(
        outcome="approved",
        by=Person(email=ANN),
        reason=None,
        channel="inbox",
        via=None,
        revision="1",
        assurance="session",
        undoable=True,
    )
    view = await answering.decide(office.workspace, approval_id, answer)
    assert view.status == "deciding"


async def test_an_answer_is_taken_back_and_can_be_given_anew(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval_id = (await ask(agent))["id"]
    await answered_in_the_inbox(office, approval_id)
    assert found(await ann.get(f"/v1/approvals/{approval_id}"))["held_until"] is not None
    for _ in range(2):  # again changes nothing
        answer = await ann.post(f"/v1/approvals/{approval_id}/undo")
        assert answer.status_code == 200
        assert (found(answer)["status"], found(answer)["held_until"]) == ("pending", None)
    history = found(await ann.get(f"/v1/approvals/{approval_id}/history"))["data"]
    assert history[-1]["summary"] == f"{ANN} took the answer approved back."
    assert found(await decide(ann, approval_id, "deny"))["status"] == "rejected"


async def test_a_key_that_answers_for_others_takes_their_answer_back(
    office: Office, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = (await ask(agent))["id"]
    await answered_in_the_inbox(office, approval_id)
    path = f"/v1/approvals/{approval_id}/undo"
    refused(await ben.post(path), 409, "too_late_to_undo")
    assert found(await ben.post(path, json={"approver": ANN}))["status"] == "pending"


async def test_what_is_over_or_no_answer_of_theirs_is_not_taken_back(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    final = (await ask(agent))["id"]
    await decide(ann, final)
    late = (await ask(agent))["id"]
    await answered_in_the_inbox(office, late, held_s=-10)
    for approval_id in (final, late):
        answer = await ann.post(f"/v1/approvals/{approval_id}/undo")
        document = refused(answer, 409, "too_late_to_undo")
        assert document["approval"]["id"] == approval_id
    unknown = new_approval_id(now())
    refused(await ann.post(f"/v1/approvals/{unknown}/undo"), 404, "not_found")


async def test_a_reader_and_a_wrong_body_take_nothing_back(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval_id = (await ask(agent))["id"]
    await answered_in_the_inbox(office, approval_id)
    path = f"/v1/approvals/{approval_id}/undo"
    reader = await office.person(ANN, ("approvals:read", "approvals:request"))
    assert (await reader.post(path)).status_code == 403
    assert (await ann.post(path, json={"approver": "nobody"})).status_code == 422
    assert (await ann.post(path, json={"by": BEN})).status_code == 422
    assert found(await ann.get(f"/v1/approvals/{approval_id}"))["status"] == "deciding"
