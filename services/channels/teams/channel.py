"""Teams as a channel: one card a person by a Workflows URL; what was posted stays as it was."""

from services.channels import ChannelRefused, Recipient
from services.channels.belonging import refuse_others
from services.channels.card import Card
from services.channels.digest import Digest
from services.channels.posting import Posting
from services.channels.teams.rendering import listing, message, reminder
from services.outgoing.guard import Allowed, NotAllowedUrl, target_of


class TeamsChannel:
    """Posts to a person's own URL where the directory has one, and else to the channel's `url`.

    A person's own URL may go nowhere that a webhook may not go, and only by https.
    """

    def __init__(
        self, name: str, workspace: str, *, url: str | None, allowed: Allowed, posting: Posting
    ) -> None:
        self.name = name
        self._workspace = workspace
        self._url = url
        self._allowed = allowed
        self._posting = posting

    def reaches(self, to: Recipient) -> bool:
        """See `Channel.reaches`: everybody where the channel has a URL."""
        return bool(to.address or self._url)

    async def send(
        self,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,  # noqa: ARG002 # Teams knows none
    ) -> str | None:
        """See `Channel.send`: there is nothing that finds it again, and a repeat shows it twice."""
        await self._post(to, workspace, message(card, to.name or to.email))
        return None

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """See `Channel.update`: a Workflows URL edits nothing, and the card said so."""

    async def remind(
        self,
        reference: str | None,  # noqa: ARG002 # there is none
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,  # noqa: ARG002 # Teams knows none
    ) -> None:
        """See `Reminding.remind`."""
        await self._post(to, workspace, reminder(card, to.name or to.email))

    async def send_digest(
        self,
        digest: Digest,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,  # noqa: ARG002 # Teams knows none
    ) -> None:
        """See `Digesting.send_digest`."""
        await self._post(to, workspace, listing(digest))

    async def _post(self, to: Recipient, workspace: str, body: bytes) -> None:
        refuse_others(self.name, self._workspace, workspace)
        who = f"The Teams URL of {to.email}" if to.address else "The Teams URL of the channel"
        await self._posting.post(who, self._url_of(to), {"content-type": "application/json"}, body)

    def _url_of(self, to: Recipient) -> str:
        if to.address:
            try:
                target = target_of(to.address, self._allowed)
            except NotAllowedUrl as error:
                raise ChannelRefused(
                    f"The Teams address of {to.email} in the directory cannot be used: {error}"
                ) from error
            if target.scheme != "https":
                raise ChannelRefused(
                    f"The Teams address of {to.email} in the directory must begin with https://."
                )
            return to.address
        if self._url is None:
            raise ChannelRefused(f"The directory has no Teams URL of {to.email}.")
        return self._url
