"""Slack on this machine: takes what apps call, as strictly as its documentation says, and clicks.

It keeps what each person sees, and signs what they press as Slack does.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from tests.servers.slack_rules import faults_of_message, faults_of_view

TOKEN = "xoxb-test-token"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TEAM = "T0PLACET"
CUT = "cut"
"""Trouble after a call has taken effect: nobody hears of it."""
Json = Any
Post = Callable[..., Awaitable[httpx2.Response]]


@dataclass
class Account:
    """An account of somebody, of this workspace unless `team` says something else."""

    user: str
    email: str | None
    team: str = TEAM
    deleted: bool = False
    confirmed: bool = True


@dataclass
class Message:
    """A message as its reader sees it now."""

    conversation: str
    ts: str
    body: dict[str, Json]
    edits: int = 0

    def button(self, action: str) -> dict[str, Json]:
        """A button that can be pressed."""
        return next(one for one in self._buttons() if one["action_id"] == action)

    @property
    def actions(self) -> list[str]:
        """What can be pressed."""
        return [one["action_id"] for one in self._buttons()]

    def _buttons(self) -> list[dict[str, Json]]:
        blocks = self.body.get("blocks", [])
        return [one for block in blocks for one in block.get("elements", [])]

    @property
    def words(self) -> str:
        """All that stands on it, a text a line."""
        return "\n".join(_texts(self.body.get("blocks", [])) or [self.body["text"]])


@dataclass
class FakeSlack:
    """See the module. `trouble` may answer a call of a method otherwise."""

    post: Post
    """Posts a body with headers to the app's Request URL."""
    now: Callable[[], float]
    accounts: dict[str, Account] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    windows: dict[str, dict[str, Json]] = field(default_factory=dict)
    replies: list[tuple[str, str]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.trouble: dict[str, list[web.Response | str]] = {}
        self._conversations: dict[str, str] = {}
        self._triggers: dict[str, float] = {}
        self._reply_urls: dict[str, tuple[str, int]] = {}
        self._count = 0

    def join(self, user: str, email: str | None, **more: Any) -> Account:
        """Somebody has an account from now on."""
        self.accounts[user] = Account(user, email, **more)
        return self.accounts[user]

    def seen_by(self, user: str) -> list[Message]:
        """The messages that somebody sees, oldest first."""
        return [one for one in self.messages if self._conversations[one.conversation] == user]

    # What people do ---------------------------------------------------------------------------

    async def press(self, user: str, message: Message, action: str, **more: Any) -> httpx2.Response:
        """Somebody presses a button that is there."""
        return await self.press_button(user, message, message.button(action), **more)

    async def press_button(
        self, user: str, message: Message, button: Mapping[str, Json], **more: Any
    ) -> httpx2.Response:
        """Somebody presses a button that was there when they saw it."""
        self._count += 1
        trigger, reply = f"{self._count}.trigger", f"reply-{self._count}"
        self._triggers[trigger] = self.now()
        self._reply_urls[reply] = (user, 5)
        pressed = {"block_id": "abc", "type": "button", "action_ts": f"{self.now()}"}
        payload = {
            "type": "block_actions",
            "user": self._user(user),
            "api_app_id": "A0APP",
            "token": "deprecated",
            "container": {"type": "message", "message_ts": message.ts},
            "trigger_id": trigger,
            "team": {"id": self.accounts[user].team, "domain": "placet"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": message.conversation, "name": "directmessage"},
            "message": {"type": "message", "ts": message.ts, **message.body},
            "state": {"values": {}},
            "response_url": f"{self.url}/hooks/{reply}",
            "actions": [{**button, **pressed}],
        }
        return await self.deliver(payload, **more)

    async def submit(
        self, user: str, window: str, text: str | None, **more: Any
    ) -> httpx2.Response:
        """Somebody submits a window with a text."""
        view = self.windows[window]
        [block] = [one for one in view["blocks"] if one["type"] == "input"]
        value = {"type": "plain_text_input", "value": text}
        payload = {
            "type": "view_submission",
            "team": {"id": self.accounts[user].team, "domain": "placet"},
            "user": self._user(user),
            "view": {
                **view,
                "id": window,
                "state": {"values": {block["block_id"]: {block["element"]["action_id"]: value}}},
            },
            "response_urls": [],
        }
        answer = await self.deliver(payload, **more)
        if answer.status_code == 200 and not answer.content:
            del self.windows[window]
        return answer

    async def deliver(
        self, payload: Json, *, secret: str = SIGNING_SECRET, age_s: float = 0, **headers: str
    ) -> httpx2.Response:
        """Send a signed interaction, and hold the app to 3 s."""
        body = urlencode({"payload": json.dumps(payload)})
        at = str(int(self.now() - age_s))
        signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
        sent = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": signature,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with asyncio.timeout(3):
            return await self.post(body, sent)

    def _user(self, user: str) -> dict[str, str]:
        # The name is one that anybody may give themselves.
        return {"id": user, "username": "ceo", "name": "ceo", "team_id": self.accounts[user].team}

    # What apps call ---------------------------------------------------------------------------

    async def _called(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls[method] += 1
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth" if "Authorization" in request.headers else "not_authed")
        if request.content_type == "application/json":
            arguments = await request.json()
        else:
            arguments = {**request.query, **await request.post()}
        waiting = self.trouble.get(method, [])
        trouble = waiting.pop(0) if waiting else None
        if isinstance(trouble, web.Response):
            return trouble
        answer = _METHODS[method](self, arguments)
        if trouble == CUT and request.transport is not None:
            request.transport.abort()
        return answer

    def _test(self, _: Json) -> web.Response:
        return _ok(team_id=TEAM, team="Placet", user_id="U0BOT", bot_id="B0BOT")

    def _look_up(self, arguments: Json) -> web.Response:
        for account in self.accounts.values():
            if account.team == TEAM and account.email == arguments["email"]:
                return _ok(user=_public(account))
        return _no("users_not_found")

    def _info(self, arguments: Json) -> web.Response:
        account = self.accounts.get(arguments["user"])
        return _ok(user=_public(account)) if account else _no("user_not_found")

    def _open(self, arguments: Json) -> web.Response:
        user = arguments["users"]
        if user not in self.accounts:
            return _no("user_not_found")
        conversation = f"D0{user}"
        self._conversations[conversation] = user
        return _ok(channel={"id": conversation})

    def _post(self, arguments: Json) -> web.Response:
        if arguments["channel"] not in self._conversations:
            return _no("channel_not_found")
        if not self._takes(faults_of_message(arguments)):
            return _no("invalid_blocks")
        self._count += 1
        ts = f"{int(self.now())}.{self._count:06d}"
        body = {
            name: arguments[name]
            for name in ("text", "blocks", "metadata", "thread_ts")
            if name in arguments
        }
        self.messages.append(Message(arguments["channel"], ts, body))
        return _ok(channel=arguments["channel"], ts=ts, message=body)

    def _update(self, arguments: Json) -> web.Response:
        for message in self.messages:
            if (message.conversation, message.ts) == (arguments["channel"], arguments["ts"]):
                if not self._takes(faults_of_message(arguments)):
                    return _no("invalid_blocks")
                message.body |= {"text": arguments["text"], "blocks": arguments["blocks"]}
                message.edits += 1
                return _ok(channel=message.conversation, ts=message.ts, text=arguments["text"])
        return _no("message_not_found")

    def _history(self, arguments: Json) -> web.Response:
        newest_first = [
            one for one in reversed(self.messages) if one.conversation == arguments["channel"]
        ]
        begin, limit = int(arguments.get("cursor") or 0), int(arguments["limit"])
        if limit > 999:
            return _no("invalid_limit")
        page = newest_first[begin : begin + limit]
        shows = arguments.get("include_all_metadata") in (True, "1", 1)
        found = [
            {"ts": one.ts, **{k: v for k, v in one.body.items() if shows or k != "metadata"}}
            for one in page
        ]
        more = begin + limit < len(newest_first)
        cursor = str(begin + limit) if more else ""
        return _ok(messages=found, has_more=more, response_metadata={"next_cursor": cursor})

    def _window(self, arguments: Json) -> web.Response:
        pressed_at = self._triggers.pop(arguments["trigger_id"], None)
        if pressed_at is None or self.now() - pressed_at > 3:
            return _no("expired_trigger_id")
        view = arguments["view"]
        view = json.loads(view) if isinstance(view, str) else view
        if not self._takes(faults_of_view(view)):
            return _no("invalid_arguments")
        self._count += 1
        self.windows[f"V{self._count}"] = view
        return _ok(view={"id": f"V{self._count}"})

    async def _replied(self, request: web.Request) -> web.StreamResponse:
        reply = request.match_info["reply"]
        user, left = self._reply_urls.get(reply, ("", 0))
        if left == 0:
            return web.Response(status=404, text="used_url")
        self._reply_urls[reply] = (user, left - 1)
        body = await request.json()
        assert body["response_type"] == "ephemeral"
        assert body["replace_original"] is False
        assert not faults_of_message(body)
        self.replies.append((user, "\n".join(_texts(body["blocks"]))))
        return web.Response(text="ok")

    def _takes(self, faults: list[str]) -> bool:
        self.faults += faults
        return not faults


_METHODS: Mapping[str, Callable[[FakeSlack, Json], web.Response]] = {
    "auth.test": FakeSlack._test,
    "users.lookupByEmail": FakeSlack._look_up,
    "users.info": FakeSlack._info,
    "conversations.open": FakeSlack._open,
    "conversations.history": FakeSlack._history,
    "chat.postMessage": FakeSlack._post,
    "chat.update": FakeSlack._update,
    "views.open": FakeSlack._window,
}


def too_many(retry_after: str) -> web.Response:
    """What Slack answers to whoever asks too often."""
    return web.json_response(
        {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": retry_after}
    )


def error(code: str) -> web.Response:
    """What Slack answers when it says no."""
    return _no(code)


def mentions_and_links(text: str) -> list[str]:
    """What Slack would make of a text in its markup, beside bold and the like."""
    return re.findall(r"<[^<>]+>", text)


@asynccontextmanager
async def slack_running(post: Post, now: Callable[[], float]) -> AsyncIterator[FakeSlack]:
    """A Slack on a port of its own."""
    slack = FakeSlack(post, now)
    app = web.Application(client_max_size=2**20)
    app.router.add_post("/api/{method}", slack._called)
    app.router.add_get("/api/{method}", slack._called)
    app.router.add_post("/hooks/{reply}", slack._replied)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    slack.url = f"http://{host}:{port}"
    try:
        yield slack
    finally:
        await runner.cleanup()


def _public(account: Account) -> dict[str, Json]:
    return {
        "id": account.user,
        "team_id": account.team,
        "name": "ceo",
        "deleted": account.deleted,
        "is_bot": False,
        "is_email_confirmed": account.confirmed,
        "profile": {"real_name": "The CEO", "email": account.email},
    }


def _texts(node: Json) -> list[str]:
    if isinstance(node, list):
        return [text for one in node for text in _texts(one)]
    if not isinstance(node, dict):
        return []
    if node.get("type") in ("plain_text", "mrkdwn"):
        return [node["text"]]
    return [text for one in node.values() for text in _texts(one)]


def _ok(**more: Json) -> web.Response:
    return web.json_response({"ok": True, **more})


def _no(code: str) -> web.Response:
    return web.json_response({"ok": False, "error": code})
