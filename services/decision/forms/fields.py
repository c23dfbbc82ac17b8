"""Reads the fields of a form, bounded, and names the one that is wrong."""

import re
from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

from services.decision.api import known
from services.decision.forms.ports import Fields
from services.web.bodies import read_body
from services.web.payload_form import MOST_FIELDS as MOST_PAYLOAD_FIELDS
from services.web.payload_form import is_field
from services.web.picked import MOST_PICKED, Picked
from services.web.problems import Invalid, Problem

MAX_TEXT = 10_000
MAX_FIELDS = 20
MAX_REVISION = 1_000
MAX_BACK = 2_000
PICK = "pick"
SHOWN = "shown"
FORM = "application/x-www-form-urlencoded"

_OF_THE_INBOX = ("q", "type", "source", "urgency", "requester", "due", "show", "cursor")
_ONCE = re.compile(r"[0-9a-f]{24}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


async def read_form(
    request: Request,
    *,
    required: Collection[str] = (),
    optional: Collection[str] = (),
    with_payload: bool = False,
) -> Fields:
    """Return a form's fields; raises 413, 415, or 422 naming a field that is unknown or missing."""
    most = max(MAX_FIELDS, len(required) + len(optional))
    most += MOST_PAYLOAD_FIELDS if with_payload else 0
    pairs = await _pairs(request, most)
    return _fields(pairs, required, optional, with_payload=with_payload)


async def read_selection(
    request: Request, *, required: Collection[str] = (), optional: Collection[str] = ()
) -> tuple[list[Picked], Fields]:
    """Return what was selected, each approval once, and the other fields; raises as `read_form`.

    What was shown of each is in `shown`, also of those that were not selected in the end.
    """
    pairs = await _pairs(request, MAX_FIELDS + 2 * MOST_PICKED)
    seen = _shown_of_each(value for name, value in pairs if name == SHOWN)
    picked: dict[str, Picked] = {}
    for name, value in pairs:
        if name == PICK:
            approval_id, _, revision = value.partition(" ")
            bounded(revision, PICK, MAX_REVISION)
            if not revision:
                raise Invalid(f"{PICK}: is no approval with its revision.", pointer=f"/{PICK}")
            found = Picked(approval_id, revision, seen.get(approval_id))
            picked.setdefault(known(approval_id), found)
    if len(picked) > MOST_PICKED:
        raise Invalid(f"{PICK}: select {MOST_PICKED} at the most.", pointer=f"/{PICK}")
    others = [pair for pair in pairs if pair[0] not in (PICK, SHOWN)]
    return [*picked.values()], _fields(others, required, optional)


def _shown_of_each(values: Iterable[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for value in values:
        approval_id, _, digest = value.partition(" ")
        if approval_id in found:
            raise Invalid(f"{SHOWN}: sent twice.", pointer=f"/{SHOWN}")
        found[approval_id] = shown_in({SHOWN: digest})
    return found


async def _pairs(request: Request, most: int) -> list[tuple[str, str]]:
    body = await read_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise Problem(415, "wrong_type", f"Send a form: {FORM}.")
    try:
        return parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=most, errors="strict"
        )
    except ValueError as error:  # also bytes that are no UTF-8
        raise Invalid("This is no form of ours: load the page again.") from error


def _fields(
    pairs: Iterable[tuple[str, str]],
    required: Collection[str],
    optional: Collection[str],
    *,
    with_payload: bool = False,
) -> Fields:
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


def back_in(fields: Fields) -> str:
    """Return the parameters of the inbox to go back to: only such as it has; raises 422."""
    text = fields.get("back", "")
    try:
        pairs = parse_qsl(text, max_num_fields=len(_OF_THE_INBOX), strict_parsing=bool(text))
    except ValueError as error:
        raise Invalid("back: this is none that we gave.", pointer="/back") from error
    if len(text) > MAX_BACK or any(name not in _OF_THE_INBOX for name, _ in pairs):
        raise Invalid("back: this is none that we gave.", pointer="/back")
    return urlencode(pairs)


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


def shown_in(fields: Fields) -> str | None:
    """Return the digest of what was shown with the form; None where it sent none; raises 422."""
    digest = fields.get(SHOWN)
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise Invalid(f"{SHOWN}: is no digest of ours: load the page again.", pointer=f"/{SHOWN}")
    return digest


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
