"""The key of `placet up`: made at the first start, kept in the data directory."""

import os
from pathlib import Path

from services.web.keys import new_key


def kept_key(directory: Path) -> str:
    """Return the key of this data directory."""
    path = directory / "key"
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        text = new_key().text
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
        return text
