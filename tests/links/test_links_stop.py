"""A digest by mail: one message, which a mail program can end by one click, and only by a POST."""

import re
from dataclasses import replace

import httpx2
from fastapi import FastAPI

from events.store.database import Database
from projections.queries import Queries
from services.channels.digest import Digest
from services.channels.email.channel import EmailChannel
from services.channels.email.message import address
from services.channels.email.notices import Notices
from services.channels.email.smtp import Server
from services.channels.email.stopping import Stops
from services.channels.email.tokens import Tokens
from services.decision.surfaces.stopping import StopPages
from services.directory.kept_preferences import KeptPreferences
from services.directory.postgres import PostgresDirectories
from services.directory.preferences import Defaults, Preferences, Turn
from services.directory.stopping import StopLinks, without
from services.queue.pages.routes import make_pages
from services.web.app import make_app
from tests.links.link_kit import ORIGIN, PUBLIC_URL, WORKSPACE, Ground, recipient
from tests.links.mail_server import MailServer
from tests.pages.fakes import JOHN

CHANNELS = ("inbox", "email", "slack")
_STOP = re.compile(r"<(https?://[^>]+/l/stop/[^>]+)>")


class Mailing:
    """A mail channel with links that end it, and the page of those links."""

    def __init__(self, ground: Ground) -> None:
        app_db: Database = ground.app_db
        self.channel = EmailChannel(
            "email",
            server=Server(host="127.0.0.1", port=ground.mail.port, tls="none"),
            sender=address("placet@example.com", "Placet"),
            tokens=Tokens(ground.worker_db),
            notices=Notices(ground.worker_db),
            public_url=PUBLIC_URL,
            clock=ground.clock,
            stops=Stops(ground.worker_db, PUBLIC_URL),
        )
        self.kept = KeptPreferences(app_db)
        directories = PostgresDirectories(ground.worker_db, ground.clock)
        pages = make_pages(
            Queries(app_db, ground.store), directories, ground.sessions, ground.clock
        )
        links = StopLinks(app_db, self.kept, directories)
        stops = StopPages(links, pages, Defaults(), CHANNELS, PUBLIC_URL, ground.clock)
        self.app: FastAPI = make_app([stops.router()])

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app), base_url=ORIGIN, headers={}
        )


async def digested(ground: Ground, mailing: Mailing) -> str:
    """Mail a digest, and return the path of the link that ends them."""
    approval_id = await ground.ask()
    digest = Digest(
        cards=(await ground.card(approval_id),),
        more=3,
        link=f"{PUBLIC_URL}/inbox",
        settings_link=f"{PUBLIC_URL}/preferences",
    )
    await mailing.channel.send_digest(
        digest, to=recipient(JOHN), workspace=WORKSPACE, idempotency_key="digest 1"
    )
    mail = ground.mail.to(JOHN.email)[-1]
    assert mail["Subject"] == "4 wait for you"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert f"{PUBLIC_URL}/approvals/{approval_id}" in plain.get_content()
    found = _STOP.fullmatch(mail["List-Unsubscribe"])
    assert found is not None
    return found[1].removeprefix(PUBLIC_URL)


async def test_a_mail_program_ends_digests_by_a_post_and_looking_ends_nothing(
    ground: Ground,
) -> None:
    mailing = Mailing(ground)
    # The database is every test's: another one may have ended them.
    await mailing.kept.put(WORKSPACE, JOHN.email, Preferences(), by=JOHN.email, now=ground.clock())
    path = await digested(ground, mailing)
    async with mailing.browser() as client:
        shown = await client.get(path)
        assert shown.status_code == 200
        assert JOHN.email in shown.text
        assert shown.headers["referrer-policy"] == "no-referrer"
        for method in ("GET", "HEAD"):
            await client.request(method, path)
        assert (await mailing.kept.own(WORKSPACE, JOHN.email)).order is None
        for _ in range(2):
            ended = await client.post(path, data={"List-Unsubscribe": "One-Click"})
            assert ended.status_code == 200, ended.text
        assert (await client.get("/l/stop/nothing")).status_code == 404
        assert (await client.post(f"{path[:-1]}!")).status_code == 404
    assert (await mailing.kept.own(WORKSPACE, JOHN.email)).order == (Turn("slack"),)


async def test_a_link_ends_nothing_when_it_is_too_old(ground: Ground) -> None:
    mailing = Mailing(ground)
    path = await digested(ground, mailing)
    async with ground.worker_db.connection() as connection:
        kept = await connection.fetchval("SELECT string_agg(t::text, '') FROM stop_tokens t")
        assert path.rsplit("/", 1)[1] not in kept, "of a token only the hash is kept"
        await connection.execute("DELETE FROM stop_tokens")
    async with mailing.browser() as client:
        assert (await client.post(path)).status_code == 404


async def test_an_outcome_is_mailed_as_one_and_asks_for_nothing(
    ground: Ground, mail: MailServer
) -> None:
    approval_id = await ground.ask()
    card = await ground.card(approval_id)
    settled = replace(card, shown="settled", asks=None, status="Approved by maria@example.com.")
    await Mailing(ground).channel.send(
        settled, to=recipient(JOHN), workspace=WORKSPACE, idempotency_key="outcome 1"
    )
    (sent,) = mail.to(JOHN.email)
    assert sent["Subject"] == f"Settled: {card.title}"
    body = sent.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Approved by maria@example.com." in text
    assert "/l/" not in text
    assert "needed" not in text


def test_who_ends_the_last_channel_is_told_by_the_inbox_alone() -> None:
    own = Preferences(time_zone="Europe/Berlin")
    everywhere = without(own, own, "email", ("email", "slack"))
    assert everywhere == Preferences(order=(Turn("slack"),), time_zone="Europe/Berlin")
    only = Preferences(order=(Turn("email"),))
    assert without(only, only, "email", ("email", "slack")).silent is True
