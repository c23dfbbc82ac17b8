"""What the fields of a person may hold, wherever the person comes from."""

import re
from functools import cache
from zoneinfo import available_timezones

LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")
"""The name of a group or a role, as `label` writes it."""
CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,30}")
"""The name of a channel."""


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_time_zone(text: str) -> bool:
    """Tell whether a text names a time zone of the tz database."""
    return text in _time_zones()
