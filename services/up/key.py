"""The key of `placet up`: made at the first start, kept in the data directory."""

import contextlib
import os
from pathlib import Path

from services.web.keys import new_key


def kept_key(directory: Path) -> str:
    """Return the key of this data directory; raises `OSError` where it cannot be kept."""
    path = directory / "key"
    with contextlib.suppress(FileNotFoundError):
        kept = path.read_text("ascii").strip()
        if kept:
            return kept
    text = new_key().text
    # Moved into place when it is whole: an interrupted start leaves no half of a key.
    making = directory / "key.new"
    making.unlink(missing_ok=True)
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
    return text
