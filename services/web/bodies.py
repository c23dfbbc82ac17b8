"""Reads what comes in, bounded in size and depth, and names the field that is wrong."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from services.web.emails import NotAnAddress, email
from services.web.problems import Invalid, Problem

MAX_BODY = 256 * 1024
MAX_DEPTH = 32
JSON = "application/json"

T = TypeVar("T")
_AT = re.compile(r" - at `\$?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return the body; raises 413 for more bytes than `most`, without reading on."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and _is_more(length, most):
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise _too_large(most)
            parts.append(part)
    except ClientDisconnect as error:
        raise Problem(400, "incomplete", "The request ended before its body did.") from error
    return b"".join(parts)


async def read_json_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return a body that is said to be JSON, or of which nothing is said; raises 413 and 415."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, "wrong_type", f"Send JSON: Content-Type: {JSON}.")
    return await read_body(request, most)


def _is_more(digits: str, most: int) -> bool:
    """Compare without making a number of thousands of digits."""
    return len(digits.lstrip("0")) > len(str(most)) or int(digits.lstrip("0") or "0") > most


def _too_large(most: int) -> Problem:
    return Problem(413, "too_large", f"The body is over {most // 1024} KiB. Link to what is large.")


def read_json(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Return the body as the decoder's type.

    Raises 422 (`Invalid`) naming the field for anything else, such as an unknown field, or for
    JSON that is nested deeper than `MAX_DEPTH`.
    """
    try:
        check_depth(body)
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The body is not JSON: {error}", code="not_json") from error
    except RecursionError as error:
        raise _too_deep() from error


def check_depth(body: bytes) -> None:
    """Raise 422 for JSON that is nested too deep; brackets within texts do not count."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(body):
        match token.group()[:1]:
            case b"{" | b"[":
                depth += 1
                if depth > MAX_DEPTH:
                    raise _too_deep()
            case b"}" | b"]":
                depth -= 1
            case _:
                continue


# A text that does not end reaches to the end: looking for its end again from each quotation mark
# within it would take minutes.
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def _too_deep() -> Invalid:
    return Invalid(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep")


def _invalid(message: str) -> Invalid:
    found = _AT.search(message)
    path = found["path"] if found else ""
    text = message[: found.start()] if found else message
    pointer = "/" + "/".join(_parts(path)) if path else ""
    for pattern in (_UNKNOWN, _MISSING):
        named = pattern.search(text)
        if named:
            pointer = f"{pointer.rstrip('/')}/{named['field']}"
    where = pointer.strip("/").replace("/", ".") or "body"
    return Invalid(f"{where}: {text}", pointer=pointer)


def _parts(path: str) -> Sequence[str]:
    return [part for part in re.split(r"[.\[\]]", path) if part]


def plain(value: str, field: str) -> str:
    """Return a text that can be looked up; raises 422 for one with control characters."""
    if any(ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF for character in value):  # noqa: PLR2004 # below the space, and halves of pairs
        raise Invalid(f"{field}: control characters are not allowed.", pointer=f"/{field}")
    return value


def as_json(value: Any) -> bytes:
    """Return a value's JSON."""
    return msgspec.json.encode(value)


def address(text: str, field: str) -> str:
    """Return an e-mail address in lower case; raises 422 for a text that is none."""
    try:
        return email(text)
    except NotAnAddress as error:
        raise Invalid(f"{field}: {error}", pointer=f"/{field}") from error
