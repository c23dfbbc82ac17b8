"""Verifies that a webhook was signed by Placet, lately, and was not altered."""

import base64
import hashlib
import hmac
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from placet.errors import BadSignature

PREFIX = "whsec_"
VERSION = "v1"
MOST_SIGNATURES = 20
LONGEST_TIMESTAMP = 12


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance_s: float = 300,
    now: float | None = None,
) -> dict[str, Any]:
    """Return what a webhook says, if one of the secrets signed it (Standard Webhooks, `v1`).

    `body` is the request's body byte for byte as it came, `headers` any mapping, whose names may
    be in any case; `now` is in Unix seconds. Raises `BadSignature` for anything else, and
    `ValueError` for a secret that is none: that is yours to correct. The same `webhook-id` may
    come more than once: do a thing once for each.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise ValueError("There is no secret to verify webhooks with.")
    keys = [_key_of(one) for one in secrets]
    named = {name.lower(): value for name, value in headers.items()}
    message_id = _header(named, "webhook-id")
    if "." in message_id or not message_id.isascii():
        # A dot could be cut elsewhere: another id, time and body with the same signature.
        raise BadSignature("webhook-id is no id of a webhook.")
    timestamp = _header(named, "webhook-timestamp")
    _check_time(timestamp, tolerance_s, time.time() if now is None else now)
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    # Every pair is compared, and each in constant time: how long it takes tells nothing.
    matches = [
        hmac.compare_digest(one, given)
        for given in _signatures(_header(named, "webhook-signature"))
        for one in expected
    ]
    if not any(matches):
        raise BadSignature(
            "The webhook was not signed with this secret, or was altered on the way. Verify the "
            "body as it came, before anything parses it."
        )
    return _said(body)


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        # Not quoted: it is a secret.
        raise ValueError(f"A secret of webhooks is {PREFIX} and base64; this one is not.")
    return key


def _header(named: Mapping[str, str], name: str) -> str:
    value = named.get(name)
    if not isinstance(value, str) or not value:
        raise BadSignature(f"The webhook has no header {name}: it is not signed.")
    return value


def _check_time(timestamp: str, tolerance_s: float, now: float) -> None:
    well = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= LONGEST_TIMESTAMP
    if not well:
        raise BadSignature("webhook-timestamp is no number of seconds.")
    age = now - int(timestamp)
    if not math.fabs(age) <= tolerance_s:
        raise BadSignature(
            f"The webhook was signed {age:.0f} s ago, more than {tolerance_s:g} s away from this "
            "machine's clock: it may be an old one that somebody sends again."
        )


def _signatures(header: str) -> list[bytes]:
    found: list[bytes] = []
    for one in header.split(" ")[:MOST_SIGNATURES]:
        version, comma, text = one.partition(",")
        if version != VERSION or not comma:
            continue  # signed in another way as well
        try:
            found.append(base64.b64decode(text, validate=True))
        except ValueError:
            continue
    return found


def _said(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise BadSignature("The webhook is signed, but is no JSON.") from error
    if not isinstance(said, dict):
        raise BadSignature("The webhook is signed, but is no JSON object.")
    return said
