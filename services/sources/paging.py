"""How a listing goes from page to page: by a mark in the body, by number, by offset or by link."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from events.approval import Json
from services.sources.expressions import Inapplicable
from services.sources.listing import (
    Counted,
    CursorPages,
    LinkPages,
    NoPages,
    NumberedPages,
    OffsetPages,
    Pages,
)

MAX_MARK_CHARS = 4096
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^,;]+)*)")
_REL = re.compile(r";\s*rel\s*=\s*\"?([^\";]+)\"?", re.IGNORECASE)


class BadPage(Exception):
    """An answer that does not tell plainly where the next page is: nothing more can be listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What to ask for: parameters beside those of the listing, or a link in place of all."""

    params: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What the next page is told by; header names are in lower case."""

    body: Json
    headers: Mapping[str, str]
    rows: int


def first(pages: Pages) -> PageRequest:
    """Return the request for the first page."""
    match pages:
        case NumberedPages():
            return _counted(pages, pages.start, 0)
        case OffsetPages():
            return _counted(pages, 0, 0)
        case NoPages() | CursorPages() | LinkPages():
            return PageRequest()


def following(pages: Pages, asked: PageRequest, arrived: Arrived) -> PageRequest | None:
    """Return the request for the next page, None after the last one; raises `BadPage`."""
    number = asked.number + 1
    match pages:
        case NoPages():
            return None
        case CursorPages():
            return _by_mark(pages, asked, arrived)
        case LinkPages():
            link = _link(arrived.headers.get("link", ""), pages.rel)
            if link is not None and link == asked.link:
                raise BadPage("its Link leads to the same page again")
            return None if link is None else PageRequest(link=link, number=number)
        case NumberedPages():
            listed = number * pages.size if pages.size else None
            if _was_last(pages, arrived, listed):
                return None
            return _counted(pages, pages.start + number, number)
        case OffsetPages():
            # By `size`, not by rows: some sources count the rows that they hide from us too.
            if _was_last(pages, arrived, number * pages.size):
                return None
            return _counted(pages, number * pages.size, number)


def _counted(pages: NumberedPages | OffsetPages, value: int, number: int) -> PageRequest:
    params = {pages.param: str(value)}
    if pages.size_param and pages.size:
        params[pages.size_param] = str(pages.size)
    return PageRequest(params=params, number=number)


def _by_mark(pages: CursorPages, asked: PageRequest, arrived: Arrived) -> PageRequest | None:
    try:
        mark = pages.next.of(arrived.body)
    except Inapplicable as error:
        raise BadPage(f"list.paginate.next: {error}") from error
    if mark is None or mark is False or mark == "":
        return None
    if isinstance(mark, bool) or not isinstance(mark, str | int):
        raise BadPage("list.paginate.next picks neither a text nor a number")
    text = str(mark)
    if len(text) > MAX_MARK_CHARS:
        raise BadPage("list.paginate.next picks a text that is far too long")
    if asked.params.get(pages.param) == text:
        raise BadPage("the mark of the next page is that of this page: it would never end")
    return PageRequest(params={pages.param: text}, number=asked.number + 1)


def _was_last(pages: Counted, arrived: Arrived, listed: int | None) -> bool:
    """Tell by what the source says; a short page is not the last where rows are hidden from us."""
    if pages.more is not None:
        try:
            return not pages.more.holds(arrived.body)
        except Inapplicable as error:
            raise BadPage(f"list.paginate.more: {error}") from error
    total = _total(pages, arrived)
    if total is not None and listed is not None:
        return listed >= total
    return arrived.rows == 0


def _total(pages: Counted, arrived: Arrived) -> int | None:
    value: Json = None
    if pages.total is not None:
        try:
            value = pages.total.of(arrived.body)
        except Inapplicable as error:
            raise BadPage(f"list.paginate.total: {error}") from error
    elif pages.total_header is not None:
        value = arrived.headers.get(pages.total_header.lower())
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadPage("the total number of rows is not a number") from None


def _link(header: str, rel: str) -> str | None:
    for target, parameters in _LINK.findall(header):
        found = _REL.search(parameters)
        if found and rel.lower() in found[1].lower().split():
            return str(target)
    return None
