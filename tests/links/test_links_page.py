"""The page of a link: looking changes nothing, and only the person whom it is for decides."""

import asyncio
import logging
from datetime import timedelta
from html.parser import HTMLParser

import httpx2
import pytest

from events.approval import (
    AppliedPolicy,
    Assurance,
    DecisionSubmitted,
    Person,
    Seat,
    Step,
)
from events.commands import ReassignApproval
from services.bootstrap.serving import serving
from services.channels.email.tokens import digest_of, new_token
from services.decision.surfaces.link_standing import Kind
from services.embedded.ports import free_port
from services.web.session import PLAIN_COOKIE, Session
from tests.links.link_kit import JOHN, LOOKS, MARIA, ORIGIN, PRESSES, WORKSPACE, Ground, Mailed

APPROVE = {"decision": "approve"}
DENY = {"decision": "deny", "reason": "Too many."}
UNDO = {"undo": "yes"}
CONTENT = "Product Update"
"""Stands in what is asked for."""


async def press(
    ground: Ground, client: httpx2.AsyncClient, link: str, fields: dict[str, str], **headers: str
) -> httpx2.Response:
    """Open a link, read for a moment, and press a button."""
    await client.get(link)
    ground.moved += timedelta(seconds=3)
    return await client.post(link, data=fields, headers={**PRESSES, **headers})


async def status_of(ground: Ground, mailed: Mailed) -> str:
    return (await ground.view(mailed.approval_id)).status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("type_", ["deploy", "bulk_send"])
@pytest.mark.parametrize("who", [None, JOHN])
async def test_no_method_but_post_changes_anything(
    method: str, type_: str, who: Person | None, ground: Ground
) -> None:
    mailed = await ground.mailed(type_=type_)
    before = await ground.events(mailed.approval_id)
    async with ground.browser(who) as client:
        for link in (mailed.approve, mailed.deny):
            answer = await client.request(method, link)
            assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert await ground.events(mailed.approval_id) == before


class Buttons(HTMLParser):
    """What the forms of a page would send, and what else it loads or runs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.decisions: list[str | None] = []
        self.scripts = 0
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("name") == "decision":
            self.decisions.append(given.get("value"))
        self.scripts += tag == "script" or any(name.startswith("on") for name in given)
        if tag in ("img", "link", "iframe"):
            self.loads.append(given.get("src") or given.get("href") or "")
        if tag in ("a", "form"):
            self.leads.append(given.get("href") or given.get("action") or "")


async def test_the_page_shows_the_card_and_both_buttons_the_wanted_one_first(
    ground: Ground,
) -> None:
    mailed = await ground.mailed(payload={"amount": 750.5, "currency": "USD", "secret": "plum"})
    async with ground.browser() as client:
        approve, deny = (
            (await client.get(mailed.approve)).text,
            (await client.get(mailed.deny)).text,
        )
    assert Buttons(approve).decisions == ["approve", "deny"]
    assert Buttons(deny).decisions == ["deny", "approve"]
    for shown in (
        "Agent Approval Required: Bulk Send",
        "agent@example.com",
        "750.50",
        "minutes left",
    ):
        assert shown in approve
    # Whoever holds the link may be anybody: what is kept out of cards is kept out of this.
    assert "plum" not in approve


async def test_the_page_tells_nobody_its_address_and_needs_no_script(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        pages = [
            await client.get(mailed.approve),
            await client.get(f"/l/{new_token()}"),
            await press(ground, client, mailed.approve, {"nonsense": "1"}),
            await press(ground, client, mailed.approve, APPROVE),
        ]
    assert [one.status_code for one in pages] == [200, 404, 422, 200]
    for page in pages:
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "noindex" in page.headers["X-Robots-Tag"]
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "default-src 'none'" in policy
        found = Buttons(page.text)
        assert found.scripts == 0
        # Relative, so that it holds below a path of a proxy.
        assert all(one.startswith("../assets/") for one in found.loads)
        assert all(
            one.startswith("../approvals/") or not one for one in found.leads if one != "#main"
        )
        assert mailed.token not in page.text


async def test_without_a_session_a_link_decides_nothing_and_leads_to_the_sign_in(
    ground: Ground,
) -> None:
    mailed = await ground.mailed(type_="deploy")
    async with ground.browser() as client:
        looked = await client.get(mailed.approve)
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert (looked.status_code, pressed.status_code) == (200, 401)
    for page in (looked, pressed):
        assert Buttons(page.text).decisions == []
        # The way back leads to the approval, and holds no token.
        assert f'href="../approvals/{mailed.approval_id}"' in page.text
        assert "Sign in to answer" in page.text
    assert await status_of(ground, mailed) == "pending"


async def test_whoever_is_signed_in_answers_by_the_link_and_the_history_says_how(
    ground: Ground,
) -> None:
    mailed = await ground.mailed(type_="deploy")
    async with ground.browser(JOHN) as client:
        page = await press(ground, client, mailed.deny, DENY)
    assert page.status_code == 200
    [answer] = [
        one for one in await ground.events(mailed.approval_id) if isinstance(one, DecisionSubmitted)
    ]
    assert answer.by.email == JOHN.email
    assert (answer.outcome, answer.reason) == ("rejected", "Too many.")
    assert (answer.channel, answer.assurance, answer.revision) == ("email", "session", "1")
    assert answer.held_until is not None


async def test_a_denial_says_why(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        page = await press(ground, client, mailed.deny, {"decision": "deny", "reason": "  "})
    assert page.status_code == 422
    assert "Say why" in page.text
    assert await status_of(ground, mailed) == "pending"


async def test_another_approvers_session_decides_nothing_by_somebody_elses_link(
    ground: Ground,
) -> None:
    for type_ in ("deploy", "bulk_send"):
        mailed = await ground.mailed(type_=type_, approvers=(JOHN, MARIA))
        async with ground.browser(MARIA) as client:
            looked = await client.get(mailed.approve)
            pressed = await press(ground, client, mailed.approve, APPROVE)
        assert pressed.status_code == 403
        assert "You are signed in as maria.garcia@example.com" in looked.text
        assert "Product Update" not in looked.text
        assert await status_of(ground, mailed) == "pending"


async def test_a_session_of_another_workspace_is_somebody_elses(ground: Ground) -> None:
    mailed = await ground.mailed(type_="deploy")
    async with ground.browser() as client:
        client.cookies.set(PLAIN_COOKIE, ground.kept.signed_in(Session("other", JOHN.email)))
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert pressed.status_code == 403
    assert await status_of(ground, mailed) == "pending"


async def test_where_the_type_allows_it_the_link_alone_decides_and_can_be_undone(
    ground: Ground,
) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        page = await press(ground, client, mailed.approve, APPROVE)
        assert page.status_code == 200
        assert "Your answer is kept" in page.text
        assert ">Undo</button>" in page.text
        view = await ground.view(mailed.approval_id)
        assert view.status == "deciding"
        [answer] = [
            one
            for one in await ground.events(mailed.approval_id)
            if isinstance(one, DecisionSubmitted)
        ]
        assert answer.assurance == "link"
        undone = await press(ground, client, mailed.approve, UNDO)
        assert (undone.status_code, await status_of(ground, mailed)) == (200, "pending")
        assert "You took your answer back" in undone.text
        # The link has had its one use; the other one of the mail has not.
        again = await press(ground, client, mailed.approve, APPROVE)
        assert (again.status_code, await status_of(ground, mailed)) == (200, "pending")
        ground.moved += timedelta(seconds=11)
        other = await press(ground, client, mailed.deny, DENY)
        assert (other.status_code, await status_of(ground, mailed)) == (200, "deciding")
        # Undoing once more by the first link does not undo what came by the other.
        late = await press(ground, client, mailed.approve, UNDO)
        assert (late.status_code, await status_of(ground, mailed)) == (409, "deciding")


async def test_nobody_undoes_by_a_link_what_they_did_not_answer_by_it(ground: Ground) -> None:
    mailed = await ground.mailed(type_="deploy")
    async with ground.browser(JOHN) as john, ground.browser() as nobody:
        await press(ground, john, mailed.approve, APPROVE)
        refused = await press(ground, nobody, mailed.approve, UNDO)
        assert (refused.status_code, await status_of(ground, mailed)) == (409, "deciding")
        ground.moved += timedelta(minutes=2)
        assert ">Undo<" not in (await john.get(mailed.approve)).text
        too_late = await press(ground, john, mailed.approve, UNDO)
    assert (too_late.status_code, await status_of(ground, mailed)) == (409, "deciding")


async def test_the_same_answer_again_is_met_with_what_was_recorded(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        first = await press(ground, client, mailed.approve, APPROVE)
        events = await ground.events(mailed.approval_id)
        again = await press(ground, client, mailed.approve, APPROVE)
        other = await press(ground, client, mailed.approve, DENY)
    assert [one.status_code for one in (first, again, other)] == [200, 200, 200]
    assert "Your answer is kept" in other.text
    assert await ground.events(mailed.approval_id) == events


async def test_of_many_at_once_one_decides(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser(JOHN) as client:
        pages = await asyncio.gather(
            *(
                press(ground, client, mailed.approve if turn % 2 else mailed.deny, fields)
                for turn, fields in enumerate([APPROVE, DENY] * 8)
            )
        )
    answers = [
        one for one in await ground.events(mailed.approval_id) if isinstance(one, DecisionSubmitted)
    ]
    assert len(answers) == 1
    assert {one.status_code for one in pages} <= {200, 409}


async def test_a_link_for_an_older_revision_shows_the_new_one_and_decides_nothing(
    ground: Ground,
) -> None:
    mailed = await ground.mailed(approvers=(JOHN,))
    await ground.revise(mailed.approval_id, recipient_count=5_000)
    async with ground.browser() as client:
        looked = await client.get(mailed.approve)
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert "The link was for revision 1; it is revision 2 now" in looked.text
    assert "5000" in looked.text or "5,000" in looked.text
    assert "<del><bdi>500</bdi></del>" in looked.text
    assert Buttons(looked.text).decisions == []
    assert pressed.status_code == 409
    assert await status_of(ground, mailed) == "pending"


async def test_an_expired_link_says_so_and_shows_nothing(ground: Ground) -> None:
    mailed = await ground.mailed(expires_in=timedelta(days=60), after=timedelta(days=30, seconds=5))
    async with ground.browser(JOHN) as client:
        looked = await client.get(mailed.approve)
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert (looked.status_code, pressed.status_code) == (410, 410)
    assert "This link has expired" in looked.text
    assert "Product Update" not in looked.text
    assert await status_of(ground, mailed) == "pending"


async def test_the_links_of_somebody_who_left_open_nothing(ground: Ground) -> None:
    gone = Person(email="gone@example.com")
    mailed = await ground.mailed(approvers=(gone, JOHN), to=gone)
    async with ground.browser() as client:
        looked = await client.get(mailed.approve)
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert "Product Update" not in looked.text
    assert (pressed.status_code, await status_of(ground, mailed)) == (403, "pending")


async def test_what_was_settled_by_somebody_else_is_told(ground: Ground) -> None:
    mailed = await ground.mailed(approvers=(JOHN, MARIA))
    theirs = await ground.mail_again_to(mailed.approval_id, MARIA)
    async with ground.browser() as client:
        await press(ground, client, theirs.approve, APPROVE)
        looked = await client.get(mailed.approve)
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert "Nothing left to answer" in looked.text
    assert (looked.status_code, pressed.status_code) == (200, 409)


@pytest.mark.parametrize("token", ["", "x", "pll_" + "A" * 43, "pll_" + "A" * 500, "%00", "..%2f"])
async def test_an_address_that_was_never_sent_is_told_so(token: str, ground: Ground) -> None:
    async with ground.browser() as client:
        looked = await client.get(f"/l/{token}")
        pressed = await press(ground, client, f"/l/{token}", APPROVE)
    assert (looked.status_code, pressed.status_code) == (404, 404)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    ],
)
async def test_a_form_on_another_site_decides_nothing(
    headers: dict[str, str], ground: Ground
) -> None:
    mailed = await ground.mailed()
    async with ground.browser(JOHN) as client:
        refused = await press(ground, client, mailed.approve, APPROVE, **headers)
        assert (refused.status_code, await status_of(ground, mailed)) == (403, "pending")


async def test_an_old_browser_is_told_from_another_site_by_its_origin(ground: Ground) -> None:
    mailed = await ground.mailed(type_="deploy")
    old = {"User-Agent": LOOKS["User-Agent"]}
    async with ground.browser(JOHN, headers=old) as client:
        refused = await client.post(
            mailed.approve, data=APPROVE, headers={"Origin": "https://evil.example"}
        )
        assert (refused.status_code, await status_of(ground, mailed)) == (403, "pending")
        taken = await client.post(mailed.approve, data=APPROVE, headers={"Origin": "null"})
    assert (taken.status_code, await status_of(ground, mailed)) == (200, "deciding")


@pytest.mark.parametrize(
    ("demanded", "kind"), [("session", "sign_in"), ("channel", "sign_in"), ("step_up", "in_placet")]
)
async def test_a_policy_that_wants_to_know_better_is_not_met_by_a_link(
    demanded: Assurance, kind: Kind, ground: Ground
) -> None:
    mailed = await ground.mailed(policy=demanding(demanded))
    async with ground.browser() as client:
        looked = await client.get(mailed.approve)
        pressed = await press(ground, client, mailed.approve, APPROVE)
    assert Buttons(looked.text).decisions == []
    assert pressed.status_code == {"sign_in": 401, "in_placet": 403}[kind]
    assert await status_of(ground, mailed) == "pending"


def demanding(assurance: Assurance) -> AppliedPolicy:
    step = Step(name="all", rule="any", seats=(Seat(person=JOHN),), needed=1, deny=1)
    return AppliedPolicy(name="careful", version=1, steps=(step,), assurance=assurance)


async def test_of_a_token_only_its_hash_is_kept(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        await client.get(mailed.approve)
        await press(ground, client, mailed.approve, APPROVE)
    digest = digest_of(mailed.token).hex()
    dumped = ""
    async with ground.worker_db.connection() as connection:
        for table in ("link_tokens", "link_visits", "mail_notices", "events"):
            rows = await connection.fetch(f"SELECT t::text AS line FROM {table} t")  # noqa: S608 # one of these names
            dumped += "".join(row["line"] for row in rows)
    assert digest in dumped
    assert mailed.token not in dumped
    assert mailed.token.removeprefix("pll_") not in dumped


async def test_no_line_of_a_log_holds_a_token(
    ground: Ground, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailed = await ground.mailed(type_="deploy")
    caplog.set_level(logging.DEBUG)
    port = free_port()
    async with (
        serving(ground.app, "127.0.0.1", port),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=LOOKS) as client,
    ):
        await client.get(mailed.approve)
        await client.post(mailed.approve, data=APPROVE, headers=PRESSES)
        await client.put(mailed.approve)

        async def fails(_: str) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(ground.links, "find", fails)
        failed = await client.get(mailed.approve)
    assert failed.status_code == 500
    assert "a fault of ours" in caplog.text
    ours = [one for one in caplog.records if not one.name.startswith(("httpx2", "httpcore2"))]
    told = [f"{one.getMessage()} {one.exc_text} {one.__dict__}" for one in ours]
    assert [line for line in told if mailed.token in line] == []


async def test_another_workspace_sees_no_visits_and_no_tokens(ground: Ground) -> None:
    mailed = await ground.mailed()
    async with ground.browser() as client:
        await client.get(mailed.approve)
    for workspace, seen in ((WORKSPACE, True), ("other", False)):
        async with ground.app_db.workspace(workspace) as connection:
            for table in ("link_tokens", "link_visits"):
                found = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 # one of these names
                assert bool(found) is seen, (workspace, table)


@pytest.mark.parametrize("own", [APPROVE, None])
async def test_a_link_that_is_too_old_tells_how_it_ended_and_shows_nothing_of_it(
    own: dict[str, str] | None, ground: Ground
) -> None:
    mailed = await ground.mailed(approvers=(JOHN, MARIA))
    theirs = await ground.mail_again_to(mailed.approval_id, MARIA)
    async with ground.browser() as client:
        await press(ground, client, mailed.approve if own else theirs.approve, APPROVE)
        before = await client.get(mailed.approve)
        ground.moved += timedelta(hours=1)
        after = await client.get(mailed.approve)
    async with ground.browser(JOHN) as client:
        signed_in = await client.get(mailed.approve)
    assert [CONTENT in page.text for page in (before, after, signed_in)] == [True, False, True]
    assert (after.status_code, "pproved" in after.text) == (200, True)


async def test_somebody_it_was_taken_from_reads_nothing_of_what_became_of_it(
    ground: Ground,
) -> None:
    mailed = await ground.mailed(approvers=(JOHN,))
    await ground.send(
        mailed.approval_id,
        ReassignApproval(
            person=JOHN.email,
            to=MARIA,
            cause="reassigned",
            by=JOHN,
            as_admin=False,
            reason=None,
            time_zone=None,
            via=None,
            now=ground.clock(),
        ),
    )
    theirs = await ground.mail_again_to(mailed.approval_id, MARIA)
    async with ground.browser() as client:
        waits = await client.get(mailed.approve)
        assert (await press(ground, client, theirs.approve, APPROVE)).status_code == 200
        over = await client.get(mailed.approve)
        mine = await client.get(theirs.approve)
    assert "Not yours to answer just now" in waits.text
    assert "Nothing left to answer" in over.text
    assert [CONTENT in page.text for page in (waits, over, mine)] == [False, False, True]
