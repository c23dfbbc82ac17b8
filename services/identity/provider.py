"""Asks an identity provider who somebody is: OpenID Connect, authorization code with PKCE."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from services.identity.bounded import Bounded, TooMuch, over_tls
from services.settings import OidcSettings
from services.web.emails import NotAnAddress, email

if TYPE_CHECKING:
    # Imported where they are used first: they cost memory, and not everybody has a provider.
    from authlib.integrations.httpx_client import AsyncOAuth2Client

SCOPE = "openid email profile"
TIMEOUT_S = 10.0
DISCOVERED_S = 3600.0
"""For how long the provider's addresses and keys are taken as they were read."""
KEYS_AGAIN_S = 60.0
"""How often at most its keys are read anew because a token names one that is not there."""
LEEWAY_S = 60
"""By how much its clock and ours may differ."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Never `none`, and never one whose key the provider would have to share with us."""
KEY_TYPES = ("RSA", "EC", "OKP")

Claims = Mapping[str, Any]


class ProviderAway(Exception):
    """The provider cannot be reached, or answers what it should not."""


class NotSignedIn(Exception):
    """The provider did not say who somebody is, or not so that it can be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where somebody is sent, and what must come back with them; the rest stays here."""

    url: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at the provider, and the verified address that it has."""

    issuer: str
    subject: str
    email: str


@dataclass(slots=True)
class _Discovered:
    metadata: Mapping[str, Any]
    keys: Mapping[str, Any]
    until: float
    keys_at: float


class Provider:
    """One identity provider, for one client; `redirect_uri` is where it sends people back to."""

    def __init__(
        self,
        settings: OidcSettings,
        redirect_uri: str,
        *,
        clock: Callable[[], float] = time.time,
        transport: Callable[[], httpx2.AsyncBaseTransport] | None = None,
    ) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._transport = transport or over_tls
        self._discovered: _Discovered | None = None

    @property
    def issuer(self) -> str:
        """The provider's name, as its tokens carry it."""
        return self._settings.issuer

    async def begin(self) -> Begun:
        """Return where to send somebody; raises `ProviderAway`."""
        found = await self._discover()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        async with self._client(found) as client:
            url, state = client.create_authorization_url(
                found.metadata["authorization_endpoint"],
                state=secrets.token_urlsafe(32),
                code_verifier=verifier,
                nonce=nonce,
            )
        return Begun(url=url, state=state, nonce=nonce, verifier=verifier)

    async def finish(self, code: str, *, verifier: str, nonce: str) -> Account:
        """Return whose account a code stands for; raises `ProviderAway` and `NotSignedIn`."""
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415 # see above

        found = await self._discover()
        async with self._client(found) as client:
            with _reached():
                try:
                    token = await client.fetch_token(
                        found.metadata["token_endpoint"],
                        grant_type="authorization_code",
                        code=code,
                        code_verifier=verifier,
                        redirect_uri=self._redirect_uri,
                    )
                except OAuthError as error:
                    # Its code alone: a description may hold what we sent.
                    said = str(error.error)[:100]
                    raise NotSignedIn(f"The identity provider did not take it: {said}.") from None
            claims = await self._claims(found, token.get("id_token"), nonce)
            if "email" not in claims:
                claims = {**claims, **await self._userinfo(client, found, claims["sub"])}
        return self._account(claims)

    def _account(self, claims: Claims) -> Account:
        address = claims.get("email")
        if not isinstance(address, str):
            raise NotSignedIn(
                "The identity provider told no e-mail address for you: Placet must be allowed to "
                "see it (the scope `email`)."
            )
        if claims.get("email_verified") is not True:
            raise NotSignedIn(
                "The identity provider has not verified your e-mail address: verify it there, "
                "then sign in again."
            )
        try:
            return Account(
                issuer=self._settings.issuer, subject=claims["sub"], email=email(address)
            )
        except NotAnAddress as error:
            raise NotSignedIn(f"The identity provider told no usable address: {error}") from None

    async def _claims(self, found: _Discovered, id_token: object, nonce: str) -> Claims:
        """Return what a token says that this provider signed for us, now, for this sign-in."""
        from joserfc import jwt  # noqa: PLC0415 # see above
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import KeySet  # noqa: PLC0415

        if not isinstance(id_token, str):
            raise NotSignedIn("The identity provider did not say who you are.")
        keys = await self._keys(found, id_token)
        exactly = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            key_set = KeySet.import_key_set({"keys": keys})
            claims: Claims = jwt.decode(id_token, key_set, algorithms=list(ALGORITHMS)).claims
            exactly.validate(dict(claims))
        except (JoseError, ValueError, TypeError) as error:
            why = getattr(error, "error", type(error).__name__)
            raise NotSignedIn(
                f"What the identity provider said of you cannot be believed ({why})."
            ) from None
        self._refuse_others(claims)
        return claims

    def _refuse_others(self, claims: Claims) -> None:
        """Raise `NotSignedIn` for a token that was made for several, and not at our asking."""
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        party = claims.get("azp")
        if (several or party is not None) and party != self._settings.client_id:
            raise NotSignedIn("What the identity provider said was meant for somebody else.")
        if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:  # noqa: PLR2004 # as the standard has it
            raise NotSignedIn("The identity provider named no account.")

    async def _keys(self, found: _Discovered, id_token: str) -> list[Any]:
        """Return the provider's keys, read anew if the token was signed by one that is new."""
        from joserfc import jws  # noqa: PLC0415 # see above
        from joserfc.errors import JoseError  # noqa: PLC0415

        try:
            header = jws.extract_compact(id_token.encode()).headers()
        except (JoseError, ValueError) as error:
            raise NotSignedIn("What the identity provider said cannot be read.") from error
        named = header.get("kid")
        known = any(one.get("kid") == named for one in _usable(found.keys))
        if not known and self._clock() - found.keys_at >= KEYS_AGAIN_S:
            found.keys = await self._get(found.metadata["jwks_uri"])
            found.keys_at = self._clock()
        return _usable(found.keys)

    async def _userinfo(
        self, client: "AsyncOAuth2Client", found: _Discovered, subject: str
    ) -> Claims:
        url = found.metadata.get("userinfo_endpoint")
        if url is None:
            return {}
        with _reached():
            answer = await client.get(self._safe(url))
            said = answer.json() if answer.status_code == httpx2.codes.OK else {}
        if not isinstance(said, dict) or said.get("sub") != subject:
            raise NotSignedIn("The identity provider spoke of somebody else.")
        return {name: said[name] for name in ("email", "email_verified") if name in said}

    async def _discover(self) -> _Discovered:
        if self._discovered is not None and self._discovered.until > self._clock():
            return self._discovered
        issuer = self._settings.issuer
        metadata = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if metadata.get("issuer") != issuer:
            raise ProviderAway(
                f"The identity provider calls itself {str(metadata.get('issuer'))[:200]!r}, and "
                f"PLACET_OIDC_ISSUER says {issuer!r}: they must be the same."
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._safe(metadata.get(name))
        keys = await self._get(metadata["jwks_uri"])
        now = self._clock()
        self._discovered = _Discovered(metadata, keys, now + DISCOVERED_S, now)
        return self._discovered

    async def _get(self, url: str) -> Mapping[str, Any]:
        async with self._plain() as client:
            with _reached():
                answer = await client.get(url)
                answer.raise_for_status()
                said = answer.json()
        if not isinstance(said, dict):
            raise ProviderAway("The identity provider answers what it should not.")
        return said

    def _safe(self, url: object) -> str:
        """Return an address that the provider named; raises `ProviderAway` for plain http."""
        wanted = urlsplit(self._settings.issuer).scheme
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", wanted):
            raise ProviderAway("The identity provider names an address that is not safe.")
        return url

    def _plain(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=Bounded(self._transport()), timeout=TIMEOUT_S)

    @asynccontextmanager
    async def _client(self, found: _Discovered) -> "AsyncIterator[AsyncOAuth2Client]":
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415 # see above

        methods = found.metadata.get("token_endpoint_auth_methods_supported")
        by_post = isinstance(methods, list) and "client_secret_basic" not in methods
        async with AsyncOAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret,
            token_endpoint_auth_method="client_secret_post" if by_post else "client_secret_basic",
            redirect_uri=self._redirect_uri,
            scope=SCOPE,
            code_challenge_method="S256",
            transport=Bounded(self._transport()),
            timeout=TIMEOUT_S,
        ) as client:
            yield client


_FAILURES = (httpx2.HTTPError, httpx2.StreamError, TooMuch, OSError, ValueError)


class _reached:  # noqa: N801 # reads as the phrase that it is
    """Turns what can go wrong between us and the provider into `ProviderAway`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, _FAILURES):
            # Without the cause: it may hold what was sent.
            raise ProviderAway(
                f"The identity provider cannot be reached ({type(error).__name__})."
            ) from None


def _usable(keys: Mapping[str, Any]) -> list[Any]:
    given = keys.get("keys")
    return [
        one
        for one in (given if isinstance(given, list) else [])
        if isinstance(one, dict) and one.get("kty") in KEY_TYPES and one.get("use") != "enc"
    ]
