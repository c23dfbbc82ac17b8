"""Finds somebody in Slack by e-mail address, and the address of whoever pressed a button."""

import re
from dataclasses import dataclass
from typing import Any

from services.channels import ChannelRefused, Recipient
from services.channels.slack.api import PATIENCE_S, SlackApi, SlackRefused
from services.channels.slack.remembered import Remembered

MOST_REMEMBERED = 10_000
ACCOUNT_S = 300.0
"""For how long an account is taken to be whose it was: it may be closed or renamed."""
CONVERSATION_S = 86_400.0
"""A conversation of two keeps its id."""

_USER = re.compile(r"[UW][A-Z0-9]{2,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What Slack says of an account; `email` is one that Slack has seen confirmed."""

    team: str | None
    email: str | None
    active: bool


class People:
    """Who is who in one Slack workspace; raises `ChannelUnavailable` and `ChannelRefused`."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._users = Remembered[str, str | None](MOST_REMEMBERED, ACCOUNT_S)
        self._profiles = Remembered[str, Profile | None](MOST_REMEMBERED, ACCOUNT_S)
        self._conversations = Remembered[str, str](MOST_REMEMBERED, CONVERSATION_S)

    async def conversation_with(self, to: Recipient) -> str:
        """Return the conversation of our app with somebody."""
        user = await self._user_of(to)
        return await self._conversations.get(user, lambda: self._open(user))

    async def profile(self, user: str, *, patience_s: float = PATIENCE_S) -> Profile | None:
        """Return what Slack says of an account; None if it knows none."""
        if not _USER.fullmatch(user):
            return None
        return await self._profiles.get(user, lambda: self._profile(user, patience_s))

    async def _user_of(self, to: Recipient) -> str:
        if to.address is not None:
            if not _USER.fullmatch(to.address):
                raise ChannelRefused(
                    f"The directory has {to.address!r} for {to.email}, which is no id of a Slack "
                    "user: write one such as U012AB3CD, or leave it out."
                )
            return to.address
        found = await self._users.get(to.email, lambda: self._look_up(to.email))
        if found is None:
            raise ChannelRefused(
                f"Nobody in this Slack workspace has the address {to.email}. Invite them, or "
                "write their Slack user id into the directory."
            )
        return found

    async def _look_up(self, email: str) -> str | None:
        try:
            answer = await self._api.call("users.lookupByEmail", {"email": email})
        except SlackRefused as error:
            if error.code in ("users_not_found", "user_not_found", "invalid_arguments"):
                return None
            raise
        user = answer["user"]
        return None if user.get("deleted") else str(user["id"])

    async def _open(self, user: str) -> str:
        try:
            answer = await self._api.call("conversations.open", {"users": user})
        except SlackRefused as error:
            raise SlackRefused(
                f"Slack opens no conversation with {user}: {error.code}.", error.code
            ) from error
        return str(answer["channel"]["id"])

    async def _profile(self, user: str, patience_s: float) -> Profile | None:
        try:
            answer = await self._api.call("users.info", {"user": user}, patience_s=patience_s)
        except SlackRefused as error:
            if error.code in ("user_not_found", "user_not_visible"):
                return None
            raise
        return _profile_in(answer["user"])


def _profile_in(user: dict[str, Any]) -> Profile:
    email = user.get("profile", {}).get("email")
    # A guest's address is confirmed as a member's is; a bot has none, and a stranger's is shown
    # by the workspace that it comes from.
    unsure = user.get("is_email_confirmed") is False or user.get("is_stranger")
    return Profile(
        team=user.get("team_id"),
        email=email.lower() if isinstance(email, str) and email and not unsure else None,
        active=not (user.get("deleted") or user.get("is_bot")),
    )
