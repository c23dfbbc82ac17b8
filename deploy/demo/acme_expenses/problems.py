"""Refusals as RFC 9457 problem documents."""

import http
from typing import Any

from starlette.responses import JSONResponse

from acme_expenses.errors import (
    AlreadySettledError,
    ChooseAnotherIdError,
    CorrectInputError,
    NoSuchReportError,
    ReadAgainError,
    SendJsonError,
    ShrinkBodyError,
    StopAddingNotesError,
    UseAnotherKeyError,
)
from acme_expenses.records import as_json, etag

_CODES: dict[type[Exception], tuple[int, str]] = {
    NoSuchReportError: (404, "not_found"),
    ChooseAnotherIdError: (409, "report_id_taken"),
    AlreadySettledError: (409, "already_settled"),
    StopAddingNotesError: (409, "too_many_notes"),
    ReadAgainError: (412, "changed"),
    ShrinkBodyError: (413, "body_too_large"),
    SendJsonError: (415, "not_json"),
    CorrectInputError: (422, "invalid"),
    UseAnotherKeyError: (422, "idempotency_key_reused"),
}

REFUSALS = tuple(_CODES)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> JSONResponse:
    """A problem document; `code` is stable, `detail` is for people."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": http.HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": detail,
            **(extra or {}),
        },
        status,
        headers,
        media_type="application/problem+json",
    )


def refusal_status(error: Exception) -> int:
    """The HTTP status of one of REFUSALS."""
    return _CODES[type(error)][0]


def refusal(error: Exception, public_url: str) -> JSONResponse:
    """The problem document of one of REFUSALS."""
    status, code = _CODES[type(error)]
    headers: dict[str, str] = {}
    extra: dict[str, Any] = {}
    match error:
        case CorrectInputError(faults=faults):
            extra["errors"] = [{"field": name, "message": text} for name, text in faults]
        case ReadAgainError(report=report):
            extra["record"] = as_json(report, public_url)
            headers["ETag"] = etag(report)
        case AlreadySettledError(report=report):
            record = as_json(report, public_url)
            # The member `status` of a problem document is the HTTP status, and this API's callers
            # want the report's: the record's word wins here, as it does in many older systems.
            extra |= {"status": record["status"], "record": record}
            extra |= {name: record[name] for name in ("decided_by", "decided_at")}
            headers["ETag"] = etag(report)
        case _:
            pass
    return problem(status, code, str(error), headers=headers, extra=extra)
