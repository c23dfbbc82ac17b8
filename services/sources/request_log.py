"""Keeps keys that stand in URLs out of the log that the HTTP client writes of its requests."""

import logging
from collections.abc import Iterable
from typing import Final

from services.sources.credentials import redact

LOGGER: Final = "httpx2"


class _Redaction(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the secrets out of a line; every line is let through."""
        message = record.getMessage()
        redacted = redact(message, self.secrets)
        if redacted != message:
            record.msg, record.args = redacted, ()
        return True


_redaction: Final = _Redaction()


def keep_out(secrets: Iterable[str]) -> None:
    """Never let these texts into the client's log of this process, from now on."""
    _redaction.secrets.update(secrets)
    # Adding the same filter again changes nothing.
    logging.getLogger(LOGGER).addFilter(_redaction)
