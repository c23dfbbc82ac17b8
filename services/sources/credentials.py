"""Secrets of a source: taken from the environment, and kept out of everything that is printed."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "[hidden]"

_TELLING = ("authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey")


class Secret:
    """A value that shows itself only when asked by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself: only for the request that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def holds_secrets(name: str) -> bool:
    """Tell whether a header or query parameter of this name usually carries a secret."""
    plain = name.lower().replace("_", "-")
    return any(word in plain for word in _TELLING)


def as_sent(secret: Secret) -> tuple[str, ...]:
    """Return a secret in each form in which it is sent."""
    value = secret.reveal()
    return tuple({value, quote(value), quote_plus(value)})


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets, for when a source quotes them back at us."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text
