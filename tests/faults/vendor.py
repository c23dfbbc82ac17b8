"""A vendor of messages on loopback, and channels of ours that post to it.

It knows nothing of idempotency keys: what is posted twice, is there twice.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from services.channels import ChannelRefused, ChannelUnavailable, Recipient
from services.channels.card import Card
from services.embedded.ports import HOST

URL = "VENDOR_URL"
TOLD, UNTOLD = "told", "untold"
"""The channel that can tell what has become of a card, and the one that cannot."""


@dataclass(slots=True)
class Message:
    """What stands at the vendor."""

    channel: str
    key: str
    approval_id: str
    approver: str
    shown: str
    asks: str | None


class Vendor:
    """Used as `async with`; each call takes it `latency_s`.

    `on_update` is told of each message that was edited.
    """

    def __init__(self, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.closing = asyncio.Event()
        self.messages: list[Message] = []
        self.on_update: Callable[[Message], None] = lambda _: None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.closing.set()
        for writer in self._open:
            writer.close()

    async def send(self, message: Message) -> int:
        """Keep a message and return where it is."""
        await asyncio.sleep(self._latency_s)
        self.messages.append(message)
        return len(self.messages) - 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                content = json.dumps(await self._answer(head[0].split()[1], body)).encode()
                length = f"content-length: {len(content)}"
                writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it went away, or was killed
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, path: str, body: dict[str, Any]) -> int | None:
        match path:
            case "/send":
                return await self.send(Message(**body))
            case "/update":
                await asyncio.sleep(self._latency_s)
                message = self.messages[body["reference"]]
                message.shown, message.asks = body["shown"], body["asks"]
                self.on_update(message)
                return None
            case _:
                keys = [(one.channel, one.key) for one in self.messages]
                wanted = (body["channel"], body["key"])
                return keys.index(wanted) if wanted in keys else None


class VendorChannel:
    """Posts cards to a `Vendor`."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._http = httpx2.AsyncClient(base_url=url, timeout=10)

    def reaches(self, to: Recipient) -> bool:  # noqa: ARG002 # everybody is there
        """See `Channel.reaches`."""
        return True

    async def send(
        self,
        card: Card,
        *,
        to: Recipient,
        workspace: str,  # noqa: ARG002 # the vendor has only one
        idempotency_key: str,
    ) -> str | None:
        """See `Channel.send`."""
        message = {
            "channel": self.name,
            "key": idempotency_key,
            "approval_id": card.approval_id,
            "approver": to.email,
            "shown": card.shown,
            "asks": card.asks,
        }
        return str(await self._post("/send", message))

    async def update(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,  # noqa: ARG002 # the message knows whom it is for
        workspace: str,  # noqa: ARG002 # the vendor has only one
    ) -> None:
        """See `Channel.update`."""
        if reference is None:
            raise ChannelRefused("It is not known which message that was.")
        shown = {"reference": int(reference), "shown": card.shown, "asks": card.asks}
        await self._post("/update", shown)

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            answer = await self._http.post(path, json=body)
        except httpx2.ConnectError as error:
            raise ChannelUnavailable("No connection.", not_sent=True) from error
        except httpx2.HTTPError as error:
            raise ChannelUnavailable(f"{type(error).__name__}") from error
        return answer.json()


class TellingChannel(VendorChannel):
    """One whose vendor can be asked what it has."""

    async def find(
        self,
        idempotency_key: str,
        *,
        to: Recipient,  # noqa: ARG002 # a key is of one person
        workspace: str,  # noqa: ARG002 # the vendor has only one
    ) -> str | None:
        """See `Finder.find`."""
        found = await self._post("/find", {"channel": self.name, "key": idempotency_key})
        return None if found is None else str(found)
