"""How long things took, from counts in buckets that are each a fifth wider than the last; pure."""

from collections.abc import Mapping

PER_DOUBLING = 4
"""Buckets for each doubling of seconds: what is read from them is right to within a tenth."""


def quantile(counts: Mapping[int, int], part: float) -> float | None:
    """Return how many seconds at most so large a part of them took; None where there are none."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = part * total, 0
    for bucket, count in sorted(counts.items()):
        seen += count
        if seen >= wanted:
            return seconds_of(bucket)
    raise AssertionError("the parts make up the whole")


def seconds_of(bucket: int) -> float:
    """Return the middle of a bucket, in seconds."""
    middle: float = 2 ** ((bucket + 0.5) / PER_DOUBLING)
    return middle
