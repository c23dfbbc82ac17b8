"""Verifies who sent a webhook, by the rules of Standard Webhooks (symmetric signatures, v1)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

TOLERANCE_S = 300
PREFIX = "whsec_"
MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 128
MAX_ID_CHARS = 256
MAX_SIGNATURES = 16


class Unsuitable(Exception):
    """The secret cannot be used: make another one."""


class NotSigned(Exception):
    """The message is not from who it should be, or is too old: do not act on it."""


def signing_key(secret: str) -> bytes:
    """Return the key in a secret `whsec_` + base64; raises `Unsuitable`, without telling it."""
    try:
        encoded = secret.removeprefix(PREFIX).rstrip("=")
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise Unsuitable(
            f"the secret must be {PREFIX} and the base64 of {MIN_KEY_BYTES} to {MAX_KEY_BYTES} "
            "random bytes"
        )
    return key


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Return the message's id; raises `NotSigned` with what is missing or wrong.

    `headers` have names in lower case. Any one of several signatures is enough, so that a sender
    can change its secret without a gap.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not message_id or not timestamp or not signatures:
        raise NotSigned(
            "the headers webhook-id, webhook-timestamp and webhook-signature are needed"
        )
    if len(message_id) > MAX_ID_CHARS or not message_id.isascii():
        raise NotSigned(f"webhook-id must have at most {MAX_ID_CHARS} plain characters")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):  # noqa: PLR2004 - seconds of the next millennia
        raise NotSigned("webhook-timestamp must be seconds since 1970")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        raise NotSigned(f"webhook-timestamp is more than {TOLERANCE_S // 60} minutes off")
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = hmac.new(signing_key(secret), signed, hashlib.sha256).digest()
    genuine = False
    for signature in signatures.split(" ")[:MAX_SIGNATURES]:
        version, _, encoded = signature.partition(",")
        if version == "v1":
            # Each is compared, and in constant time: how long it takes tells nothing.
            genuine |= hmac.compare_digest(_decoded(encoded), expected)
    if not genuine:
        raise NotSigned("no signature fits the message")
    return message_id


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
