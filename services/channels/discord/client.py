"""Calls Discord's HTTP API within its rate limits, and tells every failure apart."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx2

from services.channels import ChannelRefused, ChannelUnavailable

API = "https://discord.com/api/v10"
TIMEOUT_S = 10.0
MOST_BYTES = 8 * 1024 * 1024
"""A hundred messages, each as long as Discord lets them be."""
MOST_WAIT_S = 3.0
"""How long a call waits for its turn; a longer wait is told to whoever called."""
MOST_BUCKETS = 10_000
WRONG_TOKEN_S = 60.0
"""Discord shuts out for a while whoever sends a wrong token too often."""

_DMS_TOO_FAST = 40003
_NOT_REACHED = 50007
_OFTEN = {
    _NOT_REACHED: "Discord does not let the bot write to this person: they have to share a server "
    "with it and to accept direct messages from that server.",
    10003: "The conversation is not there any more.",
    10008: "The message is not there any more.",
    10013: "There is no such person on Discord: correct the user id in the directory.",
}


class DiscordApi:
    """The calls that a bot makes; `clock` counts seconds for the rate limits."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        token: str,
        *,
        api: str = API,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._headers = {
            "Authorization": f"Bot {token}",
            "User-Agent": "DiscordBot (Placet, 1)",
        }
        self._api = api
        self._clock = clock
        self._closed_until: OrderedDict[str, float] = OrderedDict()

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, bucket: str
    ) -> Any:
        """Make a call and return what it answered, as JSON.

        Calls of one `bucket` share a rate limit. Raises `ChannelUnavailable`, with how long
        Discord wants to be left alone, and `ChannelRefused`.
        """
        await self._wait_for(bucket)
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._client.stream(
                    method, f"{self._api}{path}", json=body, headers=self._headers
                ) as response,
            ):
                content = await _bounded(response)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise ChannelUnavailable(
                f"Discord did not answer: {type(error).__name__}.",
                not_sent=isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout),
            ) from error
        self._heed(bucket, response.headers)
        found = _json(content)
        if response.is_success:
            return found
        told = found if isinstance(found, dict) else {}
        raise _error(response.status_code, response.headers, told)

    async def _wait_for(self, bucket: str) -> None:
        wait = self._closed_until.get(bucket, 0.0) - self._clock()
        if wait > MOST_WAIT_S:
            raise ChannelUnavailable(
                "Discord's rate limit is used up.", retry_after=wait, one_method=True
            )
        if wait > 0:
            await asyncio.sleep(wait)

    def _heed(self, bucket: str, headers: Mapping[str, str]) -> None:
        """Note when the next call may be made."""
        wait = _number(headers.get("x-ratelimit-reset-after"))
        if headers.get("x-ratelimit-remaining") == "0" and wait is not None:
            self._closed_until[bucket] = self._clock() + wait
            self._closed_until.move_to_end(bucket)
            if len(self._closed_until) > MOST_BUCKETS:
                self._closed_until.popitem(last=False)
        else:
            self._closed_until.pop(bucket, None)


async def _bounded(response: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MOST_BYTES:
            raise ChannelUnavailable("Discord answered with more than can be read.")
        parts.append(part)
    return b"".join(parts)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _error(
    status: int, headers: Mapping[str, str], found: Mapping[str, Any]
) -> ChannelUnavailable | ChannelRefused:
    code = found.get("code")
    if status == HTTPStatus.TOO_MANY_REQUESTS or code == _DMS_TOO_FAST:
        asked = _number(found.get("retry_after"))
        wait = asked if asked is not None else _number(headers.get("retry-after"))
        return ChannelUnavailable(
            "Discord asks to be left alone for a while.",
            retry_after=wait,
            not_sent=True,
            one_method=code == _DMS_TOO_FAST or found.get("global") is False,
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return ChannelUnavailable(
            "Discord does not accept the bot's token: set another one and start again.",
            retry_after=WRONG_TOKEN_S,
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
        return ChannelUnavailable(f"Discord answered with status {status}.")
    told = _OFTEN.get(code) if isinstance(code, int) else None
    said = str(found.get("message", ""))[:200]
    return ChannelRefused(told or f"Discord refused it (status {status}, code {code}): {said}")


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type] # what is no number raises
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None
