"""Checks single values that a source sent: texts, addresses, URLs, and payloads as a whole."""

from math import isfinite
from urllib.parse import urlsplit

from events.approval import Json
from events.digest import NotCanonical, payload_digest

MAX_RECORD_ID_CHARS = 200
MAX_REVISION_CHARS = 200
MAX_EMAIL_CHARS = 254
MAX_NAME_CHARS = 200
MAX_TITLE_CHARS = 300
MAX_REASON_CHARS = 4000
MAX_URL_CHARS = 2000
MAX_PAYLOAD_BYTES = 256 * 1024
MAX_PAYLOAD_DEPTH = 32

SHOWN_CHARS = 60


class Wrong(Exception):
    """The value cannot be used; the message says why, to follow a field's name."""


def shown(value: object) -> str:
    """Return a value as an error quotes it: short, and on one line."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def word(value: Json, limit: int) -> str:
    """Return an identifier that came as a text or a whole number; raises `Wrong`."""
    if value is None:
        raise Wrong("is missing")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Wrong(f"must be a text or a whole number, not {shown(value)}")
    text = str(value)
    if not text.strip():
        raise Wrong("is empty")
    if len(text) > limit:
        raise Wrong(f"is longer than {limit} characters")
    if not text.isprintable():
        raise Wrong(f"holds a character that cannot be printed: {shown(text)}")
    return text


def record_id(value: Json) -> str:
    """Return the id of a record; raises `Wrong`."""
    text = word(value, MAX_RECORD_ID_CHARS)
    if text in {".", ".."}:
        raise Wrong(f"must not be {text!r}, which means another place in a path")
    return text


def line(value: Json, limit: int) -> str | None:
    """Return a text on one line, cut at `limit`; None for nothing; raises `Wrong`."""
    text = prose(value, limit)
    return None if text is None else " ".join(text.split()) or None


def prose(value: Json, limit: int) -> str | None:
    """Return a text, cut at `limit`; None for nothing; raises `Wrong`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Wrong(f"must be a text, not {shown(value)}")
    text = str(value).strip()
    _check_text(text)
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    return text or None


def email(value: Json) -> str:
    """Return an address in lower case; raises `Wrong`."""
    if value is None or value == "":
        raise Wrong("is missing")
    if not isinstance(value, str):
        raise Wrong(f"must be an e-mail address, not {shown(value)}")
    text = value.strip().lower()
    name, at, host = text.partition("@")
    plain = text.isprintable() and not any(character.isspace() for character in text)
    if not (name and at and host and "@" not in host and plain):
        raise Wrong(f"must be an e-mail address, not {shown(value)}")
    if len(text) > MAX_EMAIL_CHARS:
        raise Wrong(f"is longer than {MAX_EMAIL_CHARS} characters")
    return text


def url(value: Json) -> str | None:
    """Return a link that a browser may open; None for nothing; raises `Wrong`."""
    text = line(value, MAX_URL_CHARS + 1)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Wrong(f"must be a URL, not {shown(text)}") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc or " " in text:
        raise Wrong(f"must be a URL with http or https, not {shown(text)}")
    if len(text) > MAX_URL_CHARS:
        raise Wrong(f"is longer than {MAX_URL_CHARS} characters")
    return text


def payload(value: Json) -> str:
    """Check what an approver is to see, and return its digest; raises `Wrong`."""
    if value is None:
        raise Wrong("is missing")
    size = _size(value)
    if size > MAX_PAYLOAD_BYTES:
        raise Wrong(f"is larger than {MAX_PAYLOAD_BYTES // 1024} KiB")
    try:
        return payload_digest(value)
    except NotCanonical as error:
        raise Wrong(f"cannot be kept exactly: {error}") from error


def _size(value: Json) -> int:
    """Return about how many bytes the value takes as JSON; raises `Wrong` for what JSON cannot."""
    size = 0
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_PAYLOAD_DEPTH:
            raise Wrong(f"is nested deeper than {MAX_PAYLOAD_DEPTH} levels")
        below: list[Json] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one.values())
                for key in one:
                    size += 4 + _check_text(key)
            elif isinstance(one, list):
                below.extend(one)
                size += 2 + len(one)
            elif isinstance(one, str):
                size += 2 + _check_text(one)
            else:
                if isinstance(one, float) and not isfinite(one):
                    raise Wrong("holds a number that is not finite")
                size += len(str(one))
        level = below
    return size


def _check_text(text: str) -> int:
    """Return the bytes of a text; raises `Wrong` for characters that a database cannot hold."""
    if "\x00" in text:
        raise Wrong("holds the character NUL, which cannot be stored")
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise Wrong(
            "holds half of a character (a lone surrogate), which cannot be stored"
        ) from None
