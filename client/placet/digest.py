"""The digest that binds a decision to the payload that was approved."""

import hashlib

import rfc8785

from placet.json_values import plain_json


def payload_digest(payload: object) -> str:
    """Return the SHA-256 of the canonical payload (RFC 8785) in hexadecimal, as Placet does.

    Raises `TypeError` naming what is not JSON.
    """
    return hashlib.sha256(rfc8785.dumps(plain_json(payload, "payload"))).hexdigest()
