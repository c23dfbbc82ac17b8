"""Tells whether Discord itself sent a request: Ed25519 over its timestamp and its raw body."""

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_S = 300
MOST_DIGITS = 12


def is_genuine(
    public_key: str, *, timestamp: str, signature: str, body: bytes, now: datetime
) -> bool:
    """Tell whether a body was signed with the key, and not long ago; keys are hexadecimal."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MOST_DIGITS):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), timestamp.encode() + body)
    except (InvalidSignature, ValueError):
        return False
    return True
