"""The mail itself, as a real SMTP server takes it and the standard parser reads it."""

from dataclasses import replace
from email.message import EmailMessage

import pytest

from events.approval import Person
from services.channels import ChannelRefused, ChannelUnavailable, Recipient
from services.channels.email.channel import EmailChannel
from services.channels.email.smtp import Server
from tests.links.link_kit import (
    JOHN,
    MARIA,
    PUBLIC_URL,
    WORKSPACE,
    Ground,
    links_in,
    recipient,
)
from tests.links.mail_server import MailServer


def parts(mail: EmailMessage) -> tuple[str, str]:
    """The text and the HTML of a mail."""
    found = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
    return found["text/plain"], found["text/html"]


async def test_an_agents_ask_is_the_mail_that_its_makers_promise(
    ground: Ground, mail: MailServer
) -> None:
    await ground.mailed()
    [sent] = mail.mails
    assert sent["Subject"] == "Agent Approval Required: Bulk Send"
    assert sent["To"] == "John Smith <john.smith@example.com>"
    assert sent["From"] == "Placet <placet@example.com>"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert sent.get_content_type() == "multipart/alternative"
    text, html = parts(sent)
    for line in (
        "Your agent needs approval for the following action:",
        "Action: Bulk Send",
        "Recipients: 500",
        "Subject: Product Update",
        "Urgency: Medium",
        "[Approve Action]",
        "[Deny Action]",
        "This request expires in 1 hour.",
    ):
        assert line in text.splitlines(), text
    assert ">Approve Action</a>" in html
    assert ">Deny Action</a>" in html
    assert "expires in 1 hour" in html
    approve, deny = links_in(mail.raw[0])
    assert approve != deny
    assert text.index(f"{PUBLIC_URL}{approve}") < text.index(f"{PUBLIC_URL}{deny}")


async def test_a_persons_ask_is_called_what_it_is(ground: Ground, mail: MailServer) -> None:
    await ground.mailed(type_="deploy", title="Deploy 1.2")
    [sent] = mail.mails
    assert sent["Subject"] == "Approval required: Deploy 1.2"
    text, html = parts(sent)
    assert "[Approve]" in text.splitlines()
    assert "agent" not in text.splitlines()[0]
    assert html.count("<a ") == 3


HOSTILE = (
    "Pay\r\nBcc: victim@example.com",
    "Pay =?utf-8?q?now=0D=0ABcc:_victim@example.com?=",
    "=?utf-8?b?DQpCY2M6IHZpY3RpbUBleGFtcGxlLmNvbQ==?=",
    "Pay \u202enalp\u2066 <b>now</b> & go",
    "Überweisung für Müller " * 12,
    "x" * 500,
)


@pytest.mark.parametrize("title", HOSTILE)
async def test_no_title_and_no_name_adds_a_header_or_markup(
    title: str, ground: Ground, mail: MailServer
) -> None:
    approval_id = await ground.ask(title=title)
    card = await ground.card(approval_id)
    await ground.channel.send(
        card,
        to=Recipient(email=JOHN.email, name=title),
        workspace=WORKSPACE,
        idempotency_key=approval_id,
    )
    [sent] = mail.mails
    assert sorted(sent.keys()) == sorted(
        (
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "References",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "MIME-Version",
            "Content-Type",
        )
    )
    assert [one.addr_spec for one in sent["To"].addresses] == [JOHN.email]
    assert mail.recipients == [JOHN.email]
    assert "\n" not in sent["Subject"]
    assert len(sent["Subject"]) <= 200
    _, html = parts(sent)
    assert "<b>" not in html
    for form in parts(sent):
        assert "\u202e" not in form
        assert "\u2066" not in form
    assert max(len(line) for line in mail.raw[0].split(b"\r\n")) <= 998


async def test_what_follows_stands_in_the_thread_of_the_first_mail(
    ground: Ground, mail: MailServer
) -> None:
    mailed = await ground.mailed(approvers=(JOHN, MARIA))
    first = mail.mails[0]
    card = await ground.card(mailed.approval_id)
    for key in ("reminder 1", "reminder 2"):
        await ground.channel.remind(
            first["Message-ID"],
            card,
            to=recipient(JOHN),
            workspace=WORKSPACE,
            idempotency_key=key,
        )
    over = replace(card, shown="settled", asks=None, status="Approved by somebody.")
    await ground.channel.update(first["Message-ID"], over, to=recipient(JOHN), workspace=WORKSPACE)
    followers = mail.mails[1:]
    assert len({one["Message-ID"] for one in mail.mails}) == 4
    for one in followers:
        assert one["Subject"] == f"Re: {first['Subject']}"
        assert one["In-Reply-To"] == first["Message-ID"]
        assert one["References"].split() == [*first["References"].split(), first["Message-ID"]]
    assert "Approved by somebody." in parts(followers[-1])[0]
    assert not links_in(mail.raw[-1])


async def test_the_mail_of_a_newer_revision_stands_in_the_same_thread(
    ground: Ground, mail: MailServer
) -> None:
    mailed = await ground.mailed()
    await ground.revise(mailed.approval_id, recipient_count=5_000)
    await ground.channel.send(
        await ground.card(mailed.approval_id),
        to=recipient(JOHN),
        workspace=WORKSPACE,
        idempotency_key="the second revision",
    )
    first, second = mail.mails
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]


async def test_a_card_that_is_sent_again_has_the_id_that_it_had(
    ground: Ground, mail: MailServer
) -> None:
    mailed = await ground.mailed()
    await ground.mail_again(mailed.approval_id)
    first, second = mail.mails
    assert first["Message-ID"] == second["Message-ID"]
    # Either may be the one that arrived: the links of both open the page.
    assert len({*links_in(mail.raw[0]), *links_in(mail.raw[1])}) == 4


async def test_an_end_is_told_once_and_not_to_whoever_brought_it(
    ground: Ground, mail: MailServer
) -> None:
    mailed = await ground.mailed(approvers=(JOHN, MARIA))
    card = await ground.card(mailed.approval_id)
    reference = mail.mails[0]["Message-ID"]
    over = replace(card, shown="settled", asks=None, settled_by=MARIA.email)

    async def update(to: Person, shows: object) -> None:
        assert isinstance(shows, type(card))
        await ground.channel.update(reference, shows, to=recipient(to), workspace=WORKSPACE)

    await update(MARIA, over)
    await update(JOHN, replace(card, asks=None))
    await update(JOHN, replace(card, progress="1 of 2"))
    assert len(mail.mails) == 1
    for _ in range(3):
        await update(JOHN, over)
    assert [one["To"].addresses[0].addr_spec for one in mail.mails[1:]] == [JOHN.email]


async def test_an_end_that_could_not_be_told_is_told_later(
    ground: Ground, mail: MailServer
) -> None:
    mailed = await ground.mailed()
    over = replace(await ground.card(mailed.approval_id), shown="superseded", asks=None)
    reference = mail.mails[0]["Message-ID"]
    mail.answers_recipient = lambda _: "451 later"
    with pytest.raises(ChannelUnavailable):
        await ground.channel.update(reference, over, to=recipient(JOHN), workspace=WORKSPACE)
    mail.kind_again()
    await ground.channel.update(reference, over, to=recipient(JOHN), workspace=WORKSPACE)
    assert len(mail.mails) == 2


async def test_a_refused_recipient_is_refused_for_good(ground: Ground, mail: MailServer) -> None:
    mail.answers_recipient = lambda _: "550 5.1.1 no such user"
    with pytest.raises(ChannelRefused, match=r"john\.smith@example\.com: 550 5\.1\.1 no such user"):
        await ground.mailed()
    mail.kind_again()
    mail.answers_data = lambda _: "554 5.7.1 this looks like spam"
    with pytest.raises(ChannelRefused, match="554"):
        await ground.mailed()


@pytest.mark.parametrize("when", ["recipient", "data"])
async def test_a_greylisted_mail_is_tried_again(
    when: str, ground: Ground, mail: MailServer
) -> None:
    def later(_: str) -> str:
        return "451 4.7.1 come back later"

    if when == "recipient":
        mail.answers_recipient = later
    else:
        mail.answers_data = later
    with pytest.raises(ChannelUnavailable, match="451") as refused:
        await ground.mailed()
    # The others on this channel are not to wait with it.
    assert refused.value.retry_after is None
    mail.kind_again()
    await ground.mailed()
    assert len(mail.mails) == 1


async def test_after_a_cut_in_the_answer_nobody_knows_and_it_is_tried_again(
    ground: Ground, mail: MailServer
) -> None:
    approval_id = await ground.ask()
    mail.hangs_up_after_data = True
    with pytest.raises(ChannelUnavailable):
        await ground.mail_again(approval_id)
    mail.kind_again()
    await ground.mail_again(approval_id)
    arrived = [one["Message-ID"] for one in mail.mails]
    assert len(arrived) == 2
    assert len(set(arrived)) == 1


async def test_a_server_that_is_away_is_tried_again(ground: Ground) -> None:
    for server in (
        Server(host="127.0.0.1", port=1, tls="none"),
        Server(host="127.0.0.1", port=ground.mail.port, tls="starttls", password="hidden-9"),
    ):
        channel = EmailChannel(
            "email",
            server=server,
            sender=ground.channel._sender,
            tokens=ground.channel._tokens,
            notices=ground.channel._notices,
            public_url=PUBLIC_URL,
            clock=ground.clock,
        )
        with pytest.raises(ChannelUnavailable, match=r"127\.0\.0\.1 cannot be used"):
            await channel.send(
                await ground.card(await ground.ask()),
                to=recipient(JOHN),
                workspace=WORKSPACE,
                idempotency_key="once",
            )
        assert "hidden-9" not in repr(server)
    # It does not go on in the clear where a server cannot encrypt.
    assert ground.mail.mails == []


@pytest.mark.parametrize(
    ("known", "reached"),
    [
        (Recipient(email="john@example.com"), True),
        (Recipient(email="john@example.com", address="j.smith@mail.example.com"), True),
        (Recipient(email="j\u00f6rg@example.com"), False),
        (Recipient(email="john@m\u00fcller.example"), True),
        (Recipient(email="john@example.com", address="U0123ABC"), False),
        (Recipient(email="john@example.com>\r\nRCPT TO:<x@example.com"), False),
        (Recipient(email="a@b@example.com"), False),
        (Recipient(email="@example.com"), False),
        (Recipient(email=f"john@{'x' * 64}.example"), False),
    ],
)
async def test_who_can_be_mailed_is_told_before(
    known: Recipient,
    reached: bool,  # noqa: FBT001 # one of the parameters
    ground: Ground,
    mail: MailServer,
) -> None:
    assert ground.channel.reaches(known) is reached
    card = await ground.card(await ground.ask())
    sending = ground.channel.send(
        card, to=known, workspace=WORKSPACE, idempotency_key=card.approval_id
    )
    if reached:
        await sending
        assert len(mail.recipients) == 1
    else:
        with pytest.raises(ChannelRefused):
            await sending
        assert mail.recipients == []
