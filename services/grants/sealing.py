"""Seals tokens: encrypted, and bound to the account whose they are."""

import json
import os
from dataclasses import dataclass
from typing import Final

from services.grants import Whose
from services.sources.credentials import Secret

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


class NotOurs(Exception):
    """It was not sealed with this key, or not for this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What opens an account; `renewal` is what a new access token is asked for with."""

    access: Secret
    renewal: Secret | None


class Seal:
    """AES-256-GCM with a key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        # Imported here: it costs memory, and not everybody needs it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        self._cipher = AESGCM(key)

    def sealed(self, pair: TokenPair, whose: Whose) -> bytes:
        """Return the tokens as only `opened` reads them, with this key and for the same account."""
        held = {"access": pair.access.reveal()}
        if pair.renewal is not None:
            held["renewal"] = pair.renewal.reveal()
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(held).encode()
        return _VERSION + nonce + self._cipher.encrypt(nonce, text, _bound_to(whose))

    def opened(self, sealed: bytes, whose: Whose) -> TokenPair:
        """Return what was sealed; raises `NotOurs`."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 # as above

        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION:
            raise NotOurs
        try:
            held = json.loads(self._cipher.decrypt(nonce, text, _bound_to(whose)))
        except (InvalidTag, ValueError):
            raise NotOurs from None
        renewal = held.get("renewal")
        return TokenPair(
            access=Secret(held["access"]), renewal=None if renewal is None else Secret(renewal)
        )


def _bound_to(whose: Whose) -> bytes:
    # As JSON: no two accounts give the same text, whatever their names hold.
    return _VERSION + json.dumps(["grant", whose.workspace, whose.source, whose.email]).encode()
