"""Everything else that people read, by Apprise: a short text and a link, one way, no buttons."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat

from services.channels import ChannelRefused, ChannelUnavailable, Recipient
from services.channels.belonging import refuse_others
from services.channels.card import Card
from services.channels.digest import Digest, digest_subject
from services.channels.plain import line
from services.channels.text import subject, where

ADDRESS = "{address}"
"""Stands in the URL where the person's address of the directory goes."""
THREADS = 4
TIMEOUT_S = 15.0
MOST_SUBJECT = 200
MOST_LINE = 300
MOST_LISTED = 20

# Services read many kinds of markup, and none is told which: what begins a mention or a link in
# most of them is taken apart.
_ACTED_UPON = re.compile(r"[@<]|\](?=\()|:(?=//)")
_APART = "\N{WORD JOINER}"


class AppriseChannel:
    """Tells people by one Apprise URL: each person's own address in it, or all by the same.

    Apprise works in threads: so many at a time, and none is waited for longer than `TIMEOUT_S`.
    """

    def __init__(self, name: str, workspace: str, *, url: str) -> None:
        self.name = name
        self._workspace = workspace
        self._url = url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")
        self._busy = 0

    def reaches(self, to: Recipient) -> bool:
        """See `Channel.reaches`: whoever has an address, if the URL asks for one."""
        return ADDRESS not in self._url or bool(to.address)

    async def send(
        self,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,  # noqa: ARG002 # Apprise knows none
    ) -> str | None:
        """See `Channel.send`: there is nothing that finds it again, and a repeat is shown twice."""
        await self._tell(to, workspace, subject(card), _body(card))
        return None

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """See `Channel.update`: what was sent stays as it was; the link shows how it stands."""

    async def remind(
        self,
        reference: str | None,  # noqa: ARG002 # there is none
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,  # noqa: ARG002 # Apprise knows none
    ) -> None:
        """See `Reminding.remind`."""
        await self._tell(to, workspace, f"Reminder: {card.title}", _body(card))

    async def send_digest(
        self,
        digest: Digest,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,  # noqa: ARG002 # Apprise knows none
    ) -> None:
        """See `Digesting.send_digest`."""
        titles = [harmless(line(one.title, MOST_SUBJECT)) for one in digest.cards[:MOST_LISTED]]
        body = "\n".join([*titles, "", f"In Placet: {digest.link}"])
        await self._tell(to, workspace, digest_subject(digest), body)

    async def close(self) -> None:
        """Begin nothing more; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _tell(self, to: Recipient, workspace: str, title: str, body: str) -> None:
        refuse_others(self.name, self._workspace, workspace)
        if ADDRESS in self._url and not to.address:
            raise ChannelRefused(f"The directory has no address of {to.email} for {self.name}.")
        if self._busy >= THREADS:
            # A thread cannot be stopped: no more of them than there are.
            raise ChannelUnavailable(f"{self.name} is busy.", not_sent=True)
        self._busy += 1
        url = self._url.replace(ADDRESS, quote(to.address or "", safe=""))
        work = partial(_notify, url, harmless(line(title, MOST_SUBJECT)), body)
        told = asyncio.get_running_loop().run_in_executor(self._threads, work)
        told.add_done_callback(self._is_free)
        try:
            # Not cancelled with who waits: its thread goes on.
            done = await asyncio.wait_for(asyncio.shield(told), TIMEOUT_S)
        except TimeoutError as error:
            raise ChannelUnavailable(f"{self.name} did not answer within {TIMEOUT_S} s.") from error
        if done is None:
            raise ChannelRefused(
                f"Apprise cannot use the URL of {self.name} with the address of {to.email}."
            )
        if not done:
            raise ChannelUnavailable(f"{self.name} did not take the message.")

    def _is_free(self, told: "asyncio.Future[bool | None]") -> None:
        self._busy -= 1
        if not told.cancelled():
            told.exception()  # who still waits is told; nobody else has to be


def is_usable(url: str) -> bool:
    """Tell whether Apprise knows the service of a URL and what it needs."""
    return ADDRESS in url or _service(url) is not None


def harmless(text: str) -> str:
    """Return a text in which nothing is a mention or a link to the services that read some."""
    return _ACTED_UPON.sub(lambda found: f"{found[0]}{_APART}", text)


def _service(url: str) -> NotifyBase | None:
    return Apprise.instantiate(url, asset=AppriseAsset(secure_logging=True))


def _notify(url: str, title: str, body: str) -> bool | None:
    """Tell, in a thread; None where Apprise cannot use the URL."""
    service = _service(url)
    if service is None:
        return None
    told = Apprise()
    told.add(service)
    return bool(told.notify(body=body, title=title, body_format=NotifyFormat.TEXT))


def _body(card: Card) -> str:
    return "\n".join([*(harmless(one) for one in _lines(card)), "", f"{where(card)}: {card.link}"])


def _lines(card: Card) -> Iterator[str]:
    yield line(card.status, MOST_LINE)
    yield line(f"Asked by: {card.requester}", MOST_LINE)
    if card.amount:
        yield line(f"Amount: {card.amount}", MOST_LINE)
    if card.deadline:
        yield f"Answer by: {card.deadline}"
