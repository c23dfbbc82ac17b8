"""The digest that binds a decision to the payload that was approved."""

import hashlib

import rfc8785

from events.approval import Json


class NotCanonical(Exception):
    """The payload holds a number that JSON cannot carry exactly: send it as text."""


def payload_digest(payload: Json) -> str:
    """Return the SHA-256 of the canonical payload (RFC 8785) in hexadecimal.

    Raises `NotCanonical` for integers beyond 2^53 and for numbers that are not finite.
    """
    try:
        return hashlib.sha256(rfc8785.dumps(payload)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(
            f"{error}: numbers must be finite, and integers below 2^53. Send it as text."
        ) from error
