"""Posts to addresses of others for channels, and says what an answer means for a card."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlsplit

from services.channels import ChannelRefused, ChannelUnavailable
from services.outgoing.delivering import Answer, Delivering
from services.outgoing.guard import Allowed

TOGETHER = 16
# The same body will not be taken the next time either.
_NEVER = frozenset(
    (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.GONE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
)


def allowing(url: str, allowed: Allowed | None = None) -> Allowed:
    """Return what may be reached beyond public endpoints: `allowed`, and the host of a URL.

    The operator wrote that URL, and so may have written that of a private network.
    """
    parts = urlsplit(url)
    before = allowed or Allowed()
    host = (parts.hostname or "").lower(), parts.port
    return replace(before, hosts=before.hosts | {host})


class Posting:
    """Posts as webhooks are posted: to no address that is not `allowed`, without redirects."""

    def __init__(self, allowed: Allowed, *, deliver: Delivering | None = None) -> None:
        self._deliver = deliver or Delivering(allowed, together=TOGETHER)
        self._opened = False

    async def post(self, who: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Post; `who` is how errors call the receiver, whose URL may be a secret.

        Raises `ChannelUnavailable` for whatever may be better next time, and `ChannelRefused`.
        """
        if not self._opened:
            # It can only be opened inside the loop that uses it.
            self._opened = True
            await self._deliver.__aenter__()
        answer = await self._deliver.post(url, headers, body)
        error = _error(who, answer)
        if error is not None:
            raise error

    async def close(self) -> None:
        """Close every connection."""
        if self._opened:
            await self._deliver.__aexit__()


def _error(who: str, answer: Answer) -> ChannelUnavailable | ChannelRefused | None:
    if answer.status is None:
        return ChannelUnavailable(f"{who} cannot be reached: {answer.error}")
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    told = f"{who} answered with status {answer.status}."
    if answer.status in _NEVER:
        return ChannelRefused(told)
    # Whoever is asked too often has not taken it, also where nothing says for how long to wait.
    too_often = answer.status == HTTPStatus.TOO_MANY_REQUESTS
    return ChannelUnavailable(told, retry_after=answer.retry_after_s, not_sent=too_often)
