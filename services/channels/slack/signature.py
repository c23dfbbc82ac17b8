"""Tells whether a message is Slack's: signed with the app's secret, and not long ago."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

TOLERANCE_S = 300
TIMESTAMP = "x-slack-request-timestamp"
SIGNATURE = "x-slack-signature"
_MOST_DIGITS = 12


class NotSigned(Exception):
    """It cannot be told that the message is Slack's; the message of this says why."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise `NotSigned` unless the signature is right; `headers` have names in lower case."""
    at, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not (at.isascii() and at.isdigit() and len(at) <= _MOST_DIGITS and given):
        raise NotSigned(f"The headers {TIMESTAMP} and {SIGNATURE} are missing or cannot be read")
    if abs(now.timestamp() - int(at)) > TOLERANCE_S:
        raise NotSigned("The message is more than 5 minutes old, or the clocks differ")
    signed = b"v0:" + at.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise NotSigned("The signature is not that of this app's signing secret")
