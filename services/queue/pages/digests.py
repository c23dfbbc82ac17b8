"""The digest of what a page showed of a request: an answer keeps it, so that it can be told later.

What only the clock moves, such as the time that is left, is left out by whoever calls.
"""

import hashlib
from typing import Any

import msgspec


def digest_of(shown: dict[str, Any]) -> str:
    """Return the SHA-256 of what is shown, in hexadecimal: of its JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()
