"""Finds people of a directory by a part of the address or the name."""

import heapq
from collections.abc import Sequence

from services.directory import Directory


def search(directory: Directory, part: str, *, after: str, limit: int) -> Sequence[str]:
    """Return the addresses after one, in order, that have a part in them or in the name.

    `part` is in lower case; empty finds everybody.
    """
    return heapq.nsmallest(
        limit,
        (
            one.email
            for one in directory.members.values()
            if one.email > after and (part in one.email or part in (one.name or "").lower())
        ),
    )
