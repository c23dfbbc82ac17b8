"""What counts as an e-mail address here: enough to address somebody, not to judge the standard."""

import re

EMAIL = r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}$"
_EMAIL = re.compile(EMAIL)


class NotAnAddress(ValueError):
    """The text is no e-mail address."""


def email(text: str) -> str:
    """Return the address in lower case; raises `NotAnAddress`."""
    found = text.strip().lower()
    if not _EMAIL.match(found):
        raise NotAnAddress(f"{text[:100]!r} is not an e-mail address")
    return found
