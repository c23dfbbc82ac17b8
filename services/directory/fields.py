"""What the fields of a person may hold, wherever the person comes from."""

import re
from functools import cache
from zoneinfo import available_timezones

LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")
"""The name of a group or a role, as `label` writes it."""
CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,30}")
"""The name of a channel."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week, as a file calls them."""


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_time_zone(text: str) -> bool:
    """Tell whether a text names a time zone of the tz database."""
    return text in _time_zones()


def days_of(value: object) -> tuple[int, ...]:
    """Return days of the week, 0 for Monday, of a text such as mon-fri, or of a list of them.

    Raises `ValueError` with a sentence.
    """
    given = value if isinstance(value, list) else str(value).split(",")
    found: set[int] = set()
    for one in given:
        first, dash, last = str(one).strip().lower().partition("-")
        ends = [first.strip(), last.strip()] if dash else [first.strip()]
        if any(day not in DAYS for day in ends):
            known = ", ".join(DAYS)
            raise ValueError(f"{one!r} is no day of the week: write mon-fri, or a list of {known}")
        begin, end = DAYS.index(ends[0]), DAYS.index(ends[-1])
        if end < begin:
            raise ValueError(f"{one!r} runs backwards: begin with the earlier day of the week")
        found.update(range(begin, end + 1))
    if not found:
        raise ValueError("must hold at least one day")
    return tuple(sorted(found))
