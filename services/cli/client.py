"""Speaks to a running Placet over HTTP, for the commands about approvals."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from services.cli.console import FAILED, MISUSED, NOT_FOUND, REFUSED, UNAVAILABLE, fail

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 15.0
CODES = {403: REFUSED, 404: NOT_FOUND, 409: REFUSED, 503: UNAVAILABLE}
"""How a command ends by the status of a problem; 1 for any other."""


def call(
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_S,
) -> Any:
    """Return the answer's JSON, or end with what the problem document says."""
    import httpx2

    url = os.environ.get("PLACET_URL", "http://127.0.0.1:8080").rstrip("/")
    try:
        answer = httpx2.request(
            method,
            f"{url}{path}",
            json=json,
            params={name: value for name, value in (params or {}).items() if value is not None},
            headers={"Authorization": f"Bearer {_key()}", **(headers or {})},
            timeout=timeout,
        )
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        return fail(f"PLACET_URL is {url!r}: it must be an http or https URL ({error})", MISUSED)
    except httpx2.HTTPError as error:
        return fail(f"{url} cannot be reached ({error}). Is `placet up` running?", UNAVAILABLE)
    if answer.is_success:
        return answer.json()
    return fail(_detail(answer), CODES.get(answer.status_code, FAILED))


def _detail(answer: "httpx2.Response") -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]


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
