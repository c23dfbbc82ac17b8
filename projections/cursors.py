"""Says where the next page of a list begins, in a text that callers hand back as they got it."""

import base64
import binascii
from datetime import UTC, datetime


class BadCursor(ValueError):
    """The cursor is none that we gave: begin again without one."""

    def __init__(self) -> None:
        super().__init__("This cursor is none that we gave. Begin again without one.")


def cursor_of(*place: str) -> str:
    """Return the cursor of a place, which is made of texts without line breaks."""
    return base64.urlsafe_b64encode("\n".join(place).encode()).decode().rstrip("=")


def place_of(cursor: str, parts: int) -> list[str]:
    """Return the texts of a place; raises `BadCursor`."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        found = place.decode("ascii").split("\n")
    except (binascii.Error, UnicodeError) as error:
        raise BadCursor from error
    if not cursor or len(found) != parts or "\0" in "".join(found):
        raise BadCursor
    return found


def cursor_of_time(at: datetime, identifier: str) -> str:
    """Return the cursor of a list by time; the id tells apart what has the same time."""
    return cursor_of(at.isoformat(), identifier)


def time_of(cursor: str) -> tuple[datetime, str]:
    """Return the time, in UTC, and the id of such a place; raises `BadCursor`."""
    text, identifier = place_of(cursor, 2)
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not identifier.replace("_", "").isalnum():
            raise BadCursor
        return at.astimezone(UTC), identifier
    except (ValueError, OverflowError) as error:
        raise BadCursor from error
