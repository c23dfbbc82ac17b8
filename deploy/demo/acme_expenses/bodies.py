"""Reads the body of a request within a bound, as JSON or as a form."""

import hashlib
import json
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from acme_expenses.errors import CorrectInputError, SendJsonError, ShrinkBodyError

MAX_BODY_BYTES = 256 * 1024
_MAX_FORM_FIELDS = 400


async def read_body(request: Request) -> bytes:
    """The whole body; raises ShrinkBodyError as soon as it is known to be over MAX_BODY_BYTES."""
    announced = request.headers.get("content-length", "")
    # float, because int refuses thousands of digits, and a header may hold them.
    if announced.isdecimal() and float(announced) > MAX_BODY_BYTES:
        raise _too_large()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return body


async def read_json(request: Request) -> Any:
    """The JSON body, with decimals as Decimal.

    An empty body counts as an empty object. Raises ShrinkBodyError, SendJsonError and, for what
    is no JSON, CorrectInputError.
    """
    body = await read_body(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media and media != "application/json" and not media.endswith("+json"):
        raise SendJsonError(f"Send the body as application/json, not {media[:100]}.")
    if not body:
        return {}
    try:
        return json.loads(
            body,
            parse_float=_decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise CorrectInputError([("body", "is nested too deeply")]) from None
    except ValueError as error:
        raise CorrectInputError([("body", f"is no JSON: {error}")]) from None


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; the last of a name counts.

    Raises ShrinkBodyError and CorrectInputError.
    """
    body = await read_body(request)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS
        )
    except ValueError:
        raise CorrectInputError([("form", "is no URL-encoded form of a page here")]) from None
    # Browsers end lines with CR LF in forms.
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def fingerprint(request: Request, body: Any) -> str:
    """What tells one request from another: method, path and the meaning of the body."""
    canonical = json.dumps(body, sort_keys=True, default=str)
    text = f"{request.method} {request.scope['path']}\n{canonical}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _too_large() -> ShrinkBodyError:
    return ShrinkBodyError(f"The body is over {MAX_BODY_BYTES // 1024} KiB; send less.")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]} is out of range") from None


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A name that stands twice means something else to each reader: refuse to guess.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
