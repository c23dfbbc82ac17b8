"""What the pages show, to whom, and that looking changes nothing."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import httpx2
import pytest

from events.approval import Link, Person
from events.commands import RecordNotification, SupersedeApproval
from events.decider import Refused
from events.store import Unavailable
from services.decision.answering import Answer
from services.queue.pages.inbox import MOST_HELD
from tests.pages.conftest import browser_of
from tests.pages.fakes import EXPENSE, JANE, JOHN, MARIA, WORKSPACE, Placet
from tests.pages.policies import asked_back
from tests.pages.reader import Element, read

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>\u202e{{7*7}}"""
READING = [
    "/",
    "/inbox",
    "/inbox/rows",
    "/inbox/shared",
    "/inbox/decided",
    "/requests",
    "/shortcuts",
    "/delegations",
    "/mailbox",
]


async def page(client: httpx2.AsyncClient, path: str, status: int = 200) -> Element:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    return read(answer.text)


async def test_the_inbox_tells_what_waits_with_all_that_a_person_needs(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    approval_id = await world.ask("Expense report 1", mirrored=True, reason="Dinner.")
    world.verified_at = world.clock() - timedelta(seconds=12)

    inbox = await page(john, "/inbox")

    assert inbox.one("title").text == "(1) Inbox · Placet"
    assert inbox.one("h1").text == "1 approval waits for you"
    row = inbox.one("li", data_id=approval_id)
    assert row.one("h2").one("a").attributes["href"] == f"/approvals/{approval_id}"
    assert "750.50 USD" in row.text
    assert "Jane Doe asks" in row.text
    assert "2 h ago" in row.text
    assert "29 d left" in row.text
    assert re.search(r"Verified 1[23] s ago in Acme Expenses", row.text)
    record = row.one("a", rel="noreferrer")
    assert record.attributes["href"] == "http://127.0.0.1:8081/reports/EXP-2025-09-15-001"
    form = row.one("form")
    assert form.attributes["method"] == "post"
    assert form.attributes["action"] == f"/approvals/{approval_id}/decision"
    fields = form.fields()
    assert len(fields.pop("shown")) == 64
    assert fields == {"decision": "approve", "revision": "1", "next": "inbox"}
    assert row.all("a", href=f"/approvals/{approval_id}#deny-reason")


async def test_the_inbox_holds_only_what_waits_for_the_reader(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    await placet.world.ask("For Maria", approvers=[MARIA])
    inbox = await page(john, "/inbox")
    assert inbox.one("title").text == "Inbox · Placet"
    assert inbox.one("h1").text == "Nothing waits for you"
    assert not inbox.all("li", class_="card row")


async def test_urgency_is_said_in_words(placet: Placet, john: httpx2.AsyncClient) -> None:
    await placet.world.ask("Later", urgency="low")
    await placet.world.ask("Now", urgency="high")
    inbox = await page(john, "/inbox")
    titles = [one.text for one in inbox.all("h2") if one.all("a")]
    assert titles == ["Now", "Later"]
    assert "High urgency" in inbox.text
    assert "Low urgency" in inbox.text


async def test_a_long_queue_goes_on_at_the_next_page(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    for number in range(21):
        await placet.world.ask(f"Number {number}", ago=timedelta(minutes=100 - number))
    first = await page(john, "/inbox")
    assert first.one("h1").text == "21 approvals wait for you"
    assert len(first.all("article")) == 20
    following = await page(john, first.one("a", rel="next").attributes["href"])
    assert [one.text for one in following.all("h2") if one.all("a")] == ["Number 20"]
    quick = following.one("form", data_quick="")
    assert quick.fields()["back"] == "cursor=20"
    assert following.one("a", rel="prev").attributes["href"] == "/inbox"


async def test_what_was_just_answered_is_gone_though_the_queue_lags(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Just answered")
    await placet.world.ask("Still waits")
    await page(john, "/inbox")
    placet.world.queue_lags = True
    fields = {"decision": "approve", "revision": "1", "next": "inbox"}
    answered = await john.post(f"/approvals/{approval_id}/decision", data=fields)

    inbox = await page(john, answered.headers["location"])

    assert inbox.one("h1").text == "1 approval waits for you"
    assert not inbox.all("li", data_id=approval_id)
    assert "Approved." in inbox.one("div", role="status", class_="notice").text


async def test_the_fragment_holds_rows_that_are_asked_after_in_their_new_state(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    settled = await world.ask("Settled", mirrored=True)
    waits = await world.ask("Waits")
    await world.settle(settled, by="maria.garcia@example.com")

    path = f"/inbox/rows?held={settled}&held={waits}&held=nonsense&held={'0' * 27}"
    fragment = await page(john, path)

    rows = fragment.one("div", data_count="1")
    assert rows.attributes["data-title"] == "1 approval waits for you"
    (listed,) = rows.one("ul", data_list="").all("li")
    assert listed.attributes["data-id"] == waits
    (held,) = rows.one("ul", data_held="").all("li")
    assert held.attributes["data-id"] == settled
    assert held.attributes["data-mine"] == "no"
    assert "Withdrawn" in held.text
    assert "Approved in the source by maria.garcia@example.com." in held.text
    assert not held.all("form")


async def test_a_page_may_ask_after_a_bounded_number_of_rows(
    placet: Placet, john: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    async def counting(_: str, approval_ids: Sequence[str]) -> Mapping[str, object]:
        looked.extend(approval_ids)
        return {}

    monkeypatch.setattr(placet.world, "approvals", counting)
    path = "/inbox/rows?" + "&".join(f"held={number:027}" for number in range(300))
    await page(john, path)
    assert len(looked) == MOST_HELD


async def test_the_page_of_an_approval_tells_everything(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    approval_id = await world.ask(
        "Expense report 1",
        reason="Dinner with a client.",
        links=[Link(kind="issue", id="ISS-1", url="https://issues.example/1")],
        agent_id="agent-7",
        approvers=[JOHN, MARIA],
    )
    await world.send(
        approval_id,
        RecordNotification(
            approver=JOHN.email,
            channel="outbox",
            revision="1",
            reference="1",
            card_digest="",
            now=world.clock(),
        ),
    )

    shown = await page(john, f"/approvals/{approval_id}")

    assert shown.one("title").text == "Expense report 1 · Placet"
    assert shown.one("h1").text == "Expense report 1"
    for text in (
        "Waits for you",
        "Dinner with a client.",
        "EXP-2025-09-15-001",
        "Jane Doe ( jane.doe@example.com ) asks",
        "Maria Garcia",
        "agent-7",
        "issues.example",
        "john.smith@example.com was told by outbox (revision 1).",
    ):
        assert text in shown.text
    table = shown.one("table")
    assert table.one("caption").text == "Line items"
    assert [one.text for one in table.all("th", scope="col")] == ["Item", "Category", "Amount"]
    assert table.all("td", class_="number")[0].text == "250.00 USD"
    assert table.one("tfoot").text == "Sum 750.50 USD"
    assert shown.one("a", href="https://issues.example/1").attributes["rel"] == "noreferrer"
    approve, deny = shown.all("form", action=f"/approvals/{approval_id}/decision")
    shown_here = approve.fields()["shown"]
    sent = {"revision": "1", "shown": shown_here, "reason": ""}
    assert approve.fields() == {**sent, "decision": "approve"}
    assert deny.fields() == {**sent, "decision": "deny"}
    assert "required" in deny.one("textarea").attributes
    for area in shown.all("textarea"):
        assert shown.one("label", for_=area.attributes["id"])


async def test_only_approvers_see_the_forms(placet: Placet, maria: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask()
    shown = await page(maria, f"/approvals/{approval_id}")
    assert not shown.all("form", action=f"/approvals/{approval_id}/decision")
    assert "are not asked to decide this" in shown.text
    assert "Waits for John Smith" in shown.text


async def test_out_of_time_there_is_no_form(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask(expires_in=timedelta(hours=1))
    shown = await page(john, f"/approvals/{approval_id}")
    assert not shown.all("form", action=f"/approvals/{approval_id}/decision")
    assert "Out of time" in shown.text


async def test_an_approval_that_is_final_tells_who_and_how(
    placet: Placet, maria: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    answer = Answer(
        outcome="rejected",
        by=JOHN,
        reason="Too dear.",
        channel="slack",
        via=None,
        revision="1",
    )
    await placet.answering.decide(WORKSPACE, approval_id, answer)
    shown = await page(maria, f"/approvals/{approval_id}")
    assert "Rejected by John Smith in Slack" in shown.text
    assert "Too dear." in shown.text
    assert not shown.all("form", action=f"/approvals/{approval_id}/decision")


async def test_what_was_approved_with_changes_shows_both(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(payload={"recipients": 500}, editable=True)
    answer = Answer(
        outcome="approved",
        by=JOHN,
        reason=None,
        channel="api",
        via=None,
        revision=None,
        payload={"recipients": 100},
    )
    await placet.answering.decide(WORKSPACE, approval_id, answer)
    shown = await page(john, f"/approvals/{approval_id}")
    assert shown.one("h3").text == "Approved with changes"
    edited = shown.one("pre", aria_label="The approved payload as JSON")
    assert '"recipients": 100' in edited.text
    assert '"recipients": 500' in shown.one("pre", aria_label="The payload as JSON").text


async def test_what_was_superseded_leads_to_the_newer_request(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    older, newer = await placet.world.ask("Plan 1"), await placet.world.ask("Plan 2")
    command = SupersedeApproval(by=JANE, successor=newer, revision="2", now=placet.world.clock())
    await placet.world.send(older, command)
    shown = await page(john, f"/approvals/{older}")
    assert shown.one("a", href=f"/approvals/{newer}").text == "See the newer request"
    assert "Superseded by revision 2." in shown.text


async def test_where_a_comment_withdraws_the_request_the_form_says_so_first(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask("Plan", supersede_on_comment=True)
    other = await placet.world.ask("Other")
    effect = "A comment withdraws this request"
    assert effect in (await page(john, f"/approvals/{approval_id}")).text
    assert effect not in (await page(john, f"/approvals/{other}")).text
    by_jane = browser_of(placet, JANE)
    async with by_jane:
        assert effect not in (await page(by_jane, f"/approvals/{approval_id}")).text


async def test_an_answer_on_its_way_says_where_to(placet: Placet, john: httpx2.AsyncClient) -> None:
    placet.world.source.slow = True
    approval_id = await placet.world.ask(mirrored=True)
    answer = Answer(outcome="approved", by=JOHN, reason=None, channel="api", via=None, revision="1")
    await placet.answering.decide(WORKSPACE, approval_id, answer)
    shown = await page(john, f"/approvals/{approval_id}")
    assert "Being written back to Acme Expenses" in shown.text
    assert "approved by you" in shown.text


async def test_a_source_that_took_no_answer_is_told_of(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.world.source.refusal = "The period is closed."
    approval_id = await placet.world.ask(mirrored=True)
    answer = Answer(outcome="approved", by=JOHN, reason=None, channel="api", via=None, revision="1")
    with pytest.raises(Refused):
        await placet.answering.decide(WORKSPACE, approval_id, answer)
    shown = await page(john, f"/approvals/{approval_id}")
    alert = shown.one("div", role="alert").text
    assert alert == "Acme Expenses did not take the last answer. The period is closed."


async def test_what_changed_since_it_was_asked_is_marked(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    changed = {**EXPENSE, "total_amount": 800.0, "project": "Apollo"}
    del changed["description"]
    await placet.world.revise(approval_id, changed)

    shown = await page(john, f"/approvals/{approval_id}")

    differs = {one.one("dt").text: one.one("dd").text for one in shown.all("div", class_="differs")}
    assert differs == {
        "Total amount": "800.00 USD was 750.50 USD",
        "Project": "Apollo was \N{EN DASH}",
        "Description": "no longer there, was Client dinner and travel for Q3 sales meeting.",
    }
    assert "These lines add up to 750.50 USD, not to 800.00 USD." in shown.text


async def test_what_others_wrote_cannot_become_markup(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(
        EVIL,
        {EVIL: EVIL, "rows": [{EVIL: EVIL}], "nested": {EVIL: EVIL}},
        approvers=[JOHN, Person(email="evil@example.com", name=EVIL)],
        reason=EVIL,
        links=[Link(kind=EVIL, id=EVIL, url="javascript:alert(1)")],
        requester=Person(email="x@example.com", name=EVIL),
        kind=EVIL,
        agent_id=EVIL,
        mirrored=False,
        url=None,
    )
    await placet.answering.comment(WORKSPACE, approval_id, by=JOHN, text=EVIL, comment_id="1")
    for path in ("/inbox", "/inbox/rows", f"/approvals/{approval_id}"):
        shown = await page(john, path)
        assert not any("onerror" in one.attributes for one in shown.all("img"))
        assert all(one.attributes["src"].startswith("/assets/") for one in shown.all("script"))
        assert not [one for one in shown.all("a") if "javascript" in one.attributes.get("href", "")]
        assert "{{7*7}}" in shown.text
        assert "\u202e" not in shown.text


async def test_an_address_of_a_record_that_is_no_web_address_is_not_linked(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(mirrored=True, url="javascript:alert(1)")
    for path in ("/inbox", f"/approvals/{approval_id}"):
        assert "javascript:" not in (await john.get(path)).text


async def test_a_revision_comes_back_exactly_as_it_is(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    revision = 'W/"1\u202e"&<é>'
    approval_id = await placet.world.ask(mirrored=True)
    await placet.world.revise(approval_id, {"a": 1}, revision=revision)
    for path in ("/inbox", f"/approvals/{approval_id}"):
        shown = await page(john, path)
        form = shown.all("form", action=f"/approvals/{approval_id}/decision")[0]
        assert form.fields()["revision"] == revision


@pytest.mark.parametrize("path", ["0" * 27, "nonsense", "0" * 26 + "é", "%00"])
async def test_an_unknown_approval_is_a_friendly_404(john: httpx2.AsyncClient, path: str) -> None:
    shown = await page(john, f"/approvals/{path}", 404)
    assert shown.one("h1").text == "There is nothing here"
    assert shown.one("a", class_="button").attributes["href"] == "/inbox"


async def test_another_workspace_is_another_world(placet: Placet) -> None:
    approval_id = await placet.world.ask()
    async with browser_of(placet, JOHN) as client:
        client.cookies = dict(placet.cookies(JOHN, workspace="other"))
        assert (await client.get(f"/approvals/{approval_id}")).status_code == 404
        assert "Nothing waits for you" in (await client.get("/inbox")).text


@pytest.mark.parametrize(
    "path",
    ["/inbox?cursor=!", "/inbox/decided?status=pending", "/inbox?cursor=abc", "/mailbox?cursor=x"],
)
async def test_a_wrong_parameter_is_a_page_that_says_so(
    john: httpx2.AsyncClient, path: str
) -> None:
    shown = await page(john, path, 422)
    assert shown.one("h1").text == "Something is not right"


async def test_settled_shows_what_was_asked_and_no_longer_waits(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    world = placet.world
    approved = await world.ask("One that was approved")
    withdrawn = await world.ask("One that was withdrawn", mirrored=True)
    await world.ask("One that waits")
    answer = Answer(
        outcome="approved", by=JOHN, reason=None, channel="inbox", via=None, revision=None
    )
    await placet.answering.decide(WORKSPACE, approved, answer)
    await world.settle(withdrawn, by="maria.garcia@example.com", outcome="rejected")

    recent = await page(john, "/inbox/decided")
    assert [one.text for one in recent.one("main").all("h2")] == [
        "One that was withdrawn",
        "One that was approved",
    ]
    assert "by you in the inbox" in recent.text
    only = await page(john, "/inbox/decided?status=approved")
    assert [one.text for one in only.one("main").all("h2")] == ["One that was approved"]


async def test_nobody_is_asked_who_they_are_and_comes_back_to_where_they_wanted(
    placet: Placet, nobody: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(approvers=[JOHN, MARIA])
    await placet.world.ask(approvers=[MARIA])
    shown = await page(nobody, f"/approvals/{approval_id}", 401)
    people = [form.fields() for form in shown.all("form", action="/login")]
    assert people == [
        {"email": MARIA.email, "next": f"/approvals/{approval_id}"},
        {"email": JOHN.email, "next": f"/approvals/{approval_id}"},
    ]
    assert "2 wait" in shown.text
    assert "1 waits" in shown.text


async def test_the_start_page_leads_to_the_inbox_when_signed_in(
    john: httpx2.AsyncClient, nobody: httpx2.AsyncClient
) -> None:
    answer = await john.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    assert "Nobody was asked yet" in (await page(nobody, "/")).text


async def test_without_the_dev_login_the_page_says_how_to_set_up_sign_in() -> None:
    placet = Placet(dev_login=False)
    await placet.world.ask()
    async with browser_of(placet, None) as client:
        shown = await page(client, "/")
        assert "PLACET_DEV_LOGIN=1" in shown.text
        assert JOHN.email not in shown.text
        assert (await client.get("/inbox")).status_code == 401
        assert (await client.get("/mailbox")).status_code == 404


async def test_an_altered_cookie_opens_nothing(placet: Placet) -> None:
    async with browser_of(placet, JOHN) as client:
        name, value = next(iter(placet.cookies(JOHN).items()))
        client.cookies = {name: value[:-1] + ("0" if value[-1] != "0" else "1")}
        assert (await client.get("/inbox")).status_code == 401


async def test_while_the_store_is_away_the_page_says_so(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.world.away = Unavailable("secret detail")
    answer = await john.get("/inbox")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "Nothing is lost" in answer.text
    assert "secret detail" not in answer.text


async def test_looking_changes_nothing(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask(mirrored=True)
    before = await placet.world.head()
    paths = [
        *READING,
        f"/approvals/{approval_id}",
        f"/approvals/{approval_id}/decision?decision=approve&revision=1",
        f"/approvals/{approval_id}/comments?text=x",
        f"/approvals/{approval_id}/questions?text=x&wants=answer",
        f"/approvals/{approval_id}/answers?text=x",
        f"/approvals/{approval_id}/revise?title=x",
        f"/approvals/{approval_id}/reassign?to=maria.garcia@example.com",
        f"/approvals/{approval_id}/remind",
        f"/approvals/{approval_id}/withdraw",
        "/login?email=maria.garcia@example.com",
        "/logout",
    ]
    for path in paths:
        for method in ("GET", "HEAD"):
            answer = await john.request(method, path)
            assert answer.status_code in (200, 303), path
            assert "set-cookie" not in answer.headers
    assert await placet.world.head() == before


async def test_every_page_keeps_to_itself(placet: Placet, john: httpx2.AsyncClient) -> None:
    approval_id = await placet.world.ask()
    for path in (*READING, f"/approvals/{approval_id}", "/approvals/x"):
        headers = (await john.get(path)).headers
        if "location" in headers:
            continue
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


async def test_no_page_has_a_script_or_a_style_of_its_own(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask()
    for path in (*READING, f"/approvals/{approval_id}"):
        text = (await john.get(path)).text
        assert "<style" not in text
        assert " style=" not in text
        assert not re.search(r"<[^>]* on[a-z]+=", text)
        assert "<script>" not in text


async def test_every_page_has_landmarks_one_heading_and_labels(
    placet: Placet, john: httpx2.AsyncClient, nobody: httpx2.AsyncClient
) -> None:
    approval_id = await placet.world.ask(payload={"a": 1, "b": [1], "c": True}, editable=True)
    asked = await placet.world.ask(payload={"a": 1}, requester=JOHN, approvers=[MARIA])
    await asked_back(placet, asked, MARIA, "Why?", changes=True)
    for client, path in (
        (nobody, "/"),
        (john, "/inbox"),
        (john, "/inbox/decided"),
        (john, f"/approvals/{approval_id}"),
        (john, f"/approvals/{asked}"),
        (john, "/delegations"),
        (john, "/mailbox"),
    ):
        shown = await page(client, path)
        assert shown.one("html").attributes["lang"] == "en"
        assert len(shown.all("main")) == len(shown.all("h1")) == 1
        assert shown.one("a", class_="skip").attributes["href"] == "#main"
        assert all(one.text for one in shown.all("button") if "hidden" not in one.attributes)
        assert all("alt" in one.attributes for one in shown.all("img"))
        ids = re.findall(r' id="([^"]+)"', (await client.get(path)).text)
        assert len(ids) == len(set(ids)), path
        for one in shown.all("section"):
            assert one.attributes["aria-labelledby"] in ids
        for one in (*shown.all("input"), *shown.all("textarea")):
            within = one.parent is not None and one.parent.tag == "label"
            if one.attributes.get("type") != "hidden" and not within:
                assert shown.one("label", for_=one.attributes["id"]).text


async def test_style_and_script_are_kept_for_ever_under_their_hash(
    nobody: httpx2.AsyncClient,
) -> None:
    shown = await page(nobody, "/")
    for path in (
        shown.one("link", rel="stylesheet").attributes["href"],
        shown.one("script").attributes["src"],
        shown.one("link", rel="icon").attributes["href"],
    ):
        answer = await nobody.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        again = await nobody.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        _, _, _, name = path.split("/")
        other = await nobody.get(f"/assets/0123456789abcdef/{name}")
        assert other.status_code == 200
        assert other.headers["cache-control"] == "no-cache"
    assert (await nobody.get("/assets/x/nothing.css")).status_code == 404


async def test_the_pages_are_not_in_the_api_s_document(john: httpx2.AsyncClient) -> None:
    paths = (await john.get("/openapi.json")).json()["paths"]
    assert set(paths) == {"/asyncapi"}


async def test_a_requester_sees_their_own_ask(placet: Placet) -> None:
    approval_id = await placet.world.ask()
    async with browser_of(placet, JANE) as client:
        shown = await page(client, f"/approvals/{approval_id}")
        assert "Not yours to answer" in shown.text
