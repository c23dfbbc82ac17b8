"""Finds the token by which a person's answer is written, renewed in time and by one process."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NoReturn

from services.grants import GrantNeeded, Whose
from services.grants.authorizing import AuthorizationAway, AuthorizationServer, NotGranted
from services.grants.grants import Grant, Grants
from services.grants.sealing import NotOurs, Seal, TokenPair
from services.sources import Answer, Source, SourceRefused, SourceUnavailable
from services.sources.credentials import Secret

FRESH_S: Final = 60.0
"""A token that ends sooner is renewed first."""
LEASE_S: Final = 20.0
"""How long one process may take to renew a token: longer than it waits for the server."""
LOOKS: Final = 10
LOOK_EVERY_S: Final = 0.2
"""How often, and how far apart, whoever waits for another process looks for the new token."""
UNAUTHORIZED: Final = 401

OVER: Final = "it is over, and cannot be renewed"
TAKEN_NO_MORE: Final = "it was taken back there, or is over"
REFUSED_THERE: Final = "it is not accepted there any more"
ANOTHER_KEY: Final = "Placet can no longer read what it kept of it"

logger = logging.getLogger(__name__)


class Tokens:
    """The tokens of people at the sources in `servers`, by workspace and name.

    `seal` may be None where there are no such sources.
    """

    def __init__(
        self,
        servers: Mapping[tuple[str, str], AuthorizationServer],
        grants: Grants,
        seal: Seal | None,
        public_url: str,
    ) -> None:
        self._servers = servers
        self._grants = grants
        self._seal = seal
        self._public_url = public_url
        self._workspaces = frozenset(workspace for workspace, _ in servers)

    def wanted_in(self, workspace: str) -> bool:
        """Tell whether any source of a workspace is answered as the person only."""
        return workspace in self._workspaces

    def wanted_by(self, workspace: str, source: str) -> bool:
        """Tell whether this source is."""
        return (workspace, source) in self._servers

    async def check(self, workspace: str, source: str, email: str) -> None:
        """Raise `GrantNeeded` for somebody whose answer this source would not take.

        Asks nobody else: what was taken back at the source meanwhile is not known.
        """
        if self.wanted_by(workspace, source):
            whose = Whose(workspace, source, email)
            grant, pair = await self._held(whose)
            if grant.left_s is not None and grant.left_s <= 0 and pair.renewal is None:
                await self._break(whose, grant, OVER)

    async def keep(self, whose: Whose, code: str, *, verifier: str) -> None:
        """Keep what somebody granted by a code.

        Raises `NotGranted`, `AuthorizationAway` and `Unavailable`.
        """
        granted = await self._servers[whose.workspace, whose.source].finish(code, verifier=verifier)
        sealed = self._sealing().sealed(granted.tokens, whose)
        renewable = granted.tokens.renewal is not None
        await self._grants.put(whose, sealed, renewable=renewable, lasts_s=granted.lasts_s)

    async def of(self, workspace: str, source: str, email: str) -> Secret | None:
        """Return the token by which somebody's answer is written; None for the service account.

        Raises `GrantNeeded`, and `SourceUnavailable` when it cannot be renewed just now.
        """
        if not self.wanted_by(workspace, source):
            return None
        return await self._usable(Whose(workspace, source, email))

    async def write(self, source: Source, answer: Answer) -> None:
        """Write an answer back; a token that the source refuses is renewed, once.

        Raises what `Source.decide` does, and `GrantNeeded`.
        """
        for last in (False, True):
            try:
                await source.decide(answer)
            except SourceRefused as error:
                if answer.token is None or error.status != UNAUTHORIZED:
                    raise
                whose = Whose(source.workspace, source.name, answer.by_email)
                if last:
                    grant, pair = await self._held(whose)
                    if pair.access == answer.token:
                        await self._break(whose, grant, REFUSED_THERE)
                    raise SourceUnavailable(str(error), retry_after=1) from error
                token = await self._usable(whose, refused=answer.token)
                answer = replace(answer, token=token)
            else:
                return

    async def _usable(self, whose: Whose, *, refused: Secret | None = None) -> Secret:
        """Return a token that lasts, and is not the one that was refused."""
        for _ in range(LOOKS):
            grant, pair = await self._held(whose)
            taken = pair.access != refused
            left_s = FRESH_S if grant.left_s is None else grant.left_s
            if taken and (left_s >= FRESH_S or (pair.renewal is None and left_s > 0)):
                return pair.access
            if pair.renewal is None:
                await self._break(whose, grant, OVER if taken else REFUSED_THERE)
            if await self._grants.lease(whose, grant.version, LEASE_S):
                return await self._renewed(whose, grant, pair.renewal)
            await asyncio.sleep(LOOK_EVERY_S)
        raise SourceUnavailable(f"The account at {whose.source} is being renewed.", retry_after=1)

    async def _renewed(self, whose: Whose, grant: Grant, renewal: Secret) -> Secret:
        try:
            granted = await self._servers[whose.workspace, whose.source].renew(renewal)
        except NotGranted:
            await self._break(whose, grant, TAKEN_NO_MORE)
        except AuthorizationAway as error:
            await self._grants.let_go(whose, grant.version)
            raise SourceUnavailable(str(error)) from None
        await self._grants.renew(
            whose,
            grant.version,
            self._sealing().sealed(granted.tokens, whose),
            renewable=granted.tokens.renewal is not None,
            lasts_s=granted.lasts_s,
        )
        return granted.tokens.access

    async def _held(self, whose: Whose) -> tuple[Grant, TokenPair]:
        """Return what somebody granted, and the tokens in it; raises `GrantNeeded`."""
        grant = await self._grants.find(whose)
        if grant is None or grant.broken_why is not None:
            raise self._needed(whose, None if grant is None else grant.broken_why)
        try:
            return grant, self._sealing().opened(grant.sealed, whose)
        except NotOurs:
            await self._break(whose, grant, ANOTHER_KEY)

    async def _break(self, whose: Whose, grant: Grant, why: str) -> NoReturn:
        logger.info("the account of %s at %s works no more: %s", whose.email, whose.source, why)
        await self._grants.mark_broken(whose, grant.version, why)
        raise self._needed(whose, why)

    def _needed(self, whose: Whose, why: str | None) -> GrantNeeded:
        again = "connect it" if why is None else f"connect it again ({why})"
        return GrantNeeded(
            f"{whose.source} takes your answer only from your own account there: {again} at "
            f"{self._public_url}/grants, then answer again."
        )

    def _sealing(self) -> Seal:
        if self._seal is None:
            raise RuntimeError("there is no key: sources that act as the user demand one at start")
        return self._seal
