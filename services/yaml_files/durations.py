"""Reads lengths of time as people write them in a source file: `500ms`, `10s`, `2m`, `1h`, `7d`."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")


def seconds(text: object) -> float:
    """Return the length in seconds; raises `ValueError` with a sentence for anything else."""
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise ValueError("must be a length of time such as 10s, 2m or 1h")  # noqa: TRY004 - a fault of the file, not of the program
    if not isinstance(text, str):
        raise ValueError(f"needs a unit: write {text}s for seconds, or use ms, m, h or d")  # noqa: TRY004 - same
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no length of time: write it as 500ms, 10s, 2m, 1h or 7d")
    return float(found[1]) * _SECONDS[found[2]]


def words(length: float) -> str:
    """Return a length in seconds as a person would write it."""
    for unit in ("d", "h", "m", "s"):
        if length >= _SECONDS[unit] and length % _SECONDS[unit] == 0:
            return f"{length / _SECONDS[unit]:g}{unit}"
    return f"{length:g}s"
