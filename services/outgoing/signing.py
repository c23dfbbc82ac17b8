"""Signs webhooks by the rules of Standard Webhooks (symmetric signatures, v1)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from secrets import token_bytes

PREFIX = "whsec_"
NEW_KEY_BYTES = 32
MIN_KEY_BYTES = 24
MAX_KEY_BYTES = 64
# An endpoint has one secret, two while it rotates; no more are kept at hand than are in use.
KEPT_KEYS = 4096


class BadSecret(Exception):
    """The secret cannot be used: make another one, or leave it out and be given one."""


def new_secret() -> str:
    """Return a new secret: `whsec_` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(token_bytes(NEW_KEY_BYTES)).decode()


def check_secret(text: str) -> None:
    """Raise `BadSecret`, which does not tell the secret, unless `sign` can use it."""
    _key(text)


def sign(message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> str:
    """Return the value of `webhook-signature`: one signature for each secret.

    `timestamp` is the time of this attempt in seconds since 1970. Raises `BadSecret`, and
    ValueError without a secret or for an id that would let one message pass for another.
    """
    if not message_id or "." in message_id or not message_id.isascii():
        raise ValueError(
            "a message's id is plain ASCII without a dot: the dot parts what is signed"
        )
    if not secrets:
        raise ValueError("a webhook is signed with at least one secret")
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(_signature(_key(secret), signed) for secret in secrets)


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


@lru_cache(maxsize=KEPT_KEYS)
def _key(secret: str) -> bytes:
    key = b""
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise BadSecret(
            f"The secret must be {PREFIX} and the base64 of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} "
            "random bytes. Leave it out, and one is made for you."
        )
    return key
