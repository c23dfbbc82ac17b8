"""Speaks to a running Placet over HTTP, for the commands about approvals."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from services.cli.console import FAILED, MISUSED, NOT_FOUND, REFUSED, UNAVAILABLE, fail

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 15.0
CODES = {
    401: REFUSED,
    403: REFUSED,
    404: NOT_FOUND,
    409: REFUSED,
    413: MISUSED,
    422: MISUSED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}
"""How a command ends by the status of a problem; 1 for any other."""


class Failed(Exception):
    """A call did not do what it should; `code` is what a command that needs it ends with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def call(
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    content: bytes | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_S,
) -> Any:
    """Return the answer's JSON, or end with what the problem document says."""
    try:
        return attempt(
            method,
            path,
            json=json,
            content=content,
            params=params,
            headers=headers,
            timeout=timeout,
        )
    except Failed as error:
        return fail(str(error), error.code)


def attempt(
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    content: bytes | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_S,
) -> Any:
    """Return the answer's JSON; raises `Failed` with what the problem document says."""
    import httpx2

    url = address()
    try:
        answer = httpx2.request(
            method,
            f"{url}{path}",
            json=json,
            content=content,
            params={name: value for name, value in (params or {}).items() if value is not None},
            headers={**authorization(), **(headers or {})},
            timeout=timeout,
        )
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise Failed(
            f"PLACET_URL is {url!r}: it must be an http or https URL ({error})", MISUSED
        ) from error
    except httpx2.HTTPError as error:
        raise Failed(
            f"{url} cannot be reached ({error}). Is `placet up` running?", UNAVAILABLE
        ) from error
    return content_of(answer)


def content_of(answer: "httpx2.Response") -> Any:
    """Return the JSON of an answer; raises `Failed` for a problem, or for none of Placet's."""
    try:
        content = answer.json()
    except ValueError:
        content = None
    if answer.is_success and content is not None:
        return content
    detail = content.get("detail") if isinstance(content, dict) else None
    code = CODES.get(answer.status_code, FAILED)
    where = address()
    raise Failed(str(detail or f"{where} answered {answer.status_code}: is that Placet?"), code)


def address() -> str:
    """Return where Placet is, by `PLACET_URL`; ends when that holds a password."""
    url = os.environ.get("PLACET_URL", "http://127.0.0.1:8080").rstrip("/")
    if "@" in url:
        fail("PLACET_URL must hold no name or password: the key goes to PLACET_KEY", MISUSED)
    return url


def authorization() -> dict[str, str]:
    """Return the header that says who calls; ends when there is no key."""
    return {"Authorization": f"Bearer {_key()}"}


def _key() -> str:
    given = os.environ.get("PLACET_KEY", "").strip()
    if given:
        if not given.isascii() or not given.isprintable():
            fail("PLACET_KEY holds characters that no key has.", MISUSED)
        return given
    from services.settings import home

    kept = home(os.environ) / "key"
    try:
        return kept.read_text("ascii").strip()
    except OSError:
        fail(
            "Set PLACET_KEY to a key. `placet key create` makes one; `placet up` prints its own.",
            MISUSED,
        )
