"""Where Placet is, with which key, and how long to try: from arguments or the environment."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from placet.errors import WrongAddress, WrongKey

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT_S = 30.0
DEFAULT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a client goes by; the key is in no text of it."""

    url: str
    key: str = field(repr=False)
    timeout_s: float
    attempts: int


def read_settings(url: str | None, key: str | None, timeout: float, attempts: int) -> Settings:
    """Return the settings; what is None is read from `PLACET_URL` and `PLACET_KEY`.

    Raises `WrongAddress` and `WrongKey` for what cannot be one, and `ValueError` for a time or a
    number of attempts that is not positive.
    """
    if timeout <= 0:
        raise ValueError(f"timeout: {timeout} s is no time; give a positive number of seconds.")
    if attempts < 1:
        raise ValueError(f"attempts: {attempts} is too few; 1 means not to try again.")
    return Settings(
        url=_address(url or os.environ.get("PLACET_URL") or DEFAULT_URL),
        key=_key(key if key is not None else os.environ.get("PLACET_KEY", "")),
        timeout_s=timeout,
        attempts=attempts,
    )


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        well = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        parts, well = urlsplit(""), None
    if not well or parts.username is not None or parts.query or parts.fragment:
        # Not quoted: somebody may have put a password into it.
        raise WrongAddress(
            "The address of Placet is no plain http:// or https:// address, such as "
            f"{DEFAULT_URL}: correct PLACET_URL or `url`. A key belongs into PLACET_KEY."
        )
    return text.rstrip("/")


def _key(text: str) -> str:
    key = text.strip()
    if not key:
        raise WrongKey("There is no key: set PLACET_KEY, or pass `key`.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        # Not quoted either.
        raise WrongKey("The key holds characters that no key has: copy it again.")
    return key
