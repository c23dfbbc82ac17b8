"""Reads what a server answered: the result of a call, or the error that says what to do."""

import email.utils
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from placet.approval import Approval
from placet.call import Call
from placet.errors import (
    AlreadyResolved,
    Conflict,
    FieldError,
    Invalid,
    NotAllowed,
    NotFound,
    PlacetError,
    StaleRevision,
    Unavailable,
    WrongAddress,
    WrongKey,
)

T = TypeVar("T")
MAX_QUOTED = 2_000
MAX_BODY = 64 * 1024 * 1024
"""The largest answer that is read; a page of the largest payloads is smaller by far."""
RETRIED = frozenset((429, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Body:
    """The body of an answer while it comes in."""

    def __init__(self) -> None:
        self._read = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take more of it; raises `WrongAddress` beyond the largest answer."""
        if len(self._read) + len(chunk) > MAX_BODY:
            raise WrongAddress("The answer is larger than any of Placet: correct PLACET_URL.")
        self._read += chunk

    def whole(self) -> bytes:
        """Return what came."""
        return bytes(self._read)


def result(call: Call[T], answer: Answer) -> T:
    """Return what a call was made for; raises `PlacetError` for every other answer."""
    document = _object(answer)
    if not 200 <= answer.status < 300:  # noqa: PLR2004 # what HTTP calls a success
        raise _refusal(call.path, answer, document)
    if document is None:
        raise _not_placet(call.path, answer.status)
    try:
        return call.read(document)
    except (KeyError, TypeError, ValueError) as error:
        raise _not_placet(call.path, answer.status) from error


def retry_after(answer: Answer) -> float | None:
    """Return how many seconds the server asked to be left alone, if it did."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(path: str, answer: Answer, document: Mapping[str, Any] | None) -> PlacetError:
    status = answer.status
    if document is None or "code" not in document:
        return _unexplained(path, answer)
    code = str(document["code"])
    said = f"{str(document.get('detail') or code)[:MAX_QUOTED]} ({status} {code})"
    match status:
        case 401:
            return WrongKey(said, status=status, code=code)
        case 403:
            return NotAllowed(said, status=status, code=code)
        case 404:
            return NotFound(said, status=status, code=code)
        case 409:
            found = document.get("approval")
            approval = Approval(found) if isinstance(found, dict) else None
            kinds = {"already_resolved": AlreadyResolved, "stale_revision": StaleRevision}
            kind = kinds.get(code, Conflict)
            return kind(said, status=status, code=code, approval=approval)
        case 429 | 500 | 502 | 503 | 504:
            return Unavailable(said, status=status, code=code, retry_after=retry_after(answer))
        case _ if 400 <= status < 500:  # noqa: PLR2004 # what the caller did wrong
            return Invalid(said, status=status, code=code, errors=_errors(document))
        case _:
            return PlacetError(said, status=status, code=code)


def _unexplained(path: str, answer: Answer) -> PlacetError:
    """Return the error for an answer that Placet did not give: a proxy in between did."""
    status = answer.status
    match status:
        case 401:
            return WrongKey("Something before Placet wants another key (401).", status=status)
        case 403:
            return NotAllowed("Something before Placet does not allow that (403).", status=status)
        case 429 | 500 | 502 | 503 | 504:
            return Unavailable(
                f"Placet does not answer, something before it does ({status}).",
                status=status,
                retry_after=retry_after(answer),
            )
        case _:
            return _not_placet(path, status)


def _not_placet(path: str, status: int) -> WrongAddress:
    return WrongAddress(
        f"What answered {path} with {status} is not Placet: correct PLACET_URL or `url`.",
        status=status,
    )


def _errors(document: Mapping[str, Any]) -> list[FieldError]:
    found = document.get("errors")
    return [
        FieldError(pointer=str(one.get("pointer", "")), detail=str(one.get("detail", "")))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
    ]
