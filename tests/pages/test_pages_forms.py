"""What people send from the pages, and what becomes of it."""

from datetime import timedelta

import httpx2
import pytest

from events.approval import ApprovalCommented, DecisionSubmitted
from events.store import Unavailable
from projections.approval_view import ApprovalView
from services.decision.forms import MAX_TEXT
from services.queue.pages.routes import FORMS
from services.web.bodies import MAX_BODY
from tests.pages.conftest import browser_of
from tests.pages.fakes import EXPENSE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.reader import Element, read

APPROVE = {"decision": "approve", "revision": "1"}
COMMENT_ID = "0123456789abcdef01234567"


def decision(approval_id: str) -> str:
    return f"/approvals/{approval_id}/decision"


async def known(placet: Placet, approval_id: str) -> ApprovalView:
    view = await placet.world.view(WORKSPACE, approval_id)
    assert view is not None
    return view


async def follow(client: httpx2.AsyncClient, answer: httpx2.Response) -> Element:
    assert answer.status_code == 303, answer.text
    return read((await client.get(answer.headers["location"])).text)


async def test_an_approval_is_approved_and_the_source_named(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True)

    answer = await john.post(decision(approval_id), data={**APPROVE, "reason": "Fine by me."})

    shown = await follow(john, answer)
    notice = shown.one("div", class_="notice")
    assert "Approved. Acme Expenses has it." in notice.text
    record = notice.one("a").attributes["href"]
    assert record == "http://127.0.0.1:8081/reports/EXP-2025-09-15-001"
    view = await known(placet, approval_id)
    assert (view.status, view.decided_by, view.decision_channel, view.decision_reason) == (
        "approved",
        JOHN.email,
        "inbox",
        "Fine by me.",
    )


async def test_an_answer_names_nobody_but_who_is_signed_in(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    await john.post(decision(approval_id), data=APPROVE)
    stream = (await placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
    (submitted,) = [one.event for one in stream if isinstance(one.event, DecisionSubmitted)]
    assert (submitted.by.email, submitted.via, submitted.revision) == (JOHN.email, None, "1")


async def test_a_denial_needs_a_reason_and_keeps_it(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    refused = await john.post(
        decision(approval_id), data={"decision": "deny", "revision": "1", "reason": " \r\n "}
    )
    assert refused.status_code == 422
    area = read(refused.text).one("textarea", id="deny-reason")
    assert area.attributes["aria-invalid"] == "true"
    fault = read(refused.text).one("p", id=area.attributes["aria-describedby"])
    assert fault.text == "Say why: a request is not denied without a reason."
    assert (await known(placet, approval_id)).status == "pending"

    reason = "Too dear.\r\nAsk again in spring."
    answer = await john.post(
        decision(approval_id), data={"decision": "deny", "revision": "1", "reason": reason}
    )
    assert "Rejected." in (await follow(john, answer)).one("div", class_="notice").text
    view = await known(placet, approval_id)
    assert (view.status, view.decision_reason) == ("rejected", "Too dear.\nAsk again in spring.")


async def test_a_quick_answer_goes_back_to_its_page_of_the_inbox(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Quickly")
    answer = await john.post(
        decision(approval_id), data={**APPROVE, "next": "inbox", "back": "q=chairs+%26&cursor=25"}
    )
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location == f"/inbox?notice=answered&about={approval_id}&q=chairs+%26&cursor=25"


async def test_an_answer_on_its_way_is_told_as_such(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.world.source.slow = True
    approval_id = await placet.world.ask(mirrored=True)
    shown = await follow(john, await john.post(decision(approval_id), data=APPROVE))
    notice = shown.one("div", class_="notice").text
    assert "Your answer is safe. It is being written back to Acme Expenses." in notice


async def test_the_same_answer_twice_is_one_answer(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    for _ in range(2):
        answer = await john.post(decision(approval_id), data=APPROVE)
        assert answer.status_code == 303
    assert (await known(placet, approval_id)).version == 3


async def test_a_second_answer_reads_who_won(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(approvers=[JOHN, MARIA])
    await john.post(decision(approval_id), data=APPROVE)
    late = await maria.post(
        decision(approval_id), data={"decision": "deny", "revision": "1", "reason": "No."}
    )
    assert late.status_code == 409
    alert = read(late.text).one("div", role="alert").text
    assert "This request is already resolved: approved by john.smith@example.com" in alert
    assert "Approved by John Smith" in read(late.text).text


async def test_settled_elsewhere_reads_that_it_is_over(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    await placet.world.settle(approval_id, by=MARIA.email)
    answer = await john.post(decision(approval_id), data=APPROVE)
    assert answer.status_code == 409
    alert = read(answer.text).one("div", role="alert").text
    assert alert.startswith("This request is already resolved/canceled: settled by maria")


async def test_an_answer_to_what_has_changed_is_refused_and_the_change_is_shown(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    await placet.world.revise(approval_id, {**EXPENSE, "total_amount": 9_000.0})
    await placet.world.revise(approval_id, {**EXPENSE, "total_amount": 800.0}, revision="3")

    answer = await john.post(
        decision(approval_id), data={"decision": "deny", "revision": "1", "reason": "Why so?"}
    )

    assert answer.status_code == 409
    shown = read(answer.text)
    assert "This changed since you saw it" in shown.one("div", role="alert").text
    assert "800.00 USD was 750.50 USD" in shown.text
    approve, deny = shown.all("form", action=decision(approval_id))
    assert approve.fields()["revision"] == deny.fields()["revision"] == "3"
    assert deny.fields()["reason"] == "Why so?"
    assert approve.fields()["reason"] == ""
    assert (await known(placet, approval_id)).status == "pending"


async def test_a_source_that_does_not_take_the_answer_is_told_of(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.world.source.refusal = "The period is closed."
    approval_id = await placet.world.ask(mirrored=True)
    answer = await john.post(decision(approval_id), data=APPROVE)
    assert answer.status_code == 409
    alert = read(answer.text).one("div", role="alert").text
    assert "it waits for you again: The period is closed." in alert
    assert len(read(answer.text).all("form", action=decision(approval_id))) == 2


async def test_only_approvers_decide(placet: Placet, maria: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask()
    answer = await maria.post(decision(approval_id), data=APPROVE)
    assert answer.status_code == 403
    assert "is not asked to decide this" in read(answer.text).one("div", role="alert").text
    assert (await known(placet, approval_id)).status == "pending"


async def test_out_of_time_is_out_of_time(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask(expires_in=timedelta(hours=1))
    answer = await john.post(decision(approval_id), data=APPROVE)
    assert answer.status_code == 409
    assert "expired" in read(answer.text).one("div", role="alert").text


@pytest.mark.parametrize("approval_id", ["0" * 27, "nonsense"])
async def test_an_unknown_approval_is_a_404(
    placet: Placet, john: httpx2.AsyncClient, approval_id: str
) -> None:
    assert (await john.post(decision(approval_id), data=APPROVE)).status_code == 404
    answer = await john.post(
        f"/approvals/{approval_id}/comments", data={"text": "x", "comment_id": COMMENT_ID}
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"decision": "approve"}, "revision"),
        ({"revision": "1"}, "decision"),
        ({**APPROVE, "decision": "maybe"}, "decision"),
        ({**APPROVE, "approver": "maria.garcia@example.com"}, "approver"),
        ({**APPROVE, "next": "https://evil.example"}, "next"),
        ({**APPROVE, "next": "inbox", "cursor": "../x"}, "cursor"),
        ({**APPROVE, "reason": "x" * (MAX_TEXT + 1)}, "reason"),
        ({**APPROVE, "revision": "x" * 1001}, "revision"),
        ({**APPROVE, "decision": ["approve", "deny"]}, "decision"),
    ],
)
async def test_a_form_that_is_none_of_ours_is_refused_by_the_field_s_name(
    placet: Placet, john: httpx2.AsyncClient, fields: dict[str, str], named: str
) -> None:
    approval_id = await placet.world.ask()
    answer = await john.post(decision(approval_id), data=fields)
    assert answer.status_code == 422
    assert read(answer.text).one("p", role="alert").text.startswith(f"{named}:")
    assert (await known(placet, approval_id)).status == "pending"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"decision": "approve"}', "application/json", 415),
        (b"decision=approve&revision=1", "text/plain", 415),
        (b"decision=approve&revision=%ff", "application/x-www-form-urlencoded", 422),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"a%d=1" % n for n in range(30)), "application/x-www-form-urlencoded", 422),
        (b"reason=" + b"x" * MAX_BODY, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_a_body_of_another_kind_or_size_is_refused(
    placet: Placet, john: httpx2.AsyncClient, body: bytes, kind: str, status: int
) -> None:
    approval_id = await placet.world.ask()
    answer = await john.post(decision(approval_id), content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert (await known(placet, approval_id)).status == "pending"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "http://placet.test"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_what_another_site_sends_is_refused(placet: Placet, headers: dict[str, str]) -> None:
    approval_id = await placet.world.ask()
    async with browser_of(placet, JOHN) as client:
        del client.headers["Sec-Fetch-Site"]
        for path in (
            decision(approval_id),
            *(f"/approvals/{approval_id}/{form}" for form in FORMS),
            "/login",
            "/logout",
        ):
            answer = await client.post(path, data=APPROVE, headers=headers)
            assert answer.status_code == 403, path
            assert "set-cookie" not in answer.headers
    assert (await known(placet, approval_id)).version == 1


async def test_a_browser_that_tells_only_its_origin_is_let_in(placet: Placet) -> None:
    approval_id = await placet.world.ask()
    async with browser_of(placet, JOHN) as client:
        del client.headers["Sec-Fetch-Site"]
        headers = {"Origin": "http://placet.test"}
        answer = await client.post(decision(approval_id), data=APPROVE, headers=headers)
        assert answer.status_code == 303


async def test_nobody_decides_nothing_and_is_asked_who_they_are(
    placet: Placet, nobody: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    for path in (f"/approvals/{approval_id}/{form}" for form in FORMS):
        answer = await nobody.post(path, data=APPROVE)
        assert answer.status_code == 401
        shown = read(answer.text)
        assert "nothing was sent" in shown.one("div", role="alert").text
        form = shown.one("form", action="/login")
        assert form.fields()["next"] == f"/approvals/{approval_id}"
    assert (await known(placet, approval_id)).version == 1


async def test_a_comment_stands_in_the_history_once(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    page = read((await john.get(f"/approvals/{approval_id}")).text)
    form = page.one("form", action=f"/approvals/{approval_id}/comments")
    fields = {**form.fields(), "text": "Which client?\r\n<b>"}
    for _ in range(2):
        answer = await john.post(form.attributes["action"], data=fields)
        shown = await follow(john, answer)
        assert "Your comment stands in the history." in shown.text
    stream = (await placet.world.store.read(WORKSPACE, [approval_id]))[approval_id]
    (written,) = [one.event for one in stream if isinstance(one.event, ApprovalCommented)]
    assert (written.by.email, written.text) == (JOHN.email, "Which client?\n<b>")
    assert "Which client? <b>" in shown.one("ul", class_="comments").text


async def test_two_people_s_comments_never_count_as_one(
    placet: Placet, john: httpx2.AsyncClient, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    for client in (john, maria):
        fields = {"text": "Mine.", "comment_id": COMMENT_ID}
        await client.post(f"/approvals/{approval_id}/comments", data=fields)
    assert (await known(placet, approval_id)).version == 3


async def test_an_empty_comment_is_not_kept(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask()
    path = f"/approvals/{approval_id}/comments"
    answer = await john.post(path, data={"text": " \r\n", "comment_id": COMMENT_ID})
    assert answer.status_code == 422
    assert read(answer.text).one("p", id="text-fault").text == "Write something first."
    answer = await john.post(path, data={"text": "x", "comment_id": "mine"})
    assert answer.status_code == 422
    assert (await known(placet, approval_id)).version == 1


async def test_signing_in_takes_somebody_who_was_asked_to_where_they_wanted(
    placet: Placet, nobody: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    fields = {"email": " John.Smith@example.com ", "next": f"/approvals/{approval_id}"}
    answer = await nobody.post("/login", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{approval_id}")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "Your answer" in (await follow(nobody, answer)).text


@pytest.mark.parametrize(
    "following",
    ["https://evil.example", "//evil.example", "/logout", "/inbox\r\nX: y", "javascript:1"],
)
async def test_signing_in_leads_to_no_page_but_ours(
    placet: Placet, nobody: httpx2.AsyncClient, following: str
) -> None:
    await placet.world.ask()
    answer = await nobody.post("/login", data={"email": JOHN.email, "next": following})
    assert answer.headers["location"] == "/inbox"


@pytest.mark.parametrize("email", ["stranger@example.com", "not an address", ""])
async def test_only_who_was_ever_asked_can_sign_in(
    placet: Placet, nobody: httpx2.AsyncClient, email: str
) -> None:
    await placet.world.ask()
    answer = await nobody.post("/login", data={"email": email})
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


async def test_without_the_dev_login_nobody_signs_in() -> None:
    placet = Placet(dev_login=False)
    await placet.world.ask()
    async with browser_of(placet, None) as client:
        answer = await client.post("/login", data={"email": JOHN.email})
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session(placet: Placet, nobody: httpx2.AsyncClient) -> None:
    await placet.world.ask()
    await nobody.post("/login", data={"email": JOHN.email})
    assert (await nobody.get("/inbox")).status_code == 200
    answer = await nobody.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await nobody.get("/inbox")).status_code == 401


@pytest.mark.parametrize("code", ["answered", "approved", "<b>hacked</b>", "commented&about=x"])
async def test_a_link_cannot_make_the_page_say_what_is_not_so(
    placet: Placet, john: httpx2.AsyncClient, code: str
) -> None:
    approval_id = await placet.world.ask()
    for path in (f"/approvals/{approval_id}?notice={code}", f"/inbox?notice={code}&about=x"):
        text = (await john.get(path)).text
        assert "Approved" not in text
        assert "hacked" not in text


async def test_while_the_store_is_away_nobody_is_told_that_it_worked(
    placet: Placet, john: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval_id = await placet.world.ask()

    async def away(*_: object) -> None:
        raise Unavailable("Postgres cannot be reached: password=x")

    monkeypatch.setattr(placet.world.store, "append", away)
    answer = await john.post(decision(approval_id), data=APPROVE)
    assert answer.status_code == 503
    assert "it is not known whether this was kept" in answer.text
    assert "password" not in answer.text
