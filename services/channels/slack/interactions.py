"""Reads what Slack sends when somebody presses a button or submits a window."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

import msgspec

from services.channels.slack.blocks import ANSWER, APPROVE, ASK, DENY
from services.channels.slack.escaping import unescaped
from services.channels.slack.modals import MOST_TYPED, TEXT

ACTIONS = frozenset((APPROVE, DENY, ASK, ANSWER))
_APPROVAL = re.compile(r"[0-9A-Za-z]{27}")


class Unreadable(Exception):
    """Nothing that our messages and windows send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as Slack names it: whoever it belongs to is found out elsewhere."""

    user: str
    team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is answered: the approval, and the revision of it that was shown."""

    approval_id: str
    revision: str

    @property
    def value(self) -> str:
        """What a button and a window carry."""
        return f"{self.approval_id}:{self.revision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A button of a card was pressed; `trigger` opens a window within 3 s."""

    account: Account
    action: str
    about: About
    trigger: str
    reply_to: str | None
    title: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A window was submitted with a text, which may be empty; `trigger` is of this one time."""

    account: Account
    action: str
    about: About
    text: str
    view: str
    trigger: str


class _Named(msgspec.Struct):
    id: str
    team_id: str | None = None


class _Action(msgspec.Struct):
    action_id: str
    value: str | None = None


class _Text(msgspec.Struct):
    text: str = ""


class _Block(msgspec.Struct):
    type: str = ""
    text: _Text | None = None


class _Message(msgspec.Struct):
    blocks: list[_Block] = []


class _Input(msgspec.Struct):
    value: str | None = None


class _State(msgspec.Struct):
    values: dict[str, dict[str, _Input]] = {}


class _View(msgspec.Struct):
    id: str
    callback_id: str
    private_metadata: str = ""
    state: _State = msgspec.field(default_factory=_State)


class _Payload(msgspec.Struct):
    type: str
    user: _Named
    team: _Named | None = None
    trigger_id: str = ""
    response_url: str | None = None
    actions: list[_Action] = []
    message: _Message | None = None
    view: _View | None = None


_decoder = msgspec.json.Decoder(_Payload)


def read(body: bytes) -> Click | Submission | None:
    """Return what somebody did; None for what needs no answer, such as a link that was followed.

    Raises `Unreadable`.
    """
    payload = _payload(body)
    account = Account(
        user=payload.user.id,
        team=payload.user.team_id or (payload.team.id if payload.team else None),
    )
    if payload.type == "block_actions":
        return _click(payload, account)
    if payload.type == "view_submission":
        return _submission(payload, account)
    return None


def _payload(body: bytes) -> _Payload:
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=10)
        return _decoder.decode(fields.get("payload", [""])[0])
    except (ValueError, RecursionError) as error:
        # msgspec's errors are ValueErrors too.
        raise Unreadable("The field `payload` does not hold an interaction") from error


def _click(payload: _Payload, account: Account) -> Click | None:
    for action in payload.actions:
        if action.action_id in ACTIONS:
            return Click(
                account=account,
                action=action.action_id,
                about=_about(action.value or ""),
                trigger=payload.trigger_id,
                reply_to=payload.response_url,
                title=_title(payload.message),
            )
    return None


def _submission(payload: _Payload, account: Account) -> Submission | None:
    view = payload.view
    if view is None or view.callback_id not in ACTIONS:
        return None
    typed = view.state.values.get(TEXT, {}).get(TEXT)
    text = (typed.value if typed else None) or ""
    if len(text) > MOST_TYPED:
        raise Unreadable(f"The text has more than {MOST_TYPED} characters")
    return Submission(
        account=account,
        action=view.callback_id,
        about=_about(view.private_metadata),
        text=text.strip(),
        view=view.id,
        trigger=payload.trigger_id,
    )


def _about(value: str) -> About:
    approval_id, _, revision = value.partition(":")
    if not _APPROVAL.fullmatch(approval_id) or not revision or "\0" in value:
        raise Unreadable("The button is none of ours")
    return About(approval_id=approval_id, revision=revision)


def _title(message: _Message | None) -> str | None:
    for block in message.blocks if message else ():
        if block.type == "header" and block.text is not None:
            return unescaped(block.text.text)
    return None
