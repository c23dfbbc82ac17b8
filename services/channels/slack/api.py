"""Calls Slack's Web API: paced, bounded in time, and with errors that say what to do."""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from services.channels import ChannelRefused, ChannelUnavailable
from services.channels.slack.limits import Limits

TIMEOUT_S = 10.0
PATIENCE_S = 10.0
"""How long a call waits for its turn."""
RETRY_AFTER_S = 30.0
"""Where Slack says that it is asked too often, and not for how long."""

_LATER = frozenset(
    (
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
    )
)
_FOR_OPERATORS = frozenset(
    (
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "ekm_access_denied",
        "access_denied",
    )
)
"""What is put right in Slack or in our settings, so that nothing needs to be lost over it."""

# The SDK writes whole messages to a logger of which the level is not set.
_sdk_logger = logging.getLogger("services.channels.slack.sdk")
_sdk_logger.setLevel(logging.INFO)
logger = logging.getLogger(__name__)


class SlackRefused(ChannelRefused):
    """Slack definitely says no; `code` is its own word for why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class SlackApi:
    """One app in one Slack workspace; `share` is this process's part of what Slack allows.

    Every call raises `ChannelUnavailable` and `SlackRefused`.
    """

    def __init__(self, token: str, base_url: str, *, share: float = 1.0) -> None:
        self._token = token
        self._base_url = base_url
        self._limits = Limits(share)
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None
        self._team: str | None = None

    async def call(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        conversation: str | None = None,
        patience_s: float = PATIENCE_S,
    ) -> dict[str, Any]:
        """Call a method; of one that posts, `conversation` is where to."""
        await self._limits.take(method, conversation, patience_s=patience_s)
        call = getattr(self._opened(), method.replace(".", "_"))
        try:
            response = await call(**arguments)
        except SlackApiError as error:
            raise self._error(method, error.response) from None
        except aiohttp.ClientConnectorError as error:
            raise ChannelUnavailable(
                f"Slack cannot be reached: {type(error).__name__}", not_sent=True
            ) from None
        except (aiohttp.ClientError, TimeoutError, SlackRequestError, AttributeError) as error:
            # The SDK trips over an answer that is a text, as those of proxies are.
            raise ChannelUnavailable(f"Slack cannot be reached: {type(error).__name__}") from None
        data: dict[str, Any] = response.data
        return data

    async def team(self, *, patience_s: float = PATIENCE_S) -> str:
        """Return the id of the Slack workspace that the token is for."""
        if self._team is None:
            self._team = str((await self.call("auth.test", {}, patience_s=patience_s))["team_id"])
        return self._team

    async def reply(self, url: str | None, message: Mapping[str, Any]) -> None:
        """Tell whoever pressed a button something that only they see; raises nothing.

        `url` is the one that came with the press; another host than Slack's is not spoken to.
        """
        if url is None or not self._is_slacks(url):
            logger.warning("Slack named no address at which somebody can be told")
            return
        only_for_them = {**message, "response_type": "ephemeral", "replace_original": False}
        self._opened()
        if self._session is None:
            return
        try:
            async with self._session.post(url, json=only_for_them, allow_redirects=False) as answer:
                if answer.status != 200:  # noqa: PLR2004 # OK
                    logger.warning("Slack did not show a reply: HTTP %s", answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("Slack did not show a reply: %s", type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> AsyncWebClient:
        if self._client is None:
            # Made here, not before: a session belongs to the loop that runs.
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
            self._client = AsyncWebClient(
                token=self._token,
                base_url=self._base_url,
                session=self._session,
                logger=_sdk_logger,
                # Sent again after a broken connection, a card might be there twice.
                retry_handlers=[],
            )
        return self._client

    def _is_slacks(self, url: str) -> bool:
        try:
            there, own = urlsplit(url), urlsplit(self._base_url)
            same = (there.scheme, there.hostname, there.port) == (
                own.scheme,
                own.hostname,
                own.port,
            )
        except ValueError:
            return False
        return same or (there.scheme == "https" and there.hostname == "hooks.slack.com")

    def _error(self, method: str, response: Any) -> Exception:
        data = getattr(response, "data", None)
        code = str(data.get("error", "")) if isinstance(data, dict) else ""
        status: int = getattr(response, "status_code", 0) or getattr(response, "status", 0)
        if status == 429 or code in ("ratelimited", "rate_limited"):  # noqa: PLR2004 # too many
            wait = _seconds(getattr(response, "headers", {}).get("Retry-After"))
            self._limits.block(method, wait)
            return ChannelUnavailable(
                f"Slack wants no {method} for {wait:.0f} s", retry_after=wait, one_method=True
            )
        if code in _FOR_OPERATORS:
            needed = str(data.get("needed", "")) if isinstance(data, dict) else ""
            return ChannelUnavailable(
                f"Slack does not let us call {method} ({code}{f': {needed}' if needed else ''}): "
                "check the app's token and scopes",
                not_sent=True,
            )
        if not code or code in _LATER or status >= 500:  # noqa: PLR2004 # theirs
            return ChannelUnavailable(f"Slack failed at {method}: {code or f'HTTP {status}'}")
        return SlackRefused(f"Slack refused {method}: {code}.", code)


def _seconds(header: str | None) -> float:
    try:
        wait = float(header or "")
    except ValueError:
        return RETRY_AFTER_S
    return wait if 0 < wait < float("inf") else RETRY_AFTER_S
