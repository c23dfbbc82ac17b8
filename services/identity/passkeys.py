"""Passkeys: a second factor that confirms one thing at a time, and knows which."""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from events.store.database import Connection, Database
from events.store.named_sql import statements
from services.web.session import Session

CONFIRMED_WITHIN_S = 300.0
"""How long somebody may take to confirm."""
MOST_PASSKEYS = 10
MOST_CHALLENGES = 5
"""How many things of somebody wait to be confirmed at once."""
ADD = "add"
DECIDE = "decide"
REMOVE = "remove"
MAKE = "make"
"""What a new passkey itself answers: apart from `ADD`, which one that is there has to confirm."""
NOT_CONFIRMED = "This was not confirmed: the passkey's answer is not one to what was asked here."
TOO_LATE = "This was asked too long ago, or is confirmed already. Begin again."
_PORTS = {"https": 443, "http": 80}


class NotConfirmed(Exception):
    """What came is no confirmation of what was asked; the message says what to do."""


class Wanted(msgspec.Struct, frozen=True):
    """What is to be confirmed: `about` is the approval or the passkey, `form` what was sent."""

    what: str
    about: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One of somebody's passkeys."""

    credential_id: bytes
    name: str
    public_key: bytes = field(repr=False)
    uses: int
    created_at: datetime
    last_used_at: datetime | None

    @property
    def id(self) -> str:
        """By what a form names it."""
        return self.credential_id.hex()


class Passkeys:
    """The tables `passkeys` and `passkey_challenges`; all raise `Unavailable`.

    A passkey is of this site: of the host and the origin of `public_url`.
    """

    def __init__(self, database: Database, public_url: str) -> None:
        parts = urlsplit(public_url)
        self._database = database
        self._host = parts.hostname or ""
        # As browsers write it: they leave the scheme's own port out.
        port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
        self._origin = f"{parts.scheme}://{self._host}{port}"
        self._sql = statements("services.identity", "passkeys.sql")

    @property
    def possible(self) -> bool:
        """Whether a browser would make a passkey for this site: not for a bare IP address."""
        try:
            ipaddress.ip_address(self._host)
        except ValueError:
            return self._origin.startswith("https:") or self._host == "localhost"
        return False

    async def of(self, me: Session) -> Sequence[Passkey]:
        """Return somebody's passkeys, oldest first."""
        async with self._database.workspace(me.workspace) as connection:
            rows = await connection.fetch(self._sql["listed"], me.workspace, me.email)
        return [Passkey(**dict(row)) for row in rows]

    async def ask_to_add(self, me: Session, session: bytes) -> str:
        """Return the options, as JSON, with which a browser makes a passkey."""
        import webauthn  # noqa: PLC0415 # costs memory where nobody has one
        from webauthn.helpers import structs  # noqa: PLC0415 # see above

        challenge = await self._ask(me, session, Wanted(MAKE))
        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name="Placet",
            user_name=me.email,
            user_id=hashlib.sha256(f"{me.workspace}\n{me.email}".encode()).digest(),
            challenge=challenge,
            exclude_credentials=[
                structs.PublicKeyCredentialDescriptor(id=one.credential_id)
                for one in await self.of(me)
            ],
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                user_verification=structs.UserVerificationRequirement.REQUIRED
            ),
        )
        return webauthn.options_to_json(options)

    async def add(self, me: Session, session: bytes, credential: str, name: str) -> None:
        """Keep the passkey that a browser made; raises `NotConfirmed`."""
        import webauthn  # noqa: PLC0415 # see above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 # see above

        sent = _read(credential)
        challenge = _challenge_in(sent)
        await self._take(me, session, challenge, (MAKE,))
        try:
            made = webauthn.verify_registration_response(
                credential=sent,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise NotConfirmed(NOT_CONFIRMED) from error
        async with self._database.workspace(me.workspace) as connection:
            kept = await connection.fetchval(
                self._sql["add"],
                me.workspace,
                me.email,
                made.credential_id,
                name,
                made.credential_public_key,
                made.sign_count,
                MOST_PASSKEYS,
            )
        if kept is None:
            raise NotConfirmed(
                f"This passkey is here already, or you have {MOST_PASSKEYS}: remove one first."
            )

    async def ask_to_confirm(self, me: Session, session: bytes, wanted: Wanted) -> str:
        """Return the options, as JSON, with which a browser has one thing confirmed."""
        import webauthn  # noqa: PLC0415 # see above
        from webauthn.helpers import structs  # noqa: PLC0415 # see above

        options = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=await self._ask(me, session, wanted),
            allow_credentials=[
                structs.PublicKeyCredentialDescriptor(id=one.credential_id)
                for one in await self.of(me)
            ],
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return webauthn.options_to_json(options)

    async def confirmed(self, me: Session, session: bytes, credential: str) -> Wanted:
        """Return what somebody has confirmed just now, once; raises `NotConfirmed`."""
        import webauthn  # noqa: PLC0415 # see above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 # see above

        sent = _read(credential)
        challenge = _challenge_in(sent)
        wanted = await self._take(me, session, challenge, (DECIDE, ADD, REMOVE))
        try:
            credential_id = webauthn.base64url_to_bytes(sent["id"])
            passkey = next(one for one in await self.of(me) if one.credential_id == credential_id)
            shown = webauthn.verify_authentication_response(
                credential=sent,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.uses,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError, StopIteration) as error:
            raise NotConfirmed(NOT_CONFIRMED) from error
        async with self._database.workspace(me.workspace) as connection:
            counted = await connection.fetchval(
                self._sql["used"], me.workspace, me.email, credential_id, shown.new_sign_count
            )
        if counted is None:
            raise NotConfirmed(NOT_CONFIRMED)
        return wanted

    async def remove(self, me: Session, passkey_id: str) -> bool:
        """Take a passkey away; False if there is no such one."""
        try:
            credential_id = bytes.fromhex(passkey_id)
        except ValueError:
            return False
        async with self._database.workspace(me.workspace) as connection:
            gone = await connection.fetchval(
                self._sql["remove"], me.workspace, me.email, credential_id
            )
        return gone is not None

    async def remove_all_of(self, workspace: str, email: str) -> int:
        """Take all passkeys of somebody away, and return how many those were."""
        async with self._database.workspace(workspace) as connection:
            return len(await connection.fetch(self._sql["remove_all"], workspace, email))

    async def _ask(self, me: Session, session: bytes, wanted: Wanted) -> bytes:
        challenge = secrets.token_bytes(32)
        async with self._database.workspace(me.workspace) as connection, connection.transaction():
            await self._forget(connection, me)
            await connection.execute(
                self._sql["challenge"],
                me.workspace,
                me.email,
                hashlib.sha256(challenge).digest(),
                session,
                msgspec.json.encode(wanted).decode(),
                CONFIRMED_WITHIN_S,
            )
        return challenge

    async def _forget(self, connection: Connection, me: Session) -> None:
        await connection.execute(
            self._sql["forget_challenges"], me.workspace, me.email, MOST_CHALLENGES - 1
        )

    async def _take(
        self, me: Session, session: bytes, challenge: bytes, known: Sequence[str]
    ) -> Wanted:
        digest = hashlib.sha256(challenge).digest()
        async with self._database.workspace(me.workspace) as connection:
            row = await connection.fetchrow(self._sql["take"], me.workspace, digest)
        if row is None or not row["in_time"]:
            raise NotConfirmed(TOO_LATE)
        same = row["email"] == me.email and hmac.compare_digest(row["session_digest"], session)
        wanted = msgspec.json.decode(row["answer"], type=Wanted)
        if not same or wanted.what not in known:
            raise NotConfirmed(NOT_CONFIRMED)
        return wanted


def _read(credential: str) -> dict[str, Any]:
    try:
        sent = msgspec.json.decode(credential)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotConfirmed(NOT_CONFIRMED) from error
    if not isinstance(sent, dict):
        raise NotConfirmed(NOT_CONFIRMED)
    return sent


def _challenge_in(sent: dict[str, Any]) -> bytes:
    """Return which challenge was answered, as the browser wrote it into what was signed."""
    from webauthn import base64url_to_bytes  # noqa: PLC0415 # see above

    try:
        client_data = msgspec.json.decode(base64url_to_bytes(sent["response"]["clientDataJSON"]))
        return base64url_to_bytes(client_data["challenge"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotConfirmed(NOT_CONFIRMED) from error
