"""Has people allow us to act as them: OAuth 2.0, authorization code with PKCE."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx2

from services.grants.sealing import TokenPair
from services.identity.bounded import Bounded, TooMuch, over_tls
from services.sources.acting import OwnAccount
from services.sources.credentials import Secret

if TYPE_CHECKING:
    # Imported where it is used first: it costs memory, and not everybody needs it.
    from authlib.integrations.httpx_client import AsyncOAuth2Client

TIMEOUT_S: Final = 10.0
"""For one whole request."""
LONGEST_S: Final = 400 * 86_400.0
"""A token that says that it lasts for longer is renewed by then."""
GONE: Final = "invalid_grant"
"""By this code alone a server says that it takes a code or a token no more."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE = re.compile(r"[a-z_]{1,60}")


class AuthorizationAway(Exception):
    """The server cannot be reached, or answers what it should not."""


class NotGranted(Exception):
    """The server takes the code, or the token, no more: it has to be granted anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where somebody is sent, and what must come back with them; the verifier stays here."""

    url: str
    state: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The tokens that somebody granted; `lasts_s` is None where nothing was said of it."""

    tokens: TokenPair
    lasts_s: float | None


class AuthorizationServer:
    """Where people of one source connect their account; `redirect_uri` is where they come back."""

    def __init__(
        self,
        source: str,
        account: OwnAccount,
        redirect_uri: str,
        *,
        transport: Callable[[], httpx2.AsyncBaseTransport] = over_tls,
    ) -> None:
        self._source = source
        self._account = account
        self._redirect_uri = redirect_uri
        self._transport = transport

    async def begin(self) -> Begun:
        """Return where to send somebody; asks nobody."""
        verifier = secrets.token_urlsafe(48)
        async with self._client() as client:
            url, state = client.create_authorization_url(
                self._account.authorize_url,
                state=secrets.token_urlsafe(32),
                code_verifier=verifier,
                scope=" ".join(self._account.scopes) or None,
            )
        return Begun(url=url, state=state, verifier=verifier)

    async def finish(self, code: str, *, verifier: str) -> Granted:
        """Return the tokens that a code stands for; raises `NotGranted`, `AuthorizationAway`."""
        async with self._asked() as client:
            said = await client.fetch_token(
                self._account.token_url,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=self._redirect_uri,
            )
        return self._granted(said, None)

    async def renew(self, renewal: Secret) -> Granted:
        """Return new tokens; raises `NotGranted` and `AuthorizationAway`.

        The new ones hold another renewal token where the server gave one, and this one otherwise.
        """
        async with self._asked() as client:
            said = await client.refresh_token(
                self._account.token_url, refresh_token=renewal.reveal()
            )
        return self._granted(said, renewal)

    def _granted(self, said: Mapping[str, Any], before: Secret | None) -> Granted:
        kind = said.get("token_type", "bearer")
        access, renewal = _token(said.get("access_token")), _token(said.get("refresh_token"))
        if access is None or not isinstance(kind, str) or kind.lower() != "bearer":
            raise AuthorizationAway(f"{self._source} gave no token that can be used.")
        return Granted(
            tokens=TokenPair(access=access, renewal=renewal or before),
            lasts_s=_seconds(said.get("expires_in")),
        )

    @asynccontextmanager
    async def _asked(self) -> "AsyncIterator[AsyncOAuth2Client]":
        """Lend a client, and turn what can go wrong with the server into our errors.

        Without a cause, which may hold what was sent. So may a description: its code is enough.
        """
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415 # see above

        try:
            # The client's own timeouts start anew with every byte: this one does not.
            async with asyncio.timeout(TIMEOUT_S), self._client() as client:
                yield client
        except OAuthError as error:
            code = str(error.error)
            if code == GONE:
                raise NotGranted(code) from None
            told = code if _CODE.fullmatch(code) else "error"
            raise AuthorizationAway(f"{self._source} gave no token: {told}.") from None
        except (httpx2.HTTPError, httpx2.StreamError, TooMuch, OSError, ValueError) as error:
            raise AuthorizationAway(
                f"{self._source} gave no token ({type(error).__name__})."
            ) from None

    @asynccontextmanager
    async def _client(self) -> "AsyncIterator[AsyncOAuth2Client]":
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415 # see above

        secret = self._account.client_secret
        async with AsyncOAuth2Client(
            client_id=self._account.client_id,
            client_secret=None if secret is None else secret.reveal(),
            token_endpoint_auth_method=(
                "none" if secret is None else f"client_secret_{self._account.client_auth}"
            ),
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            transport=Bounded(self._transport()),
            timeout=TIMEOUT_S,
        ) as client:
            yield client


def _token(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _seconds(value: object) -> float | None:
    """Return how long a token lasts; some servers say it as a text."""
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_S) if seconds == seconds else None  # noqa: PLR0124 # no number equals itself but NaN
