"""Discord, as far as its documentation says what it takes: whatever else is sent is a fault."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TOKEN = "bot-token-of-a-test"
APPLICATION = "123456789012345678"

ROW, BUTTON, TEXT_INPUT = 1, 2, 4
LINK = 5
# The least limits of https://github.com/discord/discord-api-docs, counted as UTF-16.
LIMITS = {"title": 256, "description": 4096, "name": 256, "value": 1024}
IN_ALL, FIELDS, ROWS, BUTTONS = 6000, 25, 5, 5

_PAIR = re.compile(r"\\[^0-9A-Za-z\s]")
_MARKUP = {
    "formatting": re.compile(r"[*_~`|\\]"),
    "mention": re.compile(r"<[@#:/a-z]|@everyone|@here"),
    "link": re.compile(r"https?://|\]\(|discord\.gg/"),
    "heading, quote or list": re.compile(
        r"^[^\S\n]*(#{1,3} |-# |>{1,3} |[-+] |[0-9]+[.)] )", re.MULTILINE
    ),
}


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def markup_in(text: str) -> list[str]:
    """What Discord would make of a text beside showing it."""
    # A backslash and what it escapes show that one character, and mean nothing.
    shown = _PAIR.sub("\N{WHITE SQUARE}", text)
    return [kind for kind, pattern in _MARKUP.items() if pattern.search(shown)]


def shown_by(text: str) -> str:
    """What somebody reads."""
    return _PAIR.sub(lambda found: found[0][1], text)


def faults_of_message(body: dict[str, Any]) -> Iterator[str]:
    content = body.get("content", "")
    if units(content) > 2000:
        yield "content is too long"
    yield from (f"content: {one}" for one in markup_in(content))
    if not content and not body.get("embeds"):
        yield "the message is empty"
    if body.get("allowed_mentions", {}).get("parse") != []:
        yield "mentions are allowed"
    if "nonce" in body and not 1 <= len(str(body["nonce"])) <= 25:
        yield "the nonce is too long"
    if len(body.get("embeds", [])) > 10:
        yield "too many embeds"
    for embed in body.get("embeds", []):
        yield from _faults_of_embed(embed)
    yield from faults_of_rows(body.get("components", []))


def _faults_of_embed(embed: dict[str, Any]) -> Iterator[str]:
    if unknown := set(embed) - {"title", "description", "url", "color", "fields"}:
        yield f"unknown in an embed: {unknown}"
    texts = [("title", embed["title"]), ("description", embed["description"])]
    for one in embed["fields"]:
        texts += [("name", one["name"]), ("value", one["value"])]
    for kind, text in texts:
        if not 1 <= units(text.strip()) <= LIMITS[kind]:
            yield f"{kind} has {units(text.strip())} characters"
        yield from (f"{kind}: {one} in {text!r}" for one in markup_in(text))
    if sum(units(text) for _, text in texts) > IN_ALL:
        yield "the embed is too long in all"
    if len(embed["fields"]) > FIELDS:
        yield "too many fields"
    if not 0 <= embed["color"] <= 0xFFFFFF:
        yield "no colour"
    if not re.fullmatch(r"https?://\S{1,2040}", embed.get("url", "https://x")):
        yield "no url"


def faults_of_rows(rows: list[dict[str, Any]]) -> Iterator[str]:
    if len(rows) > ROWS:
        yield "too many rows"
    seen = set()
    for row in rows:
        if row["type"] != ROW or not 1 <= len(row["components"]) <= BUTTONS:
            yield "a row holds 1 to 5 buttons"
        for one in row["components"]:
            if one["type"] != BUTTON or not 1 <= units(one["label"]) <= 80:
                yield "no button, or its label is too long"
            elif one["style"] == LINK:
                if set(one) != {"type", "style", "label", "url"} or len(one["url"]) > 512:
                    yield "a link has a url of at most 512 characters, and no custom_id"
            elif not 1 <= units(one["custom_id"]) <= 100 or one["custom_id"] in seen:
                yield "a custom_id has 1 to 100 characters, and stands once"
            else:
                seen.add(one["custom_id"])


def faults_of_form(data: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a modal."""
    if not 1 <= units(data["title"]) <= 45 or not 1 <= units(data["custom_id"]) <= 100:
        yield "title or custom_id of a modal"
    if not 1 <= len(data["components"]) <= 5:
        yield "a modal holds 1 to 5 rows"
    for row in data["components"]:
        (one,) = row["components"]
        if row["type"] != ROW or one["type"] != TEXT_INPUT or one["style"] not in (1, 2):
            yield "no text input"
        if not 1 <= units(one["label"]) <= 45 or not 1 <= units(one["custom_id"]) <= 100:
            yield "label or custom_id of a text input"
        if not 0 <= one["min_length"] <= one["max_length"] <= 4000:
            yield "lengths of a text input"


@dataclass
class FakeDiscord:
    """The API for bots; `trouble` may answer a call in its place."""

    people: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    """Who takes no messages of the bot."""
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    trouble: Callable[[str, str], httpx2.Response | None] = lambda _method, _path: None
    headers: dict[str, str] = field(default_factory=dict)
    """What every answer carries: rate limits."""
    _key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    @property
    def public_key(self) -> str:
        return self._key.public_key().public_bytes_raw().hex()

    def signed(self, body: bytes, at: datetime | None = None) -> dict[str, str]:
        """The headers of a request that Discord itself sends."""
        timestamp = str(int((at or datetime.now(UTC)).timestamp()))
        signature = self._key.sign(timestamp.encode() + body).hex()
        return {
            "X-Signature-Ed25519": signature,
            "X-Signature-Timestamp": timestamp,
            "Content-Type": "application/json",
        }

    def card_of(self, user: str) -> dict[str, Any]:
        """The latest message to somebody."""
        return [one for one in self.messages.values() if one["to"] == user][-1]

    def buttons_of(self, user: str) -> dict[str, str]:
        """What can be pressed there: label → custom_id."""
        rows = self.card_of(user)["components"]
        return {
            one["label"]: one["custom_id"]
            for row in rows
            for one in row["components"]
            if "custom_id" in one
        }

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v10")
        self.calls.append((request.method, path))
        answer = self.trouble(request.method, path)
        if answer is not None:
            return answer
        if request.headers["authorization"] != f"Bot {TOKEN}":
            return httpx2.Response(401, json={"message": "401: Unauthorized", "code": 0})
        if not re.fullmatch(r"DiscordBot \(.+, .+\)", request.headers["user-agent"]):
            self.faults.append("the user agent is not of a bot")
        if request.method == "GET":
            return httpx2.Response(200, json=self._latest(path, request.url.params["limit"]))
        status, found = self._done(request.method, path, json.loads(request.content))
        return httpx2.Response(status, json=found, headers=self.headers)

    def _done(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if (method, path) == ("POST", "/users/@me/channels"):
            user = body["recipient_id"]
            if user not in self.people:
                return 400, {"code": 10013, "message": "Unknown User"}
            return 200, {"id": f"99{user}", "type": 1}
        where, _, message_id = path.removeprefix("/channels/99").partition("/messages")
        message_id = message_id.removeprefix("/")
        found = list(faults_of_message(body)) if method in ("POST", "PATCH") else []
        if found:
            self.faults += found
            return 400, {"code": 50035, "message": "Invalid Form Body"}
        if method == "PATCH":
            if message_id not in self.messages:
                return 404, {"code": 10008, "message": "Unknown Message"}
            self.messages[message_id].update(body)
            return 200, self.messages[message_id]
        if where in self.closed:
            return 403, {"code": 50007, "message": "Cannot send messages to this user"}
        return 200, self._posted(where, body)

    def _latest(self, path: str, limit: str) -> list[dict[str, Any]]:
        """The latest messages first, as Discord gives them back: without their nonce."""
        where = path.removeprefix("/channels/99").removesuffix("/messages")
        assert 1 <= int(limit) <= 100
        found = [one for one in reversed(self.messages.values()) if one["to"] == where]
        return [
            {name: value for name, value in one.items() if "nonce" not in name}
            for one in found[: int(limit)]
        ]

    def _posted(self, user: str, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("enforce_nonce"):
            for one in self.messages.values():
                if (one["to"], one["nonce"]) == (user, body["nonce"]):
                    return one
        message_id = str(10**17 + len(self.messages))
        self.messages[message_id] = {"id": message_id, "to": user, **body}
        return self.messages[message_id]
