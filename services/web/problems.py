"""Errors as RFC 9457 problem documents, each with a code that stays."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """The request cannot be served; the caller gets this document.

    `code` is stable, `detail` says what happened and what to do next, `more` are further members.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.more = more


class Invalid(Problem):
    """A field of the request is wrong; `pointer` names it as a JSON pointer."""

    def __init__(self, detail: str, *, pointer: str = "", code: str = "invalid") -> None:
        super().__init__(422, code, detail, errors=[{"pointer": pointer, "detail": detail}])


def unavailable(detail: str) -> Problem:
    """Return the problem for something that will be there again soon."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": "1"})


_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


def document_of(problem: Problem) -> dict[str, Any]:
    """Return the document itself."""
    return {
        "type": f"urn:placet:problem:{problem.code}",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.more,
    }


def problem_response(problem: Problem) -> Response:
    """Return the document as a response."""
    return Response(
        msgspec.json.encode(document_of(problem)),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(problem.headers or {}),
    )


async def answer_problem(_: Request, error: Exception) -> Response:
    """Exception handler for `Problem`."""
    if not isinstance(error, Problem):
        raise TypeError(f"not a problem: {error!r}")
    return problem_response(error)
