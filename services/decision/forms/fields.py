"""Reads the fields of a form, bounded, and names the one that is wrong."""

import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.decision.api import known
from services.decision.forms.ports import Fields
from services.web.bodies import read_body
from services.web.payload_form import MOST_FIELDS as MOST_PAYLOAD_FIELDS
from services.web.payload_form import is_field
from services.web.problems import Invalid, Problem

MAX_TEXT = 10_000
MAX_FIELDS = 20
FORM = "application/x-www-form-urlencoded"

_ONCE = re.compile(r"[0-9a-f]{24}")


async def read_form(
    request: Request,
    *,
    required: Collection[str] = (),
    optional: Collection[str] = (),
    with_payload: bool = False,
) -> Fields:
    """Return a form's fields; raises 413, 415, or 422 naming a field that is unknown or missing."""
    body = await read_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise Problem(415, "wrong_type", f"Send a form: {FORM}.")
    most = MAX_FIELDS + (MOST_PAYLOAD_FIELDS if with_payload else 0)
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=most, errors="strict"
        )
    except ValueError as error:  # also bytes that are no UTF-8
        raise Invalid("This is no form of ours: load the page again.") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in (*required, *optional) and not (with_payload and is_field(name)):
            raise Invalid(f"{name[:100]}: there is no such field.", pointer=f"/{name[:100]}")
        if name in fields:
            raise Invalid(f"{name}: sent twice.", pointer=f"/{name}")
        fields[name] = value.replace("\r\n", "\n")
    for name in required:
        if name not in fields:
            raise Invalid(f"{name}: is missing.", pointer=f"/{name}")
    return fields


def approval_in(request: Request) -> str:
    """Return the id in the address; raises 404 for a text that never was one."""
    approval_id: str = request.path_params["approval_id"]
    return known(approval_id)


def text_in(fields: Fields, name: str, most: int = MAX_TEXT) -> str:
    """Return a field's text without blanks around it, empty if it is not there; raises 422."""
    text = bounded(fields.get(name, ""), name, most).strip()
    if "\0" in text:
        raise Invalid(f"{name}: control characters are not allowed.", pointer=f"/{name}")
    return text


def bounded(text: str, field: str, most: int) -> str:
    """Return a text as it is; raises 422 for one that is too long."""
    if len(text) > most:
        raise Invalid(f"{field}: at most {most:,} characters.", pointer=f"/{field}")
    return text


def once(fields: Fields, name: str) -> str:
    """Return the id that a form carries so that sent twice it counts once; raises 422."""
    if not _ONCE.fullmatch(fields[name]):
        raise Invalid(f"{name}: load the page again.", pointer=f"/{name}")
    return fields[name]
