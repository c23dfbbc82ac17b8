"""Where the pages of a list begin and go on, and how many rows they have."""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from projections.finding import MOST_LOOKED_AT, Found
from services.queue.pages.narrowing import Search
from services.queue.pages.reading import Reads
from services.queue.pages.rendering import redirect
from services.web.problems import Invalid
from services.web.session import Session

SHOWN = 20
"""Rows of a page: so it stays small, and is read at once over slow lines too."""
MANY = 200
"""Rows of a page on which somebody selects many, and as many as are answered together."""

_ID = re.compile(r"[0-9A-Za-z]{27}")
_CURSOR = re.compile(r"[0-9A-Za-z_-]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """Where a page leads: `partly` when more is to be looked through than one page may."""

    first: str | None
    following: str | None
    partly: bool
    looked_at: int = MOST_LOOKED_AT


def turning(form: Search, found: Found, cursor: str | None) -> Turning:
    """Return where a page leads."""
    return Turning(
        first=form.address() if cursor else None,
        following=form.address(cursor=found.next_cursor) if found.next_cursor else None,
        partly=found.partly,
    )


def cursor_in(request: Request) -> str | None:
    """Return the cursor of a page; raises 422 for what cannot be one."""
    cursor = request.query_params.get("cursor")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise Invalid(
            "cursor: this is none that we gave. Begin at the first page.", pointer="/cursor"
        )
    return cursor


def rows_in(request: Request) -> int:
    """Return how many rows a page has; raises 422."""
    match request.query_params.get("show", str(SHOWN)):
        case "20":
            return SHOWN
        case "200":
            return MANY
        case _:
            raise Invalid(f"show: {SHOWN} or {MANY}.", pointer="/show")


async def known_id(reads: Reads, request: Request, me: Session) -> Response | None:
    """Send somebody who looks for the id of an approval to its page, if there is one."""
    text = request.query_params.get("q", "").strip()
    if not _ID.fullmatch(text) or await reads.view(me.workspace, text) is None:
        return None
    return redirect(f"/approvals/{text}")
